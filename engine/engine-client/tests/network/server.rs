//! A server on the loopback interface that answers as a test says, and remembers what it was asked.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine_client::{ClientSettings, EngineClient, Login};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// What the server does: answers, or closes the connection without an answer.
pub(crate) type Answer = io::Result<Response<BoxBody<Bytes, io::Error>>>;

type Handler = Arc<dyn Fn(Asked) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// A header's text; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Stops accepting when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    close: Notify,
}

impl Server {
    pub(crate) async fn start<F, A>(handler: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self::with(None, handler).await
    }

    pub(crate) async fn encrypted<F, A>(acceptor: TlsAcceptor, handler: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self::with(Some(acceptor), handler).await
    }

    async fn with<F, A>(acceptor: Option<TlsAcceptor>, handler: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared::default());
        let handler: Handler = Arc::new(move |asked| Box::pin(handler(asked)));
        Self {
            address: listener.local_addr().unwrap(),
            scheme: if acceptor.is_some() { "https" } else { "http" },
            shared: Arc::clone(&shared),
            accepting: tokio::spawn(accept(listener, acceptor, shared, handler)),
        }
    }

    /// An address on it, by the name that its certificate is made out to.
    pub(crate) fn url(&self, path: &str) -> Url {
        let (scheme, port) = (self.scheme, self.address.port());
        let host = if scheme == "https" {
            "localhost"
        } else {
            "127.0.0.1"
        };
        format!("{scheme}://{host}:{port}{path}").parse().unwrap()
    }

    pub(crate) fn engine(&self) -> Url {
        self.url("/engine-rest")
    }

    /// A client of it that has no login and no settings of its own.
    pub(crate) fn client(&self) -> EngineClient {
        EngineClient::new(self.engine(), Login::None).unwrap()
    }

    /// The same with so much time for each call.
    pub(crate) fn client_within(&self, call_timeout: Duration) -> EngineClient {
        let settings = ClientSettings::new().call_timeout(call_timeout);
        settings.client(self.engine(), Login::None).unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// What it was asked below a path.
    pub(crate) fn asked_of(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.path.starts_with(path));
        asked
    }

    /// Waits until that many requests below a path have arrived.
    pub(crate) async fn until_asked(&self, path: &str, times: usize) {
        until(|| self.asked_of(path).len() >= times).await;
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Closes the connections that wait for a request, without a word, and waits until they are closed.
    pub(crate) async fn close_idle(&self) {
        self.start_closing_idle();
        until(|| self.open() == 0).await;
    }

    /// The same without waiting for it.
    pub(crate) fn start_closing_idle(&self) {
        self.shared.close.notify_waiters();
    }

    /// Lets everything run that can, so that what has not happened then does not happen by itself.
    pub(crate) async fn settle(&self) {
        // Each round looks for what has arrived and runs whom it is for.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Waits for a condition, and by a clock that no test stops. Each round looks once for what has arrived.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain");
        tokio::task::yield_now().await;
    }
}

/// An answer with a body in JSON.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> Answer {
    text(status, "application/json", &body.to_string())
}

/// An answer with any body.
pub(crate) fn text(status: u16, kind: &str, body: &str) -> Answer {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never| match never {});
    let answer = Response::builder().status(status).header("content-type", kind);
    Ok(answer.body(body.boxed()).unwrap())
}

/// What a healthy engine answers when it is asked for its version.
pub(crate) fn version() -> Answer {
    json(200, &json!({"version": "7.24.0"}))
}

/// A success whose body comes in parts. One that is an error breaks the connection.
pub(crate) fn parts(parts: impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static) -> Answer {
    let parts = StreamBody::new(parts.map(|part| part.map(Frame::data)));
    Ok(Response::new(BodyExt::boxed(parts)))
}

/// A success of which this much comes, and then nothing for ever.
pub(crate) fn stalled(begin: &'static [u8]) -> Answer {
    parts(stream::iter([Ok(Bytes::from_static(begin))]).chain(stream::pending()))
}

/// A success of which this much comes before the connection breaks.
pub(crate) fn broken(begin: &'static [u8]) -> Answer {
    // Not at once, else hyper would not send what is before it.
    let breaks = stream::once(async {
        tokio::task::yield_now().await;
        Err(closed())
    });
    parts(stream::iter([Ok(Bytes::from_static(begin))]).chain(breaks))
}

/// Why the server closes a connection without an answer.
pub(crate) fn closed() -> io::Error {
    io::Error::other("as the test wants it")
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>, handler: Handler) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let (acceptor, shared, handler) = (acceptor.clone(), Arc::clone(&shared), Arc::clone(&handler));
        tokio::spawn(async move {
            serve(stream, acceptor, &shared, handler).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, shared: &Arc<Shared>, handler: Handler) {
    let Some(acceptor) = acceptor else {
        return speak(stream, false, shared, handler).await;
    };
    if let Ok(stream) = acceptor.accept(stream).await {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        speak(stream, is_http2, shared, handler).await;
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    shared: &Arc<Shared>,
    handler: Handler,
) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        let shared = Arc::clone(shared);
        async move {
            let asked = read(request).await;
            shared.asked.lock().unwrap().push(asked.clone());
            handler(asked).await
        }
    });
    let closing = shared.close.notified();
    let stream = TokioIo::new(stream);
    if is_http2 {
        let _ = http2::Builder::new(TokioExecutor::new())
            .serve_connection(stream, service)
            .await;
        return;
    }
    let mut serving = std::pin::pin!(http1::Builder::new().serve_connection(stream, service));
    tokio::select! {
        _ = &mut serving => return,
        () = closing => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

async fn read(request: Request<Incoming>) -> Asked {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    Asked {
        version: parts.version,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.unwrap_or_default().to_vec()).unwrap(),
    }
}

/// An answer that is given without a thought.
pub(crate) fn always(answer: fn() -> Answer) -> impl Fn(Asked) -> BoxFuture<'static, Answer> {
    move |_| Box::pin(async move { answer() })
}

/// No answer at all, over a connection that stays open.
pub(crate) fn never(_: Asked) -> BoxFuture<'static, Answer> {
    Box::pin(std::future::pending())
}
