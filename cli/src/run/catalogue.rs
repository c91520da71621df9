//! The adapters, with a connection to procos itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use adapter_catalog::Catalogue;
use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;

use super::http::USER;
use crate::config::Config;
use crate::exit::Trouble;

/// The name of the HTTP connection that leads to procos itself.
const OWN: &str = "procos";

/// Every adapter, with the connection `services.http.procos` to the port that listens here, unless one of that name
/// is configured.
///
/// # Errors
/// Where a route or a service makes no sense.
pub(super) fn with_own_port(config: &Config, listener: &TcpListener) -> Result<Arc<Catalogue>, Trouble> {
    let address = listener
        .local_addr()
        .map_err(|error| Trouble::unreachable(format!("cannot tell where the HTTP port listens: {error}")))?;
    let mut services = config.settings().services.clone();
    add_own_port(&mut services, address);
    Ok(Arc::new(config.catalogue_with(&services)?))
}

fn add_own_port(services: &mut Map<String, Json>, address: SocketAddr) {
    // What listens at every address is reached at loopback's.
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(host, address.port()).to_string();
    let section = services.entry("http").or_insert_with(|| Json::Object(Map::new()));
    // What is no section is the catalogue's to refuse.
    if let Some(connections) = section.as_object_mut() {
        connections.entry(OWN).or_insert_with(|| {
            json!({
                "base_url": format!("http://{address}"),
                "allow": [address],
                "auth": {"basic": {"username": USER, "password": "secret:http-password"}},
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(services: Json, address: &str) -> Json {
        let mut services = services.as_object().cloned().unwrap();
        add_own_port(&mut services, address.parse().unwrap());
        services.into()
    }

    #[test]
    fn the_own_port_is_a_connection_unless_one_is_configured() {
        let own = &added(json!({}), "0.0.0.0:8099")["http"]["procos"];
        assert_eq!(own["base_url"], "http://127.0.0.1:8099");
        assert_eq!(own["allow"], json!(["127.0.0.1:8099"]));
        assert_eq!(
            added(json!({}), "[::]:1")["http"]["procos"]["base_url"],
            "http://[::1]:1"
        );
        let theirs = json!({"http": {"procos": {"base_url": "http://elsewhere"}}});
        assert_eq!(added(theirs.clone(), "127.0.0.1:1"), theirs);
    }
}
