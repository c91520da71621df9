//! Which addresses are internal, and why.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is refused unless the connection lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What kind of address it is, to go behind "it is".
    pub(crate) kind: &'static str,
    /// Whether it stays refused where the connection lists the host's name and not the address itself: no honest
    /// name leads there.
    pub(crate) strict: bool,
}

/// Why an address is refused; nothing where it is a public one. The kinds are those of the IANA special-purpose
/// address registries, and the addresses at which clouds tell a machine its credentials. An IPv6 address that
/// carries an IPv4 one is as good as that.
pub(crate) fn refusal(address: IpAddr) -> Option<Refusal> {
    match address {
        IpAddr::V4(address) => refusal_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => refusal_v4(mapped),
            None => refusal_v6(address),
        },
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<Refusal> {
    V4.iter()
        .find(|(network, ..)| network.contains(&address))
        .map(|&(_, kind, strict)| Refusal { kind, strict })
}

fn refusal_v6(address: Ipv6Addr) -> Option<Refusal> {
    let listed = V6.iter().find(|(network, ..)| network.contains(&address));
    if let Some(&(_, kind, strict)) = listed {
        return Some(Refusal { kind, strict });
    }
    let [s0, s1, s2, .., s6, s7] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        refusal_v4(Ipv4Addr::new(a, b, c, d))
    };
    if SIX_TO_FOUR.contains(&address) {
        return embedded(s1, s2);
    }
    if NAT64.contains(&address) {
        return embedded(s6, s7);
    }
    let is_global = s0 & 0xe000 == 0x2000;
    (!is_global).then_some(Refusal {
        kind: "not a public address",
        strict: true,
    })
}

/// IPv4 inside IPv6 by RFC 3056.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

/// IPv4 inside IPv6 by RFC 6052, as networks without IPv4 use it.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(
        Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]),
        prefix,
    )
}

/// Networks with what they are, the narrower before the wider, and whether a listed name does not open them.
const V4: &[(Ipv4Net, &str, bool)] = &[
    (v4(169, 254, 169, 254, 32), "a cloud's metadata service", true),
    (v4(168, 63, 129, 16, 32), "a cloud's metadata service", true),
    (v4(100, 100, 100, 200, 32), "a cloud's metadata service", true),
    (v4(0, 0, 0, 0, 8), "an unspecified address", true),
    (v4(10, 0, 0, 0, 8), "a private address", false),
    (
        v4(100, 64, 0, 0, 10),
        "a shared (carrier-grade NAT) address",
        false,
    ),
    (v4(127, 0, 0, 0, 8), "a loopback address", false),
    (v4(169, 254, 0, 0, 16), "a link-local address", true),
    (v4(172, 16, 0, 0, 12), "a private address", false),
    (v4(192, 0, 0, 0, 24), "a protocol assignment", true),
    (v4(192, 0, 2, 0, 24), "a documentation address", true),
    (v4(192, 88, 99, 0, 24), "a relay address", true),
    (v4(192, 168, 0, 0, 16), "a private address", false),
    (v4(198, 18, 0, 0, 15), "a benchmarking address", true),
    (v4(198, 51, 100, 0, 24), "a documentation address", true),
    (v4(203, 0, 113, 0, 24), "a documentation address", true),
    (v4(224, 0, 0, 0, 4), "a multicast address", true),
    (v4(255, 255, 255, 255, 32), "the broadcast address", true),
    (v4(240, 0, 0, 0, 4), "a reserved address", true),
];

const V6: &[(Ipv6Net, &str, bool)] = &[
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
        "a cloud's metadata service",
        true,
    ),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address", false),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified address", true),
    (
        v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
        "an IPv4-compatible address",
        true,
    ),
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        "a local translation address",
        true,
    ),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard address", true),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        "a documentation address",
        true,
    ),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        "a protocol assignment",
        true,
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        "a documentation address",
        true,
    ),
    (
        v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        "a unique local address",
        false,
    ),
    (
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        "a link-local address",
        true,
    ),
    (
        v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
        "a site-local address",
        false,
    ),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address", true),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_refused_and_named() {
        for (address, kind) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "shared"),
            ("100.127.255.255", "shared"),
            ("100.100.100.200", "metadata"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "metadata"),
            ("169.254.0.1", "link-local"),
            ("169.254.169.254", "metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "protocol"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "relay"),
            ("192.168.1.1", "private"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "compatible"),
            ("::808:808", "compatible"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "metadata"),
            ("::ffff:0:7f00:1", "not a public"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "metadata"),
            ("64:ff9b:1::1", "translation"),
            ("100::1", "discard"),
            ("2001::1", "protocol"),
            ("2001:2::1", "protocol"),
            ("2001:10::1", "protocol"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "loopback"),
            ("2002:c0a8:101::1", "private"),
            ("3fff::1", "documentation"),
            ("4000::1", "not a public"),
            ("5f00::1", "not a public"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "metadata"),
            ("fd12::1", "unique local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            let refused = refusal(address.parse().unwrap());
            assert!(
                refused.is_some_and(|refused| refused.kind.contains(kind)),
                "{address}: {refused:?}"
            );
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2002:808:808::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert_eq!(refusal(address.parse().unwrap()), None, "{address}");
        }
    }
}
