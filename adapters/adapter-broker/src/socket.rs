//! The socket of a connection that is being opened. The library keeps such a connection for itself until the broker has
//! answered, so that one to a silent broker would stay open for ever, whoever has ceased to wait for it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use rustix::net::{Shutdown, shutdown};

/// Opens a connection.
///
/// # Errors
/// Those of the library.
///
/// Cancellation: dropped, it closes the socket.
pub(crate) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    tls: OwnedTLSConfig,
) -> lapin::Result<Connection> {
    let opening = Opening::default();
    let socket = Arc::clone(&opening.0);
    let opened = Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |uri: AMQPUri, runtime| {
            let address = runtime.to_socket_addrs((uri.authority.host.clone(), uri.authority.port));
            let stream = AsyncTcpStream::connect(&runtime, address).await?;
            if let AsyncTcpStream::Plain(plain) = &stream {
                let own = plain.get_ref().as_fd().try_clone_to_owned()?;
                *socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, tls.as_ref()).await?,
            })
        },
        properties,
    )
    .await?;
    opening.is_done();
    Ok(opened)
}

/// A socket that is shut unless its connection comes about.
#[derive(Default)]
struct Opening(Arc<Mutex<Option<OwnedFd>>>);

impl Opening {
    /// The library closes the socket from now on.
    fn is_done(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Where the other side has closed it there is nothing left to do.
            let _ = shutdown(&socket, Shutdown::Both);
        }
    }
}
