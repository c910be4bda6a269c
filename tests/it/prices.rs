//! Prices that depend on what was used before, on the date or on another currency, as a daemon bills them.

use crate::support::{
    CENT, COMPETITOR, Call, Daemon, LICENSED, Policy, Price, Reply, Sink, Upstream, Usage, cents, completion, one_cent,
    run, until,
};
use serde_json::{Value, json};

fn priced(upstream: &Upstream, price: &str) -> Policy {
    let line = format!(
        "provider: {}, name: {}, {LICENSED}, price: {price}",
        upstream.name,
        upstream.model(),
    );
    Policy::new()
        .provider(upstream, "")
        .model_line("first", &line)
        .route("name: chat, try: [first]")
        .budget("month", "limit: 100 USD, per: month")
}

/// Asks for what would be a cent, and returns what it cost and the attempts of its decision.
async fn asked(daemon: &Daemon) -> (String, Value) {
    let answer = daemon.chat(&one_cent()).await.expect(200);
    let decision = daemon.decision(&answer).await;
    (
        answer.header("x-planb-cost").unwrap_or_default().to_owned(),
        decision["attempts"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_goes_on_where_it_stood_after_a_crash() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, ladder: {per: year, steps: [{above: 1010, output: 5 USD/M}]}}";
    let mut daemon = Daemon::start(&priced(&upstream, price)).await;
    assert_eq!(asked(&daemon).await.0, "0.01 USD");
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(asked(&daemon).await.0, "0.005 USD", "the next bracket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crossed_threshold_corrects_what_was_posted_and_the_ledger_still_adds_up() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, \
                 ladder: {per: year, kind: whole, steps: [{above: 2000, output: 5 USD/M}]}}";
    let mut daemon = Daemon::start(&priced(&upstream, price)).await;
    assert_eq!(asked(&daemon).await.0, "0.01 USD");
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!(cost, "0.005 USD");
    let told: Vec<_> = attempts
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["outcome"].clone(), attempt["cost"].clone()))
        .collect();
    assert_eq!(
        told,
        [(json!("ok"), json!("0.005")), (json!("adjustment"), json!("-0.005"))]
    );
    let books = daemon.settled("month").await;
    assert_eq!(books.posted, CENT, "two requests at half a cent");
    let spend = daemon.cli(&["spend", "--format", "json"]);
    let spend: Value = serde_json::from_slice(&spend.stdout).unwrap();
    let total = &spend["totals"][0];
    assert_eq!(
        (&total["requests"], &total["attempts"], &total["posted"]),
        (&json!(2), &json!(2), &json!("0.01"))
    );
    for view in ["spend_by_model", "spend_by_day"] {
        let sql = format!("SELECT requests, attempts, posted FROM {view}");
        let row: (i64, i64, f64) = daemon
            .ledger()
            .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        assert_eq!(row, (2, 2, 0.01), "{view}");
    }
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", String::from_utf8_lossy(&proven.stdout));
    daemon.sigterm().await;
    daemon.restart().await;
    assert_eq!(daemon.settled("month").await.posted, CENT, "and so it is read back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_quota_goes_on_where_it_stood_after_a_crash() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, free: {tokens: 1500, per: year}}";
    let mut daemon = Daemon::start(&priced(&upstream, price)).await;
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!(
        (cost.as_str(), &attempts[0]["billed"]["free_tokens"]),
        ("0 USD", &json!(1010))
    );
    daemon.kill9();
    daemon.restart().await;
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!(attempts[0]["billed"]["free_tokens"], json!(490));
    assert_eq!(cost, "0.0052 USD", "10 of the input and 480 of the output were left");
    assert_eq!(asked(&daemon).await.0, "0.01 USD", "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_prices_over_time_the_last_that_has_begun_counts() {
    let upstream = cents().await;
    let price = "[{input: 0 USD/M, output: 10 USD/M}, {from: 2020-01-01, input: 0 USD/M, output: 5 USD/M}, \
                 {from: 2999-01-01, input: 0 USD/M, output: 1 USD/M}]";
    let daemon = Daemon::start(&priced(&upstream, price)).await;
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!(cost, "0.005 USD");
    assert_eq!(attempts[0]["billed"]["from"], "2020-01-01T00:00:00.000Z");
    assert_eq!(
        attempts[0]["billed"]["rates"][0],
        json!({"kind": "output", "per_million": "5"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_in_another_currency_is_billed_in_it_and_counts_in_the_budgets() {
    let upstream = cents().await;
    let price = "{input: 0 CNY/M, output: 50 CNY/M, fee: 200 CNY/month}";
    let policy = priced(&upstream, price).top("rates: {CNY: 0.14 USD}");
    let daemon = Daemon::start(&policy).await;
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!(cost, "0.007 USD");
    let billed = &attempts[0]["billed"];
    assert_eq!(
        (&billed["amount"], &billed["currency"], &billed["exchange"]),
        (&json!("0.05"), &json!("CNY"), &json!("7/50"))
    );
    assert_eq!(daemon.settled("month").await.posted, 7 * CENT / 10);
    assert_eq!(daemon.status().await["models"][0]["fee"], "200 CNY/month");
    let policy = daemon.home.policy();
    let checked = run(&["check", policy.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("paid whether or not it is used: 200 CNY/month"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_reaches_the_budgets_also_where_the_attempt_that_made_it_cost_nothing() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, \
                 ladder: {per: year, kind: whole, steps: [{above: 2000, output: 0 USD/M}]}}";
    let daemon = Daemon::start(&priced(&upstream, price)).await;
    assert_eq!(asked(&daemon).await.0, "0.01 USD");
    assert_eq!(daemon.settled("month").await.posted, CENT);
    let (cost, attempts) = asked(&daemon).await;
    assert_eq!((cost.as_str(), &attempts[1]["cost"]), ("0 USD", &json!("-0.01")));
    assert_eq!(daemon.settled("month").await.posted, 0, "both are free now");
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", String::from_utf8_lossy(&proven.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_field_of_a_request_may_have_a_price_whatever_its_value_is() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, \
                 multipliers: {\"region=eu\": 150%, \"rush=true\": 200%, \"lanes=2\": 300%}}";
    let daemon = Daemon::start(&priced(&upstream, price)).await;
    for (field, value, cost) in [
        ("region", json!("eu"), "0.015"),
        ("region", json!("us"), "0.01"),
        ("rush", json!(true), "0.02"),
        ("lanes", json!(2.0), "0.03"),
        ("other", json!("eu"), "0.01"),
    ] {
        let mut request = one_cent();
        request[field] = value.clone();
        let answer = daemon.chat(&request).await.expect(200);
        assert_eq!(
            answer.header("x-planb-cost"),
            Some(&*format!("{cost} USD")),
            "{field}: {value}"
        );
        assert_eq!(upstream.last().json()[field], value, "and it goes to the provider");
        let decision = daemon.decision(&answer).await;
        let reserved: i64 = daemon
            .ledger()
            .query_row(
                "SELECT worst FROM attempts WHERE decision = ?1",
                [decision["id"].as_str()],
                |row| row.get(0),
            )
            .unwrap();
        let cents: f64 = cost.parse().unwrap();
        assert_eq!(reserved, (cents * 1e9).round() as i64, "{field}: {value}");
    }
}

/// Answers that name the tier by which they are billed.
fn answers_of_tier(upstream: &Upstream, tier: &'static str) {
    upstream.script(move |seen| {
        let model = seen.json()["model"].as_str().unwrap_or("").to_owned();
        let usage = Usage::new(10, 1_000);
        let mut body = completion(&model, "A whole cent of words", usage);
        body["service_tier"] = tier.into();
        Reply::json(200, &body).billed(usage)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dearer_tier_than_was_asked_for_is_posted_and_told() {
    let (upstream, sink) = (cents().await, Sink::start().await);
    answers_of_tier(&upstream, "priority");
    let price = "{input: 0 USD/M, output: 10 USD/M, service: {priority: 200%}}";
    let policy = priced(&upstream, price).alert(&sink, "budget");
    let daemon = Daemon::start(&policy).await;
    let mut open = one_cent();
    open["service_tier"] = "auto".into();
    let answer = daemon.chat(&open).await.expect(200);
    assert_eq!(answer.header("x-planb-cost"), Some("0.02 USD"));
    assert_eq!(daemon.settled("month").await.posted, 2 * CENT);
    let overdraft = async || daemon.json("/planb/budgets").await["budgets"][0]["overdraft"].clone();
    assert_eq!(overdraft().await, "0", "it may be any tier, and so it was reserved");
    assert_eq!(asked(&daemon).await.0, "0.02 USD");
    let books = daemon.settled("month").await;
    assert_eq!((books.posted, overdraft().await), (4 * CENT, json!("0.01")));
    let told = sink.got("budget.overdraft", 1).await;
    assert_eq!(told.body["data"]["overdraft"], "0.01");
    assert!(
        daemon
            .said()
            .contains("an answer cost more than had been reserved for it")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_is_kept_from_requests_whose_cost_is_capped() {
    let (first, second) = (cents().await, Upstream::start("beta", Price::OUTPUT_ONLY).await);
    second.answers("A whole cent of words", Usage::new(10, 1_000));
    let unpriced = format!("provider: alpha, name: alpha-model, {LICENSED}");
    let policy = Policy::new()
        .provider(&first, "")
        .provider(&second, "")
        .model_line("first", &unpriced)
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .route("name: capped, try: [first, second], limits: {cost: 1 USD}")
        .route("name: alone, try: [first]");
    let daemon = Daemon::start(&policy).await;
    let ask = |route: &str, cap: Option<&str>| {
        let mut request = one_cent();
        request["model"] = route.into();
        let call = Call::chat(&request);
        match cap {
            Some(cap) => call.header("x-planb-max-cost", cap),
            None => call,
        }
    };
    for (route, cap, served) in [
        ("chat", None, "first"),
        ("chat", Some("1 USD"), "second"),
        ("capped", None, "second"),
    ] {
        let answer = ask(route, cap).send(daemon.address()).await.expect(200);
        assert_eq!(answer.header("x-planb-model"), Some(served), "{route} {cap:?}");
    }
    let refused = ask("alone", Some("1 USD")).send(daemon.address()).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(
        refused.text().contains("has no price, and `x-planb-max-cost` caps"),
        "{}",
        refused.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_months_bill_is_rebuilt_from_what_was_recorded_and_names_what_does_not_follow() {
    let upstream = cents().await;
    let price = "{input: 1 CNY/M, output: 50 CNY/M, request: 0.01 CNY/request, discount: 10%, \
                 multipliers: {\"rush=true\": 150%}, \
                 ladder: {per: year, steps: [{above: 1500, output: 25 CNY/M}]}, free: {tokens: 300, per: year}}";
    let policy = priced(&upstream, price).top("rates: {CNY: 0.14 USD}");
    let daemon = Daemon::start(&policy).await;
    let mut rush = one_cent();
    rush["rush"] = json!(true);
    for request in [one_cent(), rush, one_cent()] {
        let answer = daemon.chat(&request).await.expect(200);
        daemon.decision(&answer).await;
    }
    // Later edits change nothing of it.
    daemon
        .edit(&priced(&upstream, "{input: 9 USD/M, output: 9 USD/M}"))
        .await;
    let at: String = daemon
        .ledger()
        .query_row("SELECT min(at) FROM attempts", [], |row| row.get(0))
        .unwrap();
    let month = at.get(..7).unwrap().to_owned();
    let bill = |expected: bool| {
        let told = daemon.cli(&["ledger", "bill", "--month", &month, "--format", "json"]);
        assert_eq!(
            told.status.success(),
            expected,
            "{}",
            String::from_utf8_lossy(&told.stdout)
        );
        serde_json::from_slice::<Value>(&told.stdout).unwrap()
    };
    let rebuilt = bill(true);
    let first = &rebuilt["models"][0];
    assert_eq!((&first["attempts"], &first["posted"]), (&json!(3), &first["reckoned"]));
    assert_eq!((&first["policies"], &rebuilt["differences"]), (&json!(1), &json!([])));
    assert_ne!(first["posted"], json!("0"));
    let tampered = rusqlite::Connection::open(daemon.home.state().join("ledger.sqlite")).unwrap();
    tampered
        .execute(
            "UPDATE attempts SET amount = amount + 1 WHERE id = (SELECT max(id) FROM attempts)",
            [],
        )
        .unwrap();
    assert_eq!(bill(false)["differences"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_stand_in_the_spend_day_by_day_in_rows_of_their_own_and_in_no_request() {
    let upstream = cents().await;
    let price = "{input: 0 USD/M, output: 10 USD/M, fee: 24000000 USD/day}";
    let policy = priced(&upstream, price).license("deal", "uses: [commercial], fee: 900000000 USD/year");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(asked(&daemon).await.0, "0.01 USD", "no part of a request's cost");
    let names = until("the fees of a moment", || async {
        let spend = daemon.cli(&["spend", "--format", "json"]);
        let spend: Value = serde_json::from_slice(&spend.stdout).unwrap();
        let row = |row: &Value| {
            (
                row["name"].as_str().unwrap().to_owned(),
                row["posted"].as_str().unwrap().to_owned(),
            )
        };
        let rows: Vec<_> = spend["rows"].as_array().unwrap().iter().map(row).collect();
        let paid = rows
            .iter()
            .filter(|(name, posted)| name.contains("(fee)") && posted != "0")
            .count();
        if paid == 2 { Ok(rows) } else { Err(format!("{rows:?}")) }
    })
    .await;
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["first", "first (fee)", "licence deal (fee)"]);
    assert_eq!(daemon.settled("month").await.posted, CENT, "nor of a budget");
}
