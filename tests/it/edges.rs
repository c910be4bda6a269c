//! What unlucky and hostile peers do: clients that stop reading or never begin to speak, answers beyond every size,
//! errors that never end. Each has its bound, and none leaks what it held.

use crate::support::upstream::{self, completion};
use crate::support::{Call, Daemon, Policy, Price, Reply, Upstream, Usage, sse};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn plain() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn streamed() -> Value {
    json!({"model": "chat", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "Count."}]})
}

fn counted(upstream: &Upstream, words: &str) -> Policy {
    Policy::one_with(upstream, words).budget("all", "limit: 10 USD, per: month")
}

/// A completion of more than 32 MiB, its usage at the end as providers write it.
fn giant(usage: Usage) -> String {
    completion("m", &"word ".repeat(7 << 20), usage).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_given_up_at_the_streams_deadline() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let event = sse::content_event("m", &"word ".repeat(2_000));
    let endless = (0..8_000)
        .fold(Reply::stream_head(), |reply, _| reply.chunk(&event))
        .stall();
    upstream.always(endless);
    let daemon = Daemon::start(&counted(&upstream, "timeouts: {total: 10s}")).await;
    let open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    upstream.left(1).await;
    let books = daemon.settled("all").await;
    assert!(books.posted > 0, "{books:?}");
    let heard = open.rest().await.heard();
    assert!(heard.has_error() && !heard.done && !heard.has_finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_above_the_limit_passes_through_and_is_posted_by_its_usage() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let usage = Usage::new(10, 50);
    let body = giant(usage);
    upstream.always(Reply::http(200, &[("content-type", "application/json")], body.clone()).billed(usage));
    let daemon = Daemon::start(&counted(&upstream, "")).await;
    let answer = daemon.chat(&plain()).await.expect(200);
    assert!(answer.whole && answer.body == body);
    assert_eq!(answer.header("x-planb-model"), Some("only"));
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_above_the_limit_that_is_cut_does_not_look_whole() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let body = giant(Usage::new(10, 50));
    let most = bytes::Bytes::from(body).slice(..34 << 20);
    upstream.always(
        Reply::default()
            .send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n")
            .send(most)
            .close(),
    );
    let daemon = Daemon::start(&counted(&upstream, "")).await;
    let answer = daemon.chat(&plain()).await;
    assert!(!answer.whole);
    let books = daemon.settled("all").await;
    assert!(books.held > 0 && books.posted == 0, "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_above_the_limit_names_no_supplier_to_those_who_may_not_know() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let usage = Usage::new(10, 50);
    let mut told: Value = serde_json::from_str(&giant(usage)).unwrap();
    told["provider"] = "alpha".into();
    told["system_fingerprint"] = "fp_alpha".into();
    let body = told.to_string();
    let names = body.find("\"model\"").unwrap().min(body.find("fp_alpha").unwrap());
    assert!(
        names > 32 << 20,
        "they stand where the beginning of the answer tells nothing of them"
    );
    upstream.always(Reply::http(200, &[("content-type", "application/json")], body).billed(usage));
    let policy = counted(&upstream, "").route("name: hidden, try: [only], expose: none");
    let daemon = Daemon::start(&policy).await;
    let mut ask = plain();
    ask["model"] = "hidden".into();
    let answer = daemon.chat(&ask).await.expect(200);
    assert!(answer.whole && answer.body.len() > 32 << 20);
    let seen = format!("{:?} {}", answer.headers, answer.text());
    for word in ["alpha", "only", "system_fingerprint", "provider"] {
        assert!(!seen.contains(word), "{word} shows");
    }
    assert_eq!(answer.json()["model"], "hidden");
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_whose_words_never_come_is_judged_by_its_status() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100\r\n\r\n{";
    first.always(Reply::default().send(head).stall());
    let daemon = Daemon::start(&Policy::two_with(&first, &second, "timeouts: {total: 10m}")).await;
    let answer = daemon.chat(&plain()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_says_what_it_speaks_is_let_go() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    for beginning in ["", "PRI * HT"] {
        let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(crate::support::PATIENCE, stream.read(&mut [0; 1])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{beginning:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shutdown_cuts_off_is_in_the_ledger() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.always(Reply::stream_head().chunk(sse::content_event("m", "One ")).stall());
    let policy = counted(&upstream, "").route("name: alone, try: [only], on_disconnect: finish");
    let mut daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let mut first = Call::chat(&streamed()).open(to).await.unwrap();
    let mut second = Call::chat(&streamed()).open_h2(to).await.unwrap();
    first.until_heard("One ").await;
    second.until_heard("One ").await;
    let mut alone = plain();
    alone["model"] = "alone".into();
    let third = tokio::spawn(async move { Call::chat(&alone).try_send(to).await });
    upstream.reached(3).await;
    daemon.ask_to_stop();
    crate::support::until("the daemon accepts nothing more", || async move {
        TcpStream::connect(to)
            .await
            .map_or(Ok(()), |_| Err("still accepting".to_owned()))
    })
    .await;
    // A second word is not to be waited for.
    daemon.sigterm().await;
    let _ = third.await;
    let rows: i64 = daemon
        .ledger()
        .query_row("SELECT count(*) FROM attempts WHERE outcome = 'cancelled'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(rows, 3, "{}", daemon.said());
    upstream.answers("Hello", Usage::new(10, 5));
    daemon.restart().await;
    assert!(!daemon.said().contains("unaccounted"), "{}", daemon.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_options_and_odd_paths_are_answered_in_kind() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream).route("name: a/b, try: [only]")).await;
    daemon.get("/v1/models/a%2Fb").await.expect(200);
    daemon.get("/v1/models/").await.expect_error(404);
    daemon.get("/v1/models//v1/models/chat").await.expect_error(404);
    daemon.get("/v1/chat/completions/").await.expect_error(404);
    let refused = daemon.get("/v1/chat/completions").await.expect_error(405);
    assert_eq!(refused.header("allow"), Some("POST"));
    let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
    let head = "HEAD /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_is_dead_is_replaced_and_a_new_one_that_dies_is_not() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&counted(&upstream, "")).await;
    daemon.chat(&plain()).await.expect(200);
    let (calls, answers) = (AtomicUsize::new(0), upstream::answer("Hello again", Usage::new(10, 5)));
    upstream.script(move |seen| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::hang_up(),
        _ => answers(seen),
    });
    let answer = daemon.chat(&plain()).await.expect(200);
    assert_eq!((answer.content().as_str(), upstream.count()), ("Hello again", 3));
    let books = daemon.settled("all").await;
    assert!(books.held > 0, "whether the lost one was billed is unknown: {books:?}");
    let other = Upstream::start("beta", Price::LIST).await;
    other.always(Reply::hang_up());
    daemon.edit(&counted(&other, "")).await;
    daemon.chat(&plain()).await.expect_error(502);
    assert_eq!(other.count(), 1);
}
