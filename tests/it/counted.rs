//! Output that no provider told: counted while it streams, and after twenty whole answers as the provider would count it.

use crate::support::{Answer, Daemon, Policy, Price, Reply, Upstream, Usage, sse};
use serde_json::{Value, json};

const TEXTS: &str = include_str!("../data/texts.jsonl");
/// The text of one answer, and how many tokens GPT-4o's vocabulary makes of it.
type Text = (String, u64);

/// Forty answers of code, each of five texts.
fn answers() -> Vec<Text> {
    let rows = TEXTS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let code: Vec<Value> = rows.filter(|row| row["kind"] == "code").collect();
    let one = |at: usize| {
        let own = || code.iter().skip(at).step_by(40);
        let text: Vec<&str> = own().map(|row| row["text"].as_str().unwrap()).collect();
        (
            text.join("\n"),
            own().map(|row| row["tokens"][1].as_u64().unwrap()).sum(),
        )
    };
    (0..40).map(one).collect()
}

/// Answers number `x_answer` as its vocabulary counts it; `x_cut` sends the last twenty at once and hangs up.
async fn provider() -> Upstream {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let answers = answers();
    upstream.script(move |seen| {
        let request = seen.json();
        if request["x_cut"] == true {
            let all: Vec<&str> = answers[20..].iter().map(|(text, _)| text.as_str()).collect();
            let mut events = sse::completion_events("m", &all.join("\n"), None);
            // Without its finish and `[DONE]`.
            events.truncate(events.len() - 2);
            return Reply::stream_head().chunk(events.concat()).close();
        }
        let (text, tokens) = &answers[request["x_answer"].as_u64().unwrap() as usize];
        let usage = Usage::new(10, i64::try_from(*tokens).unwrap());
        Reply::stream(sse::completion_events("m", text, Some(usage))).billed(usage)
    });
    upstream
}

fn ask(more: Value) -> Value {
    let mut request = json!({"model": "chat", "stream": true, "max_tokens": 4_000,
        "messages": [{"role": "user", "content": "Write code."}]});
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

/// What the cut answer is posted as.
async fn cut(daemon: &Daemon) -> u64 {
    let answer: Answer = daemon.chat(&ask(json!({"x_cut": true}))).await;
    let decision = daemon.decision(&answer).await;
    let attempt = &decision["attempts"][0];
    assert_eq!(attempt["estimated"], true, "{decision}");
    attempt["usage"]["output"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_twenty_answers_a_cut_stream_is_posted_within_a_twentieth_of_what_the_provider_counts() {
    let upstream = provider().await;
    let policy =
        Policy::one_with(&upstream, "breaker: none, cooldown: none").budget("month", "limit: 900 USD, per: month");
    let mut daemon = Daemon::start(&policy).await;
    let real: u64 = answers()[20..].iter().map(|(_, tokens)| tokens).sum();
    let before = cut(&daemon).await;
    assert!(before >= real, "the safe side first: {before} of {real}");
    for at in 0..20 {
        daemon.chat(&ask(json!({"x_answer": at}))).await.expect(200);
    }
    let near = |counted: u64| counted * 20 >= real * 19 && counted * 20 <= real * 21;
    let after = cut(&daemon).await;
    assert!(near(after), "{after} of {real}");
    daemon
        .edit(&policy.clone().budget("more", "limit: 900 USD, per: day"))
        .await;
    assert_eq!(cut(&daemon).await, after, "an edit keeps it");
    daemon.sigterm().await;
    daemon.restart().await;
    assert_eq!(cut(&daemon).await, after, "a restart keeps it");
}
