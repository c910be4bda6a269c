//! Distinct users under each licence, by keyed hash and month of UTC; and what else an audit of a licence asks.
//!
//! A user is written once a month. At most a million are kept apart for a licence and a month; from then on the count
//! stands still and says so by being exactly that.

use super::connection::open_current;
use super::error::LedgerError;
use super::handle::Ledger;
use super::hours::Split;
use super::record::{AttemptRecord, EndKind};
use super::text::time;
use super::write::Write;
use crate::money::Money;
use crate::period::Period;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Users kept apart for one licence in one month.
pub const MOST_USERS: i64 = 1_000_000;

impl Write<'_> {
    /// An attempt that was not billed and failed used nothing.
    pub(super) fn user(&mut self, a: &AttemptRecord) -> rusqlite::Result<()> {
        let Some(user) = a.user.filter(|_| a.end != EndKind::Voided) else {
            return Ok(());
        };
        let month = month(a.at);
        for license in &a.licenses {
            let key = (license.clone(), month.clone());
            let known = match self.memory.users.get(&key) {
                Some(known) => *known,
                None => count(self.connection, license, &month)?,
            };
            let added = if known < MOST_USERS {
                self.add_user(license, &month, user)?
            } else {
                0
            };
            self.memory.users.insert(key, known + added);
        }
        Ok(())
    }

    fn add_user(&self, license: &str, month: &str, user: u64) -> rusqlite::Result<i64> {
        let mut statement = self
            .connection
            .prepare_cached("INSERT INTO license_users VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
        // The same bits: SQLite's integers have a sign.
        let added = statement.execute(params![license, month, user.cast_signed()])?;
        Ok(i64::try_from(added).unwrap_or(0))
    }
}

impl Ledger {
    /// Everybody of this month of UTC under these licences.
    pub async fn users_of(
        &self,
        licenses: Vec<Arc<str>>,
        now: Timestamp,
    ) -> Result<HashMap<Arc<str>, HashSet<u64>>, LedgerError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare("SELECT user FROM license_users WHERE license = ?1 AND month = ?2")?;
            let mut found = HashMap::new();
            for license in licenses {
                let users =
                    statement.query_map(params![license, month(now)], |row| row.get(0).map(i64::cast_unsigned))?;
                let users = users.collect::<rusqlite::Result<_>>()?;
                found.insert(license, users);
            }
            Ok(found)
        })
        .await
    }

    /// Distinct users of this month of UTC, by licence.
    pub async fn license_users(&self, now: Timestamp) -> Result<HashMap<Arc<str>, u64>, LedgerError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare("SELECT license, count(*) FROM license_users WHERE month = ?1 GROUP BY license")?;
            let rows = statement.query_map([month(now)], |row| {
                Ok((row.get::<_, Arc<str>>(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
            rows.collect()
        })
        .await
    }
}

/// One licence's use in one month of UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicenseUse {
    pub license: String,
    pub requests: i64,
    pub attempts: i64,
    /// Attempts whose request named no user: nobody is counted for them.
    pub unnamed: i64,
    pub input: i64,
    pub output: i64,
    pub users: i64,
    /// What was asked for and where, sorted; empty where nobody said.
    pub uses: Vec<String>,
    pub territories: Vec<String>,
    /// Posted and held by currency.
    pub spent: Vec<(String, Money)>,
}

/// The text of a policy and where it came from.
pub type RecordedPolicy = (String, String, String);

/// What was used in the month of an instant, and the policy (hash, origin, text) that was in force at its end or is now.
pub fn license_use(path: &Path, at: Timestamp) -> Result<(Vec<LicenseUse>, Option<RecordedPolicy>), LedgerError> {
    let mut connection = open_current(path)?;
    let frozen = connection.transaction()?;
    let span = Period::Month.span(at, &TimeZone::UTC);
    let split = Split::of(span.start, span.end);
    let mut found: Vec<LicenseUse> = Vec::new();
    let mut statement = frozen.prepare(
        "SELECT l.value, h.purpose, h.territory, h.currency, sum(h.model_requests), sum(h.attempts), sum(h.input), sum(h.output),
         sum(h.posted + h.held) FROM spend_hours h, json_each(h.licenses) l WHERE h.hour >= ?1 AND h.hour < ?2
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    )?;
    let mut rows = statement.query([&split.from, &split.to])?;
    while let Some(row) = rows.next()? {
        let license: String = row.get(0)?;
        if found.last().is_none_or(|last| last.license != license) {
            found.push(LicenseUse {
                license,
                ..LicenseUse::default()
            });
        }
        let Some(one) = found.last_mut() else { continue };
        note(&mut one.uses, row.get(1)?);
        note(&mut one.territories, row.get(2)?);
        one.requests += row.get::<_, i64>(4)?;
        one.attempts += row.get::<_, i64>(5)?;
        one.input += row.get::<_, i64>(6)?;
        one.output += row.get::<_, i64>(7)?;
        let (currency, amount): (String, i64) = (row.get(3)?, row.get(8)?);
        match one.spent.iter_mut().find(|(known, _)| *known == currency) {
            Some((_, sum)) => *sum = sum.plus(Money::from_nanos(amount)),
            None => one.spent.push((currency, Money::from_nanos(amount))),
        }
    }
    for one in &mut found {
        one.users = count(&frozen, &one.license, &month(at))?;
        one.unnamed = unnamed(&frozen, &one.license, (&split.since, &split.until))?;
    }
    Ok((found, policy(&frozen, span.end)?))
}

fn note(words: &mut Vec<String>, word: String) {
    if !word.is_empty() && !words.contains(&word) {
        words.push(word);
        words.sort_unstable();
    }
}

fn count(connection: &Connection, license: &str, month: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT count(*) FROM license_users WHERE license = ?1 AND month = ?2")?
        .query_row([license, month], |row| row.get(0))
}

fn unnamed(connection: &Connection, license: &str, span: (&str, &str)) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum(iif(outcome = 'folded', folded, 1)), 0) FROM attempts a WHERE a.at >= ?2 AND a.at < ?3 AND a.named_user = 0 AND a.firsts > 0
             AND EXISTS (SELECT 1 FROM json_each(a.licenses) l WHERE l.value = ?1)",
        )?
        .query_row([license, span.0, span.1], |row| row.get(0))
}

pub(super) fn policy(connection: &Connection, until: Timestamp) -> rusqlite::Result<Option<RecordedPolicy>> {
    use rusqlite::OptionalExtension as _;
    connection
        .prepare("SELECT hash, origin, text FROM policies WHERE since < ?1 ORDER BY id DESC LIMIT 1")?
        .query_row([time(until)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

/// `2026-11`.
fn month(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}
