//! Questions that cost nothing: does a provider answer its listing, is a local server ready?
//!
//! Never an inference call. What follows from an answer is for the breaker and the local supervisor to say.

use super::call::identify;
use super::connect::{Web, describe};
use crate::catalog::KeyHeader;
use http::{HeaderMap, StatusCode};
use reqwest::{Method, Url};
use secrecy::SecretString;
use std::time::Duration;

/// A provider whose listing takes longer is as good as down.
pub const LISTING_TIMEOUT: Duration = Duration::from_secs(5);
/// A local server answers its health path at once, unless it hangs.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// What a provider's listing says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It answers and took the key.
    Alive,
    /// It answers, but not with a listing (there is none, or a rate limit): that says nothing of the key.
    Reachable,
    /// It answers, and refuses us: `auth` when the key is the reason.
    Refused {
        auth: bool,
        status: u16,
    },
    Dead {
        why: String,
    },
}

/// What a local server's health path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Ready,
    /// It is there and not ready yet, or too busy to say.
    Loading,
    /// Nothing answers there.
    Absent {
        why: String,
    },
    /// Something else answers there.
    Stranger {
        status: u16,
    },
}

/// A provider's listing, and how it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    pub url: &'a str,
    pub key: Option<&'a SecretString>,
    pub key_header: KeyHeader,
    /// A header names the version of the Messages dialect.
    pub versioned: bool,
}

impl<'a> Listing<'a> {
    fn without_key(url: &'a str) -> Self {
        Self {
            url,
            key: None,
            key_header: KeyHeader::Bearer,
            versioned: false,
        }
    }
}

pub async fn probe_listing(web: &Web, listing: Listing<'_>, timeout: Duration) -> Probe {
    match get(web, listing, timeout).await {
        Ok(status) => read_listing(status),
        Err(silence) => Probe::Dead { why: silence.why },
    }
}

/// Asks a local server's health path.
pub async fn probe_health(web: &Web, health_url: &str) -> Health {
    match get(web, Listing::without_key(health_url), HEALTH_TIMEOUT).await {
        Ok(StatusCode::OK) => Health::Ready,
        Ok(StatusCode::SERVICE_UNAVAILABLE) => Health::Loading,
        Ok(status) => Health::Stranger {
            status: status.as_u16(),
        },
        Err(silence) if silence.connected => Health::Loading,
        Err(silence) => Health::Absent { why: silence.why },
    }
}

/// The health path lies beside the API's version segment: `http://h/v1` and `/health` give `http://h/health`.
pub fn health_url(base_url: &str, health_path: &str) -> String {
    let is_version = |segment: &str| {
        let digits = segment.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let root = match base_url.rsplit_once('/') {
        Some((root, last)) if is_version(last) => root,
        _ => base_url,
    };
    format!("{}{health_path}", root.trim_end_matches('/'))
}

fn read_listing(status: StatusCode) -> Probe {
    match status.as_u16() {
        200..=299 => Probe::Alive,
        404 | 405 | 429 => Probe::Reachable,
        status @ (401 | 403) => Probe::Refused { auth: true, status },
        408 => Probe::Dead {
            why: "answered 408".to_owned(),
        },
        status @ 400..=499 => Probe::Refused { auth: false, status },
        status @ 300..=399 => Probe::Dead {
            why: format!("answered with a redirect ({status})"),
        },
        status => Probe::Dead {
            why: format!("answered {status}"),
        },
    }
}

/// No answer, and whether somebody took the call.
struct Silence {
    why: String,
    connected: bool,
}

async fn get(web: &Web, asked: Listing<'_>, timeout: Duration) -> Result<StatusCode, Silence> {
    let unsent = |why: String| Silence { why, connected: false };
    let url: Url = asked
        .url
        .parse()
        .map_err(|_| unsent("the address is not a URL".to_owned()))?;
    let request = web
        .request(Method::GET, url)
        .map_err(|denied| unsent(denied.to_string()))?;
    let mut headers = HeaderMap::new();
    identify(&mut headers, asked.key, asked.key_header, asked.versioned);
    let answer = request.headers(headers).timeout(timeout).send().await;
    let silence = |error: reqwest::Error| Silence {
        connected: error.is_timeout() && !error.is_connect(),
        why: describe(error),
    };
    answer.map(|answer| answer.status()).map_err(silence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::connect::Connections;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one request with a status; gives back what it was sent.
    async fn answer_once(status: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/models", listener.local_addr().unwrap());
        let seen = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = socket.read(&mut head).await.unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        (url, seen)
    }

    async fn listing(status: &'static str) -> Probe {
        let (url, _seen) = answer_once(status).await;
        let connections = Connections::new().unwrap();
        probe_listing(connections.web(false), Listing::without_key(&url), LISTING_TIMEOUT).await
    }

    #[tokio::test]
    async fn a_listing_tells_alive_from_refused_from_dead() {
        assert_eq!(listing("200 OK").await, Probe::Alive);
        for status in ["404 Not Found", "405 Method Not Allowed", "429 Too Many Requests"] {
            assert_eq!(listing(status).await, Probe::Reachable, "{status}");
        }
        assert_eq!(
            listing("401 Unauthorized").await,
            Probe::Refused {
                auth: true,
                status: 401
            }
        );
        assert_eq!(
            listing("403 Forbidden").await,
            Probe::Refused {
                auth: true,
                status: 403
            }
        );
        assert_eq!(
            listing("402 Payment Required").await,
            Probe::Refused {
                auth: false,
                status: 402
            }
        );
        for status in ["500 Internal Server Error", "503 Service Unavailable", "302 Found"] {
            assert!(matches!(listing(status).await, Probe::Dead { .. }), "{status}");
        }
    }

    #[tokio::test]
    async fn the_listing_is_asked_with_the_key() {
        let key = SecretString::from("sk-probe");
        let connections = Connections::new().unwrap();
        for (key_header, versioned, lines) in [
            (KeyHeader::Bearer, false, "authorization: Bearer sk-probe\r\n"),
            (
                KeyHeader::XApiKey,
                true,
                "anthropic-version: 2023-06-01\r\nx-api-key: sk-probe\r\n",
            ),
        ] {
            let (url, seen) = answer_once("200 OK").await;
            let listing = Listing {
                url: &url,
                key: Some(&key),
                key_header,
                versioned,
            };
            probe_listing(connections.web(false), listing, LISTING_TIMEOUT).await;
            let head = seen.await.unwrap();
            assert!(head.starts_with("GET /v1/models HTTP/1.1\r\n"), "{head}");
            assert!(head.contains(lines), "{head}");
        }
    }

    #[tokio::test]
    async fn health_tells_ready_from_loading_from_absent_from_a_stranger() {
        let connections = Connections::new().unwrap();
        for (status, expected) in [
            ("200 OK", Health::Ready),
            ("503 Service Unavailable", Health::Loading),
            ("404 Not Found", Health::Stranger { status: 404 }),
        ] {
            let (base, _seen) = answer_once(status).await;
            assert_eq!(probe_health(connections.web(false), &base).await, expected);
        }
        let absent = probe_health(connections.web(false), "http://127.0.0.1:1/health").await;
        assert!(matches!(absent, Health::Absent { .. }), "{absent:?}");
        let denied = probe_health(connections.web(false), "http://169.254.169.254/health").await;
        assert!(matches!(denied, Health::Absent { .. }), "{denied:?}");
    }

    #[test]
    fn the_health_path_lies_beside_the_version() {
        assert_eq!(
            health_url("http://127.0.0.1:8081/v1", "/health"),
            "http://127.0.0.1:8081/health"
        );
        assert_eq!(
            health_url("http://127.0.0.1:8081", "/health"),
            "http://127.0.0.1:8081/health"
        );
        assert_eq!(health_url("https://h/llama/v1", "/health"), "https://h/llama/health");
        assert_eq!(
            health_url("http://h/vision", "/api/version"),
            "http://h/vision/api/version"
        );
    }
}
