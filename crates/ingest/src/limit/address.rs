//! Whose request it is, by address: the peer's, or what a trusted proxy says. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

/// Most networks of trusted proxies.
pub const TRUSTED_PROXIES_MAX: usize = 64;
/// Most addresses of `X-Forwarded-For` that are looked at, from the right: more hops than any chain of proxies has.
const HOPS_MAX: usize = 16;
/// The header in which proxies name their peers.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an IP address, or a network such as 10.0.0.0/8")]
pub struct BadNetwork;

/// An address, or all addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is one of it. IPv4 addresses are recognised in their IPv6 form, too.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let rest = 32u32.saturating_sub(u32::from(self.bits));
                (u32::from(own) ^ u32::from(other)).checked_shr(rest).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let rest = 128u32.saturating_sub(u32::from(self.bits));
                (u128::from(own) ^ u128::from(other))
                    .checked_shr(rest)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| BadNetwork)?)),
        };
        let address = address.parse::<IpAddr>().map_err(|_| BadNetwork)?.to_canonical();
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits > all {
            return Err(BadNetwork);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The proxies whose word on the client's address is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// These networks; what is beyond [`TRUSTED_PROXIES_MAX`] is not trusted.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        let mut networks = networks;
        networks.truncate(TRUSTED_PROXIES_MAX);
        Self(networks)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client's address: the peer's, unless the peer is trusted; then the last address of `X-Forwarded-For` that is
    /// not itself trusted. What stands left of that one was said by somebody we do not trust.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>();
        let hops = lines
            .into_iter()
            .rev()
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(HOPS_MAX) {
            let Some(address) = hop_address(hop) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// The address of a hop, which may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = text.parse::<IpAddr>().ok();
    let with_port = || {
        text.parse::<std::net::SocketAddr>()
            .ok()
            .map(|socket| socket.ip())
    };
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address
        .or_else(with_port)
        .or_else(bracketed)
        .map(|address| address.to_canonical())
}

/// What attempts are counted by: an IPv4 address, or the /64 that one IPv6 customer has.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let headers = forwarded
            .iter()
            .map(|line| (FORWARDED_FOR, line.parse().unwrap()))
            .collect();
        TrustedProxies::new(networks)
            .client(ip(peer), &headers)
            .to_string()
    }

    #[test]
    fn a_network_holds_the_addresses_with_its_first_bits() {
        let holds = |network: &str, address: &str| network.parse::<Network>().unwrap().contains(ip(address));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("192.0.2.7", "::ffff:192.0.2.7") && holds("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("::/0", "2001:db8::1"));
        for bad in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(BadNetwork), "{bad:?}");
        }
    }

    #[test]
    fn nobody_but_a_trusted_proxy_can_say_whose_request_it_is() {
        assert_eq!(client(&[], "192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "192.0.2.1", &["198.51.100.1"]),
            "192.0.2.1"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", &["198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_client_itself_wrote_into_the_header_is_not_believed() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(
            client(trusted, "10.0.0.1", &["203.0.113.9, 198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(
            client(trusted, "10.0.0.1", &["203.0.113.9", "198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(
            client(trusted, "10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(
            client(trusted, "10.0.0.1", &["198.51.100.1, nonsense"]),
            "10.0.0.1"
        );
        assert_eq!(
            client(trusted, "10.0.0.1", &["198.51.100.1, nonsense, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(client(trusted, "10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(
            client(trusted, "10.0.0.1", &["198.51.100.1:4711"]),
            "198.51.100.1"
        );
    }

    #[test]
    fn an_endless_header_is_not_read_to_its_end() {
        let hops = vec!["10.0.0.9"; 1000].join(",");
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", &[&format!("198.51.100.1,{hops}")]),
            "10.0.0.9"
        );
    }

    #[test]
    fn the_addresses_of_one_customer_are_counted_together() {
        assert_eq!(counted_as(ip("2001:db8:0:1:2::3")), ip("2001:db8:0:1::"));
        assert_eq!(counted_as(ip("192.0.2.1")), ip("192.0.2.1"));
    }
}
