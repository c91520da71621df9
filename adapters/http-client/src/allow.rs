//! The internal addresses that a connection may reach all the same.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use crate::address::Refusal;

/// One entry of a connection's `allow`: an address, a network or a host's name, each with or without a port, such
/// as `127.0.0.1:8080`, `10.2.0.0/16`, `[::1]:8080` or `ledger.internal:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    target: Target,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Network(IpNet),
    Name(String),
}

/// Text that is no entry of `allow`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address to allow: write an address, a network or a name, with a port or without, such as 127.0.0.1:8080, 10.2.0.0/16, [::1]:8080 or ledger.internal:443"
)]
pub struct InvalidAllowed(String);

impl Allowed {
    /// What opens the host and port of an address, and nothing else: for addresses that an operator has configured. None where
    /// the address has no host.
    #[must_use]
    pub fn of_url(url: &Url) -> Option<Self> {
        let port = url.port_or_known_default()?;
        format!("{}:{port}", url.host_str()?).parse().ok()
    }

    /// Whether the entry opens an address that is refused otherwise, to which a host of this name leads.
    pub(crate) fn opens(&self, host: &str, address: SocketAddr, refusal: Refusal) -> bool {
        let port_fits = self.port.is_none_or(|port| port == address.port());
        port_fits
            && match &self.target {
                Target::Network(network) => {
                    network.contains(&address.ip()) || network.contains(&address.ip().to_canonical())
                }
                Target::Name(name) => {
                    !refusal.strict && name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host))
                }
            }
    }
}

impl FromStr for Allowed {
    type Err = InvalidAllowed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let (target, port) = match network(trimmed) {
            Some(network) => (Some(Target::Network(network)), None),
            None => match trimmed.rsplit_once(':') {
                Some((target, port)) => {
                    let port: u16 = port.parse().map_err(|_| InvalidAllowed(text.to_owned()))?;
                    (
                        network(target).map(Target::Network).or_else(|| name(target)),
                        Some(port),
                    )
                }
                None => (name(trimmed), None),
            },
        };
        match target {
            Some(target) if port != Some(0) => Ok(Self { target, port }),
            _ => Err(InvalidAllowed(text.to_owned())),
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    let text = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}

fn name(text: &str) -> Option<Target> {
    match Host::parse(text).ok()? {
        Host::Domain(name) if !name.contains('*') && name != "." => {
            Some(Target::Name(name.trim_end_matches('.').to_owned()))
        }
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(Target::Network(IpAddr::from(address).into())),
        Host::Ipv6(address) => Some(Target::Network(IpAddr::from(address).into())),
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match &self.target {
            Target::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().to_string()
            }
            Target::Network(network) => network.to_string(),
            Target::Name(name) => name.clone(),
        };
        match self.port {
            None => formatter.write_str(&target),
            Some(port) if target.contains(':') => write!(formatter, "[{target}]:{port}"),
            Some(port) => write!(formatter, "{target}:{port}"),
        }
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::refusal;

    fn opens(entry: &str, host: &str, address: &str) -> bool {
        let address: SocketAddr = address.parse().unwrap();
        entry
            .parse::<Allowed>()
            .unwrap()
            .opens(host, address, refusal(address.ip()).unwrap())
    }

    #[test]
    fn entries_open_what_they_say_and_no_more() {
        for (entry, host, address, open) in [
            ("127.0.0.1", "localhost", "127.0.0.1:80", true),
            ("127.0.0.1", "localhost", "127.0.0.2:80", false),
            ("127.0.0.1:8080", "localhost", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "localhost", "127.0.0.1:8081", false),
            ("127.0.0.1:8080", "localhost", "[::ffff:127.0.0.1]:8080", true),
            ("10.2.0.0/16", "a", "10.2.255.255:1", true),
            ("10.2.0.0/16", "a", "10.3.0.0:1", false),
            ("10.2.0.0/16:443", "a", "10.2.0.1:443", true),
            ("10.2.0.0/16:443", "a", "10.2.0.1:80", false),
            ("::1", "a", "[::1]:9", true),
            ("[::1]:8080", "a", "[::1]:8080", true),
            ("[fd00::/8]:443", "a", "[fd12::1]:443", true),
            ("fd00::/8", "a", "[fe80::1]:443", false),
            ("ledger.internal:443", "ledger.internal", "10.0.0.1:443", true),
            ("ledger.internal:443", "LEDGER.internal.", "10.0.0.1:443", true),
            ("ledger.internal:443", "other.internal", "10.0.0.1:443", false),
            ("ledger.internal", "a.ledger.internal", "10.0.0.1:443", false),
            ("169.254.169.254", "a", "169.254.169.254:80", true),
            ("ledger.internal", "ledger.internal", "169.254.169.254:80", false),
            ("ledger.internal", "ledger.internal", "0.0.0.0:80", false),
        ] {
            assert_eq!(
                opens(entry, host, address),
                open,
                "{entry} for {host} at {address}"
            );
        }
    }

    #[test]
    fn a_configured_address_opens_itself() {
        for (url, entry) in [
            ("http://127.0.0.1:8000/v1", Some("127.0.0.1:8000")),
            ("https://models.internal/v1", Some("models.internal:443")),
            ("http://[::1]/", Some("[::1]:80")),
            ("mailto:ada@example.com", None),
        ] {
            let opened = Allowed::of_url(&Url::parse(url).unwrap());
            assert_eq!(opened.map(|one| one.to_string()).as_deref(), entry, "{url}");
        }
    }

    #[test]
    fn entries_are_shown_as_they_read() {
        for entry in [
            "127.0.0.1:8080",
            "10.2.0.0/16",
            "[::1]:8080",
            "::1",
            "fd00::/8",
            "[fd00::/8]:443",
            "ledger.internal:443",
        ] {
            let read: Allowed = entry.parse().unwrap();
            assert_eq!(read.to_string(), entry);
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_remedy() {
        for entry in [
            "",
            " ",
            ":80",
            "*",
            "*.internal",
            "10.2.0.0/33",
            "a b",
            "host:port",
            "host:0",
            "http://a/",
            "a:1:2",
        ] {
            let error = entry.parse::<Allowed>().unwrap_err();
            assert!(error.to_string().contains("10.2.0.0/16"), "{entry}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_back(text in "[0-9a-f:./\\[\\]* é-]{0,24}|\\PC{0,24}") {
            if let Ok(entry) = text.parse::<Allowed>() {
                proptest::prop_assert_eq!(entry.to_string().parse::<Allowed>(), Ok(entry));
            }
        }
    }
}
