//! From every schema that there ever was to the present one: what was in the file is there, a copy of it too, and a
//! migration that fails has changed nothing.

use super::*;
use crate::ledger::verify::verify;

/// A ledger as the first `version` migrations make it, with a start and, in the schema's own words, money in it.
fn as_of(path: &Path, version: usize) -> Connection {
    let mut connection = Connection::open(path).unwrap();
    migrate(&mut connection, path, &MIGRATIONS[..version]).unwrap();
    connection
        .execute_batch(
            "INSERT INTO incarnations (number, started_at, seen_at, stopped_at, version)
                 VALUES (1, '2026-11-23T09:00:00.000Z', '2026-11-23T11:00:00.000Z', '2026-11-23T11:00:00.000Z', '0.0.1');
             INSERT INTO pools (id, budget, shape, period_start, period_end, currency, keyed)
                 VALUES (1, 'month', 'month/None/Month', '2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z', 'USD', 0);
             INSERT INTO attempts (id, incarnation, decision, number, at, model, provider, supply, upstream, client, tags,
                 purpose, ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst,
                 currency, total_ms)
                 VALUES (1, 1, 'd1', 1, '2026-11-23T10:00:00.000Z', 'qwen-max', 'qwen', 'licensed', 'qwen3', '', '{\"team\":\"a\"}',
                     '', 'posted', 'ok', '', 200, 100, 10, 20, 0, 0, 70, 100, 'USD', 40),
                 (2, 1, 'd2', 1, '2026-11-23T10:30:00.000Z', 'qwen-max', 'qwen', 'licensed', 'qwen3', '', '{\"team\":\"b\"}',
                     '', 'held', 'failed', 'timeout', 0, 100, 0, 0, 0, 0, 100, 100, 'USD', 40);
             INSERT INTO decisions (id, at, route, dialect, stream, plans, chosen, excluded, client, tags, purpose, input, cost,
                 currency, outcome, status, policy)
                 VALUES ('d1', '2026-11-23T10:00:00.000Z', 'chat', 'chat', 0, '[]', 'qwen-max', '[]', '', '{\"team\":\"a\"}', '',
                     100, 70, 'USD', 'ok', 200, 'abc');
             INSERT INTO accounts (pool, key, posted, held) VALUES (1, '', 70, 100);
             INSERT INTO postings VALUES (1, 1, '', 70, 0, 0, 0), (1, 2, '', 0, 100, 0, 0);
             INSERT INTO leases (pool, incarnation, life, granted, used, settled, granted_at, ended_at)
                 VALUES (1, 1, 1, 500, 170, 1, '2026-11-23T10:00:00.000Z', '2026-11-23T11:00:00.000Z');",
        )
        .unwrap();
    if version >= 10 {
        hours(&connection);
    }
    if version >= 11 {
        connection
            .execute("INSERT INTO holds (attempt) VALUES (2)", [])
            .unwrap();
    }
    connection
}

/// As they are written with the rows, from the schema on that has them.
fn hours(connection: &Connection) {
    connection
        .execute_batch(
            "UPDATE attempts SET firsts = 15, route = 'chat';
             INSERT INTO spend_hours VALUES ('2026-11-23T10', 'qwen-max', 'qwen', 'licensed', 'chat', '', '{\"team\":\"a\"}', '',
                 '', '[]', 'USD', 1, 1, 1, 1, 1, 100, 10, 20, 70, 0, 0, 0, 0, 0, 0, 0, 0),
                 ('2026-11-23T10', 'qwen-max', 'qwen', 'licensed', 'chat', '', '{\"team\":\"b\"}', '',
                 '', '[]', 'USD', 1, 1, 1, 1, 1, 100, 0, 0, 0, 100, 0, 0, 0, 0, 0, 100, 0);",
        )
        .unwrap();
}

fn versions() -> std::ops::Range<usize> {
    1..MIGRATIONS.len()
}

#[tokio::test]
async fn a_ledger_of_every_earlier_schema_keeps_its_money_and_a_copy_of_itself() {
    for version in versions() {
        let (_directory, path) = place();
        drop(as_of(&path, version));
        let budgets = [budget("month", 1_000, None, Period::Month)];
        let daemon = Daemon::start(&path, &budgets, noon()).await;
        assert_eq!(daemon.total("month", ""), (usd(70), usd(100)), "schema {version}");
        daemon.ledger.close().await.unwrap();
        for proof in verify(&path).unwrap() {
            assert!(proof.broken.is_empty(), "schema {version}: {proof:?}");
        }
        let copy = Connection::open(backup_path(&path, version as i64)).unwrap();
        let number = |name: &str| -> i64 { copy.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
        assert_eq!(number("user_version"), version as i64);
        let posted: i64 = copy
            .query_row("SELECT sum(posted) FROM accounts", [], |row| row.get(0))
            .unwrap();
        assert_eq!(posted, 70, "schema {version}");
    }
}

/// All of it, as text.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut names = connection
        .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
        .unwrap();
    let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let names: Vec<(String, String)> = names.map(Result::unwrap).collect();
    let mut all = Vec::new();
    for (name, sql) in names {
        all.push(sql.clone());
        if sql.starts_with("CREATE TABLE") {
            let mut rows = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = rows.column_count();
            let rows = rows.query_map([], |row| {
                let cells = (0..columns).map(|at| row.get_ref(at).map(|cell| format!("{cell:?}")));
                cells.collect::<rusqlite::Result<Vec<_>>>()
            });
            all.extend(rows.unwrap().map(|row| row.unwrap().join("|")));
        }
    }
    all.push(format!(
        "{:?}",
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    ));
    all
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_the_one_before_it_made_it() {
    for version in versions() {
        let (_directory, path) = place();
        let mut connection = as_of(&path, version);
        let before = dump(&path);
        // Half of it works, and then it does not.
        let broken = format!(
            "{}\nCREATE TABLE half (x INTEGER);\nINSERT INTO nowhere VALUES (1);",
            MIGRATIONS[version]
        );
        let mut migrations = MIGRATIONS[..version].to_vec();
        migrations.push(&broken);
        let failed = migrate(&mut connection, &path, &migrations);
        assert!(
            matches!(failed, Err(LedgerError::Open { .. })),
            "schema {version}: {failed:?}"
        );
        drop(connection);
        assert_eq!(dump(&path), before, "schema {version}");
        assert_eq!(dump(&backup_path(&path, version as i64)), before, "schema {version}");
        // And the right one goes on from there.
        drop(Ledger::open(&path, noon()).unwrap());
    }
}
