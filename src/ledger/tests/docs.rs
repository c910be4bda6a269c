//! The queries of `docs/ledger.md` run on a ledger with something in it, and every table and view has three.

use super::*;

const PAGE: &str = include_str!("../../../docs/ledger.md");

/// A request that went on at a second attempt, one that is held, one that was released, and an event.
async fn filled(path: &Path) {
    let budgets = [budget("month", 1_000_000, None, Period::Month)];
    let mut daemon = Daemon::start(path, &budgets, noon()).await;
    daemon.spend(100, "a", End::Post(usd(70))).await;
    daemon.spend(100, "b", End::Hold).await;
    daemon.spend(100, "b", End::Hold).await;
    let mut again = attempt("d1", noon(), "a", EndKind::Posted, usd(5));
    again.number = 2;
    let release = ReleaseRecord {
        attempt: 2,
        estimate: usd(50),
    };
    for record in [
        Record::Attempt(Box::new(again)),
        Record::Decision(Box::new(decision("d1", noon()))),
        Record::Release(release),
        Record::Event(Box::new(event("e1", None))),
    ] {
        daemon.ledger.send(record).await.unwrap();
    }
    daemon.ledger.close().await.unwrap();
}

#[tokio::test]
async fn every_query_of_the_page_runs_and_every_table_and_view_has_three() {
    let (_directory, path) = place();
    filled(&path).await;
    let connection = Connection::open(&path).unwrap();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for table in tables {
        let section = PAGE
            .split("\n## ")
            .find(|section| section.starts_with(&format!("`{table}`")));
        let section = section.unwrap_or_else(|| panic!("docs/ledger.md says nothing of {table}"));
        let queries: Vec<&str> = section
            .split("```sql\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        let queries: Vec<&str> = queries
            .iter()
            .flat_map(|block| block.split(';'))
            .map(str::trim)
            .collect();
        let queries: Vec<&str> = queries.into_iter().filter(|query| !query.is_empty()).collect();
        assert!(queries.len() >= 3, "{table} has {} queries", queries.len());
        for query in queries {
            let mut statement = connection
                .prepare(query)
                .unwrap_or_else(|error| panic!("{query}: {error}"));
            let mut rows = statement.query([]).unwrap();
            while rows.next().unwrap_or_else(|error| panic!("{query}: {error}")).is_some() {}
        }
    }
}
