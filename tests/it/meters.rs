//! Ladders, quotas and commitments that are new or changed within their period, as a daemon bills them: each starts from
//! what the ledger's attempts used of it.

use crate::support::{Daemon, LICENSED, Policy, Upstream, cents, one_cent, until};
use serde_json::json;

const PLAIN: &str = "{input: 0 USD/M, output: 10 USD/M}";
const LADDER: &str = "{input: 0 USD/M, output: 10 USD/M, ladder: {per: year, steps: [{above: 2020, output: 5 USD/M}]}}";

/// Each attempt uses 1,010 tokens, and costs a cent at the first step.
fn priced(upstream: &Upstream, price: &str) -> Policy {
    let line = format!(
        "provider: alpha, name: {}, {LICENSED}, price: {price}",
        upstream.model()
    );
    Policy::new()
        .provider(upstream, "")
        .model_line("first", &line)
        .route("name: chat, try: [first]")
        .budget("month", "limit: 100 USD, per: month")
}

async fn cost(daemon: &Daemon) -> String {
    let answer = daemon.chat(&one_cent()).await.expect(200);
    answer.header("x-planb-cost").unwrap_or_default().to_owned()
}

/// What its meters count, by name.
async fn counted(daemon: &Daemon, meter: &str, used: i64) {
    until("the meter counts it", || async {
        let sql = "SELECT used FROM meters WHERE name = ?1 AND NOT stale ORDER BY shape DESC";
        let found: Vec<i64> = {
            let ledger = daemon.ledger();
            let mut statement = ledger.prepare(sql).unwrap();
            let rows = statement.query_map([meter], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        if found == [used] {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_that_an_edit_adds_starts_from_what_the_period_has_used() {
    let upstream = cents().await;
    let daemon = Daemon::start(&priced(&upstream, PLAIN)).await;
    for _ in 0..2 {
        assert_eq!(cost(&daemon).await, "0.01 USD");
    }
    daemon.edit(&priced(&upstream, LADDER)).await;
    assert_eq!(cost(&daemon).await, "0.005 USD", "the second step is reached");
    counted(&daemon, "ladder/model/first", 3_030).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_that_was_away_counts_what_was_used_meanwhile_over_restarts_too() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&priced(&upstream, LADDER)).await;
    assert_eq!(cost(&daemon).await, "0.01 USD");
    daemon.edit(&priced(&upstream, PLAIN)).await;
    assert_eq!(cost(&daemon).await, "0.01 USD");
    daemon.sigterm().await;
    daemon.home.replace(&priced(&upstream, LADDER));
    daemon.restart().await;
    assert_eq!(cost(&daemon).await, "0.005 USD");
    counted(&daemon, "ladder/model/first", 3_030).await;
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(cost(&daemon).await, "0.005 USD");
    counted(&daemon, "ladder/model/first", 4_040).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_that_counts_money_instead_of_tokens_or_by_another_period_is_another_one() {
    let upstream = cents().await;
    let daemon = Daemon::start(&priced(&upstream, LADDER)).await;
    for _ in 0..2 {
        assert_eq!(cost(&daemon).await, "0.01 USD");
    }
    let by_money = "{input: 0 USD/M, output: 10 USD/M, \
                    ladder: {per: year, by: money, steps: [{above: 0.02 USD, output: 4 USD/M}]}}";
    daemon.edit(&priced(&upstream, by_money)).await;
    assert_eq!(cost(&daemon).await, "0.004 USD", "two cents are spent");
    let by_month = LADDER.replace("per: year", "per: quarter");
    daemon.edit(&priced(&upstream, &by_month)).await;
    assert_eq!(cost(&daemon).await, "0.005 USD", "three attempts in this quarter");
    daemon.edit(&priced(&upstream, by_money)).await;
    assert_eq!(cost(&daemon).await, "0.004 USD");
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", String::from_utf8_lossy(&proven.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_an_edit_adds_is_used_as_far_as_the_period_has_used_it() {
    let upstream = cents().await;
    let daemon = Daemon::start(&priced(&upstream, PLAIN)).await;
    assert_eq!(cost(&daemon).await, "0.01 USD");
    let free = "{input: 0 USD/M, output: 10 USD/M, free: {tokens: 1500, per: year}}";
    daemon.edit(&priced(&upstream, free)).await;
    assert_eq!(cost(&daemon).await, "0.0052 USD", "490 of the 1,500 were left");
    assert_eq!(cost(&daemon).await, "0.01 USD");
    counted(&daemon, "free/model/first", 1_500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_a_shared_ladder_brings_what_it_has_used() {
    let upstream = cents().await;
    let shared = "{input: 0 USD/M, output: 10 USD/M, \
                  ladder: {per: year, shared: deal, steps: [{above: 2020, output: 5 USD/M}]}}";
    let line = |price: &str| {
        format!(
            "provider: alpha, name: {}, {LICENSED}, price: {price}",
            upstream.model()
        )
    };
    let with = |other: &str| {
        priced(&upstream, shared)
            .model_line("other", &line(other))
            .route("name: too, try: [other]")
    };
    let daemon = Daemon::start(&with(PLAIN)).await;
    let mut too = one_cent();
    too["model"] = json!("too");
    daemon.chat(&too).await.expect(200);
    assert_eq!(cost(&daemon).await, "0.01 USD");
    daemon.edit(&with(shared)).await;
    assert_eq!(cost(&daemon).await, "0.005 USD", "both have used 2,020");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_under_way_when_a_ladder_came_counts_on_it() {
    let upstream = cents().await;
    let gate = crate::support::Gate::new();
    let usage = crate::support::Usage::new(10, 1_000);
    let body = crate::support::completion(&upstream.model(), "A whole cent of words", usage);
    upstream.always(crate::support::Reply::json(200, &body).wait(&gate).billed(usage));
    let daemon = Daemon::start(&priced(&upstream, PLAIN)).await;
    let request = one_cent();
    let slow = daemon.chat(&request);
    let edited = async {
        upstream.reached(1).await;
        daemon.edit(&priced(&upstream, LADDER)).await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(slow, edited);
    assert_eq!(answer.expect(200).header("x-planb-cost"), Some("0.01 USD"));
    counted(&daemon, "ladder/model/first", 1_010).await;
}
