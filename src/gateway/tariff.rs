//! What one attempt will be billed by: the instant at which its money was taken, and its promise to the meters of its
//! model's price. What was promised is taken back when this is dropped, whatever became of the attempt.

use super::Gateway;
use super::prepare::Prepared;
use crate::decide::Candidate;
use crate::live::Policy;
use crate::money::Money;
use crate::policy::snapshot::{Model, ModelId};
use crate::price::{Bill, Counted, Line, MeterChange, Moment, Price, Promise};
use crate::request::{Requirements, Thinking};
use crate::uptime::Uptime;
use crate::usage::Usage;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub struct Tariff {
    gateway: Arc<Gateway>,
    policy: Arc<Policy>,
    model: ModelId,
    /// The instant for which its price is asked, to the end.
    at: Timestamp,
    /// The dearest that it may meet from here on.
    pub worst: Money,
    /// The most tokens that it may count.
    input: u64,
    output: u64,
    promised: Option<Promise>,
    /// How much of its ladder it has used.
    climbed: u64,
    /// Where the machine's shared time stood, where that is billed.
    began: Option<Duration>,
}

/// How an attempt's usage was billed.
pub struct Billed {
    pub bill: Option<Bill>,
    /// Its tokens by rate where a ladder gave them several.
    pub lines: Vec<Line>,
    pub counted: Counted,
}

impl Tariff {
    pub fn take(gateway: &Arc<Gateway>, prepared: &Prepared, candidate: &Candidate) -> Self {
        let mut tariff = Self {
            gateway: gateway.clone(),
            policy: prepared.policy.clone(),
            model: candidate.id,
            at: gateway.clock.now(),
            worst: candidate.worst,
            input: prepared.needs_of(candidate.id).input,
            output: candidate.billable,
            promised: None,
            climbed: 0,
            began: None,
        };
        let Some(price) = prepared.policy.snapshot.model(candidate.id).price.as_ref() else {
            return tariff;
        };
        let patience = prepared
            .question(tariff.at)
            .patience_with(&prepared.policy.snapshot, candidate.id);
        let quote = price.quote(&Moment::of(prepared.needs_of(candidate.id), tariff.at, patience));
        let timed = price
            .compute(tariff.at)
            .is_some_and(|compute| compute.concurrency.is_none());
        if !price.is_metered(tariff.at) && !timed {
            tariff.worst = quote.worst(tariff.input, tariff.output);
            return tariff;
        }
        let mut counters = gateway.live.counters.lock();
        let positions = counters.positions(price, tariff.at);
        tariff.worst = quote.at(&positions).worst(tariff.input, tariff.output);
        tariff.promised = Some(counters.promise(price, tariff.at, tariff.tokens()));
        if timed {
            tariff.began = Some(counters.begin(&tariff.model().name, gateway.clock.uptime()));
        }
        drop(counters);
        tariff
    }

    /// A ladder, a free quota or a commitment counts it.
    pub fn is_metered(&self) -> bool {
        self.model()
            .price
            .as_ref()
            .is_some_and(|price| price.is_metered(self.at))
    }

    /// The bill of a usage, and what it counts, at where the meters stand now. Once.
    pub fn bill(&mut self, usage: &mut Usage, needs: &Requirements, sent_at: Uptime, posted: bool) -> Billed {
        let (gateway, policy) = (self.gateway.clone(), self.policy.clone());
        let now = gateway.clock.uptime();
        let mut billed = Billed {
            bill: None,
            lines: Vec::new(),
            counted: Counted::default(),
        };
        let Some(price) = policy.snapshot.model(self.model).price.as_ref() else {
            return billed;
        };
        usage.thinking |= matches!(needs.thinking, Thinking::On | Thinking::Budget(_));
        usage.tier = usage.tier.or(needs.extras.tier);
        if usage.web_searches.is_none() && needs.extras.searches > 0 {
            usage.web_searches = Some(1);
        }
        let moment = Moment::of(needs, self.at, Duration::ZERO);
        let quote = price.quote(&moment);
        let taken = now.saturating_sub(sent_at);
        match &mut self.promised {
            None => {
                usage.time = whole_milliseconds(taken);
                billed.bill = Some(quote.bill(usage));
            }
            Some(promise) => {
                let mut counters = gateway.live.counters.lock();
                let name = &policy.snapshot.model(self.model).name;
                let shared = self.began.take().map(|began| counters.finish(name, began, now));
                usage.time = whole_milliseconds(shared.unwrap_or(taken));
                counters.reach(promise, usage.tokens(), price, self.at);
                let positions = counters.positions_of(promise, usage.tokens(), price, self.at);
                let quote = quote.at(&positions).over(promise);
                let bill = quote.bill(usage);
                if posted {
                    let billed_at = positions.ladder.used.saturating_add(bill.drawn.ladder);
                    let steps = quote.at_each_step(usage);
                    billed.counted = counters.settle(price, self.at, bill.drawn, &steps, Some(billed_at));
                    self.climbed = bill.drawn.ladder;
                }
                (billed.bill, billed.lines) = (Some(bill), quote.lines(usage));
            }
        }
        if posted {
            billed.counted.changes.extend(self.follow(price, &moment, usage));
        }
        billed
    }

    /// What an answer of the usual length costs, where nobody tells what this one did; at most what was reserved.
    pub fn estimate(&self, needs: &Requirements, output: Option<u64>) -> Money {
        let Some(price) = self.model().price.as_ref() else {
            return self.worst;
        };
        let positions = self.gateway.live.counters.lock().positions(price, self.at);
        let quote = price.quote(&Moment::of(needs, self.at, Duration::ZERO)).at(&positions);
        let output = output.map_or(self.output, |output| output.min(self.output));
        // As an answer is posted: also what is paid anyway counts in budgets.
        quote.cost(&quote.expected_usage(self.input, output)).min(self.worst)
    }

    /// Where another policy is in force by now, its meters count this attempt too: what they had before is found in the
    /// attempts that were recorded before it.
    fn follow(&self, own: &Price, moment: &Moment<'_>, usage: &Usage) -> Vec<MeterChange> {
        let policy = self.gateway.live.policy();
        if Arc::ptr_eq(&policy.snapshot, &self.policy.snapshot) {
            return Vec::new();
        }
        let id = policy.snapshot.model_named(&self.model().name);
        let Some(price) = id.and_then(|id| policy.snapshot.model(id).price.as_ref()) else {
            return Vec::new();
        };
        let mut counters = self.gateway.live.counters.lock();
        counters.follow(price.quote(moment), own, price, usage)
    }

    /// Nobody knows what a held attempt drew of a free quota: the most that it may have.
    pub fn draw_unknown(&mut self, needs: &Requirements) -> Counted {
        let policy = self.policy.clone();
        let price = policy.snapshot.model(self.model).price.as_ref();
        let (Some(price), Some(promise)) = (price, &self.promised) else {
            return Counted::default();
        };
        let most = Usage {
            input: self.input,
            output: self.output,
            ..Usage::default()
        };
        let mut counters = self.gateway.live.counters.lock();
        let positions = counters.positions_of(promise, most.tokens(), price, self.at);
        let moment = Moment::of(needs, self.at, Duration::ZERO);
        let drawn = price.quote(&moment).at(&positions).bill(&most).drawn.of_quota();
        counters.settle(price, self.at, drawn, &[], None)
    }

    fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn model(&self) -> &Model {
        self.policy.snapshot.model(self.model)
    }

    fn promise(&self) -> Option<(&Price, &Promise)> {
        self.model().price.as_ref().zip(self.promised.as_ref())
    }
}

impl Drop for Tariff {
    fn drop(&mut self) {
        let Some((price, promise)) = self.promise() else { return };
        let mut counters = self.gateway.live.counters.lock();
        counters.release(price, self.at, promise, self.climbed);
        if let Some(began) = self.began {
            counters.finish(&self.model().name, began, self.gateway.clock.uptime());
        }
    }
}

/// As it is recorded.
fn whole_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
