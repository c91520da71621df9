//! What the HTTP port of a running `procos` says of its health.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::Context;

/// How long its answer is waited for; it knows it at once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What `/health/ready` answers.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Readiness {
    /// Whether all parts work.
    pub(super) ready: bool,
    /// Whether a stop is under way.
    #[serde(default)]
    pub(super) draining: bool,
    /// The kernel's phase, where a kernel runs there.
    #[serde(default)]
    pub(super) kernel: Option<String>,
    /// How many deployments came around the gate and would be refused.
    #[serde(default)]
    pub(super) violations: usize,
    /// The worker pools, where any run there.
    #[serde(default)]
    pub(super) pools: Vec<Pool>,
}

/// A worker pool.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Pool {
    pub(super) name: String,
    /// Whether it takes tasks.
    pub(super) ready: bool,
    /// How many tasks it can run at once.
    pub(super) capacity: usize,
    /// How many it runs now.
    pub(super) in_flight: usize,
}

/// Asks the port of the configuration.
///
/// # Errors
/// What is wrong, in words: nothing listens there, or something else does.
pub(crate) async fn readiness(context: &Context) -> Result<Readiness, String> {
    let url = format!("http://{}/health/ready", address(context));
    let wrong = |error: reqwest::Error| match error.is_connect() {
        true => format!("nothing answers at {url}"),
        false if error.is_decode() => format!("something else than procos answers at {url}"),
        false => format!("{url} does not answer: {}", error.without_url()),
    };
    // The client panics without one, even where no TLS is spoken. Fails where one is installed already, which is
    // as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A client of its own: the engine's would send the engine's password along.
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(TIMEOUT)
        .build()
        .map_err(wrong)?;
    client
        .get(&url)
        .send()
        .await
        .map_err(wrong)?
        .json()
        .await
        .map_err(wrong)
}

/// Where the port is reached; what listens at every address is reached at loopback's.
pub(super) fn address(context: &Context) -> SocketAddr {
    let listen = context.config.settings().http.listen;
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
