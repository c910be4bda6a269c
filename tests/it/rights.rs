//! What a client may call, say and see, and how long.

use crate::support::{Call, Daemon, Policy, Price, Reply, Upstream, Usage, completion, sse, until};
use serde_json::{Value, json};

const KEY: &str = "sk-client-search-0123";
const OTHER: &str = "sk-client-shop-4567";

fn hello_to(model: &str) -> Value {
    json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn hello() -> Value {
    hello_to("chat")
}

fn call(body: &Value) -> Call {
    Call::chat(body).bearer(KEY)
}

/// Two routes over one provider, and a client with these words.
fn policy(upstream: &Upstream, words: &str) -> Policy {
    Policy::one(upstream)
        .route("name: draft, match: {model: [\"gpt-*\"]}, try: [only]")
        .client_with("search", KEY, words)
        .client_with("shop", OTHER, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_of_others_are_unknown_to_a_client() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream, "routes: [draft]")).await;
    let to = daemon.address();
    call(&hello_to("draft")).send(to).await.expect(200);
    call(&hello_to("gpt-6")).send(to).await.expect(200);
    let unknown = call(&hello()).send(to).await.expect_error(404);
    assert_eq!(unknown.error_code(), "model_not_found");
    let listed = Call::get("/v1/models").bearer(KEY).send(to).await.expect(200).json();
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["draft"]);
    Call::get("/v1/models/chat")
        .bearer(KEY)
        .send(to)
        .await
        .expect_error(404);
    Call::get("/v1/models/draft").bearer(KEY).send(to).await.expect(200);
    let all = Call::get("/v1/models").bearer(OTHER).send(to).await.expect(200).json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_needs_a_use_leaves_out_what_no_licence_permits_it_for() {
    let (lab, shop) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let policy = Policy::new()
        .provider(&lab, "license: lab")
        .provider(&shop, "")
        .license("lab", "uses: [research]")
        .model("study", &lab, "supply: licensed")
        .model("sale", &shop, "supply: competitor")
        .route("name: chat, try: [study, sale], need: {use: commercial}")
        .route("name: draft, try: [study, sale]");
    let daemon = Daemon::start(&policy).await;
    let asks = |model| Call::chat(&hello_to(model)).header("x-planb-use", "research");
    let free = asks("draft").send(daemon.address()).await.expect(200);
    assert_eq!(free.header("x-planb-model"), Some("study"));
    let bound = asks("chat").send(daemon.address()).await.expect(200);
    assert_eq!(bound.header("x-planb-model"), Some("sale"), "whatever the request says");
    assert_eq!(daemon.decision(&bound).await["excluded"][0]["reason"], "license");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_expired_is_told_so() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream, "expires: 2020-01-31")).await;
    let told = call(&hello()).send(daemon.address()).await.expect_error(401);
    assert_eq!(told.error_code(), "expired_api_key");
    assert!(told.text().contains("2020-01-31"), "{}", told.text());
    Call::chat(&hello())
        .bearer(OTHER)
        .send(daemon.address())
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_revokes_a_client_at_once() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream, "")).await;
    call(&hello()).send(daemon.address()).await.expect(200);
    daemon
        .edit(&Policy::one(&upstream).client_with("shop", OTHER, ""))
        .await;
    call(&hello()).send(daemon.address()).await.expect_error(401);
    Call::chat(&hello())
        .bearer(OTHER)
        .send(daemon.address())
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_and_a_new_key_serve_side_by_side() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream)
        .client_line("search", "keys: [file:new.client, file:old.client]")
        .file("new.client", KEY)
        .file("old.client", OTHER);
    let daemon = Daemon::start(&policy).await;
    for key in [KEY, OTHER] {
        let answer = Call::chat(&hello())
            .bearer(key)
            .send(daemon.address())
            .await
            .expect(200);
        assert_eq!(daemon.decision(&answer).await["client"], "search");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_two_clients_is_refused_and_logged() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).client("search", KEY, "").client("shop", KEY, "");
    let daemon = Daemon::start(&policy).await;
    call(&hello()).send(daemon.address()).await.expect_error(401);
    let said = daemon.said();
    assert!(
        said.contains("`search`") && said.contains("`shop`") && !said.contains(KEY),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_add_what_a_client_may_set_and_never_replace_its_own() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let words = "tags: {team: search}, may_set: [tags]";
    let daemon = Daemon::start(&policy(&upstream, words)).await;
    let to = daemon.address();
    let tagged = |call: Call| call.header("x-planb-tags", "team=shop, app=x");
    let answer = tagged(call(&hello())).send(to).await.expect(200);
    assert_eq!(
        daemon.decision(&answer).await["tags"],
        json!({"team": "search", "app": "x"})
    );
    let answer = tagged(Call::chat(&hello()).bearer(OTHER)).send(to).await.expect(200);
    assert_eq!(daemon.decision(&answer).await["tags"], json!({}));
    for (name, value) in [
        ("x-planb-min-quality", "10"),
        ("x-planb-max-cost", "1"),
        ("x-planb-deadline", "30s"),
        ("x-planb-explain", "1"),
    ] {
        let refused = call(&hello()).header(name, value).send(to).await.expect_error(400);
        assert_eq!(refused.error_code(), "header_not_allowed", "{name}");
        Call::chat(&hello())
            .bearer(OTHER)
            .header(name, value)
            .send(to)
            .await
            .expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_see_suppliers_never_does() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    for upstream in [&first, &second] {
        upstream.answers("Hello.", Usage::new(10, 5));
    }
    let policy = Policy::two(&first, &second).client_with("search", KEY, "expose: none");
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let names = ["alpha", "beta", "first", "second", &first.model(), &second.model()].map(str::to_owned);
    let clean = |answer: &crate::support::Answer| {
        let seen = format!("{:?} {}", answer.headers, answer.text());
        for name in &names {
            assert!(!seen.contains(name.as_str()), "{name} shows in {seen}");
        }
    };
    let whole = call(&hello()).send(to).await.expect(200);
    clean(&whole);
    assert_eq!(whole.json()["model"], "chat");
    let mut streamed = hello();
    streamed["stream"] = true.into();
    let streamed = call(&streamed).send(to).await.expect(200);
    clean(&streamed);
    assert!(streamed.text().contains("\"model\":\"chat\""), "{}", streamed.text());
    let explained = call(&hello())
        .header("x-planb-explain", "1")
        .send(to)
        .await
        .expect_error(400);
    clean(&explained);
    for upstream in [&first, &second] {
        let words = format!("{} is overloaded at {}", upstream.model(), upstream.name);
        upstream.always(Reply::json(500, &json!({"error": {"message": words}})));
    }
    clean(&call(&hello()).send(to).await.expect_error(502));
    clean(
        &call(&hello())
            .header("x-planb-max-cost", "0.000001")
            .send(to)
            .await
            .expect_error(400),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_exposes_nothing_shows_no_supplier_to_anybody() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let (name, usage) = (upstream.model(), Usage::new(10, 5));
    upstream.script(move |seen| {
        let dress = |mut told: Value| {
            told["provider"] = "alpha".into();
            told["system_fingerprint"] = "fp_alpha".into();
            told
        };
        if seen.json()["stream"] != true {
            return Reply::json(200, &dress(completion(&name, "Hello.", usage))).billed(usage);
        }
        let events =
            sse::completion_events(&name, "Hello.", None).into_iter().map(|event| {
                match serde_json::from_str(event.trim_start_matches("data:").trim()) {
                    Ok(told) => format!("data: {}\n\n", dress(told)),
                    Err(_) => event,
                }
            });
        Reply::stream(events).billed(usage)
    });
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("only", &upstream, crate::support::LICENSED)
        .route("name: chat, try: [only], expose: none")
        .route("name: open, try: [only]");
    let daemon = Daemon::start(&policy).await;
    for stream in [false, true] {
        let ask = |route| {
            let mut body = hello_to(route);
            body["stream"] = stream.into();
            body
        };
        let shown = daemon.chat(&ask("open")).await.expect(200);
        assert_eq!(shown.header("x-planb-provider"), Some("alpha"));
        assert!(shown.text().contains("fp_alpha"), "{}", shown.text());
        let hidden = daemon.chat(&ask("chat")).await.expect(200);
        let seen = format!("{:?} {}", hidden.headers, hidden.text());
        for word in ["alpha", "only", "system_fingerprint", "provider"] {
            assert!(!seen.contains(word), "{word} shows in {seen}");
        }
        assert!(hidden.text().contains("Hello."), "{}", hidden.text());
    }
    let explain = |route| Call::chat(&hello_to(route)).header("x-planb-explain", "1");
    explain("open").send(daemon.address()).await.expect(200);
    let refused = explain("chat").send(daemon.address()).await.expect_error(400);
    assert_eq!(refused.error_code(), "header_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_in_another_currency_is_refused_and_not_taken_for_the_policys() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream, "tags: {}")).await;
    let ceiling = |amount| call(&hello()).header("x-planb-max-cost", amount);
    ceiling("1 USD").send(daemon.address()).await.expect(200);
    for other in ["1 CNY", "1EUR"] {
        let refused = ceiling(other).send(daemon.address()).await.expect_error(400);
        assert_eq!(refused.error_code(), "invalid_header");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_reads_calls_no_model() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(&upstream, "scope: [read]")).await;
    let refused = call(&hello()).send(daemon.address()).await.expect_error(403);
    assert_eq!(refused.error_code(), "out_of_scope");
    Call::get("/v1/models")
        .bearer(KEY)
        .send(daemon.address())
        .await
        .expect_error(403);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_has_timeouts_of_its_own_and_a_disabled_provider_is_passed_over() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let two = |words: &str| {
        Policy::new()
            .provider(&first, words)
            .provider(&second, "")
            .model(
                "first",
                &first,
                &format!("{}, timeouts: {{total: 300ms}}", crate::support::LICENSED),
            )
            .model("second", &second, crate::support::COMPETITOR)
            .route("name: chat, try: [first, second]")
    };
    let daemon = Daemon::start(&two("")).await;
    let gate = crate::support::Gate::new();
    let held = gate.clone();
    let plain = crate::support::upstream::answer("Too late", Usage::new(10, 5));
    first.script(move |seen| plain(seen).behind(&held));
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(daemon.decision(&answer).await["attempts"][0]["class"], "timeout");
    gate.open();
    let before = first.count();
    daemon.edit(&two("disabled: true")).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.header("x-planb-attempts"), Some("1"));
    assert_eq!(daemon.decision(&answer).await["excluded"][0]["reason"], "disabled");
    assert_eq!(first.count(), before);
    until("the status says so", || async {
        let status = daemon.status().await;
        let models = status["models"].clone();
        let of = crate::support::daemon::named(&models, "first");
        if of["available"] == false {
            Ok(())
        } else {
            Err(of.to_string())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_managers_credential_is_a_key() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).client_line("search", "key: credential:search.key");
    let home = crate::support::Home::new(&policy);
    let folder = home.folder().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("search.key"), KEY).unwrap();
    let daemon = Daemon::start_with(home, &[("CREDENTIALS_DIRECTORY", &folder.display().to_string())]).await;
    call(&hello()).send(daemon.address()).await.expect(200);
    std::fs::write(folder.join("search.key"), OTHER).unwrap();
    let to = daemon.address();
    until("the new key is taken", || async move {
        let answer = Call::chat(&hello()).bearer(OTHER).send(to).await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
    call(&hello()).send(to).await.expect_error(401);
}

/// This machine's address as others see it; nothing is sent.
fn outward() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test(flavor = "multi_thread")]
async fn from_elsewhere_only_the_token_and_clients_of_the_right_scope_read_what_the_daemon_knows() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = policy(&upstream, "scope: [inference, read]");
    let daemon = Daemon::start_in(crate::support::Home::new(&policy), &["--listen", "0.0.0.0:0"]).await;
    let port = daemon.address().port();
    // A machine without a network has no elsewhere.
    let Some(elsewhere) = outward().map(|address| std::net::SocketAddr::new(address, port)) else {
        return;
    };
    let read = |path: &str| Call::get(path).header("host", "localhost");
    let token = daemon.admin_token();
    for path in ["/planb/status", "/planb/budgets", "/planb/decisions"] {
        read(path).send(elsewhere).await.expect(401);
        read(path).bearer(OTHER).send(elsewhere).await.expect(403);
        read(path).bearer("nobody's").send(elsewhere).await.expect(403);
        read(path).bearer(KEY).send(elsewhere).await.expect(200);
        read(path).bearer(&token).send(elsewhere).await.expect(200);
        let here = std::net::SocketAddr::new([127, 0, 0, 1].into(), port);
        read(path).send(here).await.expect(200);
    }
    // Who may read changes nothing.
    let raise = Call::post("/planb/policy/reload", "").header("host", "localhost");
    raise.clone().bearer(KEY).send(elsewhere).await.expect(403);
    let done = raise.bearer(&token).send(elsewhere).await;
    assert!((200..300).contains(&done.status), "{}", done.text());
}
