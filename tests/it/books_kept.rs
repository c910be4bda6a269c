//! The books can be proven, saved, and handed on: `planb ledger` and `planb doctor` beside a daemon that works.

use crate::support::{CENT, Daemon, Policy, Reply, Upstream, cents, one_cent, run};
use rusqlite::Connection;
use serde_json::Value;
use std::process::Output;

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn spent_three_cents() -> (Daemon, Upstream) {
    let upstream = cents().await;
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 1 USD, per: month")
        .budget("teams", "limit: 1 USD, per: day, each: tag.team");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    // Recorded in the file, too.
    daemon
        .when("/planb/decisions", "three decisions", |all| {
            all["decisions"].as_array().is_some_and(|all| all.len() == 3)
        })
        .await;
    (daemon, upstream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_proven_beside_its_daemon_and_what_was_changed_by_hand_is_found() {
    let (daemon, _upstream) = spent_three_cents().await;
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", said(&proven));
    for (damage, promise) in [
        (
            "UPDATE accounts SET posted = posted - 1 WHERE posted > 0",
            "every account is the sum",
        ),
        (
            "UPDATE attempts SET amount = amount + 1 WHERE id = 1",
            "every posting is what its attempt cost",
        ),
        (
            "UPDATE attempts SET ended = 'lost' WHERE id = 1",
            "every attempt has one end",
        ),
        ("UPDATE leases SET used = used + 5", "every lease has drawn"),
        ("DELETE FROM accounts", "every posting has its account"),
        (
            "DELETE FROM attempts WHERE id = 1",
            "every row that is referred to is there",
        ),
    ] {
        let copy = daemon.home.folder().join("damaged");
        std::fs::create_dir(&copy).unwrap();
        let file = copy.join("ledger.sqlite");
        let saved = daemon.cli(&["ledger", "backup", file.to_str().unwrap()]);
        assert!(saved.status.success(), "{}", said(&saved));
        let damaged = Connection::open(&file).unwrap();
        damaged
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; {damage}"))
            .unwrap();
        drop(damaged);
        let checked = run(&["ledger", "check", "--state", copy.to_str().unwrap()]);
        assert!(!checked.status.success(), "{damage}");
        let line = format!("BROKEN  {promise}");
        assert!(said(&checked).contains(&line), "{damage}: {}", said(&checked));
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_takes_the_place_of_the_ledger_it_was_made_of() {
    let (mut daemon, _upstream) = spent_three_cents().await;
    let copy = daemon.home.folder().join("saved.sqlite");
    let saved = daemon.cli(&["ledger", "backup", copy.to_str().unwrap()]);
    assert!(saved.status.success(), "{}", said(&saved));
    let again = daemon.cli(&["ledger", "backup", copy.to_str().unwrap()]);
    assert!(said(&again).contains("is there already"), "{}", said(&again));
    daemon.sigterm().await;
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = std::fs::remove_file(daemon.home.state().join(name));
    }
    std::fs::rename(&copy, daemon.home.state().join("ledger.sqlite")).unwrap();
    daemon.restart().await;
    // What the daemon had leased when the copy was made counts as spent: it may have been.
    let books = daemon.budget("month").await;
    assert_eq!(books.posted, 3 * CENT);
    daemon.chat(&one_cent()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_leave_the_ledger_as_csv_and_as_json_lines() {
    let (daemon, _upstream) = spent_three_cents().await;
    let csv = said(&daemon.cli(&["ledger", "export"]));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    let column = lines[0].split(',').position(|name| name == "amount").unwrap();
    assert!(
        lines[1].split(',').nth(column).is_some_and(|amount| amount == "0.01"),
        "{csv}"
    );
    let jsonl = said(&daemon.cli(&["ledger", "export", "decisions", "--format", "jsonl"]));
    let rows: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["cost"], &rows[0]["chosen"]), (&"0.01".into(), &"only".into()));
    let none = said(&daemon.cli(&["ledger", "export", "--until", "2020-01-01"]));
    assert_eq!(none, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_rejected_edit_and_an_open_state_directory() {
    use std::os::unix::fs::PermissionsExt;
    let (daemon, _upstream) = spent_three_cents().await;
    let policy = daemon.home.policy();
    let words = ["doctor", "--policy", policy.to_str().unwrap()];
    let well = daemon.cli(&words);
    assert!(well.status.success(), "{}", said(&well));
    assert!(
        said(&well).contains("every sum is that of its 0 open reservations"),
        "{}",
        said(&well)
    );
    std::fs::write(&policy, "routes: nothing").unwrap();
    daemon
        .when("/planb/policy", "a rejected edit", |view| !view["rejected"].is_null())
        .await;
    std::fs::set_permissions(daemon.home.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let ill = daemon.cli(&words);
    assert!(!ill.status.success());
    for word in ["the last edit was rejected", "chmod 700", "planb check"] {
        assert!(said(&ill).contains(word), "{word}: {}", said(&ill));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absurd_report_of_use_is_estimated_and_flagged_and_loses_nothing() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let absurd = [
        r#"{"prompt_tokens": -10, "completion_tokens": 5}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": -1000}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": 9000000000000000000}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": 99999999999999999999999999}"#,
        r#"{"prompt_tokens": "ten", "completion_tokens": null}"#,
        r#"{"prompt_tokens": 10, "completion_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 5000}}"#,
        r#"{"prompt_tokens": 10}"#,
        r#""none""#,
    ];
    for (number, usage) in (1..).zip(absurd) {
        let body = format!(
            r#"{{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": {usage},
                "choices": [{{"index": 0, "message": {{"role": "assistant", "content": "A few words"}}, "finish_reason": "stop"}}]}}"#
        );
        upstream.always(Reply::http(200, &[("content-type", "application/json")], body));
        let answer = daemon.chat(&one_cent()).await.expect(200);
        let attempt = &daemon.decision(&answer).await["attempts"][0];
        assert_eq!(attempt["estimated"], true, "{usage}: {attempt}");
        assert_eq!(attempt["end"], "posted", "{usage}: {attempt}");
        let books = daemon.settled("month").await;
        assert!(books.posted >= 0 && books.posted <= number * CENT, "{usage}: {books:?}");
        assert_eq!(books.held, 0, "{usage}: {books:?}");
    }
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", said(&proven));
}
