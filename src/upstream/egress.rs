//! Where planb may connect to: the one rule for providers, probes and webhooks.
//!
//! An address written literally (an IP, `localhost`) is allowed as written. A name that resolves to loopback, private
//! or link-local space needs `allow_private`. Metadata services are never reached. Plain http goes only to loopback or
//! with `allow_private`. The resolvers filter what they return, so the checked address is the connected one.

use hyper_util::client::legacy::connect::dns::Name;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, vec};

/// Why a connection is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("{host} is the metadata service {address}, which planb never contacts")]
    Metadata { host: String, address: IpAddr },
    #[error("{host} resolves to the private address {address}; allow_private: true permits it")]
    Private { host: String, address: IpAddr },
    #[error("plain http to {host} would show keys to the network; use https, or permit it by allow_private: true")]
    PlainHttp { host: String },
    #[error("only http and https addresses can be called")]
    Scheme,
}

/// Why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{host} cannot be resolved: {source}")]
    Lookup { host: String, source: io::Error },
}

/// May `host`, which is `address`, be connected to?
pub fn allowed(host: &str, address: IpAddr, allow_private: bool) -> Result<(), Denied> {
    let host = host.to_owned();
    match kind(address) {
        Kind::Metadata => Err(Denied::Metadata { host, address }),
        Kind::Public => Ok(()),
        _ if allow_private || literal_address(&host).is_some() => Ok(()),
        Kind::Loopback if is_localhost(&host) => Ok(()),
        Kind::Loopback | Kind::Private => Err(Denied::Private { host, address }),
    }
}

/// What can be said of an address before a name is looked up: its scheme, and the address itself where it is literal
/// (connectors ask no resolver about those). To be called before each send.
pub fn check_target(scheme: Option<&str>, host: Option<&str>, allow_private: bool) -> Result<(), Denied> {
    let (Some(scheme @ ("http" | "https")), Some(host)) = (scheme, host) else {
        return Err(Denied::Scheme);
    };
    let literal = literal_address(host);
    if let Some(address) = literal {
        allowed(host, address, allow_private)?;
    }
    let loopback = is_localhost(host) || literal.is_some_and(|address| kind(address) == Kind::Loopback);
    if scheme == "http" && !loopback && !allow_private {
        return Err(Denied::PlainHttp { host: host.to_owned() });
    }
    Ok(())
}

/// [`check_target`] for an inference call.
pub fn check_uri(uri: &http::Uri, allow_private: bool) -> Result<(), Denied> {
    check_target(uri.scheme_str(), uri.host(), allow_private)
}

/// The refusal behind a client's error, when that is why the call failed.
pub fn denied_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Denied> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ResolveError::Denied(denied)) = error.downcast_ref() {
            return Some(denied);
        }
        next = error.source();
    }
    None
}

/// Looks names up with the system's resolver and keeps the addresses that the rule allows.
#[derive(Clone, Copy, Debug)]
pub struct GuardedResolver {
    pub allow_private: bool,
}

type Addresses = vec::IntoIter<SocketAddr>;
type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl tower::Service<Name> for GuardedResolver {
    type Response = Addresses;
    type Error = ResolveError;
    type Future = Pending<Result<Addresses, ResolveError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(resolve(name.as_str().to_owned(), self.allow_private))
    }
}

impl reqwest::dns::Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let resolving = resolve(name.as_str().to_owned(), self.allow_private);
        Box::pin(async move { Ok(Box::new(resolving.await?) as reqwest::dns::Addrs) })
    }
}

async fn resolve(host: String, allow_private: bool) -> Result<Addresses, ResolveError> {
    // Port 0 stands for the port of the URL; connectors fill it in.
    match tokio::net::lookup_host((host.as_str(), 0)).await {
        Ok(found) => filter(&host, found, allow_private),
        Err(source) => Err(ResolveError::Lookup {
            host: host.clone(),
            source,
        }),
    }
}

fn filter(host: &str, found: impl Iterator<Item = SocketAddr>, allow_private: bool) -> Result<Addresses, ResolveError> {
    let (mut kept, mut refused) = (Vec::new(), None);
    for address in found {
        match allowed(host, address.ip(), allow_private) {
            Ok(()) => kept.push(address),
            Err(denied) => refused = Some(denied),
        }
    }
    match (kept.is_empty(), refused) {
        (true, Some(denied)) => Err(denied.into()),
        (true, None) => Err(ResolveError::Lookup {
            host: host.to_owned(),
            source: io::Error::new(io::ErrorKind::NotFound, "it has no address"),
        }),
        (false, _) => Ok(kept.into_iter()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    /// Private, link-local, shared, reserved, multicast: no public service lives there.
    Private,
    Metadata,
}

/// Where clouds hand out a machine's credentials: AWS, Azure, GCP and many others; AWS containers and pods; Tencent;
/// Azure's host; Alibaba; Oracle.
const METADATA_V4: [Ipv4Addr; 7] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(169, 254, 0, 23),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// AWS machines and pods; GCP.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) {
        return Kind::Metadata;
    }
    match (a, b, c) {
        (127, ..) => Kind::Loopback,
        (0 | 10, ..) | (172, 16..=31, _) | (192, 168, _) | (169, 254, _) | (100, 64..=127, _) => Kind::Private,
        // Protocol assignments, documentation, benchmarks.
        (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => Kind::Private,
        // Multicast, reserved, broadcast.
        (224.., ..) => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return Kind::Metadata;
    }
    if address.is_loopback() {
        return Kind::Loopback;
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([p, q], [r, s]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_v4(Ipv4Addr::new(p, q, r, s))
    };
    match (a, b) {
        // Mapped and compatible IPv4, and the unspecified address among them.
        (0, 0) if (c, d, e) == (0, 0, 0) && matches!(f, 0 | 0xffff) => embedded(g, h),
        // NAT64, its local form, 6to4, Teredo.
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => embedded(g, h),
        (0x64, 0xff9b) => Kind::Private,
        (0x2002, _) => embedded(b, c),
        (0x2001, 0 | 0xdb8) => Kind::Private,
        // Of the rest only 2000::/3 is handed out for public use.
        (0x2000..=0x3fff, _) => Kind::Public,
        _ => Kind::Private,
    }
}

fn literal_address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::ServiceExt;

    fn by_name(address: &str, allow_private: bool) -> Result<(), Denied> {
        allowed("api.example.com", address.parse().unwrap(), allow_private)
    }

    fn url(text: &str, allow_private: bool) -> Result<(), Denied> {
        check_uri(&text.parse().unwrap(), allow_private)
    }

    #[test]
    fn names_reach_public_addresses_only_unless_private_is_allowed() {
        let public = [
            "8.8.8.8",
            "47.74.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for address in public {
            assert_eq!(by_name(address, false), Ok(()), "{address}");
        }
        let private = "127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1 \
            100.64.0.1 100.127.0.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 \
            240.0.0.1 255.255.255.255 :: ::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 2001:db8::1 \
            2001::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 \
            2002:a00:1::1";
        for address in private.split(' ') {
            assert!(
                matches!(by_name(address, false), Err(Denied::Private { .. })),
                "{address}"
            );
            assert_eq!(by_name(address, true), Ok(()), "{address}");
        }
        for address in [
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "223.255.255.255",
        ] {
            assert_eq!(by_name(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn metadata_services_are_never_reached() {
        let services = "169.254.169.254 100.100.100.200 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe \
            169.254.170.2 192.0.0.192 2002:a9fe:a9fe::";
        for address in services.split(' ') {
            assert!(
                matches!(by_name(address, true), Err(Denied::Metadata { .. })),
                "{address}"
            );
            let host = if address.contains(':') {
                format!("[{address}]")
            } else {
                address.to_owned()
            };
            assert!(
                matches!(url(&format!("https://{host}/"), true), Err(Denied::Metadata { .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn literal_addresses_are_allowed_as_written() {
        for text in [
            "http://127.0.0.1:8081/v1",
            "http://[::1]:8081/",
            "http://localhost:9000/hook",
            "http://LOCALHOST./",
        ] {
            assert_eq!(url(text, false), Ok(()), "{text}");
        }
        assert_eq!(url("https://10.0.0.5/v1", false), Ok(()));
        assert_eq!(allowed("localhost", "127.0.0.1".parse().unwrap(), false), Ok(()));
        assert!(allowed("localhost", "10.0.0.1".parse().unwrap(), false).is_err());
    }

    #[test]
    fn plain_http_stays_on_loopback_unless_private_is_allowed() {
        for text in [
            "http://api.example.com/v1",
            "http://10.0.0.5/v1",
            "http://8.8.8.8/",
            "http://localhost.example.com/",
        ] {
            assert!(matches!(url(text, false), Err(Denied::PlainHttp { .. })), "{text}");
            assert_eq!(url(text, true), Ok(()), "{text}");
        }
        assert_eq!(url("ftp://api.example.com/", true), Err(Denied::Scheme));
        assert_eq!(url("/v1/models", true), Err(Denied::Scheme));
    }

    #[test]
    fn of_mixed_addresses_only_the_allowed_are_connected() {
        let found = ["10.0.0.1:0", "8.8.8.8:0", "169.254.169.254:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        let kept: Vec<_> = filter("name", found.into_iter(), false).unwrap().collect();
        assert_eq!(kept, vec![found[1]]);
        let kept: Vec<_> = filter("name", found.into_iter(), true).unwrap().collect();
        assert_eq!(kept, vec![found[0], found[1]]);
        assert!(filter("name", found[..1].iter().copied(), false).is_err());
    }

    #[tokio::test]
    async fn the_resolver_finds_localhost_and_filters_other_spellings() {
        let resolver = GuardedResolver { allow_private: false };
        let mut found = resolver.oneshot("localhost".parse().unwrap()).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
        // The system reads this as 127.0.0.1 although it is no literal address.
        let refused = resolver.oneshot("127.1".parse().unwrap()).await.unwrap_err();
        assert!(matches!(denied_in(&refused), Some(Denied::Private { .. })));
    }
}
