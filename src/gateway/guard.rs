//! Who may speak to the daemon at all, before anything is read: Host and Origin against DNS rebinding and drive-by pages.
//!
//! A rebinding attack needs a *name* that the attacker owns, so IP literals and `localhost` pass and names must be
//! listed. A browser always sends Origin with a cross-site POST, so a foreign one is refused.

use http::{HeaderMap, Uri, header};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("the Host header is missing or unreadable")]
    NoHost,
    #[error("this host name is not served here; start planb with --allow-host NAME to serve it")]
    Host,
    #[error("requests from web pages of other origins are refused")]
    Origin,
}

/// Names besides IP literals and `localhost`, from `--allow-host`.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(pub Vec<String>);

impl AllowedHosts {
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        let from_header = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        // HTTP/2 carries the authority in the URI.
        let authority = uri.authority().map(|authority| authority.as_str()).or(from_header).ok_or(Denied::NoHost)?;
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Denied::NoHost);
        }
        if !self.serves(host_of(authority)) {
            return Err(Denied::Host);
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return same_site(headers) };
        let origin = origin.to_str().map_err(|_| Denied::Origin)?;
        let own = origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(authority));
        if own { Ok(()) } else { Err(Denied::Origin) }
    }

    fn serves(&self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        literal || host.eq_ignore_ascii_case("localhost") || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

fn same_site(headers: &HeaderMap) -> Result<(), Denied> {
    match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Denied::Origin),
    }
}

fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').and_then(|end| authority.get(..=end)).unwrap_or(authority);
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &str)]) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        AllowedHosts(vec!["planb.internal".into()]).check(&Uri::from_static("/v1/models"), &headers)
    }

    #[test]
    fn literals_localhost_and_listed_names_are_served() {
        for host in ["127.0.0.1:4141", "localhost:4141", "localhost", "[::1]:4141", "10.0.0.5", "planb.internal:80"] {
            assert_eq!(check(&[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_rebound_name_is_refused() {
        assert_eq!(check(&[("host", "evil.example:4141")]), Err(Denied::Host));
        assert_eq!(check(&[]), Err(Denied::NoHost));
        assert_eq!(check(&[("host", "localhost"), ("host", "evil.example")]), Err(Denied::NoHost));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        assert_eq!(check(&[("host", "localhost:4141"), ("origin", "http://localhost:4141")]), Ok(()));
        for origin in ["https://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:4141"] {
            assert_eq!(check(&[("host", "localhost:4141"), ("origin", origin)]), Err(Denied::Origin), "{origin}");
        }
        assert_eq!(check(&[("host", "localhost"), ("sec-fetch-site", "cross-site")]), Err(Denied::Origin));
        assert_eq!(check(&[("host", "localhost"), ("sec-fetch-site", "none")]), Ok(()), "typed into the address bar");
    }
}
