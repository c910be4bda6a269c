//! An upstream that costs as little as it can: one canned answer, or a stream of 100 events at a given pace.

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};

pub const CHUNKS: u32 = 100;
/// Microseconds between a stream's events.
pub static GAP: AtomicU64 = AtomicU64::new(5_000);

const WORDS: &str = "The quick brown fox jumps over the lazy dog. ";
const EVENT: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","created":1763884800,"model":"mock","choices":[{"index":0,"#,
    r#""delta":{"content":"word "},"finish_reason":null}]}"#,
    "\n\n"
);
const LAST: &str = concat!(
    r#"data: {"id":"c","object":"chat.completion.chunk","created":1763884800,"model":"mock","choices":[{"index":0,"#,
    r#""delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"id":"c","object":"chat.completion.chunk","created":1763884800,"model":"mock","choices":[],"#,
    r#""usage":{"prompt_tokens":25,"completion_tokens":100,"total_tokens":125}}"#,
    "\n\ndata: [DONE]\n\n"
);

/// Serves on a thread of its own until the process ends.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || super::runtime().block_on(serve(listener)));
    address
}

async fn serve(listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).expect("a runtime");
    let whole = Bytes::from(format!(
        r#"{{"id":"c","object":"chat.completion","created":1763884800,"model":"mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":25,"completion_tokens":50,"total_tokens":75}}}}"#,
        WORDS.repeat(5)
    ));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let whole = whole.clone();
        let service = service_fn(move |request| answer(request, whole.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, whole: Bytes) -> Result<Response<Answer>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let end = body.unwrap_or_default();
    // The load puts the word at the end of its bodies, a proxy may add members at the start.
    let streams = end
        .get(end.len().saturating_sub(64)..)
        .is_some_and(|end| memchr::memmem::find(end, b"\"stream\":true").is_some());
    let (body, kind) = if streams {
        let first = Box::pin(sleep(Duration::ZERO));
        (Answer::Events { sent: 0, next: first }, "text/event-stream")
    } else {
        (Answer::Whole(Some(whole)), "application/json")
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

enum Answer {
    Whole(Option<Bytes>),
    Events { sent: u32, next: Pin<Box<Sleep>> },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(whole) => whole.take(),
            Self::Events { sent, next } => {
                if *sent < CHUNKS && next.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                let gap = Duration::from_micros(GAP.load(Ordering::Relaxed));
                next.set(sleep(gap));
                *sent += 1;
                match *sent {
                    sent if sent <= CHUNKS => Some(Bytes::from_static(EVENT.as_bytes())),
                    sent if sent == CHUNKS + 1 => Some(Bytes::from_static(LAST.as_bytes())),
                    _ => None,
                }
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(whole) => http_body::SizeHint::with_exact(whole.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Events { .. } => http_body::SizeHint::default(),
        }
    }
}
