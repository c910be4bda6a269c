//! Once a second: periods roll, providers are judged, plans come and go, budgets tell what they crossed.

use super::announce::Announcer;
use super::telling::Teller;
use super::{books, forecasts, meters, past, plans, providers, ratios, refusals, soundness, terms};
use crate::alert::{AlertEvent, EventKind};
use crate::budget::{Crossing, Holding, Notice};
use crate::gateway::Gateway;
use crate::ledger::record::Record;
use crate::money::Currency;
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// The share of a limit that may be held before somebody should look.
const HELD_ALARM: f64 = 0.05;
const EACH: Duration = Duration::from_secs(1);

pub struct Ticker {
    pub gateway: Arc<Gateway>,
    pub announcer: Arc<Announcer>,
    /// A plan was overridden by hand: act at once.
    pub overridden: Arc<Notify>,
    /// In a fleet.
    pub teller: Option<Teller>,
    pub told: terms::Told,
    pub sound: soundness::Told,
    pub foretold: forecasts::Told,
    pub ratios: ratios::Kept,
    /// Budgets whose held share was told.
    pub held: Mutex<Vec<Arc<str>>>,
}

impl Ticker {
    pub async fn run(self, stop: CancellationToken) {
        let mut each = tokio::time::interval(EACH);
        each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut servers = self.gateway.locals.changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = each.tick() => {}
                () = self.overridden.notified() => {}
                Ok(()) = servers.changed() => {}
            }
            self.tick().await;
        }
    }

    async fn tick(&self) {
        let gateway = &self.gateway;
        let now = gateway.clock.now();
        let (returns, rebuilds) = {
            let mut books = gateway.live.books.lock();
            // What is given back and still looked at is asked for again at once.
            (books.returns(), books.roll(now))
        };
        gateway.live.counters.lock().tidy(now);
        for pool in returns {
            self.record(Record::Return(pool)).await;
        }
        books::rebuild(gateway, rebuilds).await;
        past::find(gateway);
        past::learn(gateway);
        gateway.live.counters.lock().tidy(now);
        meters::follow(gateway);
        let policy = gateway.live.policy();
        for event in providers::refresh(gateway, &policy) {
            self.announcer.announce(event).await;
        }
        let signals = plans::turn(gateway, &self.announcer).await;
        plans::keep_warm(gateway, &signals);
        terms::tell(gateway, &self.announcer, &self.told).await;
        soundness::tell(gateway, &self.announcer, &self.sound).await;
        forecasts::tell(gateway, &self.announcer, &self.foretold).await;
        ratios::keep_each_minute(gateway, &self.ratios).await;
        let notices = gateway.live.books.lock().take_notices();
        for notice in &notices {
            self.tell_budget(notice).await;
        }
        self.tell_holdings().await;
        super::signals::measure(gateway, &signals);
        let refused = gateway.live.refusals.lock().take(gateway.clock.uptime());
        refusals::tell(&gateway.ledger, refused).await;
    }

    /// Once a period, and again in the log each time that the held share of a budget comes to the alarm.
    async fn tell_holdings(&self) {
        let holdings = self.gateway.live.books.lock().holdings();
        for holding in holdings {
            let Holding {
                budget,
                share,
                keys,
                most,
            } = holding;
            self.gateway.metrics.set_budget_holdings(&budget, share, keys);
            let is_new = {
                let mut told = self.held.lock();
                let known = told.contains(&budget);
                if share < HELD_ALARM {
                    told.retain(|known| *known != budget);
                } else if !known {
                    told.push(budget);
                }
                share >= HELD_ALARM && !known
            };
            if let Some(most) = most.filter(|_| is_new) {
                self.tell_budget(&most).await;
            }
        }
    }

    async fn tell_budget(&self, notice: &Notice) {
        if notice.crossing == Crossing::Exhausted {
            // Exhausted stays so to the period's end, over a restart too.
            let (pool, key) = (notice.pool.clone(), notice.key.clone());
            self.record(Record::Exhausted {
                pool,
                key,
                at: notice.at,
                limit: notice.limit,
            })
            .await;
        }
        let event = budget_event(notice, self.gateway.live.policy().snapshot.currency);
        // One of a fleet tells it, and the others hear at once how the budget stands.
        let alone = match &self.teller {
            Some(teller) => {
                self.gateway.share_ahead.notify_one();
                teller.tell(event).err()
            }
            None => Some(event),
        };
        if let Some(event) = alone {
            self.announcer.announce(event).await;
        }
    }

    async fn record(&self, record: Record) {
        if let Err(error) = self.gateway.ledger.send(record).await {
            tracing::error!(%error, "the ledger could not keep a record of the books");
        }
    }
}

fn budget_event(notice: &Notice, currency: Currency) -> AlertEvent {
    let (kind, threshold, word) = match notice.crossing {
        Crossing::Threshold { basis_points } => {
            (EventKind::BudgetThreshold, Some(basis_points), basis_points.to_string())
        }
        Crossing::Exhausted => (EventKind::BudgetExhausted, None, "exhausted".to_owned()),
        Crossing::Overdraft => (EventKind::BudgetOverdraft, None, "overdraft".to_owned()),
        Crossing::Held => (EventKind::BudgetHeld, None, "held".to_owned()),
        // Of the budget: which key came last is no matter.
        Crossing::KeysFull => (EventKind::BudgetKeysFull, None, "keys_full".to_owned()),
    };
    let pool = &notice.pool;
    let key = if notice.crossing == Crossing::KeysFull {
        ""
    } else {
        &*notice.key
    };
    let spent = notice.posted.plus(notice.held);
    let data = json!({
        "budget": &*pool.budget,
        "key": (!key.is_empty()).then_some(key),
        "period_start": pool.span.start.to_string(),
        "period_end": pool.span.end.to_string(),
        "threshold": threshold.map(|basis_points| f64::from(basis_points) / 10_000.0),
        "used": spent.share_of(notice.limit),
        "limit": notice.limit.to_string(),
        "posted": notice.posted.to_string(),
        "held": notice.held.to_string(),
        "held_share": notice.held.share_of(notice.limit),
        "overdraft": notice.overdraft.to_string(),
        "currency": currency.code(),
    });
    // What was paid in later is another limit, and is used up anew.
    let of = if pool.span.is_endless() {
        notice.limit.to_string()
    } else {
        String::new()
    };
    let dedupe = format!(
        "{}\u{1f}{}\u{1f}{}\u{1f}{}{of}\u{1f}{word}",
        pool.budget, key, pool.span.start, pool.span.end
    );
    AlertEvent {
        kind,
        at: notice.at,
        dedupe: Some(dedupe),
        data,
    }
}
