//! A sum of spend as a table for people, as CSV, as JSON. The table leaves out columns in which nothing is.

use super::{day, heading};
use crate::cli::csv as comma;
use crate::ledger::spend::{Spend, SpendQuery, SpendRow};
use crate::money::Money;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

struct Column {
    /// Of the CSV and the JSON.
    name: &'static str,
    /// Of the table.
    title: &'static str,
    of: fn(&SpendRow) -> Cell,
    /// Shown where there is something in it.
    only_filled: bool,
}

enum Cell {
    Count(i64),
    Money(Money),
    Text(String),
}

const fn column(name: &'static str, title: &'static str, only_filled: bool, of: fn(&SpendRow) -> Cell) -> Column {
    Column {
        name,
        title,
        of,
        only_filled,
    }
}

const COLUMNS: [Column; 17] = [
    column("requests", "requests", false, |row| Cell::Count(row.requests)),
    column("attempts", "attempts", false, |row| Cell::Count(row.attempts)),
    column("input", "input", false, |row| Cell::Count(row.input)),
    column("cached", "cached", true, |row| Cell::Count(row.cached)),
    column("output", "output", false, |row| Cell::Count(row.output)),
    column("posted", "posted", false, |row| Cell::Money(row.posted)),
    column("held", "held", true, |row| Cell::Money(row.held)),
    column("currency", "currency", false, |row| Cell::Text(row.currency.clone())),
    column("adjusted", "adjusted", true, |row| Cell::Money(row.adjusted)),
    column("prepaid", "prepaid", true, |row| Cell::Money(row.prepaid)),
    column("retries", "retries", true, |row| Cell::Money(row.retries)),
    column("fallbacks", "fallbacks", true, |row| Cell::Money(row.fallbacks)),
    column("failed", "failed", true, |row| Cell::Money(row.failed)),
    column("cache_saved", "cache saved", true, |row| Cell::Money(row.cache_saved)),
    column("compared", "compared", true, |row| {
        Cell::Count(if row.saved == Money::ZERO { 0 } else { row.compared })
    }),
    column("saved", "saved", true, |row| Cell::Money(row.saved)),
    column("estimated_amount", "", true, |row| Cell::Money(row.estimated)),
];

/// Beside those of money: shares.
const SHARES: [&str; 2] = ["estimated", "share"];

pub fn table(spend: &Spend, query: &SpendQuery) -> String {
    if spend.rows.is_empty() {
        return format!("nothing recorded from {} to {}\n", day(query.since), day(query.until));
    }
    let rows = || spend.rows.iter().chain(&spend.totals);
    let shown = |column: &&Column| {
        !column.title.is_empty() && (!column.only_filled || rows().any(|row| !(column.of)(row).is_empty()))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let mut table = Table::new();
    table.load_style(NOTHING);
    let titles = columns.iter().map(|column| column.title).chain(SHARES);
    table.set_header(std::iter::once(heading(&query.by)).chain(titles.map(str::to_owned)));
    for row in rows() {
        let cells = columns.iter().map(|column| (column.of)(row).text());
        let shares = shares(row, spend).map(|share| format!("{:.1}%", share * 100.0));
        table.add_row(std::iter::once(row.name.clone()).chain(cells).chain(shares));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

pub fn csv(spend: &Spend, query: &SpendQuery) -> String {
    let names = COLUMNS.iter().map(|column| column.name).chain(SHARES);
    let mut text = comma::line(std::iter::once(heading(&query.by)).chain(names.map(str::to_owned)));
    for row in spend.rows.iter().chain(&spend.totals) {
        let cells = COLUMNS.iter().map(|column| (column.of)(row).text());
        let shares = shares(row, spend).map(|share| format!("{:.1}", share * 100.0));
        text.push_str(&comma::line(
            std::iter::once(row.name.clone()).chain(cells).chain(shares),
        ));
    }
    text
}

pub fn json(spend: &Spend, query: &SpendQuery) -> String {
    let row = |row: &SpendRow| {
        let cells = COLUMNS
            .iter()
            .map(|column| (column.name.to_owned(), (column.of)(row).value()));
        let shares = SHARES
            .iter()
            .zip(shares(row, spend))
            .map(|(name, share)| ((*name).to_owned(), share.into()));
        let name = std::iter::once(("name".to_owned(), Value::from(row.name.as_str())));
        Value::Object(name.chain(cells).chain(shares).collect::<Map<_, _>>())
    };
    let value = json!({
        "by": heading(&query.by),
        "since": query.since.to_string(),
        "until": query.until.to_string(),
        "rows": spend.rows.iter().map(row).collect::<Vec<_>>(),
        "totals": spend.totals.iter().map(row).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

impl Cell {
    fn is_empty(&self) -> bool {
        match self {
            Self::Count(count) => *count == 0,
            Self::Money(money) => *money == Money::ZERO,
            Self::Text(text) => text.is_empty(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Money(money) => money.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Count(count) => (*count).into(),
            Self::Money(money) => money.to_string().into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

/// The share of `posted` that rests on planb's own count, and the row's share of its currency's total, held money included.
fn shares(row: &SpendRow, spend: &Spend) -> [f64; 2] {
    let of = |part: Money, whole: Money| {
        if whole == Money::ZERO {
            0.0
        } else {
            part.share_of(whole)
        }
    };
    let total = spend.totals.iter().find(|total| total.currency == row.currency);
    let total = total.unwrap_or(row);
    [
        of(row.estimated, row.posted),
        of(row.posted.plus(row.held), total.posted.plus(total.held)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::spend::{By, Only};
    use jiff::Timestamp;

    fn row(name: &str, posted: &str, estimated: &str) -> SpendRow {
        let money = |text| Money::parse(text).unwrap();
        SpendRow {
            name: name.to_owned(),
            currency: "USD".to_owned(),
            requests: 2,
            attempts: 3,
            input: 1000,
            cached: 10,
            output: 200,
            posted: money(posted),
            estimated: money(estimated),
            fallbacks: money("0.01"),
            ..SpendRow::default()
        }
    }

    fn sample() -> (Spend, SpendQuery) {
        let spend = Spend {
            rows: vec![row("a,\"b", "0.75", "0.075"), row("c", "0.25", "0")],
            totals: vec![row("total", "1", "0.075")],
        };
        let query = SpendQuery {
            by: By::Model,
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::MAX,
            only: Only::default(),
        };
        (spend, query)
    }

    #[test]
    fn a_table_has_a_line_each_and_a_total_and_no_empty_column() {
        let (spend, query) = sample();
        let table = table(&spend, &query);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[0].contains("fallbacks") && !lines[0].contains("held"), "{table}");
        assert!(lines[1].contains("10.0%"), "estimated share\n{table}");
        assert!(lines[1].ends_with("75.0%"), "share of the total\n{table}");
        assert!(lines[3].trim_start().starts_with("total"), "{table}");
        assert!(super::table(&Spend::default(), &query).starts_with("nothing recorded"));
    }

    #[test]
    fn csv_quotes_what_needs_it_and_has_every_column() {
        let (spend, query) = sample();
        let csv = csv(&spend, &query);
        let header = csv.lines().next().unwrap();
        assert_eq!(
            header,
            "model,requests,attempts,input,cached,output,posted,held,currency,adjusted,prepaid,retries,fallbacks,failed,\
             cache_saved,compared,saved,estimated_amount,estimated,share"
        );
        let wanted = "\r\n\"a,\"\"b\",2,3,1000,10,200,0.75,0,USD,0,0,0,0.01,0,0,0,0,0.075,10.0,75.0\r\n";
        assert!(csv.contains(wanted), "{csv}");
    }

    #[test]
    fn json_keeps_money_as_decimal_text() {
        let (spend, query) = sample();
        let json: Value = serde_json::from_str(&json(&spend, &query)).unwrap();
        assert_eq!(json["rows"][0]["posted"], "0.75");
        assert_eq!(json["totals"][0]["currency"], "USD");
        assert_eq!(json["totals"][0]["share"], 1.0);
    }
}
