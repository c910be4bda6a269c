//! Prices: the policy's words, and the catalogue's where those are silent, as sheets that a price is made of.

use super::Resolver;
use crate::money::{Currency, Money, Rate, Ratio};
use crate::period::Period;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::source::{Place, Word};
use crate::price::{Compute, Fees, FlatFee, Kind, Kinds, Price, Service, Sheet, option};
use crate::usage::ServiceTier;
use jiff::Timestamp;
use std::sync::Arc;

/// Basis points of the whole.
pub(super) const WHOLE: u32 = 10_000;

/// What a price is made for.
pub(super) struct Owner {
    pub model: Arc<str>,
    pub place: Place,
    /// The provider's discount and surcharge.
    pub account: Ratio,
    /// What the catalogue says, by date.
    pub catalogue: Vec<Sheet>,
}

/// A price has one currency; the first amount says which.
#[derive(Default)]
pub(super) struct Purse(Option<(Currency, Place)>);

impl Purse {
    pub fn currency(&self) -> Option<Currency> {
        self.0.map(|(currency, _)| currency)
    }
}

impl Resolver<'_, '_> {
    /// What a model costs; `None` where neither the policy nor the catalogue says.
    pub fn price(&mut self, written: Option<&[read::Price]>, owner: &Owner) -> Option<Price> {
        let of_account = |sheet: &Sheet| Sheet {
            account: sheet.account.times(owner.account),
            ..sheet.clone()
        };
        let Some(entries) = written else {
            let listed = owner.catalogue.iter().map(of_account).collect();
            let listed = self.exchanged(listed, owner.place)?;
            return (!listed.is_empty()).then(|| Price::of(listed));
        };
        let starts = self.starts(entries);
        let mut sheets = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let (from, until) = (
                starts.get(place).copied().flatten(),
                starts.get(place + 1).copied().flatten(),
            );
            let own = self.sheet(entry, from, owner)?;
            sheets.extend(self.over_catalogue(entry, &own, (from, until), &owner.catalogue)?);
        }
        let sheets = sheets.iter().map(of_account).collect();
        Some(Price::of(self.exchanged(sheets, owner.place)?))
    }

    /// With what each one's currency is worth.
    fn exchanged(&mut self, mut sheets: Vec<Sheet>, place: Place) -> Option<Vec<Sheet>> {
        for sheet in &mut sheets {
            sheet.exchange = self.worth(sheet.currency, place)?;
        }
        Some(sheets)
    }

    /// From when each entry counts: ascending, and only the first may leave it out.
    fn starts(&mut self, entries: &[read::Price]) -> Vec<Option<Timestamp>> {
        let mut starts: Vec<Option<Timestamp>> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let from = self.instant(entry.from.as_ref());
            if place > 0 && entry.from.is_none() {
                let finding = self
                    .report
                    .error(entry.place, "missing-key", "a later price needs `from`");
                finding.help("write the day from which it counts, `from: 2027-01-01`");
            }
            let before = starts.last().copied().flatten();
            if let (Some(word), Some(from), Some(before)) = (&entry.from, from, before)
                && from <= before
            {
                self.report
                    .error(
                        word.place,
                        "bad-value",
                        "prices over time stand in the order of their dates",
                    )
                    .help("put the earlier one first");
            }
            starts.push(from);
        }
        if entries.is_empty() {
            self.report
                .error(Place::START, "missing-value", "a list of prices has at least one");
        }
        starts
    }

    fn sheet(&mut self, written: &read::Price, from: Option<Timestamp>, owner: &Owner) -> Option<Sheet> {
        let mut purse = Purse::default();
        let kinds = self.kinds(&written.kinds, &mut purse);
        let tiers = self.tiers(&written.tiers, &mut purse);
        let windows = self.windows(&written.windows, &mut purse);
        let fees = self.fees(written, &mut purse);
        let compute = self.compute(written, &mut purse);
        let ladder = written
            .ladder
            .as_ref()
            .and_then(|ladder| self.ladder(ladder, &owner.model, &mut purse));
        let free = written
            .free
            .as_ref()
            .and_then(|free| self.free_quota(free, &owner.model, from));
        let commitment = self.commitment(written, &owner.model, &mut purse);
        let flat = written.fee.as_ref().and_then(|word| self.periodic(word, &mut purse));
        let (currency, exchange) = match purse.0 {
            Some((currency, place)) => (currency, self.worth(currency, place)?),
            None => (self.exchange.currency, Ratio::ONE),
        };
        Some(Sheet {
            from,
            currency,
            exchange,
            kinds,
            tiers,
            windows,
            service: self.service(&written.service),
            options: self.options(&written.multipliers),
            account: self.account(written.discount.as_ref(), written.surcharge.as_ref()),
            fees,
            compute,
            ladder,
            free,
            commitment,
            flat: flat.map(|(amount, per)| FlatFee { amount, currency, per }),
            as_of: self.day(written.as_of.as_ref()),
            listed: None,
        })
    }

    pub fn kinds(&mut self, written: &read::Kinds, purse: &mut Purse) -> Kinds {
        let mut kinds = Kinds::default();
        for (kind, word) in written {
            if let Some(rate) = self.rate(word, &["M", "k"], "2 USD/M` or `0.002 USD/k", purse) {
                kinds.set(*kind, rate);
            }
        }
        kinds
    }

    fn tiers(&mut self, written: &[read::Tier], purse: &mut Purse) -> Vec<(u64, Kinds)> {
        let mut tiers: Vec<(u64, Kinds)> = Vec::new();
        for tier in written {
            let above = self.required(tier.above.as_ref(), tier.place, "above", "a tier");
            let above = self.size(above);
            let kinds = self.kinds(&tier.kinds, purse);
            let Some(above) = above else { continue };
            self.ascending(tier, tiers.last().map(|(above, _)| *above), above);
            tiers.push((above, kinds));
        }
        tiers
    }

    /// Tiers and steps rise, and say something.
    pub fn ascending(&mut self, tier: &read::Tier, before: Option<u64>, above: u64) {
        if let (Some(word), true) = (&tier.above, before.is_some_and(|before| before >= above)) {
            let message = format!("`{}` does not come after the one before it", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("write them in ascending order");
        }
        if tier.kinds.is_empty() {
            let finding = self
                .report
                .error(tier.place, "missing-key", "it has no rates, so it changes nothing");
            finding.help("write what changes from there on, `input: 4 USD/M, output: 12 USD/M`");
        }
    }

    fn fees(&mut self, written: &read::Price, purse: &mut Purse) -> Fees {
        let mut fees = Fees::default();
        if let Some(word) = &written.request
            && let Some((request, _)) = self.amount(word, &["request"], "0.001 USD/request", purse)
        {
            fees.request = request;
        }
        let by_piece = [
            (&written.web_search, &mut fees.web_search),
            (&written.web_fetch, &mut fees.web_fetch),
            (&written.tool_call, &mut fees.tool_call),
        ];
        for (word, fee) in by_piece {
            let rate = word
                .as_ref()
                .and_then(|word| self.rate(word, &["k"], "10 USD/k", purse));
            *fee = rate.unwrap_or_default();
        }
        fees
    }

    fn compute(&mut self, written: &read::Price, purse: &mut Purse) -> Option<Compute> {
        let concurrency = written.concurrency.as_ref().and_then(|word| {
            let found = word
                .text
                .parse::<u32>()
                .ok()
                .filter(|number| (1..=10_000).contains(number));
            if found.is_none() && !word.broken {
                self.unreadable(word, "number of requests", "write a whole number from 1 to 10000");
            }
            found
        });
        let Some(word) = &written.compute else {
            if let Some(word) = &written.concurrency {
                let finding = self
                    .report
                    .error(word.place, "not-here", "`concurrency` shares an hour of `compute`");
                finding.help("write `compute: 0.18 USD/h` too");
            }
            return None;
        };
        let (per_hour, _) = self.amount(word, &["h"], "0.18 USD/h", purse)?;
        Some(Compute { per_hour, concurrency })
    }

    fn service(&mut self, written: &[(&'static str, Word)]) -> Service {
        let mut service = Service::default();
        for (name, word) in written {
            if let (Some(tier), Some(points)) = (ServiceTier::of(name), self.percentage(word)) {
                service.set(tier, Ratio::basis_points(points));
            }
        }
        service
    }

    fn options(&mut self, written: &[(Word, Word)]) -> Vec<(Arc<str>, Ratio)> {
        let mut options = Vec::new();
        for (name, word) in written {
            let parts = name.text.split_once('=');
            let named = parts.filter(|(field, value)| !field.is_empty() && !value.is_empty());
            if named.is_none() && !name.broken {
                self.unreadable(
                    name,
                    "option of a request",
                    "write `NAME=VALUE`, such as `inference_geo=us`",
                );
            }
            if let (Some(points), Some((field, value))) = (self.percentage(word), named) {
                options.push((option(field, value), Ratio::basis_points(points)));
            }
        }
        options
    }

    /// A discount and a surcharge together.
    pub fn account(&mut self, discount: Option<&Word>, surcharge: Option<&Word>) -> Ratio {
        let off = discount.and_then(|word| {
            let points = self.percentage(word)?;
            if points > WHOLE {
                self.unreadable(word, "discount", "a discount is at most `100%`");
            }
            Some(WHOLE.saturating_sub(points))
        });
        let on = surcharge.and_then(|word| self.percentage(word));
        let off = off.map_or(Ratio::ONE, Ratio::basis_points);
        off.times(on.map_or(Ratio::ONE, |points| Ratio::basis_points(WHOLE.saturating_add(points))))
    }

    /// `500 USD/month`.
    pub fn periodic(&mut self, word: &Word, purse: &mut Purse) -> Option<(Money, Period)> {
        let periods = Period::ALL.map(Period::word);
        let (amount, unit) = self.amount(word, &periods, "500 USD/month", purse)?;
        let period = Period::ALL.into_iter().find(|period| period.word() == unit)?;
        Some((amount, period))
    }

    fn rate(&mut self, word: &Word, units: &[&'static str], example: &str, purse: &mut Purse) -> Option<Rate> {
        let (amount, unit) = self.amount(word, units, example, purse)?;
        let per_million = match unit {
            "k" => amount.nanos().checked_mul(1_000).map(Money::from_nanos),
            _ => Some(amount),
        };
        if per_million.is_none() {
            self.unreadable(word, "price", "nothing costs that much");
        }
        per_million.map(Rate::per_million)
    }

    /// An amount for one of `units`, in the currency of the price that it belongs to.
    fn amount(
        &mut self,
        word: &Word,
        units: &[&'static str],
        example: &str,
        purse: &mut Purse,
    ) -> Option<(Money, &'static str)> {
        let (amount, currency, unit) = self.per(word, units, example)?;
        self.keep_currency(currency, word, purse);
        Some((amount, unit))
    }

    pub fn keep_currency(&mut self, currency: Currency, word: &Word, purse: &mut Purse) {
        match purse.0 {
            None => purse.0 = Some((currency, word.place)),
            Some((first, _)) if first == currency => {}
            Some((first, place)) => {
                let message = format!("{currency} here, and {first} in the same price");
                self.report
                    .error(word.place, "mixed-currencies", message)
                    .help("write a price in one currency; `rates` says what others are worth")
                    .related(place, format!("{first} is first named here"));
            }
        }
    }
}

impl Resolver<'_, '_> {
    /// A price of the policy's in front of those that the catalogue has for the same time.
    fn over_catalogue(
        &mut self,
        written: &read::Price,
        own: &Sheet,
        (from, until): (Option<Timestamp>, Option<Timestamp>),
        catalogue: &[Sheet],
    ) -> Option<Vec<Sheet>> {
        let whole = own.kinds.get(Kind::Input).is_some() && own.kinds.get(Kind::Output).is_some();
        let silent = written.kinds.is_empty();
        let by_piece = own.compute.is_some() || own.fees.request > Money::ZERO;
        let under: Vec<&Sheet> = relevant(catalogue, from, until);
        let foreign = under.iter().any(|sheet| sheet.currency != own.currency);
        if under.is_empty() || by_piece || (whole && foreign) {
            if !whole && !by_piece && !written.has_unread {
                self.incomplete(written, own);
                return None;
            }
            return Some(vec![own.clone()]);
        }
        if foreign && !silent {
            let (listed, own) = (under.first()?.currency, own.currency);
            let message = format!("the catalogue has this model's price in {listed}, and {own} stands here");
            let finding = self.report.error(written.place, "mixed-currencies", message);
            finding.help(format!("write it in {listed}, or give both `input` and `output`"));
            return None;
        }
        let merged = under.into_iter().map(|listed| merged(own, listed, from));
        Some(merged.collect())
    }

    fn incomplete(&mut self, written: &read::Price, own: &Sheet) {
        // What runs by the hour has no price a token, however its own is spelt.
        if written.compute.is_some() {
            return;
        }
        for kind in [Kind::Input, Kind::Output] {
            let broken = written.kinds.iter().any(|(known, word)| *known == kind && word.broken);
            let unreadable = written.kinds.iter().any(|(known, _)| *known == kind);
            if own.kinds.get(kind).is_none() && !broken && !unreadable {
                let message = format!("`price` needs `{}`", kind.word());
                let finding = self.report.error(written.place, "missing-key", message);
                finding.help(
                    "the catalogue has no price of this model to fill in; what costs nothing is written `0 USD/M`",
                );
            }
        }
    }
}

/// The listed prices that count at some time between the two.
fn relevant(catalogue: &[Sheet], from: Option<Timestamp>, until: Option<Timestamp>) -> Vec<&Sheet> {
    let begun = |sheet: &&Sheet| until.is_none_or(|until| sheet.from.is_none_or(|start| start < until));
    let listed: Vec<&Sheet> = catalogue.iter().filter(begun).collect();
    let current = from.and_then(|from| {
        listed
            .iter()
            .rposition(|sheet| sheet.from.is_none_or(|start| start <= from))
    });
    listed.into_iter().skip(current.unwrap_or(0)).collect()
}

/// The policy's words, and the listed ones where it is silent.
fn merged(own: &Sheet, listed: &Sheet, from: Option<Timestamp>) -> Sheet {
    let over = |kinds: &Kinds| own.kinds.or(*kinds);
    let tiers = listed.tiers.iter().map(|(above, kinds)| (*above, over(kinds)));
    let windows = listed.windows.iter().cloned().map(|mut window| {
        window.kinds = over(&window.kinds);
        window
    });
    let or = |own: Rate, listed: Rate| if own == Rate::FREE { listed } else { own };
    let options = listed
        .options
        .iter()
        .filter(|(name, _)| own.options.iter().all(|(known, _)| known != name));
    Sheet {
        from: from.max(listed.from),
        currency: listed.currency,
        account: own.account.times(listed.account),
        kinds: over(&listed.kinds),
        tiers: if own.tiers.is_empty() {
            tiers.collect()
        } else {
            own.tiers.clone()
        },
        windows: if own.windows.is_empty() {
            windows.collect()
        } else {
            own.windows.clone()
        },
        service: own.service.or(listed.service),
        options: own.options.iter().chain(options).cloned().collect(),
        fees: Fees {
            request: own.fees.request,
            web_search: or(own.fees.web_search, listed.fees.web_search),
            web_fetch: or(own.fees.web_fetch, listed.fees.web_fetch),
            tool_call: or(own.fees.tool_call, listed.fees.tool_call),
        },
        as_of: own.as_of.or(listed.as_of),
        listed: listed.listed,
        ..own.clone()
    }
}
