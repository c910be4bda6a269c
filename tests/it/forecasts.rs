//! Forecasts: learned from the ledger's hours, kept over restarts and edits, shown to people, tools and webhooks.

use crate::support::{CENT, Daemon, Policy, Sink, Upstream, cents, one_cent};
use serde_json::Value;

/// A month that ends in two weeks, whatever the day is.
fn month(limit: &str) -> String {
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let in_two_weeks = today + jiff::Span::new().days(14);
    format!("limit: {limit}, per: month, start: {}", in_two_weeks.day().min(28))
}

fn policy(upstream: &Upstream) -> Policy {
    Policy::one(upstream).budget("month", &month("2 USD"))
}

fn of<'a>(view: &'a Value, name: &str) -> &'a Value {
    let budgets = view["budgets"].as_array().unwrap();
    budgets.iter().find(|budget| budget["name"] == name).unwrap()
}

fn amount(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// A daemon that was there for four weeks in which each hour cost a cent, and is down.
async fn with_a_past(policy: &Policy) -> Daemon {
    let mut daemon = Daemon::start(policy).await;
    daemon.chat(&one_cent()).await.expect(200);
    daemon.posted("month", CENT).await;
    daemon.sigterm().await;
    let path = daemon.home.state().join("ledger.sqlite");
    let ledger = rusqlite::Connection::open(path).unwrap();
    let then = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(28 * 24)).to_string();
    ledger.execute("UPDATE decisions SET at = ?1", [&then]).unwrap();
    ledger
        .execute_batch("CREATE TEMP TABLE one AS SELECT * FROM spend_hours LIMIT 1;")
        .unwrap();
    for hours in 1..28 * 24 {
        let hour = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let name = hour.strftime("%Y-%m-%dT%H").to_string();
        ledger.execute("UPDATE one SET hour = ?1", [name]).unwrap();
        ledger
            .execute("INSERT OR REPLACE INTO spend_hours SELECT * FROM one", [])
            .unwrap();
    }
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_has_of_the_weeks_before_tells_how_the_month_will_end() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    let policy = policy(&upstream).alert(&sink, "budget.forecast");
    let mut daemon = with_a_past(&policy).await;
    daemon.restart().await;
    let known = |view: &Value| of(view, "month")["projected"].is_object();
    let view = daemon.when("/planb/budgets", "the forecast is known", known).await;
    let month = of(&view, "month");
    // At least 11 days and at most 31 are ahead, at a cent an hour; a cent is spent.
    let (low, expected, high) = (
        amount(&month["projected"]["low"]),
        amount(&month["projected"]["expected"]),
        amount(&month["projected"]["high"]),
    );
    assert!((2.6..7.5).contains(&expected), "{month}");
    assert!(low < expected && expected < high, "{month}");
    let (out, end) = (
        month["runs_out"]["expected"].as_str().unwrap(),
        month["period_end"].as_str().unwrap(),
    );
    assert!(
        month["runs_out"]["earliest"].as_str().unwrap() < out && out < end,
        "{month}"
    );
    let told = sink.got("budget.forecast", 1).await;
    let data = &told.body["data"];
    assert_eq!(
        (data["budget"].as_str(), data["limit"].as_str()),
        (Some("month"), Some("2"))
    );
    assert!(amount(&data["projected"]["low"]) > 2.0, "{data}");
    let week = &daemon.json("/planb/forecast").await["forecasts"][0];
    assert!(week["learned_hours"].as_u64().unwrap() >= 27 * 24, "{week}");
    let noon = amount(&week["week"]["wed"][12]);
    assert!((0.009..0.011).contains(&noon), "{week}");
    let metrics = daemon.get("/metrics").await.text();
    for series in [
        "planb_budget_forecast_ratio{name=\"month\",bound=\"low\"}",
        "planb_budget_runs_out_timestamp_seconds",
    ] {
        assert!(metrics.contains(series), "{series}");
    }
    let screen = |words: &[&str]| String::from_utf8(daemon.cli(words).stdout).unwrap();
    assert!(screen(&["status"]).contains(" to "), "{}", screen(&["status"]));
    let text = screen(&["spend", "--forecast"]);
    assert!(
        text.starts_with("month, learned from 67") && text.contains("; runs out 20"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_what_was_learned_and_a_new_budget_learns_what_it_covers() {
    let upstream = cents().await;
    let policy = policy(&upstream);
    let mut daemon = with_a_past(&policy).await;
    daemon.restart().await;
    let known = |view: &Value| of(view, "month")["projected"].is_object();
    daemon.when("/planb/budgets", "the forecast is known", known).await;
    let edited = Policy::one(&upstream)
        .budget("month", &month("9 USD"))
        .budget("all", &month("1 USD"))
        .budget(
            "nobody",
            &format!("{}, covers: 'tag.team == \"nobody\"'", month("1 USD")),
        )
        .budget("window", "limit: 1 USD, per: 1h rolling");
    daemon.edit(&edited).await;
    let all = |view: &Value| of(view, "all")["projected"].is_object();
    let view = daemon.when("/planb/budgets", "the new budget has learned", all).await;
    assert!(
        (amount(&of(&view, "all")["projected"]["expected"]) - amount(&of(&view, "month")["projected"]["expected"]))
            .abs()
            < 0.02
    );
    assert_eq!(of(&view, "window")["projected"], Value::Null);
    let nobody = |view: &Value| {
        let names = view["forecasts"].as_array().unwrap().iter();
        names
            .filter(|one| one["name"] == "nobody")
            .any(|one| amount(&one["week"]["mon"][0]) == 0.0)
    };
    daemon
        .when("/planb/forecast", "what nobody spent is nothing", nobody)
        .await;
}
