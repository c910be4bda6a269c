//! One inference call on the wire: our own headers, the provider's key, the rewritten body; what came back or how the
//! connection failed. Nothing of the client's headers goes upstream, and deadlines are the caller's.

use super::connect::{ConnectTimeout, InferenceClient};
use super::credentials::Credential;
use super::egress::{self, Denied, ResolveError};
use super::reuse;
use crate::catalog::KeyHeader;
use crate::failure::{Connect, Fault};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::io;

/// The dialect's version that requests are written in.
const MESSAGES_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("anthropic-version"),
    HeaderValue::from_static("2023-06-01"),
);
const USER_AGENT: &str = concat!("planb/", env!("CARGO_PKG_VERSION"));
/// A larger error body says nothing more.
const MOST_ERROR_BODY: usize = 64 * 1024;

pub struct Call<'a> {
    pub uri: Uri,
    pub allow_private: bool,
    pub key: Option<&'a Credential>,
    pub key_header: KeyHeader,
    /// A header names the version of the Messages dialect.
    pub versioned: bool,
    pub body: Bytes,
    pub stream: bool,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResponse {
    Connect(Connect),
    /// The connection broke after the request may have been taken up. `reused`: it was a kept one.
    Lost {
        reused: bool,
    },
}

impl NoResponse {
    pub const fn fault(self) -> Fault<'static> {
        match self {
            Self::Connect(kind) => Fault::Connect(kind),
            Self::Lost { reused } => Fault::Lost {
                reused,
                response_started: false,
            },
        }
    }
}

pub async fn send(client: &InferenceClient, call: Call<'_>) -> Result<Response<Incoming>, NoResponse> {
    egress::check_uri(&call.uri, call.allow_private).map_err(|_| NoResponse::Connect(Connect::Forbidden))?;
    let accept = if call.stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    let mut request = Request::new(Full::new(call.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = call.uri;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    // A packed body would have to be unpacked to be judged, and bounded against bombs.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let secret = call.key.map(|key| &key.secret);
    identify(headers, secret, call.key_header, call.versioned);
    let response = client.request(request).await.map_err(|error| no_response(&error))?;
    reuse::note_answer(response.extensions());
    Ok(response)
}

/// Who calls, and in which version.
pub(super) fn identify(headers: &mut HeaderMap, key: Option<&SecretString>, header: KeyHeader, versioned: bool) {
    if versioned {
        let (name, version) = MESSAGES_VERSION;
        headers.insert(name, version);
    }
    let Some(key) = key.map(ExposeSecret::expose_secret) else {
        return;
    };
    let (name, value) = match header {
        KeyHeader::Bearer => (header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}"))),
        KeyHeader::XApiKey => (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key)),
    };
    // A key that is no header value is no key: the provider will say so.
    if let Ok(mut value) = value {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

/// The start of an error's body; `None` when it broke off.
pub async fn error_body(body: Incoming) -> Option<Bytes> {
    match Limited::new(body, MOST_ERROR_BODY).collect().await {
        Ok(collected) => Some(collected.to_bytes()),
        Err(_) => None,
    }
}

fn no_response(error: &legacy::Error) -> NoResponse {
    if !error.is_connect() {
        let reused = reuse::was_reused(error);
        return NoResponse::Lost { reused };
    }
    NoResponse::Connect(connect_kind(error))
}

fn connect_kind(error: &(dyn Error + 'static)) -> Connect {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<ConnectTimeout>() {
            return Connect::Timeout;
        }
        if error.is::<Denied>() {
            return Connect::Forbidden;
        }
        if error.is::<rustls::Error>() {
            return Connect::Tls;
        }
        if let Some(resolve) = error.downcast_ref::<ResolveError>() {
            return match resolve {
                ResolveError::Denied(_) => Connect::Forbidden,
                _ => Connect::UnknownHost,
            };
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Connect::Refused,
                io::ErrorKind::TimedOut => return Connect::Timeout,
                // rustls hides its own error inside an I/O error.
                _ if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => return Connect::Tls,
                _ => {}
            }
        }
        next = error.source();
    }
    Connect::Other
}
