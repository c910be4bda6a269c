//! Hot reload: every way a file changes is seen, a bad edit changes nothing, and no request notices.

use crate::support::{Call, Daemon, Gate, Home, Policy, Price, Reply, Sink, Upstream, sse, until};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::task::JoinSet;

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// Two policies over the same providers: `chat` is served by the first alone, or by the second alone.
fn sides(first: &Upstream, second: &Upstream) -> (Policy, Policy) {
    let base = Policy::new()
        .provider(first, "")
        .provider(second, "")
        .model("first", first, crate::support::LICENSED)
        .model("second", second, crate::support::COMPETITOR);
    (
        base.clone().route("name: chat, try: [first]"),
        base.route("name: chat, try: [second]"),
    )
}

async fn served_by(daemon: &Daemon, model: &str) {
    crate::support::until(&format!("{model} serves"), || async {
        let answer = daemon.chat(&hello()).await.expect(200);
        let by = answer.header("x-planb-model").unwrap_or_default().to_owned();
        if by == model { Ok(()) } else { Err(by) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_place_takes_effect() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    served_by(&daemon, "first").await;
    daemon.home.write(&second);
    served_by(&daemon, "second").await;
    daemon.home.write(&first);
    served_by(&daemon, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_renamed_over_the_policy_takes_effect_again_and_again() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    for (policy, model) in [(&second, "second"), (&first, "first"), (&second, "second")] {
        daemon.home.replace(policy);
        served_by(&daemon, model).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_files_is_one_policy_and_any_of_them_may_change() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let split = |policy: &Policy| {
        let text = policy.text();
        let (base, routes) = text.split_once("routes:").unwrap();
        (base.to_owned(), format!("routes:{routes}"))
    };
    let home = Home::new(&first);
    let folder = home.folder();
    let ((base, routes), (_, other_routes)) = (split(&first), split(&second));
    std::fs::remove_file(home.policy()).unwrap();
    std::fs::write(folder.join("10-base.yaml"), base).unwrap();
    std::fs::write(folder.join("20-routes.yaml"), &routes).unwrap();
    std::fs::write(folder.join(".hidden.yaml"), "not: [a, policy").unwrap();
    std::fs::write(folder.join("20-routes.yaml~"), "not: [a, policy").unwrap();
    let daemon = Daemon::start_on(home, &folder, &[]).await;
    served_by(&daemon, "first").await;
    std::fs::write(folder.join("20-routes.yaml"), &other_routes).unwrap();
    served_by(&daemon, "second").await;
    let more = "routes:\n  - {name: extra, try: [first]}\n";
    std::fs::write(folder.join("30-more.yaml"), more).unwrap();
    daemon
        .when("/v1/models", "the new file's route is listed", |list| {
            list.to_string().contains("\"extra\"")
        })
        .await;
    std::fs::remove_file(folder.join("30-more.yaml")).unwrap();
    daemon
        .when("/v1/models", "the removed file's route is gone", |list| {
            !list.to_string().contains("\"extra\"")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_swaps_its_data_link_takes_effect() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let home = Home::new(&first);
    let folder = home.folder();
    std::fs::remove_file(home.policy()).unwrap();
    project(&folder, "..2026_11_23_a", &first);
    symlink("..data/policy.yaml", home.policy()).unwrap();
    let policy = home.policy();
    let daemon = Daemon::start_on(home, &policy, &[]).await;
    served_by(&daemon, "first").await;
    for (version, policy, model) in [
        ("..b", &second, "second"),
        ("..c", &first, "first"),
        ("..d", &second, "second"),
    ] {
        project(&folder, version, policy);
        served_by(&daemon, model).await;
    }
}

/// Writes a version beside the others and swaps `..data` to it, as Kubernetes does.
fn project(folder: &Path, version: &str, policy: &Policy) {
    std::fs::create_dir(folder.join(version)).unwrap();
    std::fs::write(folder.join(version).join("policy.yaml"), policy.text()).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_signal_reads_the_policy_again() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    daemon.home.write(&second);
    daemon.sighup();
    served_by(&daemon, "second").await;
    daemon.sighup();
    daemon.sighup();
    served_by(&daemon, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_edit_changes_nothing_and_shows_everywhere() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let sink = Sink::start().await;
    let good = Policy::one(&upstream).alert(&sink, "policy");
    let daemon = Daemon::start(&good).await;
    let before = daemon.policy_hash().await;
    let broken = good
        .text()
        .replace("try: [only]", "try: [onyl]")
        .replace("supply: licensed", "suply: licensed");
    daemon.home.replace_text(&broken);
    let rejected = sink.got("policy.rejected", 1).await;
    assert!(rejected.genuine);
    assert!(rejected.body["data"].to_string().contains("onyl"), "{}", rejected.body);
    let status = daemon.when("/planb/status", "the edit shows as rejected", |status| {
        !status["policy"]["rejected"].is_null()
    });
    let status = status.await;
    assert_eq!(status["policy"]["hash"], before.as_str());
    let diagnostics = status["policy"]["rejected"]["diagnostics"].to_string();
    for word in ["onyl", "suply"] {
        assert!(diagnostics.contains(word), "{word} is missing: {diagnostics}");
    }
    status["policy"]["rejected"]["at"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
    until("the log names it", || async {
        let said = daemon.said();
        said.contains("onyl").then_some(()).ok_or(said)
    })
    .await;
    let metrics = daemon.get("/metrics").await.text();
    let counts = |line: &str| line.contains("reload") && line.contains("rejected") && !line.starts_with('#');
    assert!(metrics.lines().any(counts), "no rejected reload in {metrics}");
    daemon.chat(&hello()).await.expect(200);
    let mended = good.route("name: more, try: [only]");
    daemon.home.write(&mended);
    let reloaded = sink.got("policy.reloaded", 1).await;
    assert!(reloaded.genuine);
    daemon
        .when("/planb/status", "nothing is rejected any more", |status| {
            status["policy"]["rejected"].is_null()
        })
        .await;
    assert_ne!(daemon.policy_hash().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_policy_at_the_start_is_refused_with_its_place() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let home = Home::new(&Policy::one(&upstream));
    std::fs::write(home.policy(), "routes:\n  - {name: chat, try: [nobody]}\n").unwrap();
    let (policy, state) = (home.policy().display().to_string(), home.state().display().to_string());
    let refused = crate::support::run(&[
        "serve",
        "--policy",
        &policy,
        "--state",
        &state,
        "--listen",
        "127.0.0.1:0",
    ]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("nobody") && said.contains("policy.yaml:2:"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_under_way_finishes_on_the_policy_it_began_with() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let gate = Gate::new();
    let held = Reply::stream_head()
        .chunk(sse::content_event("m", "Begun "))
        .wait(&gate)
        .chunk(sse::content_event("m", "and ended"))
        .chunk(sse::finish_event("m"))
        .chunk("data: [DONE]\n\n")
        .send("0\r\n\r\n");
    let daemon = Daemon::start(&first).await;
    one.always(held);
    let mut request = hello();
    request["stream"] = true.into();
    let mut open = Call::chat(&request).open(daemon.address()).await.unwrap();
    open.until_heard("Begun").await;
    daemon.edit(&second).await;
    served_by(&daemon, "second").await;
    gate.open();
    let answer = open.rest().await;
    let heard = answer.heard();
    assert_eq!(heard.text(), "Begun and ended");
    assert!(heard.done && !heard.has_error());
    assert_eq!(one.abandoned(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reloads_under_load_drop_fail_and_mix_no_request() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    let to = daemon.address();
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = JoinSet::new();
    for worker in 0..4 {
        let (stop, served) = (stop.clone(), served.clone());
        load.spawn(async move {
            let stream = worker % 2 == 0;
            let mut request = hello();
            request["stream"] = stream.into();
            while !stop.load(Ordering::Relaxed) {
                let answer = Call::chat(&request).send(to).await.expect(200);
                let (text, model) = if stream {
                    assert!(answer.heard().done && answer.whole);
                    (
                        answer.heard().text(),
                        answer.header("x-planb-model").unwrap().to_owned(),
                    )
                } else {
                    (answer.content(), answer.header("x-planb-model").unwrap().to_owned())
                };
                let expected = if model == "first" {
                    "Hello from alpha."
                } else {
                    "Hello from beta."
                };
                assert_eq!(text, expected);
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for round in 0..1_000 {
        let before = served.load(Ordering::Relaxed);
        // Told at once rather than by the file, so that a thousand take less than a minute.
        daemon.home.write(if round % 2 == 0 { &second } else { &first });
        daemon.sighup();
        taken_over(&daemon, round + 1).await;
        if round % 50 == 0 {
            until("the load goes on", || async {
                let now = served.load(Ordering::Relaxed);
                if now > before { Ok(()) } else { Err(now.to_string()) }
            })
            .await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert_eq!(
        one.count() + two.count(),
        served.load(Ordering::Relaxed),
        "one upstream call for each request"
    );
    assert!(one.count() > 0 && two.count() > 0);
}

/// At least so many edits are in force or were.
async fn taken_over(daemon: &Daemon, edits: usize) {
    until("the edit is in force", || async {
        let metrics = daemon.get("/metrics").await.text();
        let line = metrics
            .lines()
            .find(|line| line.contains("reload") && line.contains("\"reloaded\""));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        if count.unwrap_or(0.0) >= edits as f64 {
            Ok(())
        } else {
            Err(format!("{count:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_written_in_pieces_is_in_force_once_it_is_whole() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    let text = second.text();
    let (half, rest) = text.split_at(text.len() / 2);
    std::fs::write(daemon.home.policy(), half).unwrap();
    daemon
        .when("/planb/status", "half of it is rejected", |status| {
            !status["policy"]["rejected"].is_null()
        })
        .await;
    daemon.chat(&hello()).await.expect(200);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(daemon.home.policy())
        .unwrap();
    std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
    served_by(&daemon, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_edits_in_a_row_end_with_the_last_one_in_force() {
    let (one, two) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let (first, second) = sides(&one, &two);
    let daemon = Daemon::start(&first).await;
    for edit in 0..1_000 {
        daemon.home.write(if edit % 2 == 0 { &first } else { &second });
    }
    served_by(&daemon, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_five_megabytes_is_taken_over_while_requests_pass() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream);
    let daemon = Daemon::start(&policy).await;
    let text = large(policy, &upstream).text();
    assert!(text.len() > 5_000_000, "{}", text.len());
    std::fs::write(daemon.home.policy(), &text).unwrap();
    until("the large policy serves", || async {
        daemon.chat(&hello()).await.expect(200);
        let list = daemon.get("/v1/models").await.text();
        if list.contains("\"last\"") { Ok(()) } else { Err(list) }
    })
    .await;
    // One that is as large and differs in a word.
    std::fs::write(daemon.home.policy(), text.replace("name: last,", "name: other,")).unwrap();
    until("the next one serves", || async {
        daemon.chat(&hello()).await.expect(200);
        let list = daemon.get("/v1/models").await.text();
        if list.contains("\"other\"") { Ok(()) } else { Err(list) }
    })
    .await;
}

/// As large as a generated policy may be: models, routes, prices, needs, limits and plans, and no comment.
fn large(policy: Policy, upstream: &Upstream) -> Policy {
    const MANY: usize = 7_500;
    let name = |at: usize| format!("europe-central-1/search-and-ads-team-{:03}/model-{at:05}", at % 300);
    let models = (0..MANY).fold(policy, |policy, at| {
        let (quality, cents) = (at % 90 + 1, at % 9 + 1);
        let words = format!(
            "supply: competitor, quality: {quality}, context: 128k, max_output: 8k, tools: true, \
             labels: [search-and-ads-team-{}, service-tier-{}]",
            at % 300,
            at % 7
        );
        let price = format!("price: {{input: 0.{cents} USD/M, cache_read: 0.0{cents} USD/M, output: {cents} USD/M}}");
        let (provider, upstream) = (&upstream.name, upstream.model());
        policy.model_line(
            &name(at),
            &format!("provider: {provider}, name: {upstream}, {price}, {words}"),
        )
    });
    let routes = (0..MANY).fold(models, |policy, at| {
        let mut tried = vec![name(at), name(at * 7 % MANY), name(at * 13 % MANY)];
        tried.sort();
        tried.dedup();
        policy.route(&format!(
            "name: europe-central-1/search-and-ads/route-{at:05}, try: [{}], \
             match: {{tag: {{team: search-and-ads-team-{at}, tier: [gold, silver]}}}}, \
             need: {{quality: 1, tools: true}}, limits: {{cost: 5 USD, output: 4k, attempts: 2}}",
            tried.join(", ")
        ))
    });
    let plans = (0..200).fold(routes, |policy, at| {
        let (hour, model) = (at % 24, name(at * 17));
        policy.plan(&format!(
            "name: plan{at}, when: 'hour == {hour}', avoid: 'model.name == \"{model}\"'"
        ))
    });
    plans.route("name: last, try: [only]")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_began_before_an_edit_keeps_the_keys_it_began_with() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    );
    let gate = Gate::new();
    first.always(crate::support::fault::error(500, "server_error", &[]).behind(&gate));
    let policy = Policy::two(&first, &second);
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&hello()).send(to).await });
    first.reached(1).await;
    // Neither provider is there any more, nor a reference to their keys.
    let third = Upstream::start("gamma", Price::LIST).await;
    daemon.edit(&Policy::one(&third)).await;
    gate.open();
    let answer = call.await.unwrap().expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_would_open_the_daemon_to_the_network_is_rejected() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let guarded = Policy::one(&upstream).client("search", "sk-client-search", "team: search");
    let daemon = Daemon::start_in(Home::new(&guarded), &["--listen", "0.0.0.0:0"]).await;
    let to = format!("127.0.0.1:{}", daemon.address().port()).parse().unwrap();
    daemon.home.write(&Policy::one(&upstream));
    crate::support::until("the edit is rejected", || async {
        let status = Call::get("/planb/status").send(to).await.expect(200).json();
        let rejected = status["policy"]["rejected"].to_string();
        if rejected.contains("clients") {
            Ok(())
        } else {
            Err(rejected)
        }
    })
    .await;
    Call::chat(&hello()).send(to).await.expect_error(401);
    Call::chat(&hello())
        .bearer("sk-client-search")
        .send(to)
        .await
        .expect(200);
}
