//! `planb ledger reconcile`: a provider's invoice against what the daemon recorded, differences listed, holds corrected.

use crate::support::{CENT, Call, Daemon, Policy, Price, Reply, Upstream, cents, one_cent};
use rusqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

const HEAD: &str = "start_time,start_time_iso,amount_value,amount_currency,line_item,quantity\n";

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn ledger(daemon: &Daemon) -> Connection {
    Connection::open(daemon.home.state().join("ledger.sqlite")).unwrap()
}

/// The day of UTC of each recorded attempt.
fn days(daemon: &Daemon) -> Vec<String> {
    let ledger = ledger(daemon);
    let mut statement = ledger
        .prepare("SELECT substr(at, 1, 10) FROM attempts WHERE corrects IS NULL ORDER BY id")
        .unwrap();
    let days = statement.query_map([], |row| row.get(0)).unwrap();
    days.map(Result::unwrap).collect()
}

fn write(daemon: &Daemon, name: &str, text: &str) -> PathBuf {
    let file = daemon.home.folder().join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Each attempt used 10 tokens in and 1,000 out. A line has a number of its own: the same line twice would be a doubled one.
fn invoice(daemon: &Daemon, model: &str, output: &str) -> String {
    let rows = days(daemon).into_iter().enumerate().map(|(number, day)| {
        format!(
            "{number},{day}T00:00:00+00:00,{output},usd,\"{model}-2026-01-31, output\",1000.0\n\
             {number},{day}T00:00:00+00:00,0E-18,usd,\"{model}-2026-01-31, input\",10.0\n"
        )
    });
    format!("{HEAD}{}", rows.collect::<String>())
}

fn reconcile(daemon: &Daemon, file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let file = file.to_str().unwrap();
    let output = daemon.cli(&[&["ledger", "reconcile", file, "--provider", "alpha"], more].concat());
    (output.status.code(), said(&output))
}

async fn recorded(daemon: &Daemon, count: usize) {
    daemon
        .when("/planb/decisions", "all decisions", |all| {
            all["decisions"].as_array().is_some_and(|all| all.len() == count)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_compared_beside_the_daemon_and_every_difference_is_listed() {
    let upstream = cents().await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    recorded(&daemon, 3).await;
    let model = upstream.model();
    let same = write(&daemon, "same.csv", &invoice(&daemon, &model, "0.0100"));
    let (code, text) = reconcile(&daemon, &same, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("no difference") && text.contains("0.03 USD billed, 0.03 USD recorded"),
        "{text}"
    );

    let day = days(&daemon).remove(0);
    let more = format!(
        "{}9,{day}T00:00:00+00:00,0.5,usd,\"stranger, output\",50\n",
        invoice(&daemon, &model, "0.0105")
    );
    let dearer = write(&daemon, "dearer.csv", &more);
    let (code, text) = reconcile(&daemon, &dearer, &[]);
    assert_eq!(code, Some(1), "{text}");
    for line in [
        format!("{model}: output price differs: 10.5 against 10 USD/M since {day}"),
        "stranger: output only on the invoice".to_owned(),
        "the policy names no such model".to_owned(),
        "1.0500 times what was recorded".to_owned(),
        "(exactly 21/20)".to_owned(),
        "price: {surcharge: 5%}".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    let output = daemon.cli(&[
        "ledger",
        "reconcile",
        dearer.to_str().unwrap(),
        "--provider",
        "alpha",
        "--format",
        "json",
    ]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["corrections"][0]["exact"], "21/20", "{json}");
    assert_eq!(
        json["named_on_the_invoice"][&model][0],
        format!("{model}-2026-01-31"),
        "{json}"
    );
    let (_, csv) = reconcile(&daemon, &dearer, &["--format", "csv"]);
    assert!(csv.starts_with("difference,model,kind,first_day"), "{csv}");

    for (name, text, told) in [
        ("wrong.csv", "date,price\n2026-10-03,1\n", "no export form"),
        ("empty.csv", "", "empty"),
        (
            "yuan.csv",
            "Billing Date,Instance ID,Pretax Amount,Currency\n2026-11-03,t;w;q;input_token,1,CNY\n",
            "",
        ),
    ] {
        let file = write(&daemon, name, text);
        let (code, text) = reconcile(&daemon, &file, &[]);
        assert!(
            code == Some(if told.is_empty() { 1 } else { 2 }) && text.contains(told),
            "{name}: {text}"
        );
    }
    let foreign = format!("Billing Date,Instance ID,Pretax Amount,Currency\n{day},t;w;{model};output_token,1,CNY\n");
    let (code, text) = reconcile(&daemon, &write(&daemon, "cny.csv", &foreign), &["--zone", "UTC"]);
    assert!(code == Some(2) && text.contains("the policy has no rate"), "{text}");
    let (code, text) = reconcile(&daemon, &same, &["--post"]);
    assert!(code == Some(2) && text.contains("Stop it first"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_is_posted_as_the_invoice_says_once() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.always(Reply::silence());
    let policy = Policy::one(&upstream).budget("month", "limit: 1 USD, per: month, held: keep");
    let mut daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&one_cent()).try_send(to).await });
    upstream.reached(1).await;
    call.abort();
    upstream.left(1).await;
    assert_eq!(daemon.settled("month").await.held, CENT);
    daemon.sigterm().await;

    let text = invoice(&daemon, &upstream.model(), "0.004").replace("1000.0", "400");
    let file = write(&daemon, "held.csv", &text);
    let (code, told) = reconcile(&daemon, &file, &[]);
    assert!(
        code == Some(1) && told.contains("1 held explained by the invoice"),
        "{told}"
    );
    let (code, told) = reconcile(&daemon, &file, &["--post"]);
    assert!(code == Some(0) && told.contains("posted for 1 attempts"), "{told}");
    assert!(daemon.home.state().join("ledger.sqlite.before-reconcile-1").exists());
    let (code, told) = reconcile(&daemon, &file, &["--post"]);
    assert!(code == Some(0) && told.contains("nothing to post"), "{told}");

    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", said(&proven));
    let (rows, billed): (i64, i64) = ledger(&daemon)
        .query_row("SELECT count(*), sum(billed) FROM reconciliations", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((rows, billed), (1, 4_000_000));
    daemon.restart().await;
    let books = daemon.budget("month").await;
    assert_eq!((books.posted, books.held), (4_000_000, 0), "{books:?}");
}
