//! Plans run by themselves, hold on as their words say, can be overridden, and survive a restart.

use crate::support::{
    COMPETITOR, Call, Daemon, LICENSED, LOCAL, Policy, Price, Sink, Upstream, Usage, fault, one_cent,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A thousand output tokens of the first model are 0.01 USD.
struct Three {
    paid: Upstream,
    cheap: Upstream,
    home: Upstream,
}

impl Three {
    async fn start() -> Self {
        let paid = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
        paid.answers("A whole cent of words", Usage::new(10, 1_000));
        Self {
            paid,
            cheap: Upstream::start("beta", Price::CHEAP).await,
            home: Upstream::start("home", Price::FREE).await,
        }
    }

    fn policy(&self, limit: &str) -> Policy {
        Policy::new()
            .provider(&self.paid, "")
            .provider(&self.cheap, "")
            .provider(&self.home, "")
            .model("dear", &self.paid, LICENSED)
            .model("cheap", &self.cheap, COMPETITOR)
            .model("tiny", &self.home, LOCAL)
            .route("name: chat, try: [dear, cheap, tiny], need: {quality: 60}")
            .budget(
                "month",
                &format!("limit: {limit} USD, per: month, covers: 'model.supply != \"local\"'"),
            )
    }
}

async fn spend_cents(daemon: &Daemon, count: usize) {
    for _ in 0..count {
        daemon.chat(&one_cent()).await.expect(200);
    }
}

fn instant(value: &Value) -> jiff::Timestamp {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no time: {value}"))
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_on_a_budget_activates_by_itself_and_changes_who_serves() {
    let three = Three::start().await;
    let sink = Sink::start().await;
    let plan = "name: austerity, when: 'budget(\"month\").used > 0.5', at_least: 10m, change: {chat: {pick: cheapest}}";
    let daemon = Daemon::start(&three.policy("0.1").plan(plan).alert(&sink, "plan")).await;
    let before = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(
        (before.header("x-planb-model"), before.header("x-planb-plan")),
        (Some("dear"), None)
    );
    assert_eq!(daemon.plan("austerity").await["active"], false);
    spend_cents(&daemon, 5).await;
    let active = daemon.when_plan("austerity", true).await;
    instant(&active["since"]);
    assert!(
        active["why"].as_str().unwrap().contains("0.6"),
        "the value is in the why: {active}"
    );
    let after = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(after.header("x-planb-model"), Some("cheap"));
    assert_eq!(after.header("x-planb-plan"), Some("austerity"));
    assert!(after.header("x-planb-degraded").is_some());
    assert_eq!(daemon.status().await["plans"], json!(["austerity"]));
    assert_eq!(daemon.decision(&after).await["plans"], json!(["austerity"]));
    let told = sink.got("plan.activated", 1).await;
    assert!(
        told.genuine && told.body["data"].to_string().contains("austerity"),
        "{}",
        told.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lights_out_leaves_the_local_model_when_the_money_is_gone() {
    let three = Three::start().await;
    let plan = "name: lights-out, when: 'budget(\"month\").exhausted', only: 'model.supply == \"local\"', \
                change: {chat: {need: {quality: 0}}}";
    let daemon = Daemon::start(&three.policy("0.03").plan(plan)).await;
    spend_cents(&daemon, 3).await;
    daemon.when_plan("lights-out", true).await;
    for _ in 0..3 {
        let answer = daemon.chat(&one_cent()).await.expect(200);
        assert_eq!(
            (answer.header("x-planb-model"), answer.header("x-planb-plan")),
            (Some("tiny"), Some("lights-out"))
        );
    }
    assert_eq!(daemon.settled("month").await.posted, three.paid.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_activates_a_plan_and_recovery_releases_it() {
    let three = Three::start().await;
    let sink = Sink::start().await;
    let plan = "name: outage, when: '!provider(\"alpha\").up', avoid: 'model.provider == \"alpha\"', at_least: 1s";
    let daemon = Daemon::start(&three.policy("100").plan(plan).alert(&sink, "plan")).await;
    three.paid.always(fault::error(500, "server_error", &[]));
    three.paid.listing(503);
    crate::support::until("the outage is noticed", || async {
        let answer = daemon.chat(&one_cent()).await.expect(200);
        assert_eq!(answer.header("x-planb-model"), Some("cheap"));
        if answer.header("x-planb-plan") == Some("outage") {
            Ok(())
        } else {
            Err("no plan yet".to_owned())
        }
    })
    .await;
    let asked = three.paid.count();
    spend_cents(&daemon, 10).await;
    assert_eq!(three.paid.count(), asked, "a plan keeps every request away");
    three.paid.answers("Back again", Usage::new(10, 1_000));
    three.paid.listing(200);
    // No request goes there, so that only the probe of its listing can find out.
    crate::support::until_within(Duration::from_secs(150), "the plan is released", || async {
        let plan = daemon.plan("outage").await;
        if plan["active"] == false {
            Ok(())
        } else {
            Err(plan.to_string())
        }
    })
    .await;
    sink.got("plan.released", 1).await;
    assert_eq!(sink.accepted("plan.activated").len(), 1);
    crate::support::until("the provider serves again", || async {
        let answer = daemon.chat(&one_cent()).await.expect(200);
        if answer.content() == "Back again" {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_waits_until_a_condition_has_held_so_long() {
    let three = Three::start().await;
    let when = "when: 'budget(\"month\").used > 0.5', change: {chat: {pick: cheapest}}";
    let policy = three
        .policy("0.03")
        .plan(&format!("name: at-once, {when}"))
        .plan(&format!("name: later, after: 3s, {when}"));
    let daemon = Daemon::start(&policy).await;
    spend_cents(&daemon, 2).await;
    let at_once = instant(&daemon.when_plan("at-once", true).await["since"]);
    let later = instant(&daemon.when_plan("later", true).await["since"]);
    assert!(
        later.duration_since(at_once) >= jiff::SignedDuration::from_millis(2_900),
        "{at_once} {later}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_holds_a_plan_that_its_condition_has_left() {
    let three = Three::start().await;
    let sink = Sink::start().await;
    let with = |limit: &str| {
        let plan =
            "name: austerity, when: 'budget(\"month\").used > 0.5', at_least: 5s, change: {chat: {pick: cheapest}}";
        three.policy(limit).plan(plan).alert(&sink, "plan")
    };
    let daemon = Daemon::start(&with("0.03")).await;
    spend_cents(&daemon, 2).await;
    let since = instant(&daemon.when_plan("austerity", true).await["since"]);
    daemon.edit(&with("1")).await;
    daemon.when_plan("austerity", false).await;
    let released = sink.got("plan.released", 1).await;
    let at = instant(&released.body["timestamp"]);
    assert!(
        at.duration_since(since) >= jiff::SignedDuration::from_millis(4_900),
        "{since} {at}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn until_keeps_a_plan_between_its_two_conditions() {
    let three = Three::start().await;
    let with = |limit: &str| {
        let plan = "name: austerity, when: 'budget(\"month\").used > 0.5', until: 'budget(\"month\").used < 0.1', \
                    at_least: 1s, change: {chat: {pick: cheapest}}";
        let witness = "name: witness, when: 'budget(\"month\").used > 0.1 && budget(\"month\").used < 0.5', at_least: 1s, \
                       change: {chat: {pick: in_order}}";
        three.policy(limit).plan(plan).plan(witness)
    };
    let daemon = Daemon::start(&with("0.03")).await;
    spend_cents(&daemon, 2).await;
    daemon.when_plan("austerity", true).await;
    daemon.edit(&with("0.1")).await;
    // The witness sees the new share, in the same tick as the plan that must not let go of it.
    daemon.when_plan("witness", true).await;
    assert_eq!(daemon.plan("austerity").await["active"], true);
    daemon.edit(&with("1")).await;
    daemon.when_plan("austerity", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restrictions_of_active_plans_add_up() {
    let three = Three::start().await;
    let always = "when: 'budget(\"month\").used >= 0.0'";
    let policy = three
        .policy("1")
        .plan(&format!("name: one, {always}, avoid: 'model.name == \"dear\"'"))
        .plan(&format!(
            "name: two, {always}, avoid: 'model.provider == \"beta\"', change: {{chat: {{need: {{quality: 0}}}}}}"
        ));
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("one", true).await;
    daemon.when_plan("two", true).await;
    let answer = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("tiny"));
    let plan = answer.header("x-planb-plan").unwrap();
    assert!(plan.contains("one") && plan.contains("two"), "{plan}");
    let excluded = daemon.decision(&answer).await["excluded"].clone();
    let reason = |model: &str| {
        let list = excluded.as_array().unwrap();
        list.iter()
            .find(|one| one["model"] == model)
            .unwrap_or_else(|| panic!("{model} in {excluded}"))["reason"]
            .clone()
    };
    assert_eq!((reason("dear"), reason("cheap")), (json!("plan"), json!("plan")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_switched_by_hand_with_the_admin_token_only() {
    let three = Three::start().await;
    let plan = "name: austerity, when: 'budget(\"month\").used > 0.9', change: {chat: {pick: cheapest}}";
    let daemon = Daemon::start(&three.policy("10").plan(plan)).await;
    let to = daemon.address();
    let activate = Call::post("/planb/plans/austerity/activate", "");
    for call in [
        activate.clone(),
        activate.clone().bearer("wrong"),
        activate.clone().bearer(&three.paid.key),
    ] {
        let answer = call.send(to).await;
        assert!([401, 403].contains(&answer.status), "{}", answer.text());
    }
    assert_eq!(daemon.plan("austerity").await["active"], false);
    let token = daemon.admin_token();
    let done = activate.clone().bearer(&token).send(to).await;
    assert!((200..300).contains(&done.status), "{}", done.text());
    let plan = daemon.when_plan("austerity", true).await;
    assert!(!plan["override"].is_null() && plan["override"] != false, "{plan}");
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("cheap")
    );
    let done = Call::post("/planb/plans/austerity/release", "")
        .bearer(&token)
        .send(to)
        .await;
    assert!((200..300).contains(&done.status), "{}", done.text());
    daemon.when_plan("austerity", false).await;
    let unknown = Call::post("/planb/plans/nope/activate", "")
        .bearer(&token)
        .send(to)
        .await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_switched_from_the_command_line() {
    let three = Three::start().await;
    let plan = "name: austerity, when: 'budget(\"month\").used > 0.9', change: {chat: {pick: cheapest}}";
    let daemon = Daemon::start(&three.policy("10").plan(plan)).await;
    for (verb, active) in [("activate", true), ("release", false)] {
        let output = daemon.cli(&["plan", verb, "austerity"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        daemon.when_plan("austerity", active).await;
    }
    let unknown = daemon.cli(&["plan", "activate", "nope"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("nope"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_plan_and_an_override_survive_a_kill_without_a_second_announcement() {
    let three = Three::start().await;
    let sink = Sink::start().await;
    let policy = three
        .policy("0.1")
        .plan("name: austerity, when: 'budget(\"month\").used > 0.5', at_least: 10m, change: {chat: {pick: cheapest}}")
        .plan("name: by-hand, when: 'budget(\"month\").used > 5.0', avoid: 'model.name == \"dear\"'")
        .alert(&sink, "plan, policy");
    let mut daemon = Daemon::start(&policy).await;
    spend_cents(&daemon, 6).await;
    let since = daemon.when_plan("austerity", true).await["since"].clone();
    assert!(daemon.cli(&["plan", "activate", "by-hand"]).status.success());
    daemon.when_plan("by-hand", true).await;
    sink.got("plan.activated", 2).await;
    daemon.kill9();
    daemon.restart().await;
    let plan = daemon.when_plan("austerity", true).await;
    assert_eq!(instant(&plan["since"]), instant(&since));
    assert_eq!(daemon.when_plan("by-hand", true).await["active"], true);
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("cheap")
    );
    daemon.edit(&policy.route("name: more, try: [cheap]")).await;
    sink.got("policy.reloaded", 1).await;
    assert_eq!(sink.accepted("plan.activated").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_sheds_with_its_message_and_says_when_to_come_back() {
    let three = Three::start().await;
    let plan = "name: closed, when: 'budget(\"month\").used > 5.0', shed: Search is closed until Monday.";
    let daemon = Daemon::start(&three.policy("10").plan(plan)).await;
    daemon.chat(&one_cent()).await.expect(200);
    assert!(daemon.cli(&["plan", "activate", "closed"]).status.success());
    daemon.when_plan("closed", true).await;
    let asked = three.paid.count();
    let refused = daemon.chat(&one_cent()).await.expect(503);
    assert_eq!(refused.json()["error"]["code"], "plan_active");
    assert_eq!(refused.json()["error"]["message"], "Search is closed until Monday.");
    assert_eq!(refused.header("x-planb-plan"), Some("closed"));
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((10..=60).contains(&wait), "{wait}");
    assert_eq!(three.paid.count(), asked);
    let decision = daemon.decision(&refused).await;
    let reasons: Vec<_> = decision["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].clone())
        .collect();
    assert_eq!(reasons, ["shed", "shed", "shed"]);
    assert!(daemon.cli(&["plan", "release", "closed"]).status.success());
    daemon.chat(&one_cent()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_restriction_leaves_nothing_the_plans_message_is_told() {
    let three = Three::start().await;
    let plan = "name: lights-out, when: 'budget(\"month\").used > 5.0', only: 'model.supply == \"local\"', \
                message: \"Paid models are off: ask #ml.\", change: {chat: {need: {quality: 0}}}";
    let policy = three.policy("10").plan(plan).route("name: paid, try: [dear, cheap]");
    let daemon = Daemon::start(&policy).await;
    assert!(daemon.cli(&["plan", "activate", "lights-out"]).status.success());
    let mut request = one_cent();
    request["model"] = json!("paid");
    let refused = daemon.chat(&request).await.expect(503);
    assert_eq!(refused.json()["error"]["message"], "Paid models are off: ask #ml.");
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("tiny")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_alone_makes_a_plan_active() {
    let three = Three::start().await;
    let policy = three
        .policy("10")
        .plan("name: always, during: {hours: [\"00:00-24:00\"]}, avoid: 'model.name == \"dear\"'")
        .plan("name: long-ago, during: {until: 2026-01-01}, avoid: 'model.name == \"cheap\"'");
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("always", true).await;
    assert_eq!(daemon.plan("long-ago").await["active"], false);
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("cheap")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plans_history_says_when_it_came_and_went_and_why() {
    let three = Three::start().await;
    let plan = "name: austerity, when: 'budget(\"month\").used > 0.5', at_least: 1s, change: {chat: {pick: cheapest}}";
    let daemon = Daemon::start(&three.policy("0.1").plan(plan)).await;
    spend_cents(&daemon, 6).await;
    daemon.when_plan("austerity", true).await;
    assert!(daemon.cli(&["plan", "release", "austerity"]).status.success());
    daemon.when_plan("austerity", false).await;
    let plan = daemon
        .when("/planb/plans/austerity", "both are recorded", |plan| {
            plan["history"].as_array().is_some_and(|history| history.len() == 2)
        })
        .await;
    let turns: Vec<_> = plan["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["active"].clone(), one["cause"].clone()))
        .collect();
    assert_eq!(
        turns,
        [(json!(false), json!("hand")), (json!(true), json!("condition"))]
    );
    assert_eq!(plan["history"][0]["override"], "released");
    let output = daemon.cli(&["plan", "history", "austerity"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("active by condition") && text.contains("released by hand"),
        "{text}"
    );
    assert_eq!(Call::get("/planb/plans/nope").send(daemon.address()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_flaps_is_held_on_and_told_once_over_a_kill_too() {
    let three = Three::start().await;
    let sink = Sink::start().await;
    let with = |limit: &str| {
        let plan =
            "name: austerity, when: 'budget(\"month\").used > 0.5', at_least: 1s, change: {chat: {pick: cheapest}}";
        three.policy(limit).plan(plan).alert(&sink, "plan")
    };
    let mut daemon = Daemon::start(&with("0.03")).await;
    spend_cents(&daemon, 2).await;
    daemon.when_plan("austerity", true).await;
    daemon.edit(&with("1")).await;
    daemon.when_plan("austerity", false).await;
    daemon.edit(&with("0.03")).await;
    sink.got("plan.flapping", 1).await;
    assert_eq!(daemon.when_plan("austerity", true).await["flapping"], true);
    daemon.kill9();
    // Two cents were spent, and what the kill left of the lease counts as spent: that is all, to the last digit shown.
    let spent = 20_000_000 + daemon.outstanding("month");
    daemon.restart().await;
    daemon.edit(&with("1")).await;
    let used = format!("budget(\"month\").used = {}", (spent as f64 / 1e5).round() / 1e4);
    daemon
        .when(
            "/planb/plans",
            &format!("its condition no longer holds: {used}"),
            |plans| plans["plans"][0]["why"] == *used,
        )
        .await;
    let plan = daemon.plan("austerity").await;
    assert_eq!(
        (plan["active"].clone(), plan["flapping"].clone()),
        (json!(true), json!(true))
    );
    assert!(daemon.cli(&["plan", "release", "austerity"]).status.success());
    assert_eq!(daemon.when_plan("austerity", false).await["flapping"], false);
    assert_eq!(sink.accepted("plan.flapping").len(), 1);
}
