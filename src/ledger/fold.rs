//! Old attempts made fewer: those of an hour that differ in nothing but their figures become one row, with the sums of their
//! tokens and money, and their decisions go. Accounts, postings' sums, holds and the sums by the hour stay what they
//! are, so that budgets, `planb spend` and exports say the same before and after.
//!
//! In steps of bounded size, each a transaction: whoever writes beside waits for one step, and a crash loses none.

use super::hours::end_of_hour;
use super::text::{read_time, time};
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, params_from_iter};
use std::collections::{BTreeMap, HashMap};

/// Attempts of one step, and decisions.
pub(super) const STEP: usize = 2_000;

/// Figures of a row that are added up.
const SUMMED: [&str; 22] = [
    "input",
    "cache_read",
    "cache_read_explicit",
    "cache_write",
    "cache_write_1h",
    "cache_write_12h",
    "input_audio",
    "input_image",
    "output",
    "reasoning",
    "output_audio",
    "web_searches",
    "web_fetches",
    "tool_calls",
    "machine_ms",
    "total_ms",
    "free_tokens",
    "amount",
    "billed",
    "prepaid",
    "cache_saved",
    "prepaid_worth",
];
/// What only a single attempt has. Every other column tells rows apart, one that is added later too.
const SINGLE: [&str; 12] = [
    "id",
    "decision",
    "number",
    "at",
    "outcome",
    "class",
    "status",
    "worst",
    "first_token_ms",
    "options",
    "bill",
    "corrects",
];

/// What a step did, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub attempts: u64,
    /// Rows that they became.
    pub remaining: u64,
    pub decisions: u64,
}

impl Folded {
    pub const fn plus(self, other: Self) -> Self {
        Self {
            attempts: self.attempts + other.attempts,
            remaining: self.remaining + other.remaining,
            decisions: self.decisions + other.decisions,
        }
    }
}

/// The end of the hours that are folded; empty where none is.
pub(super) fn folded_upto(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT coalesce(max(upto), '') FROM folds", [], |row| row.get(0))
}

/// Folds the oldest rows that are not folded yet, of one hour that ended by then; nothing where there are none. Without
/// foreign keys: what refers to a row is folded with it.
pub(super) fn step(connection: &Connection, before: Timestamp, most: usize) -> rusqlite::Result<Option<Folded>> {
    let keys: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    let folded = step_without_keys(connection, before, most);
    connection.pragma_update(None, "foreign_keys", keys)?;
    folded
}

fn step_without_keys(connection: &Connection, before: Timestamp, most: usize) -> rusqlite::Result<Option<Folded>> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let Some(span) = next_span(&transaction, &time(before), most)? else {
        return Ok(None);
    };
    let groups = groups(&transaction, &span)?;
    let mut folded = Folded::default();
    for group in groups.values() {
        write(&transaction, group)?;
        folded.attempts += group.rows.len() as u64;
        folded.remaining += 1;
    }
    let gone = "DELETE FROM decisions WHERE at >= ?1 AND at < ?2";
    folded.decisions = transaction.execute(gone, [&span.from, &span.until])? as u64;
    note(&transaction, &span, &folded)?;
    transaction.commit()?;
    Ok(Some(folded))
}

/// A part of an hour, or all of it.
struct Span {
    from: String,
    until: String,
    hour_end: String,
}

fn next_span(connection: &Connection, before: &str, most: usize) -> rusqlite::Result<Option<Span>> {
    let through: String = connection.query_row("SELECT coalesce(max(through), '') FROM folds", [], |row| row.get(0))?;
    let first = "SELECT min(at) FROM (SELECT min(at) AS at FROM attempts WHERE at >= ?1 AND at < ?2
                 UNION ALL SELECT min(at) FROM decisions WHERE at >= ?1 AND at < ?2)";
    let from: Option<String> = connection.query_row(first, params![through, before], |row| row.get(0))?;
    let Some(from) = from else { return Ok(None) };
    let Some(begin) = read_time(&from) else { return Ok(None) };
    let hour_end = time(end_of_hour(just_after(begin)));
    if hour_end.as_str() > before {
        return Ok(None);
    }
    let mut until = hour_end.clone();
    for table in ["attempts", "decisions"] {
        let nth = format!("SELECT at FROM {table} WHERE at >= ?1 AND at < ?2 ORDER BY at LIMIT 1 OFFSET ?3");
        let found: Option<String> = connection
            .query_row(&nth, params![from, until, most as i64], |row| row.get(0))
            .optional()?;
        // Rows of one instant stay together: a correction has the instant of what it corrects.
        until = match found {
            Some(at) if at > from => at,
            Some(_) => time(just_after(begin)),
            None => until,
        };
    }
    Ok(Some(Span { from, until, hour_end }))
}

/// Times are kept to the millisecond.
fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(1)).unwrap_or(at)
}

/// Attempts that become one row: the first of them.
#[derive(Default)]
struct Group {
    rows: Vec<i64>,
    at: String,
    /// How many of them were attempts, and no corrections.
    attempts: i64,
    sums: Vec<Option<i64>>,
    postings: BTreeMap<i64, [i64; 3]>,
}

/// What tells groups apart: the other columns, and the accounts in which the attempt is.
type Key = (String, Vec<(i64, String, bool)>);

fn groups(connection: &Connection, span: &Span) -> rusqlite::Result<HashMap<Key, Group>> {
    let mut postings = postings(connection, span)?;
    let mut groups: HashMap<Key, Group> = HashMap::new();
    let sql = format!(
        "SELECT id, at, outcome NOT IN ('adjustment', 'release', 'estimate'), json_array({}, billed IS NULL), {} FROM attempts
         WHERE at >= ?1 AND at < ?2 AND outcome <> 'folded' AND id NOT IN (SELECT attempt FROM holds)
         AND id NOT IN (SELECT attempt FROM reconciliations)
         AND (corrects IS NULL OR corrects NOT IN (SELECT attempt FROM reconciliations)) ORDER BY at, id",
        telling(connection)?.join(", "),
        SUMMED.join(", "),
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([&span.from, &span.until])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let posted = postings.remove(&id).unwrap_or_default();
        let accounts = posted
            .iter()
            .map(|one| (one.pool, one.key.clone(), one.found))
            .collect();
        let group = groups.entry((row.get(3)?, accounts)).or_default();
        group.add(id, row)?;
        for one in posted {
            let sums = group.postings.entry(one.pool).or_default();
            for (sum, amount) in sums.iter_mut().zip(one.amounts) {
                *sum = sum.saturating_add(amount);
            }
        }
    }
    Ok(groups)
}

impl Group {
    fn add(&mut self, id: i64, row: &Row<'_>) -> rusqlite::Result<()> {
        if self.rows.is_empty() {
            self.at = row.get(1)?;
            self.sums = vec![None; SUMMED.len()];
        }
        self.rows.push(id);
        self.attempts += row.get::<_, i64>(2)?;
        for (at, sum) in (4..).zip(&mut self.sums) {
            if let Some(figure) = row.get::<_, Option<i64>>(at)? {
                *sum = Some(sum.unwrap_or(0).saturating_add(figure));
            }
        }
        Ok(())
    }
}

fn telling(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('attempts')")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let tells = |name: &String| !SUMMED.contains(&name.as_str()) && !SINGLE.contains(&name.as_str());
    Ok(names
        .into_iter()
        .filter(tells)
        .map(|name| format!("\"{name}\""))
        .collect())
}

struct Posted {
    pool: i64,
    key: String,
    found: bool,
    amounts: [i64; 3],
}

/// By attempt, each in the order of its pools. Only pools whose period touches the span can have one.
fn postings(connection: &Connection, span: &Span) -> rusqlite::Result<HashMap<i64, Vec<Posted>>> {
    let ends = "SELECT min(id), max(id) FROM attempts WHERE at >= ?1 AND at < ?2";
    let (first, last): (Option<i64>, Option<i64>) =
        connection.query_row(ends, [&span.from, &span.until], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found: HashMap<i64, Vec<Posted>> = HashMap::new();
    let mut statement = connection.prepare(
        "SELECT o.attempt, o.pool, o.key, o.found, o.posted, o.held, o.overdraft
         FROM pools p CROSS JOIN postings o ON o.pool = p.id AND o.attempt BETWEEN ?3 AND ?4
         WHERE p.period_start < ?2 AND p.period_end > ?1 ORDER BY o.pool",
    )?;
    let mut rows = statement.query(params![span.from, span.until, first, last])?;
    while let Some(row) = rows.next()? {
        found.entry(row.get(0)?).or_default().push(Posted {
            pool: row.get(1)?,
            key: row.get(2)?,
            found: row.get(3)?,
            amounts: [row.get(4)?, row.get(5)?, row.get(6)?],
        });
    }
    Ok(found)
}

fn write(connection: &Connection, group: &Group) -> rusqlite::Result<()> {
    let Some((row, others)) = group.rows.split_first() else {
        return Ok(());
    };
    for gone in others {
        connection
            .prepare_cached("DELETE FROM attempts WHERE id = ?1")?
            .execute([gone])?;
        for pool in group.postings.keys() {
            connection
                .prepare_cached("DELETE FROM postings WHERE pool = ?1 AND attempt = ?2")?
                .execute([pool, gone])?;
        }
    }
    let sums: Vec<String> = SUMMED.iter().map(|name| format!("{name} = ?")).collect();
    let sql = format!(
        "UPDATE attempts SET {}, at = ?, folded = ?, outcome = 'folded', decision = '', number = 0, class = '', status = 0,
         worst = 0, first_token_ms = NULL, options = '[]', bill = '', corrects = NULL WHERE id = ?",
        sums.join(", ")
    );
    let sums = group.sums.iter().map(|sum| sum.map_or(Value::Null, Value::Integer));
    let rest = [Value::Text(group.at.clone()), group.attempts.into(), (*row).into()];
    connection
        .prepare_cached(&sql)?
        .execute(params_from_iter(sums.chain(rest)))?;
    for (pool, [posted, held, overdraft]) in &group.postings {
        connection
            .prepare_cached(
                "UPDATE postings SET posted = ?3, held = ?4, overdraft = ?5 WHERE pool = ?1 AND attempt = ?2",
            )?
            .execute(params![pool, row, posted, held, overdraft])?;
    }
    Ok(())
}

/// Steps of one day are one line.
fn note(connection: &Connection, span: &Span, folded: &Folded) -> rusqlite::Result<()> {
    let now = time(Timestamp::now());
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let figures = params![
        now,
        span.hour_end,
        span.until,
        count(folded.attempts),
        count(folded.remaining),
        count(folded.decisions)
    ];
    let more = "UPDATE folds SET upto = ?2, through = ?3, attempts = attempts + ?4, remaining = remaining + ?5,
                decisions = decisions + ?6
                WHERE id = (SELECT max(id) FROM folds) AND substr(at, 1, 10) = substr(?1, 1, 10)";
    if connection.execute(more, figures)? == 0 {
        connection.execute(
            "INSERT INTO folds (at, upto, through, attempts, remaining, decisions) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            figures,
        )?;
    }
    Ok(())
}
