//! `planb licenses`: what was used under each licence, as an operator and an auditor see it.

use crate::support::{Call, Daemon, Policy, Price, Upstream};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

async fn ask(daemon: &Daemon, more: Value) {
    let mut body = json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Call::chat(&body)
        .header("x-planb-territory", "SG")
        .send(daemon.address())
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_counted_once_each_by_hashes_and_told_beside_the_terms() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .license("deal", "users: {max: 3, declared: 1}, fee: 10 USD/month")
        .provider(&upstream, "")
        .model("licensed", &upstream, "supply: licensed, license: deal")
        .route("name: chat, try: [licensed]");
    let mut daemon = Daemon::start(&policy).await;
    ask(&daemon, json!({"user": "ann@example.com"})).await;
    ask(&daemon, json!({"user": "ann@example.com"})).await;
    ask(&daemon, json!({"safety_identifier": "bob"})).await;
    ask(&daemon, json!({"metadata": {"user_id": "eve_session_1"}})).await;
    ask(&daemon, json!({"metadata": {"user_id": "eve_session_2"}})).await;
    ask(&daemon, json!({})).await;
    daemon.sigterm().await;
    let output = daemon.cli(&["licenses", "--format", "csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let (names, cells) = (lines.next().unwrap(), lines.next().unwrap());
    let of = |name: &str| cells[names.iter().position(|known| *known == name).unwrap()];
    assert_eq!(
        (of("license"), of("requests"), of("requests_without_user")),
        ("deal", "6", "1"),
        "{text}"
    );
    assert_eq!(
        (of("users_counted"), of("users_declared"), of("users_allowed")),
        ("3", "1", "3"),
        "{text}"
    );
    assert_eq!(
        (of("territories"), of("fee"), of("holds")),
        ("SG", "10 USD/month", "yes"),
        "{text}"
    );
    let key = daemon.home.state().join("users.key").metadata().unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    for file in std::fs::read_dir(daemon.home.state()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
        assert!(
            !found(b"ann@example.com") && !found(b"eve_session"),
            "a user's name is nowhere"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_beyond_the_bound_is_refused_and_those_that_are_counted_go_on_over_restarts() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let with = |max: u32| {
        Policy::new()
            .license("deal", &format!("users: {{max: {max}}}"))
            .provider(&upstream, "")
            .model("licensed", &upstream, "supply: licensed, license: deal")
            .route("name: chat, try: [licensed]")
    };
    let mut daemon = Daemon::start(&with(2)).await;
    let body = |user: &str| {
        let mut body =
            json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]});
        if !user.is_empty() {
            body["user"] = user.into();
        }
        body
    };
    for user in ["ann", "bob", "ann"] {
        daemon.chat(&body(user)).await.expect(200);
    }
    for _ in 0..2 {
        let refused = daemon.chat(&body("eve")).await.expect_error(403);
        assert!(
            refused.text().contains("holds up to 2 users a month, 2 are counted"),
            "{}",
            refused.text()
        );
        daemon.chat(&body("bob")).await.expect(200);
        daemon.chat(&body("")).await.expect(200);
        daemon.sigterm().await;
        daemon.restart().await;
    }
    daemon.edit(&with(3)).await;
    daemon.chat(&body("eve")).await.expect(200);
    // A licence that is held against fewer than it has counted says so to an auditor.
    daemon.edit(&with(1)).await;
    daemon.chat(&body("bob")).await.expect(200);
    daemon.sigterm().await;
    let output = daemon.cli(&["licenses", "--format", "csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"holds up to 1 users a month"), "{text}");
}
