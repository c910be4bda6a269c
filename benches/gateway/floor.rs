//! The floor: the least that a proxy on hyper can do which knows what it sends. It reads `model`, `max_tokens` and the
//! length of the text with serde_json, and sends the same bytes on. It decides and records nothing.

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Deserialize;
use std::borrow::Cow;
use std::convert::Infallible;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Ask<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    max_tokens: Option<u64>,
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Plain(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<Part<'a>>),
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
}

impl Ask<'_> {
    fn length(&self) -> usize {
        let texts = self.messages.iter().filter_map(|message| message.content.as_ref());
        texts
            .map(|text| match text {
                Text::Plain(text) => text.len(),
                Text::Parts(parts) => parts.iter().map(|part| part.text.len()).sum(),
            })
            .sum()
    }
}

type Proxied = Response<Either<Incoming, Full<Bytes>>>;
type Upstream = Client<HttpConnector, Full<Bytes>>;

/// Serves until it is killed; its address is the first line on standard output.
pub async fn run(upstream: Uri) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("bound"));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |request| {
            let (client, upstream) = (client.clone(), upstream.clone());
            async move { Ok::<_, Infallible>(forward(&client, upstream, request).await.unwrap_or_else(refused)) }
        });
        let mut server = http1::Builder::new();
        tokio::spawn(
            server
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn forward(client: &Upstream, upstream: Uri, request: Request<Incoming>) -> Result<Proxied, StatusCode> {
    let (mut head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
    let ask: Ask<'_> = serde_json::from_slice(&bytes).map_err(|_| StatusCode::BAD_REQUEST)?;
    std::hint::black_box((ask.model.len(), ask.max_tokens, ask.length()));
    head.uri = upstream;
    head.headers.remove(header::HOST);
    let answer = client.request(Request::from_parts(head, Full::new(bytes))).await;
    answer
        .map(|answer| answer.map(Either::Left))
        .map_err(|_| StatusCode::BAD_GATEWAY)
}

fn refused(status: StatusCode) -> Proxied {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}
