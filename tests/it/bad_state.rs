//! State directories and ledgers that planb cannot use: it says what and where, and what to do; what is there stays as it is.

use crate::support::{Daemon, Home, Policy, Postgres, cents, one_cent, until};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

fn ledger(home: &Home) -> PathBuf {
    home.state().join("ledger.sqlite")
}

/// Nothing is started on it, and that is said with these words.
async fn refused(home: Home, words: &[&str]) -> Home {
    let (home, said) = match Daemon::try_start_with(home, &[]).await {
        Err(refused) => refused,
        Ok(_) => panic!("it was started, and {words:?} should have been said"),
    };
    let last = said
        .lines()
        .rev()
        .find(|line| line.starts_with("planb: "))
        .unwrap_or(&said);
    for word in words {
        assert!(last.contains(word), "no {word:?} in {last}");
    }
    assert!(!said.contains("panicked"), "{said}");
    home
}

async fn policy() -> Policy {
    Policy::one(&cents().await).budget("month", "limit: 1 USD, per: month")
}

async fn home_with(content: impl AsRef<[u8]>) -> Home {
    let home = Home::new(&policy().await);
    std::fs::create_dir_all(home.state()).unwrap();
    std::fs::write(ledger(&home), content).unwrap();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_no_database_is_left_as_it_is() {
    let text = "Dear diary, this is no database, though it is longer than the head of one is. ".repeat(40);
    let home = refused(
        home_with(&text).await,
        &["ledger.sqlite is damaged", "keep the file", "--state"],
    )
    .await;
    assert_eq!(std::fs::read_to_string(ledger(&home)).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_the_ledgers_place_is_told() {
    let home = Home::new(&policy().await);
    std::fs::create_dir_all(ledger(&home)).unwrap();
    let home = refused(home, &["ledger.sqlite", "directory", "--state"]).await;
    assert!(ledger(&home).is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_a_newer_planb_is_not_touched() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    daemon.chat(&one_cent()).await.expect(200);
    daemon.sigterm().await;
    let file = ledger(&daemon.home);
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 9_999)
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let copy = home_with(&before).await;
    let copy = refused(copy, &["newer planb", "9999", "another state directory"]).await;
    assert!(
        std::fs::read(ledger(&copy)).unwrap() == before,
        "not a byte of it is changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_in_use_is_refused_and_its_daemon_goes_on() {
    let upstream = cents().await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    let policy = daemon.home.policy().display().to_string();
    let state = daemon.home.state().display().to_string();
    let serve = [
        "serve",
        "--policy",
        &policy,
        "--state",
        &state,
        "--listen",
        "127.0.0.1:0",
    ];
    let second = crate::support::run(&serve);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success());
    assert!(
        said.contains(&state) && said.contains("another planb uses") && said.contains("--state"),
        "{said}"
    );
    daemon.chat(&one_cent()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_cannot_be_written_is_told() {
    // Not even root makes folders there.
    let policy = Home::new(&policy().await);
    let file = policy.policy().display().to_string();
    let serve = |state: &str| {
        let serve = ["serve", "--policy", &file, "--state", state, "--listen", "127.0.0.1:0"];
        let output = crate::support::run(&serve);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for state in ["/proc/planb", "/dev/null/planb"] {
        let said = serve(state);
        assert!(
            said.contains(state) && said.contains("cannot be used") && said.contains("--state DIR"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_of_another_fleet_is_refused() {
    let (upstream, postgres) = (cents().await, Postgres::start().await);
    let policy = Policy::one(&upstream).budget("month", "limit: 1 USD, per: month");
    let url = postgres.database("fleets").await;
    let of = |name: &'static str| {
        vec![
            "--ledger".to_owned(),
            url.clone(),
            "--fleet".to_owned(),
            name.to_owned(),
        ]
    };
    let first = of("blue");
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let mut daemon = Daemon::start_in(Home::new(&policy), &first).await;
    daemon.chat(&one_cent()).await.expect(200);
    daemon.sigterm().await;
    let (file, state) = (daemon.home.policy(), daemon.home.state());
    let shown = |path: &Path| path.display().to_string();
    let (file, state) = (shown(&file), shown(&state));
    let serve = ["serve", "--policy", &file, "--state", &state, "--listen", "127.0.0.1:0"];
    let green = of("green");
    let green: Vec<&str> = green.iter().map(String::as_str).collect();
    let output = crate::support::run(&[&serve[..], &green[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("`blue`") && said.contains("`green`") && said.contains("--state DIR"),
        "{said}"
    );
    daemon.restart().await;
    daemon.chat(&one_cent()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_is_found_beside_the_work_closes_what_is_paid_and_says_what_to_do() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.posted("month", upstream.invoice()).await;
    daemon.sigterm().await;
    // A bit of an amount, as a bad disk turns it: the page is sound, its sums are not.
    let connection = Connection::open(ledger(&daemon.home)).unwrap();
    connection
        .execute("UPDATE postings SET posted = posted + 1024 WHERE attempt = 2", [])
        .unwrap();
    drop(connection);
    daemon.restart().await;
    let status = daemon
        .when("/planb/status", "the damage is found", |status| {
            status["ledger"]["state"] == "degraded"
        })
        .await;
    let reason = status["ledger"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("damaged") && reason.contains("planb ledger check") && reason.contains("backup"),
        "{reason}"
    );
    until("what is paid stops", || async {
        let answer = daemon.chat(&one_cent()).await;
        if answer.status == 503 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
    assert!(daemon.said().contains("the ledger cannot be relied on"));
}
