//! Addresses as far as their text tells: scheme, host, and which of them a policy may name.
//!
//! Names are not looked up here; the edge checks the address that a name has when it connects.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::source::Word;
// The address values alone: no socket is in reach of this room.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use http::Uri;

/// Clouds hand out credentials there.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// An address that may be used.
pub(super) struct Address {
    /// Without a trailing slash.
    pub text: String,
    pub has_path: bool,
    pub loopback: bool,
}

impl Resolver<'_, '_> {
    /// Checks an address; `queries` says whether it may have a `?…` part.
    pub fn address(&mut self, word: &Word, allow_private: bool, queries: bool) -> Option<Address> {
        if word.broken {
            return None;
        }
        match address(&word.text, allow_private, queries) {
            Ok(address) => Some(address),
            Err((code, message, help)) => {
                self.report
                    .error(word.place, code, message)
                    .maybe_help(help.map(str::to_owned));
                None
            }
        }
    }
}

type Refusal = (&'static str, String, Option<&'static str>);

fn address(text: &str, allow_private: bool, queries: bool) -> Result<Address, Refusal> {
    let bad = |message: &str, help| Err(("bad-url", message.to_owned(), help));
    let example = Some("write it in full: `https://host/v1`");
    let Ok(uri) = text.parse::<Uri>() else {
        return bad(&format!("`{}` is no URL", shown(text)), example);
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return bad(
            &format!("`{}` is no URL with a scheme and a host", shown(text)),
            example,
        );
    };
    if !matches!(scheme, "http" | "https") {
        return bad("a URL here begins with `http://` or `https://`", None);
    }
    if authority.as_str().contains('@') {
        return bad(
            "a URL here holds no user name and no password",
            Some("secrets are references: `env:NAME`, `file:PATH`"),
        );
    }
    if text.contains('#') || !queries && uri.query().is_some() {
        return bad("a URL here ends with its path", None);
    }
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    let place = place_of(host)?;
    if place == Reach::Metadata {
        let message = "a cloud's metadata address is never called".to_owned();
        return Err(("egress", message, None));
    }
    if scheme == "http" && place != Reach::Loopback && !allow_private {
        let message = "plain http leaves this machine in the clear".to_owned();
        return Err((
            "egress",
            message,
            Some("use https, or say `allow_private: true` beside it"),
        ));
    }
    Ok(Address {
        has_path: !matches!(uri.path(), "" | "/"),
        loopback: place == Reach::Loopback,
        text: text.trim_end_matches('/').to_owned(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Loopback,
    Metadata,
    Elsewhere,
}

fn place_of(host: &str) -> Result<Reach, Refusal> {
    if host.is_empty() {
        return Err(("bad-url", "the URL names no host".to_owned(), None));
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Reach::Loopback);
    }
    let Ok(ip) = host.parse::<IpAddr>() else {
        // `127.1`, `2130706433`, `0x7f.0.0.1`: resolvers read them as addresses, and nobody sees which.
        let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
        let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
        if numeric {
            let message = format!("`{}` is no complete address", shown(host));
            return Err(("bad-url", message, Some("write the four numbers: `127.0.0.1`")));
        }
        return Ok(Reach::Elsewhere);
    };
    let ip = ip.to_canonical();
    Ok(match ip {
        _ if METADATA.contains(&ip) => Reach::Metadata,
        _ if ip.is_loopback() => Reach::Loopback,
        _ => Reach::Elsewhere,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, allow_private: bool) -> Result<String, &'static str> {
        address(text, allow_private, false)
            .map(|found| found.text)
            .map_err(|(code, ..)| code)
    }

    #[test]
    fn https_goes_anywhere_and_plain_http_only_to_this_machine() {
        assert_eq!(
            code("https://api.example/v1/", false),
            Ok("https://api.example/v1".to_owned())
        );
        for local in [
            "http://127.0.0.1:8081",
            "http://localhost:1",
            "http://[::1]:80/v1",
            "http://127.9.9.9",
        ] {
            assert_eq!(code(local, false), Ok(local.to_owned()));
        }
        for away in ["http://api.example", "http://10.0.0.5", "http://localhost.example"] {
            assert_eq!(code(away, false), Err("egress"), "{away}");
            assert_eq!(code(away, true), Ok(away.to_owned()));
        }
    }

    #[test]
    fn metadata_addresses_are_refused_in_every_spelling() {
        for address in [
            "http://169.254.169.254",
            "https://169.254.169.254/latest",
            "http://[fd00:ec2::254]/",
            "http://[fd00:0ec2:0:0:0:0:0:254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://100.100.100.200/x",
        ] {
            assert_eq!(code(address, true), Err("egress"), "{address}");
        }
    }

    #[test]
    fn what_is_no_plain_url_is_refused() {
        for text in [
            "api.example/v1",
            "ftp://host/",
            "https://",
            "http://me:pw@host/",
            "https://host/v1?key=1",
            "https://host/#x",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "not a url",
            "",
        ] {
            assert_eq!(code(text, true), Err("bad-url"), "{text}");
        }
    }
}
