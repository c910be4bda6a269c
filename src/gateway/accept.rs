//! Listens, speaks HTTP/1.1 and HTTP/2 (h2c), and hands each request to what serves its path.

use super::body::ResponseBody;
use super::failed::Told;
use super::guard::AllowedHosts;
use super::turned_away::{REQUEST_ID, TurnedAway};
use super::{Gateway, models, serve};
use crate::dialect::Inbound;
use crate::peer::Peer;
use axum::Router;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// A client that sends its headers slower than this is not served.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between two looks at half a preface, which only a strange client sends.
const PREFACE_PAUSE: Duration = Duration::from_millis(20);
/// Out of file descriptors or memory: wait for connections to close instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the front door needs.
pub struct Front {
    pub gateway: Arc<Gateway>,
    pub control: Router,
    pub hosts: AllowedHosts,
    /// Everything that serves a client, so that a shutdown can wait for the last of it.
    pub connections: TaskTracker,
}

/// Serves until `stop`; then accepts nothing new and lets each connection finish what it is answering.
pub async fn accept(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                front
                    .connections
                    .spawn(connection(stream, peer, front.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, stop: CancellationToken) {
    // An answer's events are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    tokio::select! {
        () = stop.cancelled() => return,
        spoke = tokio::time::timeout(HEADERS_WITHIN, speaks(&stream)) => if !spoke.unwrap_or(false) { return },
    }
    let (cut, tracked) = (front.gateway.cut.clone(), Tracked(front.connections.clone()));
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(answer(&front, request, Some(peer.ip())).await) }
    });
    let mut builder = auto::Builder::new(tracked);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving => ended,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Waits until it is known which HTTP the client speaks; the server below would wait for that without an end. False when
/// the client left without a word.
async fn speaks(stream: &TcpStream) -> bool {
    let mut start = [0; HTTP2_PREFACE.len()];
    while let Ok(length @ 1..) = stream.peek(&mut start).await {
        let heard = start.get(..length).unwrap_or_default();
        if length == start.len() || !HTTP2_PREFACE.starts_with(heard) {
            return true;
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
    false
}

/// Spawns an HTTP/2 connection's streams where a shutdown waits for them: they hold attempts that must be settled.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tracked {
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

/// Every answer has an id to ask about; a request that came to a decision has the decision's.
async fn answer(front: &Front, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    let mut response = dispatch(front, request, peer).await;
    if !response.headers().contains_key(REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(&uuid::Uuid::now_v7().simple().to_string())
    {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn dispatch(front: &Front, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    let gateway = &front.gateway;
    if let Err(denied) = front.hosts.check(request.uri(), request.headers()) {
        let told = Told::new(
            StatusCode::FORBIDDEN,
            "invalid_request_error",
            "forbidden",
            denied.to_string(),
        );
        return TurnedAway::from(told).response(gateway);
    }
    let path = request.uri().path();
    let (method, headers) = (request.method(), request.headers());
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/v1/chat/completions" if *method == Method::POST => serve::serve(gateway, request, peer, Inbound::chat).await,
        "/v1/embeddings" if *method == Method::POST => serve::serve(gateway, request, peer, Inbound::embeddings).await,
        "/v1/chat/completions" | "/v1/embeddings" => not_allowed(gateway, method, "POST"),
        "/v1/models" if reads => models::list(gateway, headers, peer),
        "/v1/models" => not_allowed(gateway, method, "GET, HEAD"),
        _ => match path.strip_prefix("/v1/") {
            None => control(front, request, peer).await,
            Some(rest) => match rest.strip_prefix("models/") {
                Some(id) if reads => models::one(gateway, headers, peer, &percent_decoded(id)),
                Some(_) => not_allowed(gateway, method, "GET, HEAD"),
                None => unknown_url(gateway, path),
            },
        },
    }
}

fn not_allowed(gateway: &Gateway, method: &Method, allowed: &'static str) -> Response<ResponseBody> {
    let told = Told::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "invalid_request_error",
        "method_not_allowed",
        format!("{method} is not allowed here"),
    );
    let mut response = TurnedAway::from(told).response(gateway);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn unknown_url(gateway: &Gateway, path: &str) -> Response<ResponseBody> {
    let shown: String = path.chars().take(100).collect();
    let message = format!(
        "`{shown}` is not served by this version of planb; /v1/chat/completions, /v1/embeddings and /v1/models are"
    );
    let told = Told::new(StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url", message);
    TurnedAway::from(told).response(gateway)
}

async fn control(front: &Front, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(Peer(peer));
    let Ok(response) = front.control.clone().oneshot(request).await;
    response.map(ResponseBody::Control)
}

/// Route names may hold a slash or any other character.
fn percent_decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some((&byte, rest)) = bytes.split_first() {
        match (byte, digit(rest.first()), digit(rest.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                bytes = rest.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_what_is_no_escape_stays() {
        for (path, name) in [
            ("a%2Fb", "a/b"),
            ("qwen3.8-max", "qwen3.8-max"),
            ("%E6%A8%A1%E5%9E%8B", "模型"),
            ("50%", "50%"),
            ("%+1%g0", "%+1%g0"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(percent_decoded(path), name, "{path}");
        }
    }
}
