//! What the books tell plans of a budget: used, left, exhausted, burned an hour, and what the period would cost without
//! plans; with what must be found of the time before they were opened.

use super::books::Books;
use super::charge::{Charges, Slot, covers, key_of};
use super::forecast::{Outlook, Pace};
use super::pool::{Past, Pool};
use crate::money::Money;
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::Each;
use crate::request::Caller;
use jiff::Timestamp;
use std::sync::Arc;

/// Pools whose past must be read from the records: what was decided and spent before `before`, when they began to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRequest {
    pub lives: Vec<u64>,
    pub since: Timestamp,
    pub before: Timestamp,
}

/// What the records tell.
#[derive(Clone, Debug, Default)]
pub struct PastFound {
    /// Since when anything was recorded at all.
    pub first: Option<Timestamp>,
    pub decided: Vec<PastDecisions>,
    pub spent: Vec<PastSpend>,
}

/// Requests of one caller whose first choice without plans was one model.
#[derive(Clone, Debug)]
pub struct PastDecisions {
    pub model: Arc<str>,
    pub caller: Caller,
    pub requests: u64,
    pub cost: Money,
}

/// What one caller spent on one model within five minutes.
#[derive(Clone, Debug)]
pub struct PastSpend {
    pub at: Timestamp,
    pub model: ModelFacts,
    pub caller: Caller,
    pub amount: Money,
}

impl Books {
    /// A request came whose first choice without plans would have charged these accounts so much. Called once a request.
    pub fn plan_free(&mut self, charges: &Charges, cost: Money) {
        for charge in charges.iter() {
            let Some(pool) = self.pools.get_mut(&charge.pool) else {
                continue;
            };
            let account = match &charge.slot {
                Slot::Known(account) => *account,
                Slot::New(key) => pool.find_or_insert(key),
            };
            pool.count(account, 1, cost);
        }
    }

    /// What plans read of a budget; `None` where there is no such budget.
    pub fn outlook(&self, budget: &str) -> Option<Outlook> {
        let rule = self.rules.iter().find(|rule| rule.budget.name.as_ref() == budget)?;
        let Some(pool) = self.present_pool(&rule.pools) else {
            return Some(Outlook {
                stale: true,
                forecast_stale: true,
                ..rule.last
            });
        };
        let limit = rule.budget.limit;
        let forecast = match pool.past {
            _ if !rule.budget.has_periods() => None,
            Past::Known => self.forecast_of(pool, limit),
            Past::Unasked | Past::Asked => rule.last.forecast,
        };
        let forecast_stale = pool.past != Past::Known && rule.budget.has_periods();
        if !self.is_known(rule, pool) {
            return Some(Outlook {
                forecast,
                forecast_stale,
                stale: true,
                ..rule.last
            });
        }
        let nobody = self.room_of(rule, pool, &Slot::New(Arc::from("")));
        let (mut used, mut left) = (0.0_f64, nobody.remaining());
        if pool.accounts.is_empty() {
            used = nobody.taken().share_of(nobody.limit);
        }
        for account in 0..pool.accounts.len() {
            let room = self.room(rule, pool, account);
            used = used.max(room.taken().share_of(room.limit));
            left = left.min(room.remaining());
        }
        let burn = pool.accounts.iter().map(|account| account.burn.hour(self.now)).max();
        Some(Outlook {
            used,
            remaining: left.max(Money::ZERO),
            exhausted: pool.accounts.iter().any(|account| account.exhausted_at.is_some()),
            burn: burn.unwrap_or_default(),
            forecast,
            stale: false,
            forecast_stale,
        })
    }

    /// What is known now is what plans see when, in a moment, it is not known any more.
    pub(super) fn remember_outlooks(&mut self) {
        for at in 0..self.rules.len() {
            let name = self.rules.get(at).map(|rule| rule.budget.name.clone());
            let known = name
                .and_then(|name| self.outlook(&name))
                .filter(|outlook| !outlook.stale);
            if let (Some(known), Some(rule)) = (known, self.rules.get_mut(at)) {
                rule.last = known;
            }
        }
    }

    /// What must be read of the time before pools began to count. Each is asked for once.
    pub fn past_wanted(&mut self) -> Vec<PastRequest> {
        let mut wanted: Vec<PastRequest> = Vec::new();
        for (life, pool) in &mut self.pools {
            if pool.past != Past::Unasked || pool.rule.is_none() {
                continue;
            }
            // Without periods there is nothing to forecast, and only the last hour is asked for.
            let rule = pool.rule.and_then(|rule| self.rules.get(rule));
            let has_periods = rule.is_some_and(|rule| rule.budget.has_periods());
            let since = if has_periods { pool.id.span.start } else { pool.born };
            let before = pool.born;
            pool.past = Past::Asked;
            match wanted
                .iter_mut()
                .find(|known| (known.since, known.before) == (since, before))
            {
                Some(known) => known.lives.push(*life),
                None => wanted.push(PastRequest {
                    lives: vec![*life],
                    since,
                    before,
                }),
            }
        }
        wanted
    }

    /// The records could not be read; they are asked for again.
    pub fn past_failed(&mut self, request: &PastRequest) {
        for life in &request.lives {
            if let Some(pool) = self.pools.get_mut(life) {
                pool.past = Past::Unasked;
            }
        }
    }

    pub fn past_found(&mut self, request: &PastRequest, found: &PastFound) {
        let first = found.first.unwrap_or(request.before);
        self.counting_since = Some(self.counting_since.map_or(first, |known| known.min(first)));
        for life in &request.lives {
            let Some(pool) = self.pools.get_mut(life) else { continue };
            let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
                continue;
            };
            let budget = &rule.budget;
            // Runs are over when a daemon has come anew, and no record tells one sum of another.
            let runs = budget.each == Some(Each::Run);
            for past in found.decided.iter().filter(|_| !runs) {
                let known = self.selectors.models().iter().find(|model| model.name == past.model);
                let gone = || Arc::new(ModelFacts::recorded(past.model.clone(), "", ""));
                let model = known.cloned().unwrap_or_else(gone);
                if covers(budget, &model, &past.caller) {
                    let key = Arc::from(key_of(budget, &model, &past.caller));
                    let account = pool.find_or_insert(&key);
                    pool.count(account, past.requests, past.cost);
                }
            }
            for past in found.spent.iter().filter(|_| !runs) {
                let model = self.selectors.complete(past.model.clone());
                if covers(budget, &model, &past.caller) {
                    let key = Arc::from(key_of(budget, &model, &past.caller));
                    let account = pool.find_or_insert(&key);
                    if let Some(account) = pool.accounts.get_mut(account) {
                        account.burn.add(past.at, past.amount);
                    }
                }
            }
            pool.past = Past::Known;
        }
    }

    /// One account's share of its limit that the period would cost without plans.
    pub(super) fn forecast(&self, pool: &Pool, so_far: Money, limit: Money) -> Option<f64> {
        let pace = Pace {
            span: pool.id.span,
            since: self.counted_since(pool),
            now: self.now,
            requests: pool.requests,
        };
        (pool.past == Past::Known).then(|| pace.whole(so_far).map(|whole| whole.share_of(limit)))?
    }

    fn forecast_of(&self, pool: &Pool, limit: Money) -> Option<f64> {
        let dearest = pool.accounts.iter().map(|account| account.plan_free()).max();
        self.forecast(pool, dearest.unwrap_or_default(), limit)
    }

    /// By this daemon, or by the first of its fleet.
    fn counted_since(&self, pool: &Pool) -> Timestamp {
        let own = self.counting_since.unwrap_or(pool.born);
        let fleet = pool
            .accounts
            .iter()
            .filter_map(|account| account.share.counted_since)
            .min();
        fleet.map_or(own, |fleet| fleet.min(own))
    }
}
