//! What models cost now and cost a while ago, over one mix of tokens: `unit_cost` and `price_change`.
//!
//! Free quotas and commitments are left out: they are nobody's price. A ladder is asked at the place where it stands, for
//! both times: a bracket that is reached is no change of the price. What a model cost before is found in the policy that
//! was in force then.

use super::{Live, Policy};
use crate::money::Money;
use crate::plan::Now;
use crate::policy::condition::Signals;
use crate::policy::condition::signature::Live as Of;
use crate::policy::snapshot::{ModelId, Snapshot};
use crate::price::{Moment, Position, Positions, Price};
use crate::usage::Usage;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// How far back prices are compared.
pub const BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
const MILLION: f64 = 1e6;

/// Prices of an earlier policy, by the models' names, as they counted at an instant.
#[derive(Debug)]
pub struct PastPrices {
    pub at: Timestamp,
    prices: HashMap<Arc<str>, Price>,
}

impl PastPrices {
    pub fn of(snapshot: &Snapshot, at: Timestamp) -> Self {
        let priced = |model: &crate::policy::snapshot::Model| Some((model.name.clone(), model.price.clone()?));
        Self {
            at,
            prices: snapshot.models.iter().filter_map(priced).collect(),
        }
    }
}

impl Live {
    pub(super) fn freeze_models(&self, policy: &Policy, now: Now, signals: &mut Signals) {
        let past = self.past_prices.load();
        for (id, model) in policy.snapshot.models.iter().enumerate() {
            let Some(price) = &model.price else { continue };
            let usage = usual(policy, ModelId(id), now);
            let ladder = self.counters.lock().positions(price, now.wall).ladder;
            let cost = cost(price, &usage, now.wall, ladder);
            let tokens = usage.tokens().max(1) as f64;
            signals.set(
                Of::ModelUnitCost,
                model.name.clone(),
                cost.as_number() / tokens * MILLION,
            );
            let before = match past.as_deref() {
                Some(past) => {
                    let known = past.prices.get(&model.name);
                    self::cost(known.unwrap_or(price), &usage, past.at, ladder)
                }
                None => cost,
            };
            if let Some(change) = change(cost, before) {
                signals.set(Of::ModelPriceChange, model.name.clone(), change);
            }
        }
    }
}

fn usual(policy: &Policy, id: ModelId, now: Now) -> Usage {
    let mut usage = policy.mixes.of_model(id);
    let speed = policy.measures.speed(id, now.up);
    usage.time = speed.map(|speed| speed.of(usage.output)).unwrap_or_default();
    usage
}

/// At this place on its ladder.
fn cost(price: &Price, usage: &Usage, at: Timestamp, ladder: Position) -> Money {
    let gone = Position {
        used: u64::MAX,
        ..Position::default()
    };
    let positions = Positions {
        ladder,
        free: gone,
        commitment: gone,
    };
    price.quote(&Moment::plain(at)).at(&positions).cost(usage)
}

/// From nothing to something has no ratio.
fn change(now: Money, before: Money) -> Option<f64> {
    match (now, before) {
        (Money::ZERO, Money::ZERO) => Some(1.0),
        (_, Money::ZERO) => None,
        (now, before) => Some(now.share_of(before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plans;
    use crate::policy::condition::{Signal, Value};
    use crate::policy::snapshot::RouteId;
    use crate::policy::{Sources, compile};

    fn snapshot(price: &str) -> Snapshot {
        let text = format!(
            "providers: {{hub: {{vendor: openai, api_key: env:KEY}}, home: {{vendor: llama.cpp}}}}\n\
             models:\n  big: {{provider: hub, supply: competitor, price: {price}}}\n  tiny: {{provider: home, supply: local}}\n\
             routes: [{{name: chat, try: [big, tiny]}}]\n"
        );
        let sources = Sources::single("policy.yaml", "/".into(), &text);
        compile(&sources, Timestamp::UNIX_EPOCH).unwrap().snapshot
    }

    fn now() -> Now {
        Now {
            wall: "2026-11-23T12:00:00Z".parse().unwrap(),
            up: std::time::Duration::from_secs(10),
        }
    }

    fn read(live: &Live, of: Of, model: &str) -> Option<f64> {
        let signals = live.freeze(&live.policy(), now());
        let name = model.into();
        match signals.get(&Signal { live: of, name })?.value {
            Value::Number(value) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn a_unit_is_a_million_tokens_of_the_routes_mix() {
        let (live, _) = Live::new(
            snapshot("{input: 2 USD/M, output: 10 USD/M}"),
            Plans::default(),
            now().wall,
        );
        assert_eq!(read(&live, Of::ModelUnitCost, "big"), Some(4.0), "three in, one out");
        assert_eq!(read(&live, Of::ModelUnitCost, "tiny"), Some(0.0));
        let usage = Usage {
            input: 1_000,
            output: 1_000,
            ..Usage::default()
        };
        live.policy().mixes.answered(RouteId(0), &usage);
        assert_eq!(read(&live, Of::ModelUnitCost, "big"), Some(6.0));
        assert_eq!(read(&live, Of::ModelPriceChange, "big"), Some(1.0));
    }

    #[test]
    fn a_change_is_against_the_policy_of_a_month_ago_over_the_same_mix() {
        let (live, _) = Live::new(
            snapshot("{input: 2 USD/M, output: 10 USD/M}"),
            Plans::default(),
            now().wall,
        );
        let before = snapshot("{input: 1 USD/M, output: 5 USD/M}");
        live.know_past_prices(PastPrices::of(&before, now().wall));
        assert_eq!(read(&live, Of::ModelPriceChange, "big"), Some(2.0));
        assert_eq!(read(&live, Of::ModelPriceChange, "tiny"), Some(1.0), "free as ever");
        live.install(snapshot("{input: 1 USD/M, output: 5 USD/M}"), now());
        assert_eq!(read(&live, Of::ModelPriceChange, "big"), Some(1.0));
    }

    #[test]
    fn prices_over_time_change_by_themselves() {
        let rising = "[{input: 1 USD/M, output: 1 USD/M}, {from: 2026-11-01, input: 3 USD/M, output: 3 USD/M}]";
        let (live, _) = Live::new(snapshot(rising), Plans::default(), now().wall);
        let at = now().wall - BEFORE;
        live.know_past_prices(PastPrices::of(&snapshot(rising), at));
        assert_eq!(read(&live, Of::ModelPriceChange, "big"), Some(3.0));
    }
}
