//! What one attempt will be billed by: the instant at which its money was taken, and its promise to the meters of its
//! model's price. What was promised is taken back when this is dropped, whatever became of the attempt.

use super::Gateway;
use super::prepare::Prepared;
use crate::decide::Candidate;
use crate::live::Policy;
use crate::money::Money;
use crate::policy::snapshot::{Model, ModelId};
use crate::price::{Bill, Counted, Moment, Price, Promise};
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
    /// Where the machine's shared time stood, where that is billed.
    began: Option<Duration>,
}

/// How an attempt's usage was billed.
pub struct Billed {
    pub bill: Option<Bill>,
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
            counted: Counted::default(),
        };
        let Some(price) = policy.snapshot.model(self.model).price.as_ref() else {
            return billed;
        };
        usage.thinking |= matches!(needs.thinking, Thinking::On | Thinking::Budget(_));
        if usage.web_searches.is_none() && needs.extras.searches > 0 {
            usage.web_searches = Some(1);
        }
        let moment = Moment::of(needs, self.at, Duration::ZERO);
        let quote = price.quote(&moment);
        let Some(promise) = self.promised else {
            usage.time = now.saturating_sub(sent_at);
            billed.bill = Some(quote.bill(usage));
            return billed;
        };
        let mut counters = gateway.live.counters.lock();
        usage.time = match self.began.take() {
            Some(began) => counters.finish(&policy.snapshot.model(self.model).name, began, now),
            None => now.saturating_sub(sent_at),
        };
        let positions = counters.positions_of(promise, price, self.at);
        let quote = quote.at(&positions);
        let bill = quote.bill(usage);
        if posted {
            billed.counted = counters.draw(price, self.at, bill.drawn, &quote.at_each_step(usage));
        }
        billed.bill = Some(bill);
        billed
    }

    /// What an answer of the usual length costs, where nobody tells what this one did; at most what was reserved.
    pub fn estimate(&self, needs: &Requirements, output: Option<u64>) -> Money {
        let Some(price) = self.model().price.as_ref() else {
            return self.worst;
        };
        let quote = price.quote(&Moment::of(needs, self.at, Duration::ZERO));
        let output = output.map_or(self.output, |output| output.min(self.output));
        quote.expected(self.input, output).min(self.worst)
    }

    /// Nobody knows what a held attempt drew of a free quota: the most that it may have.
    pub fn draw_unknown(&mut self, needs: &Requirements) -> Counted {
        let policy = self.policy.clone();
        let price = policy.snapshot.model(self.model).price.as_ref();
        let (Some(price), Some(promise)) = (price, self.promised) else {
            return Counted::default();
        };
        let most = Usage {
            input: self.input,
            output: self.output,
            ..Usage::default()
        };
        let mut counters = self.gateway.live.counters.lock();
        let positions = counters.positions_of(promise, price, self.at);
        let moment = Moment::of(needs, self.at, Duration::ZERO);
        let drawn = price.quote(&moment).at(&positions).bill(&most).drawn.of_quota();
        counters.draw(price, self.at, drawn, &[])
    }

    fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn model(&self) -> &Model {
        self.policy.snapshot.model(self.model)
    }

    fn promise(&self) -> Option<(&Price, Promise)> {
        self.model().price.as_ref().zip(self.promised)
    }
}

impl Drop for Tariff {
    fn drop(&mut self) {
        let Some((price, promise)) = self.promise() else { return };
        let mut counters = self.gateway.live.counters.lock();
        counters.release(price, self.at, promise);
        if let Some(began) = self.began {
            counters.finish(&self.model().name, began, self.gateway.clock.uptime());
        }
    }
}
