//! What is turned away before there was a decision leaves a trace: counted by client and code, kept without a flood.

use crate::support::{Call, Daemon, Policy, Price, Upstream, until};
use serde_json::{Value, json};

const KEY: &str = "sk-client-search-0123";
const OLD: &str = "sk-client-gone-4567";

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

async fn daemon(upstream: &Upstream) -> Daemon {
    let policy = Policy::one(upstream)
        .client_with("search", KEY, "limits: {requests: 3/day}, may_set: [tags]")
        .client_with("gone", OLD, "expires: 2020-01-01");
    Daemon::start(&policy).await
}

/// Requests by client and code, once so many are kept in all.
async fn kept(daemon: &Daemon, requests: i64) -> Vec<(String, String, i64)> {
    let found = daemon
        .when("/planb/refusals?limit=1000", "all of them are kept", |found| {
            let rows = found["refusals"].as_array().unwrap();
            let sum: i64 = rows.iter().filter_map(|row| row["requests"].as_i64()).sum();
            sum == requests
        })
        .await;
    let rows = found["refusals"].as_array().unwrap().clone();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let mut told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                text(row, "client"),
                text(row, "code"),
                row["requests"].as_i64().unwrap(),
            )
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_is_kept_with_its_client_and_counted() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = daemon(&upstream).await;
    let to = daemon.address();
    let asked = [
        (Call::chat(&hello("chat")), 401),
        (Call::chat(&hello("chat")).bearer("sk-wrong"), 401),
        (Call::chat(&hello("chat")).bearer(OLD), 401),
        (Call::chat(&hello("nobody")).bearer(KEY), 404),
        (Call::chat_bytes("{\"model\"").bearer(KEY), 400),
        (
            Call::chat(&hello("chat")).bearer(KEY).header("x-planb-max-cost", "1"),
            400,
        ),
        (Call::post("/v1/responses", "{}"), 404),
        (Call::get("/v1/chat/completions"), 405),
        (Call::get("/v1/models").header("host", "evil.example"), 403),
    ];
    let mut ids = Vec::new();
    for (call, status) in asked {
        let answer = call.send(to).await.expect(status);
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    let told = kept(&daemon, 9).await;
    let told: Vec<_> = told
        .iter()
        .map(|(client, code, requests)| (client.as_str(), code.as_str(), *requests))
        .collect();
    assert_eq!(
        told,
        [
            ("", "forbidden", 1),
            ("", "invalid_api_key", 2),
            ("", "method_not_allowed", 1),
            ("", "unknown_url", 1),
            ("gone", "expired_api_key", 1),
            ("search", "header_not_allowed", 1),
            ("search", "invalid_request", 1),
            ("search", "model_not_found", 1),
        ]
    );
    let one = daemon.json("/planb/refusals?code=model_not_found&client=search").await;
    let row = &one["refusals"][0];
    assert_eq!(row["request"], ids[3], "its id is what the client was given");
    assert_eq!((&row["status"], &row["route"]), (&json!(404), &Value::Null));
    assert!(row["detail"].as_str().unwrap().contains("`nobody`"), "{row}");
    let metrics = daemon.get("/metrics").await.text();
    for line in [
        "planb_refusals_total{client=\"gone\",code=\"expired_api_key\"} 1",
        "planb_refusals_total{client=\"\",code=\"invalid_api_key\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!daemon.said().contains(KEY), "no key is written anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_a_few_rows_and_counted_whole_over_a_stop() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let mut daemon = daemon(&upstream).await;
    let call = Call::chat(&hello("chat")).bearer(KEY);
    for _ in 0..3 {
        call.send(daemon.address()).await.expect(200);
    }
    for _ in 0..300 {
        call.send(daemon.address()).await.expect(429);
    }
    // What is open when it stops is kept, too.
    daemon.sigterm().await;
    let (rows, requests): (i64, i64) = daemon
        .ledger()
        .query_row(
            "SELECT count(*), sum(requests) FROM refusals WHERE client = 'search' AND route = 'chat'
             AND code = 'rate_limit_exceeded' AND detail LIKE '%limits.requests%'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(requests, 300);
    assert!(rows <= 30, "{rows} rows");
    until("the log says it", || {
        let said = daemon.said();
        async move { said.contains("turned away").then_some(()).ok_or(said) }
    })
    .await;
    let lines = daemon
        .said()
        .lines()
        .filter(|line| line.contains("turned away"))
        .count() as i64;
    assert_eq!(lines, rows, "a line a row");
}
