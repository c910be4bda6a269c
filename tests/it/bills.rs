//! A month's bill is rebuilt and explained to the cent: over edits of the policy, a price that rose within the month, a
//! ladder, a fee, and what an invoice corrected.

use crate::support::{Call, Daemon, LICENSED, Policy, Reply, Upstream, cents, nanos, one_cent, until};
use rusqlite::Connection;
use serde_json::Value;

fn policy(upstream: &Upstream, price: &str) -> Policy {
    let line = format!(
        "provider: alpha, name: {}, {LICENSED}, price: {price}",
        upstream.model()
    );
    Policy::new()
        .license("deal", "fee: 31 USD/month")
        .provider(upstream, "")
        .model_line("first", &line)
        .route("name: chat, try: [first]")
        .budget("month", "limit: 1000 USD, per: year, held: keep")
}

async fn cost(daemon: &Daemon) -> i64 {
    let answer = daemon.chat(&one_cent()).await.expect(200);
    let cost = answer.header("x-planb-cost").unwrap_or_default().to_owned();
    nanos(cost.trim_end_matches(" USD"))
}

fn bill(daemon: &Daemon, month: &str) -> Value {
    let output = daemon.cli(&["ledger", "bill", "--month", month, "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sum(bills: &[Value], of: impl Fn(&Value) -> i64) -> i64 {
    bills.iter().map(of).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_explained_to_the_cent_over_edits_a_rise_a_ladder_a_fee_and_a_correction() {
    let upstream = cents().await;
    let plain = "{input: 0 USD/M, output: 10 USD/M}";
    // It rose at a date that has passed: what counted before it and since is in one list.
    let risen = "[{input: 0 USD/M, output: 10 USD/M}, {from: 2026-01-02, input: 0 USD/M, output: 12.5 USD/M}]";
    let ladder = "{input: 0 USD/M, output: 20 USD/M, \
                  ladder: {per: year, kind: whole, steps: [{above: 4000, output: 15 USD/M}]}}";
    let mut daemon = Daemon::start(&policy(&upstream, plain)).await;
    let mut paid = cost(&daemon).await;
    assert_eq!(paid, 10_000_000);
    daemon.edit(&policy(&upstream, risen)).await;
    paid += cost(&daemon).await;
    assert_eq!(paid, 22_500_000);
    daemon.edit(&policy(&upstream, ladder)).await;
    // The third is at the first step; the fourth crosses it, and corrects what the third cost.
    paid += cost(&daemon).await;
    paid += cost(&daemon).await;
    // One that nobody tells the bill of, until the invoice does.
    upstream.always(Reply::silence());
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&one_cent()).try_send(to).await });
    upstream.reached(5).await;
    call.abort();
    upstream.left(1).await;
    daemon.settled("month").await;
    daemon.sigterm().await;

    let ledger = Connection::open(daemon.home.state().join("ledger.sqlite")).unwrap();
    let mut months: Vec<String> = {
        let mut statement = ledger
            .prepare("SELECT DISTINCT substr(at, 1, 7) FROM attempts")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    months.sort();
    let corrected: i64 = ledger
        .query_row(
            "SELECT coalesce(sum(amount), 0) FROM attempts WHERE outcome = 'adjustment'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(corrected < 0, "the ladder corrects");
    let bills: Vec<Value> = months.iter().map(|month| bill(&daemon, month)).collect();
    let models = |of: &'static str| {
        move |bill: &Value| -> i64 {
            let all = bill["models"].as_array().unwrap();
            all.iter().map(|one| nanos(one[of].as_str().unwrap())).sum()
        }
    };
    assert_eq!(sum(&bills, models("posted")), paid);
    assert_eq!(sum(&bills, models("reckoned")), paid);
    assert_eq!(sum(&bills, models("corrections")), corrected);
    assert!(sum(&bills, models("held")) > 0);
    for bill in &bills {
        assert_eq!(bill["differences"].as_array().map(Vec::len), Some(0), "{bill}");
        assert_eq!(bill["missing_policies"].as_array().map(Vec::len), Some(0), "{bill}");
    }
    let policies: i64 = sum(&bills, |bill| {
        bill["models"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["policies"].as_i64().unwrap())
            .sum()
    });
    assert!(policies >= 3, "each of the three is known");

    // The invoice tells the held one: three tenths of a cent.
    let rows: Vec<(String, i64, i64)> = {
        let mut statement = ledger
            .prepare(
                "SELECT substr(at, 1, 10), amount, ended = 'held' FROM attempts WHERE corrects IS NULL ORDER BY id",
            )
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    drop(ledger);
    let mut text = "start_time,start_time_iso,amount_value,amount_currency,line_item\n".to_owned();
    for (number, (day, amount, held)) in rows.iter().enumerate() {
        let amount = if *held == 1 { 3_000_000 } else { *amount };
        let sign = if amount < 0 { "-" } else { "" };
        let amount = amount.abs();
        let (whole, rest) = (amount / 1_000_000_000, amount % 1_000_000_000);
        text.push_str(&format!(
            "{number},{day},{sign}{whole}.{rest:09},usd,\"{}, output\"\n",
            upstream.model()
        ));
    }
    let file = daemon.home.folder().join("invoice.csv");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let posted = daemon.cli(&["ledger", "reconcile", file, "--provider", "alpha", "--post"]);
    assert!(posted.status.success(), "{}", String::from_utf8_lossy(&posted.stdout));
    // And what the licence costs anyway is in the total, from the policies that were in force.
    let fees = |bill: &Value| -> i64 {
        let all = bill["fees"].as_array().unwrap();
        all.iter().map(|one| nanos(one["amount"].as_str().unwrap())).sum()
    };
    let bills = until("a second's part of the fee", || async {
        let bills: Vec<Value> = months.iter().map(|month| bill(&daemon, month)).collect();
        if sum(&bills, fees) > 0 {
            Ok(bills)
        } else {
            Err(format!("{bills:?}"))
        }
    })
    .await;
    assert_eq!(sum(&bills, models("corrections")), corrected + 3_000_000);
    assert_eq!(sum(&bills, models("held")), 0);
    let total = |bill: &Value| nanos(bill["totals"]["USD"].as_str().unwrap());
    assert_eq!(sum(&bills, total), paid + corrected + 3_000_000 + sum(&bills, fees));
}
