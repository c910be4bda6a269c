//! What an edit would have meant for recorded requests, and what the ledger says of a decision afterwards.

use crate::support::{COMPETITOR, Daemon, LICENSED, Policy, Price, Sink, Upstream, run};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn sides(first: &Upstream, second: &Upstream, sink: &Sink) -> (Policy, Policy) {
    let base = Policy::new()
        .provider(first, "")
        .provider(second, "")
        .model("first", first, LICENSED)
        .model("second", second, COMPETITOR)
        .alert(sink, "policy");
    (
        base.clone().route("name: chat, try: [first, second]"),
        base.route("name: chat, try: [second, first]"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_says_which_share_of_requests_moves_and_what_a_month_would_cost() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let sink = Sink::start().await;
    let (first, second) = sides(&one, &two, &sink);
    let daemon = Daemon::start(&first).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    let decision = daemon.decision(&answer).await;
    daemon.edit(&second).await;
    let policy = daemon
        .when("/planb/policy", "the edit is projected", |policy| {
            !policy["projected"].is_null()
        })
        .await;
    let projected = &policy["projected"];
    assert_eq!(
        (&projected["requests"], &projected["moved_share"]),
        (&json!(1), &json!(1.0)),
        "{projected}"
    );
    let event = sink.got("policy.reloaded", 1).await.body;
    assert_eq!(event["data"]["projection"], "done", "{event}");
    assert_eq!(event["data"]["moved_share"], json!(1.0), "{event}");
    assert_eq!(event["data"]["monthly_change"], projected["monthly_change"]);

    let id = decision["id"].as_str().unwrap();
    let told = daemon.cli(&["explain", "--decision", id]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{told:?}");
    for part in [id, "first  ok", "1  first", "chosen"] {
        assert!(said.contains(part), "{part}\n{said}");
    }

    let old = daemon.home.folder().join("old.yaml");
    std::fs::write(&old, first.text()).unwrap();
    let state = daemon.home.state();
    let paths = [old.to_str().unwrap(), daemon.home.policy().to_str().unwrap()].map(str::to_owned);
    let told = run(&["diff", &paths[0], &paths[1], "--traffic", state.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(said.contains("of 1 recorded requests 1 move"), "{told:?}");
    assert!(said.contains("first -> second"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_follow_one_another_at_once_are_all_told_and_the_last_is_projected() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let sink = Sink::start().await;
    let (first, second) = sides(&one, &two, &sink);
    let daemon = Daemon::start(&first).await;
    daemon.chat(&hello()).await.expect(200);
    let mut hashes = vec![daemon.policy_hash().await];
    for edit in 0..6 {
        daemon.edit(if edit % 2 == 0 { &second } else { &first }).await;
        hashes.push(daemon.policy_hash().await);
    }
    let policy = daemon
        .when("/planb/policy", "the last edit is projected", |policy| {
            !policy["projected"].is_null()
        })
        .await;
    assert_eq!(policy["projected"]["moved_share"], json!(1.0));
    sink.got("policy.reloaded", 6).await;
    let told = sink.accepted("policy.reloaded");
    let steps = told.iter().map(|event| {
        let data = &event.body["data"];
        assert_eq!(data["projection"] == "done", data["moved_share"].is_number(), "{data}");
        (data["before"].clone(), data["hash"].clone())
    });
    let expected = hashes.windows(2).map(|pair| (json!(pair[0]), json!(pair[1])));
    assert_eq!(steps.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
