//! The catalogue's list prices as sheets, where a policy leaves a price or a part of it out.

use super::Resolver;
use crate::catalog::{self, Factor, ListPrice, ListTier, ListWindow, Place};
use crate::money::{Currency, Money, NANOS_PER_UNIT, Rate, Ratio};
use crate::period::calendar::Calendar;
use crate::period::window::{Days, Hours, Window};
use crate::price::{Fees, Kind, Kinds, Service, Sheet, WindowSheet};
use crate::usage::ServiceTier;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

impl Resolver<'_, '_> {
    /// What the catalogue says that `upstream` costs at this place, by date. Exchange rates are still to be found.
    pub fn list_prices(&self, place: &Place, upstream: &str) -> Vec<Sheet> {
        let Some(record) = catalog::find(place, upstream) else {
            return Vec::new();
        };
        let listed = record.prices_at(place);
        listed.filter_map(|price| self.listed(price, place)).collect()
    }

    fn listed(&self, price: &ListPrice, place: &Place) -> Option<Sheet> {
        let (first, rest) = price.tiers.split_first()?;
        // A price begins by the clock of the vendor, as far as the list says which.
        let zone = price
            .windows
            .first()
            .and_then(|window| TimeZone::get(window.timezone).ok());
        let mut service = Service::default();
        for (word, factor) in &price.service {
            if let Some(tier) = ServiceTier::of(word) {
                service.set(tier, ratio(*factor));
            }
        }
        let mut options = Vec::new();
        let mut account = Ratio::ONE;
        for (name, factor) in &price.multipliers {
            if place.multiplier == Some(*name) {
                account = account.times(ratio(*factor));
            } else {
                options.push(((*name).into(), ratio(*factor)));
            }
        }
        Some(Sheet {
            from: price.from.and_then(|day| midnight(day, zone.unwrap_or(TimeZone::UTC))),
            currency: Currency::parse(price.currency)?,
            kinds: kinds(first),
            tiers: rest.iter().map(|tier| (tier.above, kinds(tier))).collect(),
            windows: price
                .windows
                .iter()
                .filter_map(|window| self.listed_window(window))
                .collect(),
            service,
            options,
            account,
            fees: Fees {
                web_search: per_million(price.fees_per_1k.web_search.max(price.fees_per_1k.web_search_agent)),
                web_fetch: per_million(price.fees_per_1k.web_fetch),
                ..Fees::default()
            },
            as_of: price.as_of.parse().ok(),
            listed: price.as_of.parse().ok(),
            ..Sheet::default()
        })
    }

    fn listed_window(&self, window: &ListWindow) -> Option<WindowSheet> {
        let calendar = self.calendars.iter().find(|(name, _)| name.as_ref() == window.not_on);
        let days = window.days.iter().filter_map(|day| Days::parse(day));
        let given = [
            (Kind::Input, window.rates.input),
            (Kind::CacheRead, window.rates.cache_read),
            (Kind::Output, window.rates.output),
        ];
        Some(WindowSheet {
            name: window.name.into(),
            window: Window {
                zone: TimeZone::get(window.timezone).ok()?,
                days: days.fold(Days::NONE, Days::and),
                hours: window.hours.iter().filter_map(|hours| Hours::parse(hours)).collect(),
                from: None,
                until: None,
                except: calendar.map_or_else(Calendar::default, |(_, calendar)| calendar.clone()),
            },
            kinds: given_kinds(&given),
            times: Ratio::ONE,
        })
    }
}

/// Days off that the catalogue knows.
pub(super) fn listed_days(name: &str) -> Option<Calendar> {
    let days = &catalog::calendar(name)?.days;
    Some(Calendar::new(
        days.iter().filter_map(|text| Calendar::parse_days(text)).collect(),
    ))
}

fn kinds(tier: &ListTier) -> Kinds {
    given_kinds(&[
        (Kind::Input, tier.input),
        (Kind::CacheRead, tier.cache_read),
        (Kind::CacheReadExplicit, tier.cache_read_explicit),
        (Kind::CacheWrite, tier.cache_write),
        (Kind::CacheWrite1h, tier.cache_write_1h),
        (Kind::CacheWrite12h, tier.cache_write_12h),
        (Kind::InputAudio, tier.input_audio),
        (Kind::Output, tier.output),
        (Kind::OutputThinking, tier.output_thinking),
        (Kind::OutputAudio, tier.output_audio),
    ])
}

fn given_kinds(given: &[(Kind, Option<Rate>)]) -> Kinds {
    given.iter().fold(Kinds::default(), |kinds, (kind, rate)| match rate {
        Some(rate) => kinds.with(*kind, *rate),
        None => kinds,
    })
}

fn ratio(factor: Factor) -> Ratio {
    Ratio::new(factor.billionths().unsigned_abs(), NANOS_PER_UNIT.unsigned_abs())
}

fn per_million(per_thousand: Money) -> Rate {
    Rate::per_million(Money::from_nanos(per_thousand.nanos().saturating_mul(1_000)))
}

fn midnight(day: Date, zone: TimeZone) -> Option<Timestamp> {
    day.to_zoned_datetime(zone).ok().map(|start| start.timestamp())
}
