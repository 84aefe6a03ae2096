//! Which hosts may be spoken to: those of the public internet over TLS, and those that the configuration names. A name is
//! checked when it is resolved, so that it cannot lead elsewhere.

use super::{SourceError, host_of};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Action, Attempt};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

const REDIRECT_LIMIT: usize = 5;

/// Which hosts may be spoken to, and how.
#[derive(Clone)]
pub struct Fence(pub Arc<BTreeSet<String>>);

impl Fence {
    fn is_local(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        self.0.contains(host) || self.0.contains(&format!("{host}:{port}"))
    }

    /// # Errors
    /// A host that may not be spoken to, or not so.
    pub fn check(&self, url: &Url) -> Result<(), SourceError> {
        let fenced = |why| Err(SourceError::Fenced { host: host_of(url), why });
        if self.is_local(url) {
            return Ok(());
        }
        if !matches!(url.scheme(), "https" | "wss") {
            return fenced("it does not use TLS; name the host in `sources.http.local_hosts` if it is yours");
        }
        // A name is checked when it is resolved.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !is_public(address) => fenced(NOT_PUBLIC),
            _ => Ok(()),
        }
    }

    /// Whether to go where a server sends us.
    pub fn follow(&self, attempt: Attempt) -> Action {
        let from = attempt.previous().last();
        let stays = from.is_some_and(|from| host_of(from) == host_of(attempt.url()));
        // Only we may send ourselves to a local host, never another server.
        let allowed = self.check(attempt.url()).is_ok() && (stays || !self.is_local(attempt.url()));
        if allowed && attempt.previous().len() <= REDIRECT_LIMIT { attempt.follow() } else { attempt.error("refused") }
    }

    /// The addresses of `host` that may be spoken to.
    ///
    /// # Errors
    /// When there is none.
    pub async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let local =
            self.0.contains(host) || self.0.iter().any(|entry| entry.rsplit_once(':').is_some_and(|e| e.0 == host));
        let found = tokio::net::lookup_host((host, port)).await?;
        let addresses: Vec<SocketAddr> = found.filter(|address| local || is_public(address.ip())).collect();
        if addresses.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, NOT_PUBLIC));
        }
        Ok(addresses)
    }
}

const NOT_PUBLIC: &str = "its address is not public; name the host in `sources.http.local_hosts` if it is yours";

impl Resolve for Fence {
    fn resolve(&self, name: Name) -> Resolving {
        let fence = self.clone();
        Box::pin(async move {
            let addresses = fence.addresses(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a >= 240 // reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // shared by carriers
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 198 && (b == 18 || b == 19)); // benchmarks
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // IPv4 within IPv6: mapped, through NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(v4(high, low))
        }
        // Teredo and other protocol assignments, documentation
        [0x2001, 0..0x200 | 0xdb8, ..] => false,
        // Only 2000::/3 is handed out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(hosts: &[&str]) -> Fence {
        Fence(Arc::new(hosts.iter().map(|host| (*host).to_owned()).collect()))
    }

    #[test]
    fn special_addresses_are_not_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["1.1.1.1", "93.184.216.34", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "2001:4860::8888"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn only_named_hosts_may_be_private_or_plain() {
        let fence = fence(&["127.0.0.1:3000", "intranet"]);
        for url in ["http://127.0.0.1:3000/", "ws://intranet/", "https://example.org/", "wss://[2606:4700::1111]/"] {
            assert!(fence.check(&url.parse().unwrap()).is_ok(), "{url}");
        }
        for url in [
            "http://127.0.0.1:3001/",
            "http://example.org/",
            "https://10.0.0.1/",
            "wss://[::1]/",
            "https://0x7f000001/",
        ] {
            assert!(fence.check(&url.parse().unwrap()).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_resolved() {
        let error = fence(&[]).addresses("localhost", 443).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(fence(&["localhost:8080"]).addresses("localhost", 8080).await.is_ok());
    }
}
