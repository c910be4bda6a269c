//! A plain HTTP client: one connection a call, so that dropping a call is the client leaving.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A call to make.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            body: body.into(),
            ..Self::get(path)
        }
        .header("content-type", "application/json")
    }

    /// A chat completion with these very bytes.
    pub fn chat_bytes(body: impl Into<Bytes>) -> Self {
        Self::post("/v1/chat/completions", body)
    }

    pub fn chat(body: &Value) -> Self {
        Self::chat_bytes(body.to_string())
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sends over HTTP/1.1 and waits for the response's head.
    pub async fn open(&self, to: SocketAddr) -> Result<Open, String> {
        let stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let connection = Connection(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let response = sender
            .send_request(self.request(to, false))
            .await
            .map_err(|error| error.to_string())?;
        Ok(Open::new(response, connection))
    }

    /// Sends over HTTP/2 with prior knowledge.
    pub async fn open_h2(&self, to: SocketAddr) -> Result<Open, String> {
        let stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
        let connection = Connection(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let response = sender
            .send_request(self.request(to, true))
            .await
            .map_err(|error| error.to_string())?;
        Ok(Open::new(response, connection))
    }

    /// The whole answer, or why there is none.
    pub async fn try_send(&self, to: SocketAddr) -> Result<Answer, String> {
        Ok(self.open(to).await?.rest().await)
    }

    pub async fn send(&self, to: SocketAddr) -> Answer {
        self.try_send(to)
            .await
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }

    fn request(&self, to: SocketAddr, absolute: bool) -> Request<Full<Bytes>> {
        let target = if absolute {
            format!("http://{to}{}", self.path)
        } else {
            self.path.clone()
        };
        let mut request = Request::builder().method(self.method.clone()).uri(target);
        let has_host = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        if !absolute && !has_host {
            request = request.header("host", to.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body.clone())).unwrap()
    }
}

struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A response whose body is still coming. Dropping it is leaving.
pub struct Open {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    heard: Vec<u8>,
    _connection: Connection,
}

impl Open {
    fn new(response: http::Response<Incoming>, connection: Connection) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            heard: Vec::new(),
            _connection: connection,
        }
    }

    /// Reads until what has come contains `text`.
    pub async fn until_heard(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.heard).contains(text) {
            match self.body.frame().await {
                Some(Ok(frame)) => self.heard.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                end => panic!(
                    "ended before {text:?}: {end:?}, heard {:?}",
                    String::from_utf8_lossy(&self.heard)
                ),
            }
        }
    }

    pub async fn rest(mut self) -> Answer {
        let whole = loop {
            match self.body.frame().await {
                Some(Ok(frame)) => self.heard.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(_)) => break false,
                None => break true,
            }
        };
        Answer {
            status: self.status.as_u16(),
            headers: self.headers,
            body: self.heard.into(),
            whole,
        }
    }
}

/// A response read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// False when the connection broke before the body's end.
    pub whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: not JSON: {}", self.status, self.text()))
    }

    /// The text of the first choice.
    pub fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn heard(&self) -> super::sse::Heard {
        super::sse::hear(&self.body)
    }

    pub fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// An error in the OpenAI shape with this status.
    #[track_caller]
    pub fn expect_error(self, status: u16) -> Self {
        let answer = self.expect(status);
        let error = &answer.json()["error"];
        assert!(
            error["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{}",
            answer.text()
        );
        assert!(error["type"].is_string(), "{}", answer.text());
        for field in ["param", "code"] {
            assert!(error.get(field).is_some(), "no {field}: {}", answer.text());
        }
        answer
    }
}
