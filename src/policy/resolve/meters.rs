//! What counts over time: ladders, free quotas and commitments, and the names of their meters.

use super::Resolver;
use super::prices::Purse;
use super::units::{NO_COMMA, decimal_comma};
use crate::money::Money;
use crate::period::Period;
use crate::policy::read;
use crate::policy::resolve::exchange;
use crate::policy::snapshot::Model;
use crate::policy::source::Word;
use crate::price::{Commitment, FreeQuota, Kinds, LadderKind, LadderSheet, Meter, Price, Unit};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn ladder(&mut self, written: &read::Ladder, model: &str, purse: &mut Purse) -> Option<LadderSheet> {
        let per = self.required(written.per.as_ref(), written.place, "per", "`ladder`");
        let per = per.and_then(|word| self.meter_period(word));
        let units = [("tokens", Unit::Tokens), ("money", Unit::Money)];
        let by = written
            .by
            .as_ref()
            .map_or(Some(Unit::Tokens), |word| self.choose(word, "`by`", &units, &[]));
        let kinds = [("marginal", LadderKind::Marginal), ("whole", LadderKind::Whole)];
        let kind = written.kind.as_ref().map_or(Some(LadderKind::Marginal), |word| {
            self.choose(word, "`kind`", &kinds, &[])
        });
        let unit = by.unwrap_or(Unit::Tokens);
        let steps = self.steps(&written.steps, unit, purse);
        if written.steps.is_empty() {
            let finding = self
                .report
                .error(written.place, "missing-key", "`ladder` needs `steps`");
            finding.help("write `steps: [{above: 100M, input: … USD/M, output: … USD/M}]`");
        }
        Some(LadderSheet {
            meter: {
                let mut meter = self.meter(("ladder", model, written.shared.as_ref()), unit, Some(per?), purse);
                if kind? == LadderKind::Whole {
                    // What is corrected at a threshold was summed up by the steps.
                    let edges: Vec<String> = steps.iter().map(|(above, _)| above.to_string()).collect();
                    meter.shape = format!("{} whole above {}", meter.shape, edges.join(" ")).into();
                }
                meter
            },
            kind: kind?,
            steps,
        })
    }

    fn steps(&mut self, written: &[read::Tier], unit: Unit, purse: &mut Purse) -> Vec<(u64, Kinds)> {
        let mut steps: Vec<(u64, Kinds)> = Vec::new();
        for step in written {
            let above = self.required(step.above.as_ref(), step.place, "above", "a step");
            let above = match unit {
                Unit::Tokens => self.size(above),
                Unit::Money => above
                    .and_then(|word| self.own_money(word, purse))
                    .map(|money| money.nanos().unsigned_abs()),
            };
            let kinds = self.kinds(&step.kinds, purse);
            let Some(above) = above else { continue };
            self.ascending(step, steps.last().map(|(above, _)| *above), above);
            steps.push((above, kinds));
        }
        steps
    }

    /// `from`: when its price begins to count.
    pub fn free_quota(&mut self, written: &read::Free, model: &str, from: Option<Timestamp>) -> Option<FreeQuota> {
        let tokens = self.required(written.tokens.as_ref(), written.place, "tokens", "`free`");
        let tokens = self.size(tokens);
        let until = self.end(written.until.as_ref());
        let per = written.per.as_ref().and_then(|word| self.meter_period(word));
        let named = ("free", model, written.shared.as_ref());
        let mut meter = self.meter(named, Unit::Tokens, per, &Purse::default());
        if let (None, Some(from)) = (per, from) {
            meter.since = Some(from);
            meter.shape = format!("{} since {from}", meter.shape).into();
        }
        Some(FreeQuota {
            meter,
            tokens: tokens?,
            until,
        })
    }

    /// Of `commit` or `minimum`: both are money that is spent in any case.
    pub fn commitment(&mut self, written: &read::Price, model: &str, purse: &mut Purse) -> Option<Commitment> {
        if let (Some(commit), Some(minimum)) = (&written.commit, &written.minimum) {
            self.report
                .error(
                    minimum.place,
                    "not-here",
                    "a price has a `commit` or a `minimum`, not both",
                )
                .related(commit.place, "the other one");
        }
        if let Some(commit) = &written.commit {
            let amount = self.required(commit.amount.as_ref(), commit.place, "amount", "`commit`");
            let amount = amount.and_then(|word| self.own_money(word, purse));
            let per = self.required(commit.per.as_ref(), commit.place, "per", "`commit`");
            let per = per.and_then(|word| self.meter_period(word));
            let meter = self.meter(
                ("commit", model, commit.shared.as_ref()),
                Unit::Money,
                Some(per?),
                purse,
            );
            return Some(Commitment { meter, amount: amount? });
        }
        let (amount, per) = self.periodic(written.minimum.as_ref()?, purse)?;
        let meter = self.meter(("commit", model, None), Unit::Money, Some(per), purse);
        Some(Commitment { meter, amount })
    }

    /// An amount in the currency of the price.
    fn own_money(&mut self, word: &Word, purse: &mut Purse) -> Option<Money> {
        if word.broken {
            return None;
        }
        let Some((amount, currency)) = exchange::amount(&word.text).filter(|(amount, _)| *amount > Money::ZERO) else {
            let help = match decimal_comma(&word.text) {
                true => NO_COMMA,
                false => "amounts are written `500 USD`",
            };
            self.unreadable(word, "amount of money", help);
            return None;
        };
        self.keep_currency(currency, word, purse);
        Some(amount)
    }

    fn meter_period(&mut self, word: &Word) -> Option<Period> {
        let known = Period::ALL.map(|period| (period.word(), period));
        self.choose(word, "per", &known, &[])
    }

    fn meter(
        &mut self,
        (kind, model, shared): (&str, &str, Option<&Word>),
        unit: Unit,
        per: Option<Period>,
        purse: &Purse,
    ) -> Meter {
        if let Some(word) = shared {
            self.check_name(word, "meter");
        }
        // A shared name is not a model's: one of the same name must not count with it.
        let name = match shared {
            Some(word) => format!("{kind}/{SHARED}/{}", word.text),
            None => format!("{kind}/model/{model}"),
        };
        let counts = match (unit, purse.currency()) {
            (Unit::Money, Some(currency)) => currency.to_string(),
            _ => unit.word().to_owned(),
        };
        let per_word = per.map_or("once", Period::word);
        let zone = self.zone.iana_name().unwrap_or("UTC");
        Meter {
            name: name.into(),
            shape: format!("{counts} {per_word} {zone}").into(),
            unit,
            per,
            zone: self.zone.clone(),
            since: None,
        }
    }
}

const SHARED: &str = "shared";

/// Who counts together is part of what a meter is: one that another model joins has counted without it so far.
pub(super) fn join(models: &mut [Model]) {
    let mut together: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    let is_shared = |meter: &Meter| meter.name.split('/').nth(1) == Some(SHARED);
    for model in models.iter() {
        let meters = model.price.iter().flat_map(Price::meters);
        for meter in meters.filter(|meter| is_shared(meter)) {
            let names = together.entry(meter.name.clone()).or_default();
            names.insert(model.name.clone());
        }
    }
    let meters = models.iter_mut().filter_map(|model| model.price.as_mut());
    for meter in meters.flat_map(Price::meters_mut) {
        if let Some(names) = together.get(&meter.name) {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            meter.shape = format!("{} of {}", meter.shape, names.join(" ")).into();
        }
    }
}
