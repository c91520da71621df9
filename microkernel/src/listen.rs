//! Where an engine of our own will listen.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use engine_client::EngineClient;
use tokio::time::timeout;
use url::Url;

use crate::BootError;

/// The path under which the project's own engine serves its REST API.
const PATH: &str = "/engine-rest";

/// An address of this machine, from the REST API's.
pub(crate) async fn address(url: &Url) -> Result<SocketAddr, BootError> {
    let wrong = |why: &str| {
        let example = "such as http://127.0.0.1:8080/engine-rest";
        BootError::Settings(format!("engine.url is {url}, {why}; give an address {example}"))
    };
    if url.scheme() != "http" {
        return Err(wrong("but an engine of our own speaks http alone"));
    }
    if url.path().trim_end_matches('/') != PATH {
        return Err(wrong("but an engine of our own answers under /engine-rest"));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(wrong("which names no host"));
    };
    // An IPv6 address comes in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|source| BootError::Address {
            address: format!("{host}:{port}"),
            source,
        })?;
    // The JVM prefers IPv4, too.
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .first()
        .copied()
        .ok_or_else(|| wrong("whose host has no address"))
}

/// Whether the address can be listened on.
pub(crate) fn check(address: SocketAddr) -> Result<(), BootError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(in_use(address)),
        Err(source) => Err(BootError::Address {
            address: address.to_string(),
            source,
        }),
    }
}

/// Whether the address can be listened on, now or once whoever is leaving it has done so.
pub(crate) async fn check_within(address: SocketAddr, patience: Duration) -> Result<(), BootError> {
    let free = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while check(address).is_err() {
            ticks.tick().await;
        }
    };
    // Once free is enough: a program that somebody starts at this moment holds the tried socket, too, until it runs.
    match timeout(patience, free).await {
        Ok(()) => Ok(()),
        Err(_) => check(address),
    }
}

/// That somebody else listens there: who, where the system tells.
pub(crate) fn in_use(address: SocketAddr) -> BootError {
    let listeners = listeners::get_all().unwrap_or_default();
    let holder = listeners.into_iter().find(|it| {
        // A JVM listens on the IPv6 form of an IPv4 address.
        let at = SocketAddr::new(it.socket.ip().to_canonical(), it.socket.port());
        at.port() == address.port() && (at.ip() == address.ip() || is_any(at.ip()) || is_any(address.ip()))
    });
    BootError::PortInUse {
        address: address.to_string(),
        holder: holder.map(|it| format!("{} (process {})", it.process.name, it.process.pid)),
    }
}

fn is_any(ip: IpAddr) -> bool {
    ip.is_unspecified()
}

/// Who the client is, for messages.
pub(crate) fn login_name(login: &engine_client::Login) -> String {
    match login {
        engine_client::Login::None => "nobody (engine.auth is not set)".to_owned(),
        engine_client::Login::Basic { username, .. } => format!("`{username}`"),
        engine_client::Login::Bearer(_) => "the bearer token".to_owned(),
        engine_client::Login::OAuth2(login) => format!("the client `{}`", login.client_id),
    }
}

/// What an answer that is none means.
pub(crate) fn no_answer(engine: &EngineClient, user: &str, error: engine_client::EngineError) -> BootError {
    let url = engine.url().to_string();
    if error.is_unauthorized() || error.is_forbidden() {
        let user = user.to_owned();
        return BootError::LoginRefused { url, user };
    }
    match error {
        engine_client::EngineError::Refused(refusal) => BootError::NotAnEngine {
            url,
            reason: format!(
                "{} {} gives status {}",
                refusal.method, refusal.path, refusal.status
            ),
        },
        engine_client::EngineError::Unexpected { reason, .. } => BootError::NotAnEngine {
            url,
            reason: format!("its answer to /version makes no sense ({reason})"),
        },
        other => BootError::Engine(other),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn only_what_an_own_engine_can_serve() {
        for (url, wanted) in [
            ("http://127.0.0.1:18140/engine-rest", Some("127.0.0.1:18140")),
            ("http://[::1]:18140/engine-rest/", Some("[::1]:18140")),
            ("http://localhost/engine-rest", Some("127.0.0.1:80")),
            ("https://127.0.0.1/engine-rest", None),
            ("http://127.0.0.1:18140/rest", None),
        ] {
            let got = address(&url.parse().unwrap()).await;
            assert_eq!(
                got.as_ref().ok().map(ToString::to_string).as_deref(),
                wanted,
                "{got:?}"
            );
        }
    }

    #[test]
    fn a_port_in_use_names_its_holder() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check(held.local_addr().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("(process {})", std::process::id())),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_port_that_is_being_left_is_waited_for() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        assert!(check_within(address, Duration::ZERO).await.is_err());
        // Polled in this order: it is in use at first.
        let waits = check_within(address, Duration::from_secs(20));
        let (free, ()) = tokio::join!(biased; waits, async { drop(held) });
        free.unwrap();
    }

    #[tokio::test]
    async fn what_is_started_meanwhile_takes_no_port() {
        // Until it runs its program, a process that is started holds what its parent has open.
        let over = Arc::new(AtomicBool::new(false));
        let starting = std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                while !over.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            }
        });
        for port in 11_000..13_000 {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if check_within(address, Duration::ZERO).await.is_err() {
                let later = check_within(address, Duration::from_secs(1)).await;
                assert!(later.is_err(), "{port} was in use for a moment");
            }
        }
        over.store(true, Ordering::Relaxed);
        starting.join().unwrap();
    }

    #[test]
    fn a_foreign_address_is_refused() {
        // TEST-NET-1: never one of this machine's.
        let error = check("192.0.2.1:18140".parse().unwrap()).unwrap_err();
        assert!(matches!(error, BootError::Address { .. }), "{error}");
    }
}
