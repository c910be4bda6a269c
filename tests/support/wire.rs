//! A raw HTTP/1.1 server for tests: reads whole requests and plays replies step by step, so that a reply can be cut at
//! any byte, stall, drip or never come. It notices when the other side leaves while a reply is under way.

use bytes::Bytes;
use serde_json::Value;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Holds replies back until the test opens it.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn wait(&self) {
        let mut state = self.0.subscribe();
        let _ = state.wait_for(|open| *open).await;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send(Bytes),
    Wait(Gate),
    Pause(Duration),
    /// Says nothing more until the other side leaves.
    Stall,
    Close,
}

/// What to answer: bytes, waits, and how it ends. Built by the functions below.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    steps: Vec<Step>,
    /// Tokens that the provider puts on its invoice for this reply.
    pub billed: Option<super::Usage>,
}

impl Reply {
    /// A whole answer with its length.
    pub fn http(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let head = head(status, headers, &format!("content-length: {}", body.len()));
        Self::default().send(head).send(body)
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::http(status, &[("content-type", "application/json")], body.to_string())
    }

    /// An event stream, each piece in a chunk of its own, properly ended.
    pub fn stream<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        pieces
            .into_iter()
            .fold(Self::stream_head(), Self::chunk)
            .send("0\r\n\r\n")
    }

    /// The head of an event stream; follow with [`Reply::chunk`].
    pub fn stream_head() -> Self {
        Self::default().send(head(
            200,
            &[("content-type", "text/event-stream")],
            "transfer-encoding: chunked",
        ))
    }

    /// An event stream whose end is the end of the connection, cut after `body`.
    pub fn stream_until_close(body: impl Into<Bytes>) -> Self {
        let head = head(200, &[("content-type", "text/event-stream")], "connection: close");
        Self::default().send(head).send(body).close()
    }

    /// Takes the request and hangs up.
    pub fn hang_up() -> Self {
        Self::default().close()
    }

    /// Takes the request and says nothing.
    pub fn silence() -> Self {
        Self::default().stall()
    }

    pub fn send(mut self, bytes: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    pub fn chunk<P: AsRef<[u8]>>(self, piece: P) -> Self {
        let piece = piece.as_ref();
        let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
        framed.extend_from_slice(piece);
        framed.extend_from_slice(b"\r\n");
        if piece.is_empty() { self } else { self.send(framed) }
    }

    pub fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Waits before anything else.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    pub fn pause(mut self, time: Duration) -> Self {
        self.steps.push(Step::Pause(time));
        self
    }

    pub fn stall(mut self) -> Self {
        self.steps.push(Step::Stall);
        self
    }

    pub fn close(mut self) -> Self {
        self.steps.push(Step::Close);
        self
    }

    pub fn billed(mut self, usage: super::Usage) -> Self {
        self.billed = Some(usage);
        self
    }
}

/// How a reply ended, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Whole,
    Closed,
    /// The other side left first.
    Left,
}

/// Serves connections of `listener` until it is dropped. `answer` is told each request; `ended` is told how the reply
/// ended, with the note that `answer` gave along.
pub async fn serve<N, A, E>(listener: TcpListener, answer: A, ended: E)
where
    N: Send + 'static,
    A: Fn(Seen) -> (Reply, N) + Send + Sync + 'static,
    E: Fn(N, Ended) + Send + Sync + 'static,
{
    let shared = Arc::new((answer, ended));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            let mut stream = BufReader::new(stream);
            while let Ok(Some(seen)) = read_request(&mut stream).await {
                let (reply, note) = (shared.0)(seen);
                let end = play(&mut stream, reply.steps).await;
                (shared.1)(note, end);
                if end != Ended::Whole {
                    let _ = stream.get_mut().shutdown().await;
                    return;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn play(stream: &mut BufReader<TcpStream>, steps: Vec<Step>) -> Ended {
    for step in steps {
        let left = match step {
            Step::Send(bytes) => stream.get_mut().write_all(&bytes).await.is_err(),
            Step::Wait(gate) => left_before(stream, gate.wait()).await,
            Step::Pause(time) => left_before(stream, tokio::time::sleep(time)).await,
            Step::Stall => left_before(stream, std::future::pending()).await,
            Step::Close => return Ended::Closed,
        };
        if left {
            return Ended::Left;
        }
    }
    Ended::Whole
}

async fn left_before(stream: &mut BufReader<TcpStream>, event: impl Future<Output = ()>) -> bool {
    let leaving = async {
        match stream.fill_buf().await {
            Ok(more) if !more.is_empty() => std::future::pending().await,
            _ => (),
        }
    };
    tokio::select! {
        () = leaving => true,
        () = event => false,
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Seen>> {
    let Some(first) = read_line(stream).await? else {
        return Ok(None);
    };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut seen = Seen {
        method: method.into(),
        path: path.into(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    while let Some(line) = read_line(stream).await? {
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        seen.headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let chunked = seen
        .header("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"));
    let length = seen
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    seen.body = if chunked {
        read_chunks(stream).await?
    } else {
        read_exactly(stream, length).await?
    };
    Ok(Some(seen))
}

async fn read_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Bytes> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream).await?.unwrap_or_default();
        let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16).unwrap_or(0);
        body.extend_from_slice(&read_exactly(stream, size).await?);
        read_line(stream).await?;
        if size == 0 {
            return Ok(body.into());
        }
    }
}

async fn read_exactly(stream: &mut BufReader<TcpStream>, length: usize) -> io::Result<Bytes> {
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(
        String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

fn head(status: u16, headers: &[(&str, &str)], framing: &str) -> String {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason())
        .unwrap_or("Status");
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status} {reason}\r\n{lines}{framing}\r\n\r\n")
}
