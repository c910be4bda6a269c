//! What stands around the inference API: health, the control API's shapes, guards at the door, the start itself.

use crate::support::daemon::named;
use crate::support::{Call, Daemon, Home, Policy, Price, Upstream, run};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

#[track_caller]
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no {field} in {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_are_there() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    daemon.get("/healthz").await.expect(200);
    daemon.get("/readyz").await.expect(200);
    daemon.chat(&hello()).await.expect(200);
    let metrics = daemon.get("/metrics").await.expect(200);
    assert!(
        metrics.text().lines().any(|line| line.starts_with("# TYPE planb_")),
        "{}",
        metrics.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_no_provider() {
    let mut upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.close();
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    daemon.get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_has_its_documented_shape() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).provider_line(
        "gamma",
        "vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\", api_key: file:absent.key",
    );
    let daemon = Daemon::start(&policy).await;
    let status = daemon.status().await;
    has(
        &status,
        &[
            "version",
            "started_at",
            "ready",
            "policy",
            "providers",
            "models",
            "plans",
            "ledger",
        ],
    );
    assert_eq!(status["ready"], true);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    has(&status["policy"], &["hash", "source", "since", "rejected"]);
    assert!(status["policy"]["rejected"].is_null());
    let provider = named(&status["providers"], "alpha");
    has(&provider, &["name", "url", "state", "reason", "since"]);
    assert_eq!(provider["state"], "up");
    assert!(provider["url"].as_str().unwrap().starts_with(&upstream.base_url()));
    assert_eq!(named(&status["providers"], "gamma")["state"], "no_credential");
    let model = named(&status["models"], "only");
    has(&model, &["name", "provider", "supply", "available", "reason", "fee"]);
    assert_eq!(
        (&model["available"], &model["supply"]),
        (&json!(true), &json!("licensed"))
    );
    has(&status["ledger"], &["kind", "state"]);
    assert_eq!(status["ledger"]["kind"], "sqlite");
    let started: jiff::Timestamp = status["started_at"].as_str().unwrap().parse().unwrap();
    assert!(started > jiff::Timestamp::UNIX_EPOCH);
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_plans_decisions_and_policy_have_their_documented_shapes() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 10 USD, per: month")
        .plan("name: austerity, when: 'budget(\"month\").used > 0.8', change: {chat: {pick: cheapest}}");
    let daemon = Daemon::start(&policy).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    daemon.settled("month").await;
    let budgets = daemon.json("/planb/budgets").await;
    let month = named(&budgets["budgets"], "month");
    has(
        &month,
        &[
            "name",
            "key",
            "period_start",
            "period_end",
            "currency",
            "limit",
            "posted",
            "reserved",
            "held",
        ],
    );
    has(&month, &["remaining", "used", "forecast", "exhausted", "exhausted_at"]);
    assert_eq!((&month["currency"], &month["limit"]), (&json!("USD"), &json!("10")));
    assert!(month["used"].as_f64().unwrap() > 0.0);
    for field in ["period_start", "period_end"] {
        month[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let plan = daemon.plan("austerity").await;
    has(&plan, &["name", "active", "since", "condition", "why", "override"]);
    assert_eq!(plan["active"], false);
    assert!(plan["condition"].as_str().unwrap().contains("used > 0.8"));
    let one = daemon.decision(&answer).await;
    has(
        &one,
        &[
            "id", "at", "route", "dialect", "stream", "plans", "chosen", "attempts", "excluded", "cost", "currency",
        ],
    );
    assert_eq!(
        (&one["outcome"], &one["stream"], &one["route"]),
        (&json!("ok"), &json!(false), &json!("chat"))
    );
    let attempt = &one["attempts"][0];
    has(
        attempt,
        &[
            "model",
            "provider",
            "outcome",
            "class",
            "status",
            "cost",
            "estimated",
            "usage",
            "total_ms",
        ],
    );
    has(
        &attempt["usage"],
        &[
            "input",
            "cache_read",
            "cache_write",
            "output",
            "reasoning",
            "web_searches",
            "service_tier",
        ],
    );
    has(
        &attempt["billed"],
        &[
            "amount",
            "currency",
            "exchange",
            "rates",
            "from",
            "free_tokens",
            "prepaid",
        ],
    );
    assert_eq!(
        (&attempt["usage"]["input"], &attempt["usage"]["output"]),
        (&json!(10), &json!(5))
    );
    let in_force = daemon.json("/planb/policy").await;
    has(&in_force, &["source", "hash", "since"]);
    daemon.get("/planb/decisions/nope").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_listed_newest_first_and_can_be_narrowed() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let policy = Policy::two(&first, &second).route("name: other, try: [second]");
    let daemon = Daemon::start(&policy).await;
    let mut ids = Vec::new();
    for route in ["chat", "chat", "other", "chat"] {
        let mut request = hello();
        request["model"] = route.into();
        let answer = daemon.chat(&request).await.expect(200);
        daemon.decision(&answer).await;
        ids.insert(0, answer.header("x-planb-decision").unwrap().to_owned());
    }
    let listed = |answer: Value| -> Vec<String> {
        let rows = answer["decisions"].as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(daemon.json("/planb/decisions").await), ids);
    assert_eq!(listed(daemon.json("/planb/decisions?limit=2").await), ids[..2]);
    assert_eq!(listed(daemon.json("/planb/decisions?route=other").await), ids[1..2]);
    assert_eq!(listed(daemon.json("/planb/decisions?model=second").await), ids[1..2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_or_origin_is_turned_away() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let (own, port) = (daemon.address(), daemon.address().port());
    for call in [
        Call::chat(&hello()),
        Call::get("/planb/status"),
        Call::get("/v1/models"),
    ] {
        let foreign_host = call.clone().header("host", "evil.example").send(own).await;
        assert!([403, 421].contains(&foreign_host.status), "{}", foreign_host.status);
        for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
            let foreign_origin = call.clone().header("origin", origin).send(own).await;
            assert_eq!(foreign_origin.status, 403, "{origin}");
        }
    }
    assert_eq!(upstream.count(), 0);
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let origin = format!("http://{host}");
        Call::chat(&hello())
            .header("host", &host)
            .header("origin", &origin)
            .send(own)
            .await
            .expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused_while_it_comes() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let stream = TcpStream::connect(daemon.address()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n",
        daemon.address()
    );
    to.write_all(head.as_bytes()).await.unwrap();
    let pour = tokio::spawn(async move {
        let piece = vec![b' '; 1 << 20];
        while to.write_all(&piece).await.is_ok() {}
    });
    let mut answer = vec![0; 4096];
    let length = from.read(&mut answer).await.unwrap();
    pour.abort();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    daemon.chat(&hello()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_it_serves_only_with_clients() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let home = Home::new(&Policy::one(&upstream));
    let (policy, state) = (home.policy().display().to_string(), home.state().display().to_string());
    let refused = run(&["serve", "--policy", &policy, "--state", &state, "--listen", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("client"), "{said}");
    home.write(&Policy::one(&upstream).client("search", "sk-client-search", "team: search"));
    let daemon = Daemon::start_in(home, &["--listen", "0.0.0.0:0"]).await;
    let local = format!("127.0.0.1:{}", daemon.address().port()).parse().unwrap();
    Call::chat(&hello()).send(local).await.expect_error(401);
    Call::chat(&hello())
        .bearer("sk-client-search")
        .send(local)
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_directory_has_one_daemon() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let mut daemon = Daemon::start(&Policy::one(&upstream)).await;
    let (policy, state) = (
        daemon.home.policy().display().to_string(),
        daemon.home.state().display().to_string(),
    );
    let second = run(&[
        "serve",
        "--policy",
        &policy,
        "--state",
        &state,
        "--listen",
        "127.0.0.1:0",
    ]);
    assert!(!second.status.success());
    assert!(!second.stderr.is_empty());
    daemon.chat(&hello()).await.expect(200);
    daemon.sigterm().await;
    daemon.restart().await;
    daemon.chat(&hello()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_order_lets_what_runs_finish() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let gate = crate::support::Gate::new();
    let held = gate.clone();
    let plain = crate::support::upstream::answer("Late but whole", crate::support::Usage::new(10, 5));
    upstream.script(move |seen| plain(seen).behind(&held));
    let mut daemon = Daemon::start(&Policy::one(&upstream)).await;
    let address = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&hello()).send(address).await });
    upstream.reached(1).await;
    let opener = tokio::spawn(async move {
        // The daemon is told to stop before the provider answers: it stops accepting, then waits for this answer.
        crate::support::until("new connections are refused", || async move {
            TcpStream::connect(address)
                .await
                .map_or(Ok(()), |_| Err("still accepting".to_owned()))
        })
        .await;
        gate.open();
    });
    daemon.sigterm().await;
    opener.await.unwrap();
    assert_eq!(call.await.unwrap().expect(200).content(), "Late but whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_token_is_made_at_first_start_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let mut daemon = Daemon::start(&Policy::one(&upstream)).await;
    let token = daemon.admin_token();
    assert!(token.len() >= 32, "{}", token.len());
    let mode = std::fs::metadata(daemon.home.state().join("admin.token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(daemon.admin_token(), token);
}
