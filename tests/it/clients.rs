//! Clients: who may call, and in whose name the money is spent.

use crate::support::{Call, Daemon, Policy, Price, Upstream};
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
