//! Terms of use, retirement and residence, as clients and operators see them.

use crate::support::{Call, Daemon, Policy, Price, Sink, Upstream};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// `licensed` under the licence, then `open` under none.
async fn two(license: &str) -> (Upstream, Upstream, Policy) {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let policy = Policy::new()
        .license("deal", license)
        .provider(&first, "")
        .provider(&second, "")
        .model("licensed", &first, "supply: licensed, license: deal")
        .model("open", &second, "supply: competitor")
        .route("name: chat, try: [licensed, open]")
        .route("name: strict, try: [licensed]");
    (first, second, policy)
}

async fn served(daemon: &Daemon, headers: &[(&str, &str)]) -> String {
    let mut call = Call::chat(&hello());
    for (name, value) in headers {
        call = call.header(name, value);
    }
    let answer = call.send(daemon.address()).await.expect(200);
    answer.header("x-planb-model").unwrap_or_default().to_owned()
}

fn strict(headers: &[(&str, &str)]) -> Call {
    let body = json!({"model": "strict", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]});
    headers
        .iter()
        .fold(Call::chat(&body), |call, (name, value)| call.header(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_that_the_licence_does_not_permit_goes_to_another_model_or_is_refused_as_the_requests_doing() {
    let (first, _second, policy) = two("uses: [commercial, internal]").await;
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served(&daemon, &[]).await, "licensed", "nobody said: commercial");
    assert_eq!(served(&daemon, &[("x-planb-use", "internal")]).await, "licensed");
    assert_eq!(served(&daemon, &[("x-planb-use", "research")]).await, "open");
    let before = first.count();
    let call = strict(&[("x-planb-use", "research")]);
    let refused = call.send(daemon.address()).await.expect_error(400);
    assert!(
        refused.text().contains("deal") && refused.text().contains("research"),
        "{}",
        refused.text()
    );
    assert_eq!(first.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_territory_outside_the_licence_is_refused_and_the_union_has_members() {
    let (_first, _second, policy) = two("except_territories: [EU, GB]").await;
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served(&daemon, &[]).await, "licensed");
    assert_eq!(served(&daemon, &[("x-planb-territory", "SG")]).await, "licensed");
    for place in ["EU", "DE", "fr", "GB"] {
        assert_eq!(
            served(&daemon, &[("x-planb-territory", place)]).await,
            "open",
            "{place}"
        );
    }
    let call = strict(&[("x-planb-territory", "DE")]);
    call.send(daemon.address()).await.expect_error(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_licence_is_403_and_told_once_with_its_models() {
    let sink = Sink::start().await;
    let (_first, _second, policy) = two("expires: 2026-01-31").await;
    let daemon = Daemon::start(&policy.alert(&sink, "license")).await;
    assert_eq!(served(&daemon, &[]).await, "open");
    let refused = strict(&[]).send(daemon.address()).await.expect_error(403);
    assert_eq!(refused.error_code(), "license");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let told = sink.got("license.expired", 1).await;
    let data = &told.body["data"];
    assert_eq!(
        (&data["license"], &data["expires"], &data["models"]),
        (&json!("deal"), &json!("2026-01-31"), &json!(["licensed"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_facts_above_their_bound_end_the_terms() {
    let (_first, _second, policy) = two("seats: {max: 50, declared: 51}").await;
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served(&daemon, &[]).await, "open");
    strict(&[]).send(daemon.address()).await.expect_error(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_model_makes_room_for_its_successor_in_its_place() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let policy = Policy::new()
        .provider(&first, "")
        .provider(&second, "")
        .model("old", &first, "supply: licensed, retires: 2026-01-01, successor: new")
        .model("other", &second, "supply: competitor")
        .model("new", &first, "supply: licensed")
        .route("name: chat, try: [old, other]");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served(&daemon, &[]).await, "new");
    let explained = Call::chat(&hello()).header("x-planb-explain", "1");
    let said = explained.send(daemon.address()).await.expect(200).json();
    assert_eq!(said["excluded"][0]["model"], "old");
    assert_eq!(said["excluded"][0]["reason"], "retired");
    assert_eq!(said["candidates"][1]["model"], "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_need_data_to_stay_and_labels_to_be_there() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let policy = Policy::new()
        .provider(&first, "residence: [US], labels: [no-training]")
        .provider(&second, "residence: [DE]")
        .model("far", &first, "supply: competitor")
        .model("near", &second, "supply: competitor")
        .model("unknown", &second, "supply: competitor, disabled: true")
        .route("name: chat, try: [unknown, far, near], need: {residence: [EU]}")
        .route("name: strict, try: [near, far], need: {labels: [no-training]}");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served(&daemon, &[]).await, "near");
    let answer = strict(&[]).send(daemon.address()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("far"));
    let explained = Call::chat(&hello()).header("x-planb-explain", "1");
    let said = explained.send(daemon.address()).await.expect(200).json();
    let reasons: Vec<_> = said["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(reasons, ["disabled", "residence"]);
}
