//! A closed loop of connections, each with one request at a time.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What is asked, and how often.
#[derive(Clone)]
pub struct Load {
    pub body: Bytes,
    pub key: &'static str,
    pub connections: usize,
    /// For each connection.
    pub requests: usize,
}

/// Runs it against one address; the times of all requests, ascending. Panics when an answer is not the mock's.
pub fn run(target: SocketAddr, load: &Load) -> Vec<Duration> {
    super::runtime().block_on(async {
        let loops: Vec<_> = (0..load.connections)
            .map(|_| tokio::spawn(one(target, load.clone())))
            .collect();
        let mut times = Vec::with_capacity(load.connections * load.requests);
        for each in loops {
            times.extend(each.await.expect("every request is answered"));
        }
        times.sort_unstable();
        times
    })
}

async fn one(target: SocketAddr, load: Load) -> Vec<Duration> {
    let stream = TcpStream::connect(target).await.expect("it listens");
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    let mut times = Vec::with_capacity(load.requests);
    for _ in 0..load.requests {
        let start = Instant::now();
        let answer = ask(&mut sender, target, &load).await;
        times.push(start.elapsed());
        let text = String::from_utf8_lossy(&answer);
        assert!(
            text.contains("quick brown fox") || text.contains("data: [DONE]"),
            "{text}"
        );
    }
    times
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, target: SocketAddr, load: &Load) -> Bytes {
    let request = Request::post("/v1/chat/completions")
        .header(header::HOST, target.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", load.key))
        .body(Full::new(load.body.clone()))
        .expect("a request");
    sender.ready().await.expect("the connection is kept");
    let answer = sender.send_request(request).await.expect("an answer");
    answer.into_body().collect().await.expect("a whole answer").to_bytes()
}
