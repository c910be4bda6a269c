//! One text of why: what `x-planb-explain` says beforehand, the record says afterwards, the log says where nobody was
//! served, and `planb explain --decision` says a week later.

use crate::support::{Call, Daemon, Policy, Price, Upstream};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

async fn daemon() -> (Daemon, [Upstream; 2]) {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let policy = Policy::two(&first, &second)
        .model("blind", &second, "supply: competitor, quality: 10, images: false")
        .model("weak", &first, "supply: licensed, quality: 5")
        .route("name: strict, try: [weak, blind], need: {quality: 60}")
        .plan("name: calm, when: 'budget(\"all\").used < 0.5', avoid: 'model.name == \"first\"'")
        .budget("all", "limit: 10 USD, per: month");
    (Daemon::start(&policy).await, [first, second])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_beforehand_is_the_text_of_the_record() {
    let (daemon, _upstreams) = daemon().await;
    daemon.when_plan("calm", true).await;
    let before = Call::chat(&hello())
        .header("x-planb-explain", "1")
        .send(daemon.address())
        .await
        .expect(200)
        .json();
    let answer = daemon.chat(&hello()).await.expect(200);
    let decision = daemon.decision(&answer).await;
    let (text, kept) = (
        before["text"].as_str().unwrap(),
        decision["explanation"]["text"].as_str().unwrap(),
    );
    assert_eq!(text, kept);
    for part in [
        "route chat (in_order): ",
        "plan calm: budget(\"all\").used = ",
        "plan: plan `calm` keeps it from traffic",
        "chosen, 50 tokens out",
    ] {
        assert!(kept.contains(part), "{part}\n{kept}");
    }
    assert_eq!(decision["explanation"]["candidates"], before["candidates"]);
    assert_eq!(decision["explanation"]["excluded"], before["excluded"]);
    let listed = daemon.json("/planb/decisions").await;
    assert!(
        listed["decisions"][0].get("explanation").is_none(),
        "a list stays short"
    );
    let id = decision["id"].as_str().unwrap();
    let told = daemon.cli(&["explain", "--decision", id]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains(kept), "{told}\n{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_was_served_the_log_has_the_same_lines() {
    let (daemon, _upstreams) = daemon().await;
    let mut asked = hello();
    asked["model"] = "strict".into();
    let refused = daemon.chat(&asked).await.expect_error(400);
    let decision = daemon.decision(&refused).await;
    let kept = decision["explanation"]["text"].as_str().unwrap();
    assert!(kept.contains("quality: quality 5 is below the 60"), "{kept}");
    let id = decision["id"].as_str().unwrap();
    let said = daemon.said();
    for line in kept.lines() {
        let logged = said
            .lines()
            .any(|logged| logged.contains(line.trim_start()) && logged.contains(id));
        assert!(logged, "{line}\n{said}");
    }
}
