//! What people and the daemon's other parts read back: decisions, the outbox. Over connections of their own, off the
//! async threads, never through the writer's.

use super::connection::open;
use super::error::LedgerError;
use super::handle::Ledger;
use super::record::RaiseRecord;
use super::text::{read_names, read_time, time};
use crate::decide::explain::Explanation;
use crate::money::{Currency, Money};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which decisions. Newest first.
#[derive(Clone, Debug, Default)]
pub struct DecisionQuery {
    pub limit: u32,
    pub since: Option<Timestamp>,
    /// Chosen or attempted.
    pub model: Option<String>,
    pub route: Option<String>,
}

#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct DecisionView {
    pub id: String,
    /// The decision of the request that an SDK sent again.
    pub retry_of: Option<String>,
    pub at: String,
    pub route: String,
    pub dialect: String,
    pub stream: bool,
    pub plans: Vec<String>,
    pub chosen: Option<String>,
    pub attempts: Vec<AttemptView>,
    pub excluded: serde_json::Value,
    /// Of one decision by itself; nothing where it was recorded before explanations were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<serde_json::Value>,
    pub client: String,
    pub tags: serde_json::Value,
    /// Estimated input tokens.
    pub input: i64,
    pub cost: String,
    pub currency: String,
    pub outcome: String,
    pub status: i64,
    pub policy: String,
}

#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct AttemptView {
    pub number: i64,
    pub at: String,
    pub model: String,
    pub provider: String,
    pub supply: String,
    /// Which of the provider's keys, by its name in the policy.
    pub key: Option<String>,
    /// The budget that paid for it, where it was a mirror's shadow call; then its number is 0.
    pub mirror: Option<String>,
    /// How its reservation ended: `posted`, `voided` or `held`.
    pub end: String,
    pub outcome: String,
    pub class: Option<String>,
    pub status: Option<i64>,
    pub cost: String,
    pub currency: String,
    pub estimated: bool,
    pub usage: UsageView,
    /// `None` where nothing was billed.
    pub billed: Option<BilledView>,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
}

#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct UsageView {
    pub input: i64,
    pub cache_read: i64,
    pub cache_read_explicit: i64,
    pub cache_write: i64,
    pub cache_write_1h: i64,
    pub cache_write_12h: i64,
    pub input_audio: i64,
    pub input_image: i64,
    pub output: i64,
    pub reasoning: i64,
    pub output_audio: i64,
    pub thinking: bool,
    pub web_searches: i64,
    pub web_fetches: i64,
    pub tool_calls: i64,
    pub service_tier: Option<String>,
    pub machine_ms: i64,
}

/// The bill in the price's own currency.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct BilledView {
    pub amount: String,
    pub currency: String,
    /// What one unit of it was worth in the policy's, as a fraction.
    pub exchange: String,
    /// The list rates that counted, of the kinds that cost something.
    pub rates: Vec<RateView>,
    /// From when the price counts that counted; `None` for the first.
    pub from: Option<String>,
    pub free_tokens: i64,
    /// The part of `amount` that a commitment had paid for.
    pub prepaid: String,
}

#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct RateView {
    pub kind: String,
    pub per_million: String,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub event: Arc<str>,
    pub kind: String,
    pub at: Timestamp,
    pub body: String,
    pub target: Arc<str>,
    /// Tries so far.
    pub tries: u32,
}

impl Ledger {
    pub async fn decisions(&self, query: DecisionQuery) -> Result<Vec<DecisionView>, LedgerError> {
        self.read(move |connection| decisions(connection, &query)).await
    }

    pub async fn decision(&self, id: String) -> Result<Option<DecisionView>, LedgerError> {
        self.read(move |connection| decision(connection, &id)).await
    }

    /// Deliveries whose time has come, oldest first. None while the ledger is degraded: what has been delivered could
    /// not be told from what has not, and would be delivered again and again.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Due>, LedgerError> {
        self.settled().await?;
        self.read(move |connection| due(connection, now, limit)).await
    }

    /// When the next delivery is due, for whoever sleeps until then.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        self.read(|connection| {
            let sql = "SELECT min(next_at) FROM deliveries WHERE state = 'pending'";
            let next: Option<String> = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(next.as_deref().and_then(read_time))
        })
        .await
    }

    /// Raises by hand that have not ended, oldest first.
    pub async fn raises(&self, now: Timestamp) -> Result<Vec<RaiseRecord>, LedgerError> {
        self.read(move |connection| raises(connection, now)).await
    }

    /// Sees all that was sent before, unless the ledger is degraded: then what was written.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        match self.settled().await {
            Ok(()) | Err(LedgerError::Degraded(_)) => {}
            Err(closed) => return Err(closed),
        }
        let path = self.shared.path.clone();
        let task = tokio::task::spawn_blocking(move || Ok(read(&open(&path)?)?));
        task.await.map_err(|_| LedgerError::Closed)?
    }
}

fn decisions(connection: &Connection, query: &DecisionQuery) -> rusqlite::Result<Vec<DecisionView>> {
    let mut statement = connection.prepare(
        "SELECT * FROM decisions d WHERE (?2 IS NULL OR at >= ?2) AND (?3 IS NULL OR route = ?3)
         AND (?4 IS NULL OR chosen = ?4 OR EXISTS (SELECT 1 FROM attempts a WHERE a.decision = d.id AND +a.model = ?4))
         ORDER BY at DESC, id DESC LIMIT ?1",
    )?;
    let params = params![query.limit, query.since.map(time), query.route, query.model];
    let found: Vec<DecisionView> = statement.query_map(params, view)?.collect::<rusqlite::Result<_>>()?;
    found
        .into_iter()
        .map(|decision| with_attempts(connection, decision))
        .collect()
}

pub(super) fn decision(connection: &Connection, id: &str) -> rusqlite::Result<Option<DecisionView>> {
    let found = connection
        .query_row("SELECT * FROM decisions WHERE id = ?1", [id], explained)
        .optional()?;
    found.map(|decision| with_attempts(connection, decision)).transpose()
}

fn explained(row: &Row<'_>) -> rusqlite::Result<DecisionView> {
    let kept = Explanation::read_back(row.get_ref("explanation")?.as_str()?);
    Ok(DecisionView {
        explanation: kept.map(|explanation| explanation.json()),
        ..view(row)?
    })
}

fn view(row: &Row<'_>) -> rusqlite::Result<DecisionView> {
    let json = |column| -> rusqlite::Result<serde_json::Value> {
        Ok(serde_json::from_str(row.get_ref(column)?.as_str()?).unwrap_or_default())
    };
    Ok(DecisionView {
        id: row.get("id")?,
        retry_of: Some(row.get::<_, String>("retry_of")?).filter(|of| !of.is_empty()),
        at: row.get("at")?,
        route: row.get("route")?,
        dialect: row.get("dialect")?,
        stream: row.get("stream")?,
        plans: read_names(row.get_ref("plans")?.as_str()?),
        chosen: row.get("chosen")?,
        attempts: Vec::new(),
        excluded: json("excluded")?,
        explanation: None,
        client: row.get("client")?,
        tags: json("tags")?,
        input: row.get("input")?,
        cost: Money::from_nanos(row.get("cost")?).to_string(),
        currency: row.get("currency")?,
        outcome: row.get("outcome")?,
        status: row.get("status")?,
        policy: row.get("policy")?,
    })
}

fn with_attempts(connection: &Connection, mut decision: DecisionView) -> rusqlite::Result<DecisionView> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM attempts WHERE decision = ?1 ORDER BY mirror <> '', number, id")?;
    decision.attempts = statement
        .query_map([&decision.id], attempt)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(decision)
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptView> {
    let class: String = row.get("class")?;
    let status: i64 = row.get("status")?;
    let (key, mirror): (String, String) = (row.get("key")?, row.get("mirror")?);
    Ok(AttemptView {
        number: row.get("number")?,
        at: row.get("at")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        supply: row.get("supply")?,
        key: (!key.is_empty()).then_some(key),
        mirror: (!mirror.is_empty()).then_some(mirror),
        end: row.get("ended")?,
        outcome: row.get("outcome")?,
        class: (!class.is_empty()).then_some(class),
        status: (status != 0).then_some(status),
        cost: Money::from_nanos(row.get("amount")?).to_string(),
        currency: row.get("currency")?,
        estimated: row.get("estimated")?,
        usage: usage(row)?,
        billed: billed(row)?,
        first_token_ms: row.get("first_token_ms")?,
        total_ms: row.get("total_ms")?,
    })
}

fn usage(row: &Row<'_>) -> rusqlite::Result<UsageView> {
    let tier: String = row.get("service_tier")?;
    Ok(UsageView {
        input: row.get("input")?,
        cache_read: row.get("cache_read")?,
        cache_read_explicit: row.get("cache_read_explicit")?,
        cache_write: row.get("cache_write")?,
        cache_write_1h: row.get("cache_write_1h")?,
        cache_write_12h: row.get("cache_write_12h")?,
        input_audio: row.get("input_audio")?,
        input_image: row.get("input_image")?,
        output: row.get("output")?,
        reasoning: row.get("reasoning")?,
        output_audio: row.get("output_audio")?,
        thinking: row.get("thinking")?,
        web_searches: row.get("web_searches")?,
        web_fetches: row.get("web_fetches")?,
        tool_calls: row.get("tool_calls")?,
        service_tier: (!tier.is_empty()).then_some(tier),
        machine_ms: row.get("machine_ms")?,
    })
}

fn billed(row: &Row<'_>) -> rusqlite::Result<Option<BilledView>> {
    let amount: Option<i64> = row.get("billed")?;
    let Some(amount) = amount.filter(|_| row.get_ref("ended").is_ok_and(|end| end.as_str() == Ok("posted"))) else {
        return Ok(None);
    };
    let from: String = row.get("price_from")?;
    let rates: BTreeMap<String, i64> = serde_json::from_str(row.get_ref("rates")?.as_str()?).unwrap_or_default();
    let decimal = |nanos| Money::from_nanos(nanos).to_string();
    Ok(Some(BilledView {
        amount: decimal(amount),
        currency: row.get("billed_currency")?,
        exchange: row.get("exchange")?,
        rates: rates
            .into_iter()
            .map(|(kind, rate)| RateView {
                kind,
                per_million: decimal(rate),
            })
            .collect(),
        from: (!from.is_empty()).then_some(from),
        free_tokens: row.get("free_tokens")?,
        prepaid: decimal(row.get("prepaid")?),
    }))
}

fn due(connection: &Connection, now: Timestamp, limit: u32) -> rusqlite::Result<Vec<Due>> {
    let mut statement = connection.prepare(
        "SELECT o.id, o.type, o.at, o.body, d.target, d.tries FROM deliveries d JOIN outbox o ON o.id = d.event
         WHERE d.state = 'pending' AND d.next_at <= ?1 ORDER BY d.next_at, o.at, o.id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![time(now), limit], |row| {
        let at: String = row.get("at")?;
        Ok(Due {
            event: row.get("id")?,
            kind: row.get("type")?,
            at: read_time(&at).unwrap_or(now),
            body: row.get("body")?,
            target: row.get("target")?,
            tries: row.get("tries")?,
        })
    })?;
    rows.collect()
}

fn raises(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<RaiseRecord>> {
    let mut statement = connection.prepare(
        "SELECT * FROM raises r WHERE amount IS NOT NULL AND until > ?1 AND NOT EXISTS
         (SELECT 1 FROM raises e WHERE e.budget = r.budget AND e.id > r.id AND e.amount IS NULL) ORDER BY id",
    )?;
    let rows = statement.query_map([time(now)], |row| {
        let at = |column| -> rusqlite::Result<Timestamp> {
            let text: String = row.get(column)?;
            Ok(read_time(&text).unwrap_or(Timestamp::UNIX_EPOCH))
        };
        let currency: String = row.get("currency")?;
        Ok(RaiseRecord {
            budget: row.get("budget")?,
            at: at("at")?,
            by: row.get::<_, Option<i64>>("amount")?.map(Money::from_nanos),
            currency: Currency::parse(&currency).unwrap_or(Currency::USD),
            until: at("until")?,
        })
    })?;
    rows.collect()
}
