//! The queries of `docs/ledger.md` run, and every table has three.

use super::*;

const PAGE: &str = include_str!("../../../docs/ledger.md");

#[test]
fn every_query_of_the_page_runs_and_every_table_has_three() {
    let (_directory, path) = place();
    drop(Ledger::open(&path, noon()).unwrap());
    let connection = Connection::open(&path).unwrap();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
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
            statement
                .query([])
                .unwrap()
                .next()
                .unwrap_or_else(|error| panic!("{query}: {error}"));
        }
    }
}
