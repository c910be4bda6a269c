//! Listens, speaks HTTP/1.1 and HTTP/2 (h2c), and hands each request to what serves its path.

use super::body::ResponseBody;
use super::failed::Told;
use super::guard::AllowedHosts;
use super::{Gateway, models, serve};
use crate::peer::Peer;
use axum::Router;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
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
/// Out of file descriptors or memory: wait for connections to close instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the front door needs.
pub struct Front {
    pub gateway: Arc<Gateway>,
    pub control: Router,
    pub hosts: AllowedHosts,
    /// Ends connections that outlive the grace of a shutdown.
    pub cut: CancellationToken,
}

/// Serves until `stop`; then accepts nothing new and lets each connection finish what it is answering. `connections`
/// tracks those, so that the caller can bound their time.
pub async fn accept(listener: TcpListener, front: Arc<Front>, connections: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, front.clone(), stop.clone()));
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
    let cut = front.cut.clone();
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(dispatch(&front, request, Some(peer.ip())).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(30)));
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

async fn dispatch(front: &Front, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    if let Err(denied) = front.hosts.check(request.uri(), request.headers()) {
        return Told::new(StatusCode::FORBIDDEN, "invalid_request_error", "forbidden", denied.to_string()).response();
    }
    let path = request.uri().path();
    let gateway = &front.gateway;
    match (request.method(), path) {
        (&Method::POST, "/v1/chat/completions") => serve::chat(gateway, request, peer).await,
        (&Method::GET, "/v1/models") => models::list(gateway, request.headers(), peer),
        (&Method::GET, _) if path.starts_with("/v1/models/") => {
            let id = percent_decoded(path.trim_start_matches("/v1/models/"));
            models::one(gateway, request.headers(), peer, &id)
        }
        (_, "/v1/chat/completions" | "/v1/models") => {
            let message = format!("{} is not allowed here", request.method());
            Told::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "method_not_allowed", message).response()
        }
        (_, _) if path.starts_with("/v1/") => {
            let message = format!("`{path}` is not served by this version of planb; /v1/chat/completions and /v1/models are");
            Told::new(StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url", message).response()
        }
        _ => control(front, request, peer).await,
    }
}

async fn control(front: &Front, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    let mut request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(Peer(peer));
    let Ok(response) = front.control.clone().oneshot(request).await;
    response.map(ResponseBody::Control)
}

/// Route names may hold a slash or any other character.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.filter(|_| byte == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
