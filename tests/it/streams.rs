//! Streams: what is cut never ends clean, what is odd but whole passes, and a client that leaves is noticed.

use crate::support::{Answer, Call, Daemon, Gate, Policy, Price, Reply, Upstream, Usage, sse, until};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;

const TEXT: &str = "One two three four";
const OTHER: &str = "Something else altogether";
const NO_MEMORY: &str = "breaker: none, cooldown: none";
/// How many requests a test keeps under way at once.
const AT_ONCE: usize = 16;

fn streamed() -> Value {
    json!({"model": "chat", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "Count."}]})
}

fn plain() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Count."}]})
}

/// The stream that is cut: its text, and how many of its bytes it takes until the answer's end is known.
struct Recorded {
    bytes: Vec<u8>,
    finish_begins: usize,
    finish_line_ends: usize,
    done_line_ends: usize,
}

fn recorded() -> Recorded {
    let bytes = sse::completion_events("m", TEXT, Some(Usage::new(10, 5)))
        .concat()
        .into_bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let finish_begins = text.find("\"finish_reason\":\"stop\"").unwrap();
    let finish_line_ends = finish_begins + text[finish_begins..].find('\n').unwrap();
    Recorded {
        finish_begins,
        finish_line_ends,
        done_line_ends: text.find("[DONE]").unwrap() + 6,
        bytes,
    }
}

/// A provider that cuts its stream where the request says so: after `x_cut` bytes, by hanging up inside a chunked
/// body or, with `x_clean`, by an end of the connection that HTTP takes for the body's end.
fn cut_as_asked(upstream: &Upstream) {
    upstream.script(|seen| {
        let request = seen.json();
        let cut = request["x_cut"].as_u64().unwrap() as usize;
        let kept = recorded().bytes[..cut].to_vec();
        if request["x_clean"] == true {
            Reply::stream_until_close(kept)
        } else {
            Reply::stream_head().chunk(kept).close()
        }
    });
}

async fn every_cut(daemon: &Daemon, check: fn(usize, &Answer)) {
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for cut in 0..=recorded().bytes.len() {
        for clean in [false, true] {
            if calls.len() >= AT_ONCE {
                calls.join_next().await.unwrap().unwrap();
            }
            calls.spawn(async move {
                let mut request = streamed();
                (request["x_cut"], request["x_clean"]) = (cut.into(), clean.into());
                check(cut, &Call::chat(&request).send(to).await);
            });
        }
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
}

/// What holds of any cut stream: nothing invented, and no clean end before the provider's own.
fn assert_honest(cut: usize, answer: &Answer) {
    let (full, heard) = (recorded(), answer.heard());
    let context = || format!("cut at {cut}: {} {}", answer.status, answer.text());
    assert!(
        !heard.done || cut >= full.done_line_ends,
        "an invented [DONE], {}",
        context()
    );
    assert!(
        !heard.has_finish() || cut >= full.finish_line_ends,
        "an invented finish, {}",
        context()
    );
    assert!(
        TEXT.starts_with(&heard.text()),
        "not the provider's text, {}",
        context()
    );
    let ends_well = answer.whole && !heard.has_error();
    assert!(!ends_well || cut >= full.finish_begins, "a clean end, {}", context());
    if cut < full.finish_begins {
        assert!(heard.has_error(), "no error event, {}", context());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_at_any_byte_never_ends_clean() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    cut_as_asked(&upstream);
    let daemon = Daemon::start(&Policy::one_with(&upstream, NO_MEMORY)).await;
    every_cut(&daemon, |cut, answer| {
        if answer.status == 200 {
            assert_honest(cut, answer);
        } else {
            assert!(answer.status >= 500, "cut at {cut}: {}", answer.status);
            assert!(answer.json()["error"]["message"].is_string());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_at_any_byte_is_one_models_text_or_the_others_whole() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    cut_as_asked(&first);
    second.answers(OTHER, Usage::new(10, 5));
    let daemon = Daemon::start(&Policy::two_with(&first, &second, NO_MEMORY)).await;
    every_cut(&daemon, |cut, answer| {
        assert_eq!(answer.status, 200, "cut at {cut}: {}", answer.text());
        let heard = answer.heard();
        if heard.text().starts_with(OTHER) {
            assert!(
                heard.text() == OTHER && heard.done && heard.has_finish() && !heard.has_error(),
                "cut at {cut}"
            );
            assert_eq!(answer.header("x-planb-model"), Some("second"));
        } else {
            assert_honest(cut, answer);
            assert_eq!(answer.header("x-planb-model"), Some("first"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_means_the_same_however_it_is_written() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 10 USD, per: month")).await;
    let whole = sse::completion_events("m", TEXT, Some(Usage::new(10, 5))).concat();
    let crlf = whole.replace('\n', "\r\n");
    let commented = whole.replace("data: {", ": keep-alive\n\nevent: message\nid: 7\ndata: {");
    let unspaced = whole.replace("data: ", "data:");
    let bytewise = |text: &str| text.bytes().map(|byte| vec![byte]).collect::<Vec<_>>();
    let forms = [
        vec![whole.clone().into_bytes()],
        bytewise(&whole),
        bytewise(&crlf),
        vec![crlf.into_bytes()],
    ];
    let more = [
        bytewise(&commented),
        vec![commented.into_bytes()],
        vec![unspaced.into_bytes()],
    ];
    for pieces in forms.into_iter().chain(more) {
        upstream.always(Reply::stream(&pieces).billed(Usage::new(10, 5)));
        let answer = daemon.chat(&streamed()).await.expect(200);
        let heard = answer.heard();
        assert_eq!(heard.text(), TEXT);
        assert!(
            heard.done && heard.has_finish() && !heard.has_error() && !heard.has_usage(),
            "{}",
            answer.text()
        );
    }
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_stream_is_passed_on_and_nothing_after_it() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one_with(&upstream, NO_MEMORY)).await;
    let error =
        "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let start = sse::content_event("m", "One ");
    for pieces in [vec![&*start, error], vec![&*start, error, "data: [DONE]\n\n"]] {
        upstream.always(Reply::stream(pieces));
        let heard = daemon.chat(&streamed()).await.expect(200).heard();
        assert!(heard.has_error() && !heard.done && !heard.has_finish(), "{heard:?}");
        assert_eq!(heard.text(), "One ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finish_without_done_passes() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    upstream.always(Reply::stream([
        sse::content_event("m", "Hello"),
        sse::finish_event("m"),
    ]));
    let answer = daemon.chat(&streamed()).await.expect(200);
    let heard = answer.heard();
    assert!(
        answer.whole && heard.has_finish() && !heard.has_error(),
        "{}",
        answer.text()
    );
    assert_eq!(heard.text(), "Hello");
    let decision = daemon.decision(&answer).await;
    assert_eq!(
        (&decision["outcome"], &decision["attempts"][0]["estimated"]),
        (&json!("ok"), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stalls_after_content_ends_with_an_error() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.always(Reply::stream_head().chunk(sse::content_event("m", "One ")).stall());
    let words = "breaker: none, cooldown: none, timeouts: {idle: 1s}";
    let daemon = Daemon::start(&Policy::one_with(&upstream, words)).await;
    let heard = daemon.chat(&streamed()).await.expect(200).heard();
    assert!(heard.has_error() && !heard.done, "{heard:?}");
    assert_eq!(heard.text(), "One ");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_do_not_count_as_progress_but_content_does() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let spare = Upstream::start("beta", Price::LIST).await;
    let drip = (0..60).fold(Reply::stream_head(), |reply, _| {
        reply.chunk(": keep-alive\n\n").pause(Duration::from_millis(100))
    });
    upstream.always(drip.stall());
    let policy = Policy::new()
        .provider(&upstream, "timeouts: {first_token: 1s}")
        .provider(&spare, "")
        .model("first", &upstream, crate::support::LICENSED)
        .model("second", &spare, crate::support::COMPETITOR)
        .route("name: chat, try: [first, second]");
    let daemon = Daemon::start(&policy).await;
    let answer = daemon.chat(&streamed()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(answer.heard().text(), "Hello from beta.");
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_stream_through_and_count_as_content() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let delta = |delta: Value, finish: Value| {
        let chunk = json!({"id": "x", "object": "chat.completion.chunk", "choices":
            [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "now", "arguments": ""}}]});
    let more = json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"zone\":\"UTC\"}"}}]});
    let events = [
        delta(call, Value::Null),
        delta(more, Value::Null),
        delta(json!({}), "tool_calls".into()),
        "data: [DONE]\n\n".into(),
    ];
    upstream.always(Reply::stream(&events));
    let daemon = Daemon::start(&Policy::one_with(&upstream, NO_MEMORY)).await;
    let mut request = streamed();
    request["tools"] = json!([{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]);
    let heard = daemon.chat(&request).await.expect(200).heard();
    assert!(heard.done && !heard.has_error());
    assert_eq!(heard.data.len(), 3);
    upstream.always(Reply::stream_until_close(events[..2].concat()));
    let heard = daemon.chat(&request).await.expect(200).heard();
    assert!(heard.has_error() && !heard.done && !heard.has_finish(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_stream_cancels_it_and_pays_what_it_heard() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.always(Reply::stream_head().chunk(sse::content_event("m", "One ")).stall());
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 10 USD, per: month")).await;
    let mut open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    open.until_heard("One ").await;
    assert!(daemon.budget("all").await.reserved > 0);
    drop(open);
    upstream.left(1).await;
    let books = daemon.settled("all").await;
    assert!(books.posted > 0, "{books:?}");
    let decisions = daemon.when("/planb/decisions", "the decision is recorded", |value| {
        value["decisions"][0]["outcome"] == "cancelled"
    });
    assert_eq!(decisions.await["decisions"][0]["attempts"][0]["estimated"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_a_plain_answer_cancels_it_and_the_money_is_held() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.always(Reply::silence());
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 10 USD, per: month")).await;
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&plain()).try_send(to).await });
    upstream.reached(1).await;
    call.abort();
    upstream.left(1).await;
    let books = daemon.settled("all").await;
    assert!(books.held > 0 && books.posted == 0, "{books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_route_says_finish_the_answer_is_waited_for_and_paid_in_full() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let gate = Gate::new();
    let (held, answer) = (
        gate.clone(),
        crate::support::upstream::answer("Unheard", Usage::new(500, 40)),
    );
    upstream.script(move |seen| answer(seen).behind(&held));
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("only", &upstream, crate::support::LICENSED)
        .route("name: chat, try: [only], on_disconnect: finish")
        .budget("all", "limit: 10 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&plain()).try_send(to).await });
    upstream.reached(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // A second client comes and goes meanwhile, so that the first one's leaving has been seen for sure.
    daemon.get("/healthz").await.expect(200);
    gate.open();
    let books = daemon.settled("all").await;
    assert_eq!(
        (books.posted, books.held, upstream.abandoned()),
        (upstream.invoice(), 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_at_once_stay_apart() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.script(|seen| {
        let own = seen.json()["x_own"].as_str().unwrap().to_owned();
        let words = format!("{own} ").repeat(20);
        crate::support::upstream::answer(words.trim_end(), Usage::new(10, 20))(seen)
    });
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 10 USD, per: month")).await;
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for number in 0..200 {
        calls.spawn(async move {
            let mut request = streamed();
            let own = format!("stream-{number}");
            request["x_own"] = own.clone().into();
            let heard = Call::chat(&request).send(to).await.expect(200).heard();
            assert_eq!(heard.text(), format!("{own} ").repeat(20).trim_end());
            assert!(heard.done);
        });
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_ends_its_connections_stream_a_moment_after_done_is_not_hung_up_on() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    // The moment has an end, and a slow machine may let it pass; it does not each time.
    until("a connection is kept for the next request", || async {
        let (gate, before) = (Gate::new(), upstream.abandoned());
        let held = gate.clone();
        upstream.script(move |_| {
            let events = sse::completion_events("m", TEXT, Some(Usage::new(10, 5)));
            let events = events.into_iter().fold(Reply::stream_head(), Reply::chunk);
            events.wait(&held).send("0\r\n\r\n")
        });
        let answer = daemon.chat(&streamed()).await.expect(200);
        assert!(answer.text().contains("[DONE]"));
        gate.open();
        daemon.chat(&streamed()).await.expect(200);
        match upstream.abandoned() - before {
            0 => Ok(()),
            hung_up => Err(format!("hung up on {hung_up}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_streams_estimate_never_exceeds_what_was_reserved_for_it() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.script(|_| {
        Reply::stream_head()
            .chunk(sse::content_event("m", &"unforeseeable ".repeat(50)))
            .close()
    });
    let policy = Policy::one_with(&upstream, NO_MEMORY).budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let mut request = streamed();
    request["max_tokens"] = 3.into();
    daemon.chat(&request).await;
    let books = daemon.settled("month").await;
    assert_eq!(
        books.posted,
        3 * 10_000,
        "three tokens at 10 USD a million, in nano-units"
    );
}
