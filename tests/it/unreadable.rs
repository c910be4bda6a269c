//! A policy that cannot be read any more, gone or forbidden: the last good one goes on, and everybody is told.

use crate::support::{Daemon, Home, Policy, Price, Sink, Upstream, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn may_read(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_keeps_the_policy_and_shows_everywhere_until_it_is_back() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let sink = Sink::start().await;
    let policy = Policy::one(&upstream).alert(&sink, "policy");
    let daemon = Daemon::start_unprivileged(Home::new(&policy)).await;
    let (file, before) = (daemon.home.policy(), daemon.policy_hash().await);
    may_read(&file, 0o000);
    let rejected = sink.got("policy.rejected", 1).await;
    assert_eq!(rejected.body["data"]["diagnostics"][0]["code"], "unreadable");
    let status = daemon
        .when("/planb/status", "the loss shows", |status| {
            status["policy"]["rejected"].to_string().contains("unreadable")
        })
        .await;
    assert_eq!(status["policy"]["hash"], before.as_str());
    until("the log names the file and the reason", || async {
        let said = daemon.said();
        let told = |line: &str| line.contains("policy.yaml") && line.to_lowercase().contains("permission denied");
        said.lines().any(told).then_some(()).ok_or(said)
    })
    .await;
    let metrics = daemon.get("/metrics").await.text();
    let counts = |line: &str| line.contains("reload") && line.contains("\"rejected\"") && line.ends_with(" 1");
    assert!(metrics.lines().any(counts), "no rejected reload in {metrics}");
    // What is edited meanwhile is not in force before it can be read.
    std::fs::write(&file, policy.clone().route("name: more, try: [only]").text()).unwrap_or_else(|_| {
        // Whoever runs as no root may not write it either.
        may_read(&file, 0o200);
        std::fs::write(&file, policy.clone().route("name: more, try: [only]").text()).unwrap();
        may_read(&file, 0o000);
    });
    daemon.sighup();
    daemon.chat(&hello()).await.expect(200);
    assert_eq!(daemon.policy_hash().await, before);
    may_read(&file, 0o600);
    let reloaded = sink.got("policy.reloaded", 1).await;
    assert!(
        reloaded.body["data"]["changes"].to_string().contains("more"),
        "{}",
        reloaded.body
    );
    daemon
        .when("/planb/status", "nothing is rejected any more", |status| {
            status["policy"]["rejected"].is_null()
        })
        .await;
    assert_eq!(sink.accepted("policy.rejected").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_keeps_the_policy_and_is_said_once() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let sink = Sink::start().await;
    let policy = Policy::one(&upstream).alert(&sink, "policy");
    let daemon = Daemon::start(&policy).await;
    let before = daemon.policy_hash().await;
    std::fs::remove_file(daemon.home.policy()).unwrap();
    let rejected = sink.got("policy.rejected", 1).await;
    let found = &rejected.body["data"]["diagnostics"][0];
    assert_eq!(found["code"], "unreadable");
    for _ in 0..3 {
        daemon.sighup();
        daemon.chat(&hello()).await.expect(200);
    }
    assert_eq!(daemon.policy_hash().await, before);
    // What comes back as it was is no edit, and nothing is rejected any more. Whole at once: half of it would be an
    // edit to reject.
    daemon.home.replace(&policy);
    daemon
        .when("/planb/status", "nothing is rejected any more", |status| {
            status["policy"]["rejected"].is_null()
        })
        .await;
    let edited = policy.route("name: more, try: [only]");
    daemon.home.replace(&edited);
    let reloaded = sink.got("policy.reloaded", 1).await;
    let changes = reloaded.body["data"]["changes"].to_string();
    assert!(changes.contains("more"), "{changes}");
    assert_eq!(sink.accepted("policy.rejected").len(), 1);
}
