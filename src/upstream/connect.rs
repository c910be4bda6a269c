//! HTTP clients: a lean pooled one for inference calls, a convenient one for webhooks and probes.
//!
//! Both trust the system's certificates (`SSL_CERT_FILE` is honoured), follow no redirect, use no proxy and connect only where
//! [`super::egress`] allows. Deadlines on answers are the caller's; the time to connect is bounded here, name lookup
//! and TLS included.

use super::egress::{self, Denied, GuardedResolver};
use super::reuse::Remembered;
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::Method;
use rustls::{ClientConfig, RootCertStore};
use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Below the keep-alive of providers and load balancers, so that an idle connection is closed by us and not under us.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// An HTTP/2 connection carries many requests; one that died silently is found out by a ping within these two.
const PING_EVERY: Duration = Duration::from_secs(15);
const PING_WITHIN: Duration = Duration::from_secs(10);
/// For webhooks and probes; an inference call takes its provider's.
const WEB_CONNECT: Duration = Duration::from_secs(5);
/// Distinct (timeout, permission) pairs kept at once; beyond it the oldest policies' pools are let go.
const MOST_CLIENTS: usize = 64;

const USER_AGENT: &str = concat!("planb/", env!("CARGO_PKG_VERSION"));

type Tls = HttpsConnector<HttpConnector<GuardedResolver>>;
/// The pooled client for inference calls. Clones share the pool.
pub type InferenceClient = Client<Bounded<Tls>, Full<Bytes>>;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client cannot be set up: {0}")]
    Web(#[from] reqwest::Error),
}

/// No connection within the time allowed, found in a client error's chain of sources.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub struct ConnectTimeout(pub Duration);

/// What a client for inference calls must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub allow_private: bool,
    /// The longest that connecting may take.
    pub connect: Duration,
    /// Takes no kept connection, and keeps none.
    pub fresh: bool,
}

/// All clients of the daemon.
pub struct Connections {
    tls: ClientConfig,
    inference: Mutex<HashMap<Kind, InferenceClient>>,
    guarded: Web,
    private: Web,
}

impl Connections {
    /// Reads the system's certificates once.
    pub fn new() -> Result<Self, ClientError> {
        let tls = tls_config()?;
        let (guarded, private) = (Web::new(&tls, false)?, Web::new(&tls, true)?);
        Ok(Self {
            tls,
            inference: Mutex::default(),
            guarded,
            private,
        })
    }

    /// The client for a provider; providers with the same settings share it, pools are by host all the same.
    pub fn inference(&self, kind: Kind) -> InferenceClient {
        let mut clients = self.inference.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(&kind) {
            clients.clear();
        }
        clients
            .entry(kind)
            .or_insert_with(|| inference_client(&self.tls, kind))
            .clone()
    }

    /// The client for webhooks and probes.
    pub fn web(&self, allow_private: bool) -> &Web {
        if allow_private { &self.private } else { &self.guarded }
    }
}

/// A client that checks each address before it sends.
#[derive(Clone, Debug)]
pub struct Web {
    client: reqwest::Client,
    allow_private: bool,
}

impl Web {
    fn new(tls: &ClientConfig, allow_private: bool) -> Result<Self, ClientError> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(GuardedResolver { allow_private })
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(WEB_CONNECT)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// A request to an address that the egress rule allows; a name is checked again when it is looked up.
    pub fn request(&self, method: Method, url: reqwest::Url) -> Result<reqwest::RequestBuilder, Denied> {
        egress::check_target(Some(url.scheme()), url.host_str(), self.allow_private)?;
        Ok(self.client.request(method, url))
    }
}

/// What went wrong with a webhook or probe, without its URL: that may carry a secret.
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    if let Some(denied) = egress::denied_in(&error) {
        return denied.to_string();
    }
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    let mut root: &dyn Error = &error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// A connector that gives up after a while, whatever it is waiting for.
#[derive(Clone, Debug)]
pub struct Bounded<C> {
    inner: C,
    within: Duration,
}

type Failure = Box<dyn Error + Send + Sync>;

impl<C> tower::Service<Uri> for Bounded<C>
where
    C: tower::Service<Uri, Error = Failure>,
    C::Response: Send,
    C::Future: Send + 'static,
{
    type Response = Remembered<C::Response>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (connecting, within) = (self.inner.call(target), self.within);
        Box::pin(async move {
            match tokio::time::timeout(within, connecting).await {
                Ok(connected) => connected.map(Remembered::new),
                Err(_) => Err(ConnectTimeout(within).into()),
            }
        })
    }
}

fn inference_client(tls: &ClientConfig, kind: Kind) -> InferenceClient {
    let Kind {
        allow_private,
        connect,
        fresh,
    } = kind;
    let mut http = HttpConnector::new_with_resolver(GuardedResolver { allow_private });
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(connect));
    http.set_keepalive(Some(POOL_IDLE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(if fresh { 0 } else { usize::MAX })
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_WITHIN)
        .build(Bounded {
            inner: https,
            within: connect,
        })
}

/// A machine without certificates can still serve local models, so their absence is no error here.
fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = || ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    match versions()?.with_native_roots() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no system certificates found: https providers and webhooks cannot be reached");
            Ok(versions()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers every connection with these bytes once it has read a request's head.
    async fn server(answer: &'static str) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _ = socket.read(&mut head).await;
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        address
    }

    fn within(connect: Duration) -> Kind {
        Kind {
            allow_private: false,
            connect,
            fresh: false,
        }
    }

    fn get(url: String) -> Request<Full<Bytes>> {
        Request::get(url).body(Full::default()).unwrap()
    }

    #[tokio::test]
    async fn inference_calls_reach_loopback_by_address_and_by_localhost() {
        let address = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let client = Connections::new().unwrap().inference(within(Duration::from_secs(2)));
        for host in ["127.0.0.1", "localhost"] {
            let answer = client
                .request(get(format!("http://{host}:{}/", address.port())))
                .await
                .unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hi");
        }
    }

    #[tokio::test]
    async fn a_refused_name_is_found_in_the_error() {
        let client = Connections::new().unwrap().inference(within(Duration::from_secs(2)));
        let error = client.request(get("http://127.1:9/".into())).await.unwrap_err();
        assert!(error.is_connect());
        assert!(matches!(egress::denied_in(&error), Some(Denied::Private { .. })));
    }

    #[tokio::test]
    async fn a_handshake_that_never_ends_is_a_connect_timeout() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let client = Connections::new().unwrap().inference(within(Duration::from_millis(50)));
        let error = client
            .request(get(format!("https://127.0.0.1:{port}/")))
            .await
            .unwrap_err();
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<ConnectTimeout>());
        assert!(error.is_connect() && source.is_some(), "{error:?}");
    }

    #[tokio::test]
    async fn redirects_are_answers_and_not_followed() {
        let address = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        let connections = Connections::new().unwrap();
        let url = format!("http://{address}/").parse().unwrap();
        let answer = connections
            .web(false)
            .request(Method::GET, url)
            .unwrap()
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 302);
    }

    #[test]
    fn the_web_client_refuses_before_sending() {
        let connections = Connections::new().unwrap();
        let refused = |allow_private, url: &str| {
            connections
                .web(allow_private)
                .request(Method::POST, url.parse().unwrap())
                .err()
        };
        assert!(matches!(
            refused(true, "http://169.254.169.254/latest"),
            Some(Denied::Metadata { .. })
        ));
        assert!(matches!(
            refused(false, "http://example.com/hook"),
            Some(Denied::PlainHttp { .. })
        ));
        assert_eq!(refused(true, "http://example.com/hook"), None);
    }

    #[tokio::test]
    async fn descriptions_of_errors_hide_the_url() {
        let url = "http://127.0.0.1:1/hook?token=hidden".parse().unwrap();
        let connections = Connections::new().unwrap();
        let error = connections
            .web(false)
            .request(Method::POST, url)
            .unwrap()
            .send()
            .await
            .unwrap_err();
        let text = describe(error);
        assert!(text.contains("refused") && !text.contains("hidden"), "{text}");
    }
}
