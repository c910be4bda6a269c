//! What may go wrong with the fleet's database, tried on a real one: each is told for what it is, costs nothing beyond
//! the limit, and is over when it is over.

use super::*;
use crate::support::PATIENCE;
use std::path::Path;
use std::process::Command;

/// Paid models are open: asked again and again, because a database that failed is not tried at once.
async fn pays_again(daemon: &Daemon, upstream: &Upstream) {
    let before = upstream.count();
    until("paid models are open again", || async {
        daemon.chat(&one_cent()).await;
        if upstream.count() > before {
            Ok(())
        } else {
            Err(daemon.status().await["fleet"].to_string())
        }
    })
    .await;
}

fn start_refused(policy: &Policy, url: &str) -> String {
    refused(&Home::new(policy), &["--ledger", url, "--fleet", FLEET])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_shown() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let client = postgres.connect("books").await;
    client
        .batch_execute("CREATE ROLE app LOGIN PASSWORD 'right'; GRANT CREATE ON DATABASE books TO app")
        .await
        .unwrap();
    postgres.write("pg_hba.conf", b"local all planb trust\nlocal all all scram-sha-256\n");
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let with = |password: &str| url.replace("planb@", &format!("app:{password}@"));
    let said = until("the server asks for passwords", || async {
        let said = start_refused(&policy, &with("wr0ng"));
        if said.contains("refuses the credentials") {
            Ok(said)
        } else {
            Err(said)
        }
    })
    .await;
    assert!(said.contains("PGPASSWORD") && !said.contains("wr0ng"), "{said}");
    let daemon = member(&policy, &with("right")).await;
    daemon.chat(&one_cent()).await.expect(200);
    assert!(!daemon.status().await.to_string().contains("right@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_and_a_schema_of_somebody_else_are_told() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let client = postgres.connect("books").await;
    client.batch_execute("CREATE ROLE guest LOGIN").await.unwrap();
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let said = start_refused(&policy, &postgres.url_as("guest", "books"));
    assert!(said.contains("CREATE SCHEMA planb AUTHORIZATION"), "{said}");
    client
        .batch_execute("CREATE SCHEMA planb; CREATE TABLE planb.schema_version (mine text)")
        .await
        .unwrap();
    let said = start_refused(&policy, &url);
    assert!(said.contains("is not planb's"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_not_written_and_its_promotion_is_all_it_takes() {
    let mut postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let (upstream, home, policy) = with_plan_b().await;
    let daemon = member(&policy, &url).await;
    daemon.chat(&one_cent()).await.expect(200);
    postgres.stop();
    postgres.write("standby.signal", b"");
    postgres.launch().await;
    let said = start_refused(&policy, &url);
    assert!(said.contains("cannot be written"), "{said}");
    let degraded = |status: &serde_json::Value| status["fleet"]["state"] == "degraded";
    daemon.when("/planb/status", "the fleet is degraded", degraded).await;
    assert_eq!(burst(&[daemon.address()], 5).await, 5, "what is free goes on");
    let _ = home;
    let client = postgres.connect("books").await;
    client.batch_execute("SELECT pg_promote()").await.unwrap();
    pays_again(&daemon, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_costs_no_request() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let daemon = member(&policy, &url).await;
    let client = postgres.connect("books").await;
    for round in 1..=3 {
        let cut = client
            .query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'planb'",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(cut.len(), 1, "a daemon has one connection");
        assert_eq!(burst(&[daemon.address()], 5).await, 5, "in round {round}");
    }
    assert_eq!(upstream.invoice(), 15 * CENT);
    // It listens again on the new connection: what others need is still asked for.
    let other = member(&policy, &url).await;
    assert_eq!(burst(&[other.address()], 100).await, 75);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_is_given_up() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let (upstream, home, policy) = with_plan_b().await;
    let daemon = member(&policy, &url).await;
    let client = postgres.connect("books").await;
    client
        .batch_execute("BEGIN; LOCK TABLE planb.members IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    assert_eq!(burst(&[daemon.address()], 5).await, 5, "what is free goes on");
    assert_eq!((upstream.count(), home.count()), (0, 5));
    let degraded = |status: &serde_json::Value| status["fleet"]["state"] != "ok";
    let status = daemon.when("/planb/status", "it is told", degraded).await;
    assert!(
        status["fleet"]["reason"].as_str().unwrap().contains("in time"),
        "{status}"
    );
    client.batch_execute("COMMIT").await.unwrap();
    pays_again(&daemon, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_from_a_copy_gives_nothing_twice() {
    let mut postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let daemons = [member(&policy, &url).await, member(&policy, &url).await];
    let all = [daemons[0].address(), daemons[1].address()];
    assert_eq!(burst(&all, 20).await, 20);
    postgres.stop();
    postgres.put_aside();
    postgres.launch().await;
    until("the shares reach beyond what the copy knows", || async {
        burst(&all, 4).await;
        if upstream.invoice() >= 40 * CENT {
            Ok(())
        } else {
            Err(upstream.invoice().to_string())
        }
    })
    .await;
    postgres.stop();
    postgres.put_back();
    postgres.launch().await;
    until("all of the limit is spent", || async {
        burst(&all, 4).await;
        if upstream.invoice() >= 90 * CENT {
            Ok(())
        } else {
            Err(format!("{} {}", upstream.invoice(), daemons[0].status().await["fleet"]))
        }
    })
    .await;
    burst(&all, 20).await;
    assert_eq!(upstream.invoice(), 90 * CENT, "and no more");
    let said = daemons[0].said() + &daemons[1].said();
    assert!(said.contains("knows less than it did"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_state_directory_does_not_start_beside_the_first() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let first = member(&policy, &url).await;
    first.chat(&one_cent()).await.expect(200);
    let copy = Home::new(&policy);
    copy_folder(&first.home.state(), &copy.state());
    let said = refused(&copy, &["--ledger", &url, "--fleet", FLEET]);
    assert!(said.contains("a copy of it?") && said.contains("--state"), "{said}");
    assert_eq!(burst(&[first.address()], 100).await, 89, "the first goes on");
    assert_eq!(upstream.invoice(), 90 * CENT);
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
    std::fs::remove_file(to.join("daemon.json")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough_and_none_is_told() {
    let postgres = Postgres::start().await;
    postgres.database("books").await;
    let client = postgres.connect("books").await;
    client
        .batch_execute("CREATE ROLE app LOGIN CONNECTION LIMIT 1; GRANT CREATE ON DATABASE books TO app")
        .await
        .unwrap();
    let url = postgres.url_as("app", "books");
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let mut daemon = member(&policy, &url).await;
    assert_eq!(burst(&[daemon.address()], 10).await, 10);
    let said = start_refused(&policy, &url);
    assert!(said.contains("too many connections"), "{said}");
    daemon.sigterm().await;
    let other = member(&policy, &url).await;
    assert_eq!(burst(&[other.address()], 100).await, 80);
}

/// An authority of the test's own, and a certificate by it for `localhost` alone.
fn certificates(folder: &Path) {
    let openssl = |words: &[&str]| {
        let done = Command::new("openssl")
            .args(words)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl(
        &[
            &[
                "req",
                "-x509",
                "-days",
                "2",
                "-subj",
                "/CN=an authority",
                "-keyout",
                "ca.key",
                "-out",
                "ca.crt",
            ],
            &key[..],
        ]
        .concat(),
    );
    openssl(
        &[
            &[
                "req",
                "-subj",
                "/CN=localhost",
                "-keyout",
                "server.key",
                "-out",
                "server.csr",
            ],
            &key[..],
        ]
        .concat(),
    );
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let sign =
        "x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -out server.crt";
    openssl(&sign.split(' ').collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_server_is_who_it_says_or_nothing_is_told_it() {
    let made = tempfile::tempdir().unwrap();
    certificates(made.path());
    let mut postgres = Postgres::start().await;
    postgres.database("books").await;
    for name in ["server.crt", "server.key"] {
        postgres.write(name, &std::fs::read(made.path().join(name)).unwrap());
    }
    postgres.write(
        "pg_hba.conf",
        b"local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
    );
    postgres.stop();
    let port = postgres.on_network();
    let tls = [
        "listen_addresses=127.0.0.1",
        "ssl=on",
        "ssl_cert_file=server.crt",
        "ssl_key_file=server.key",
    ];
    postgres.launch_with(&tls).await;
    let authority = made.path().join("ca.crt").display().to_string();
    let url = |host: &str, more: &str| format!("postgres://planb@{host}:{port}/books?{more}");
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let verified = format!("sslmode=verify-full&sslrootcert={authority}");
    let said = start_refused(&policy, &url("localhost", "sslmode=verify-full"));
    assert!(
        said.contains("no trusted connection"),
        "an authority nobody named: {said}"
    );
    let said = start_refused(&policy, &url("127.0.0.1", &verified));
    assert!(said.contains("no trusted connection"), "another name: {said}");
    let said = start_refused(&policy, &url("127.0.0.1", "sslmode=disable"));
    assert!(said.contains("asks for TLS"), "{said}");
    let daemon = member(&policy, &url("localhost", &verified)).await;
    daemon.chat(&one_cent()).await.expect(200);
    let client = postgres.connect("books").await;
    let row = client
        .query_one(
            "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'planb'",
            &[],
        )
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0), "encrypted, within {PATIENCE:?}");
}
