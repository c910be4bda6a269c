//! `--keep` and `planb ledger compact`: old attempts become few, and what was spent stays what it was.

use crate::support::{CENT, Daemon, Home, Policy, cents, one_cent, run, until};
use rusqlite::Connection;

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// As if the rows were of a May long ago.
const LONG_AGO: &str = "
    UPDATE attempts SET at = '2024-05' || substr(at, 8);
    UPDATE decisions SET at = '2024-05' || substr(at, 8);
    UPDATE spend_hours SET hour = '2024-05' || substr(hour, 8);
    UPDATE request_hours SET hour = '2024-05' || substr(hour, 8);
    UPDATE pools SET period_start = '2024-05-01T00:00:00.000Z', period_end = '2024-06-01T00:00:00.000Z';
    UPDATE policies SET since = '2024-04-01T00:00:00.000Z';";

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_folds_what_it_need_not_keep_and_every_sum_stays() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 100 USD, per: month");
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.posted("month", 3 * CENT).await;
    daemon.sigterm().await;
    let connection = Connection::open(daemon.home.state().join("ledger.sqlite")).unwrap();
    connection.execute_batch(LONG_AGO).unwrap();
    drop(connection);
    let asked = |daemon: &Daemon| {
        let of = |by: &str| said(&daemon.cli(&["spend", "--month", "2024-05", "--by", by, "--format", "json"]));
        let focus = said(&daemon.cli(&["spend", "--month", "2024-05", "--format", "focus"]));
        [of("model"), of("route"), of("hour"), focus]
    };
    let before = asked(&daemon);
    assert!(before[0].contains("0.03"), "{}", before[0]);
    let home = std::mem::replace(&mut daemon.home, Home::new(&policy));
    let daemon = Daemon::start_in(home, &["--keep", "13"]).await;
    until("the old attempts are folded", || async {
        let sql = "SELECT coalesce(sum(folded), 0), count(*) FROM attempts WHERE at < '2025'";
        let found: (i64, i64) = daemon
            .ledger()
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        if found.0 == 3 && found.1 < 3 {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    assert_eq!(asked(&daemon), before);
    daemon.chat(&one_cent()).await.expect(200);
    daemon.posted("month", CENT).await;
    let bill = said(&daemon.cli(&["ledger", "bill", "--month", "2024-05"]));
    assert!(
        bill.contains("0.03 USD posted for 3 attempts that were folded"),
        "{bill}"
    );
    let again = said(&daemon.cli(&["ledger", "compact", "--keep", "13"]));
    assert!(again.starts_with("0 attempts"), "{again}");
    let checked = daemon.cli(&["ledger", "check"]);
    assert!(checked.status.success(), "{}", said(&checked));
    assert_eq!(daemon.status().await["ledger"]["state"], "ok");
}

#[test]
fn less_than_thirteen_months_are_not_kept() {
    for command in [&["serve", "--keep", "12"][..], &["ledger", "compact", "--keep", "12"]] {
        let refused = run(command);
        assert!(!refused.status.success());
        assert!(said(&refused).contains("13"), "{}", said(&refused));
    }
}
