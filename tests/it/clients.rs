//! Clients: who may call, and in whose name the money is spent.

use crate::support::{Call, Daemon, Policy, Price, Upstream, Usage};
use serde_json::{Value, json};

const SEARCH: &str = "sk-client-search-0123";
const SHOP: &str = "sk-client-shop-4567";

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn policy(upstream: &Upstream) -> Policy {
    Policy::one(upstream)
        .client("search", &format!("{SEARCH}\n"), "team: search")
        .client("shop", SHOP, "team: shop")
        .budget("teams", "limit: 50 USD, per: day, each: tag.team")
        .budget("apps", "limit: 50 USD, per: day, each: client")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_key_nothing_is_served() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream)).await;
    let to = daemon.address();
    Call::chat(&hello()).send(to).await.expect_error(401);
    for wrong in ["", "sk-wrong", &SEARCH[..10], &format!("{SEARCH}x"), &upstream.key] {
        let answer = Call::chat(&hello()).bearer(wrong).send(to).await.expect_error(401);
        assert!(
            wrong.is_empty() || !answer.text().contains(wrong),
            "the key comes back: {}",
            answer.text()
        );
        Call::chat(&hello())
            .header("x-api-key", wrong)
            .send(to)
            .await
            .expect_error(401);
    }
    Call::chat(&hello())
        .header("authorization", &format!("Basic {SEARCH}"))
        .send(to)
        .await
        .expect_error(401);
    let wrong = Call::chat(&hello()).bearer("sk-wrong").send(to).await;
    assert_eq!(wrong.error_code(), "invalid_api_key");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_key_is_taken_in_either_header() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream)).await;
    let to = daemon.address();
    Call::chat(&hello()).bearer(SEARCH).send(to).await.expect(200);
    Call::chat(&hello())
        .header("x-api-key", SHOP)
        .send(to)
        .await
        .expect(200);
    Call::get("/v1/models").bearer(SEARCH).send(to).await.expect(200);
    for seen in upstream.requests() {
        assert_eq!(
            seen.header("authorization"),
            Some(format!("Bearer {}", upstream.key).as_str())
        );
        assert_eq!(seen.header("x-api-key"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_spends_under_its_own_tags_whatever_it_says() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream)).await;
    let call = Call::chat(&hello())
        .bearer(SEARCH)
        .header("x-planb-tags", "team=shop, app=x");
    call.send(daemon.address()).await.expect(200);
    daemon.settled("teams").await;
    let budgets = daemon.json("/planb/budgets").await;
    let spenders = |budget: &str| -> Vec<String> {
        let rows = budgets["budgets"].as_array().unwrap();
        let spent = rows.iter().filter(|row| row["name"] == budget && row["posted"] != "0");
        spent.map(|row| row["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(spenders("teams"), ["search"]);
    assert_eq!(spenders("apps"), ["search"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clients_the_tags_of_the_request_count() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).budget("teams", "limit: 50 USD, per: day, each: tag.team");
    let daemon = Daemon::start(&policy).await;
    for tags in ["team=search, app=chat", "app=chat"] {
        Call::chat(&hello())
            .header("x-planb-tags", tags)
            .send(daemon.address())
            .await
            .expect(200);
    }
    daemon.settled("teams").await;
    let budgets = daemon.json("/planb/budgets").await;
    let mut keys: Vec<_> = budgets["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    assert_eq!(keys, ["(none)", "search"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_file_counts_at_once() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream)).await;
    Call::chat(&hello())
        .bearer(SEARCH)
        .send(daemon.address())
        .await
        .expect(200);
    std::fs::write(daemon.home.folder().join("search.client"), "sk-client-rotated").unwrap();
    let to = daemon.address();
    crate::support::until("the new key is taken", || async move {
        let answer = Call::chat(&hello()).bearer("sk-client-rotated").send(to).await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
    Call::chat(&hello()).bearer(SEARCH).send(to).await.expect_error(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_openais_habits_is_told_of_want_of_money_by_429() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let policy = Policy::one(&upstream)
        .client_with("search", SEARCH, "compat: openai_quota_429")
        .client_with("shop", SHOP, "")
        .budget("month", "limit: 0.0001 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let told = Call::chat(&hello()).bearer(SEARCH).send(to).await.expect_error(429);
    let error = &told.json()["error"];
    assert_eq!(
        (&error["code"], &error["type"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    assert_eq!(told.header("x-should-retry"), Some("false"));
    assert_eq!(daemon.decision(&told).await["status"], 429);
    Call::chat(&hello()).bearer(SHOP).send(to).await.expect_error(402);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_openrouters_habits_finds_the_cost_in_the_usage_and_nobody_else_does() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.answers("Hello you", Usage::new(10, 100));
    let policy = Policy::one(&upstream)
        .client_with("search", SEARCH, "compat: [openrouter, openai_quota_429]")
        .client_with("shop", SHOP, "")
        .budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let whole = Call::chat(&hello()).bearer(SEARCH).send(to).await.expect(200);
    assert_eq!(whole.json()["usage"]["cost"], json!(0.001), "{}", whole.text());
    assert_eq!(whole.json()["usage"]["completion_tokens"], 100);
    let plain = Call::chat(&hello()).bearer(SHOP).send(to).await.expect(200);
    assert!(plain.json()["usage"].get("cost").is_none(), "{}", plain.text());
    let mut streamed = hello();
    streamed["stream"] = true.into();
    let heard = Call::chat(&streamed).bearer(SEARCH).send(to).await.expect(200).heard();
    assert!(heard.done && heard.text() == "Hello you", "{heard:?}");
    let last = heard.events().pop().unwrap();
    assert_eq!(
        (&last["usage"]["cost"], &last["usage"]["prompt_tokens"]),
        (&json!(0.001), &json!(10))
    );
    let heard = Call::chat(&streamed).bearer(SHOP).send(to).await.expect(200).heard();
    assert!(heard.done && !heard.has_usage(), "{heard:?}");
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}
