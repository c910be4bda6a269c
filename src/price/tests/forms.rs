//! Every form of a price at once, drawn at random: what is seen is what is posted, and never more than was reserved.

use super::*;
use crate::money::{Currency, Ratio};
use crate::period::Period;
use crate::period::window::{Days, Hours, Window};
use crate::request::Thinking;
use crate::usage::{CacheLife, ServiceTier};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use std::time::Duration;

/// What a request may ask for that has a price.
pub(super) const OPTIONS: [&str; 2] = ["geo=us", "fast=true"];

/// A finite run of random numbers, from which all else is drawn.
pub(super) struct Dice(pub std::vec::IntoIter<u32>);

impl Dice {
    pub fn below(&mut self, most: u64) -> u64 {
        u64::from(self.0.next().unwrap_or(0)) % most.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 1 % many
    }

    fn rate(&mut self) -> Rate {
        Rate::per_million(Money::from_nanos(self.below(20_000_000_000) as i64))
    }

    fn kinds(&mut self) -> Kinds {
        Kind::ALL.into_iter().fold(Kinds::default(), |kinds, kind| {
            if self.one_in(2) {
                kinds.with(kind, self.rate())
            } else {
                kinds
            }
        })
    }

    fn ratio(&mut self) -> Ratio {
        if self.one_in(2) {
            Ratio::ONE
        } else {
            Ratio::basis_points(100 + self.below(30_000) as u32)
        }
    }

    /// Of two options of one request at once: odd ones would pass what a fraction holds.
    fn percentage(&mut self) -> Ratio {
        Ratio::basis_points(100 * (50 + self.below(250) as u32))
    }

    fn meter(&mut self, name: &str, unit: Unit) -> Meter {
        Meter {
            name: name.into(),
            shape: "".into(),
            since: None,
            unit,
            per: self.one_in(2).then_some(Period::Year),
            zone: TimeZone::UTC,
        }
    }

    fn ladder(&mut self) -> LadderSheet {
        let (unit, scale) = if self.one_in(3) {
            (Unit::Money, 400_000_000)
        } else {
            (Unit::Tokens, 400_000)
        };
        let mut from = 0;
        let steps = (0..=self.below(3)).map(|_| {
            from += 1 + self.below(scale);
            (from, self.kinds())
        });
        let steps = steps.collect();
        LadderSheet {
            kind: if self.one_in(2) {
                LadderKind::Whole
            } else {
                LadderKind::Marginal
            },
            meter: self.meter("ladder/model/m", unit),
            steps,
        }
    }

    fn window(&mut self) -> WindowSheet {
        WindowSheet {
            name: "w".into(),
            window: Window {
                zone: TimeZone::UTC,
                days: Days::ALL,
                hours: vec![
                    Hours::parse(["00:00-09:00", "09:00-17:00", "22:00-06:00"][self.below(3) as usize]).unwrap(),
                ],
                from: None,
                until: None,
                except: Default::default(),
            },
            kinds: self.kinds(),
            times: self.ratio(),
        }
    }

    pub fn sheet(&mut self) -> Sheet {
        let mut service = Service::default();
        for tier in ServiceTier::ALL {
            if self.one_in(2) {
                service.set(tier, self.ratio());
            }
        }
        let mut above = 0;
        let tiers = (0..self.below(3)).map(|_| {
            above += 1 + self.below(60_000);
            (above, self.kinds())
        });
        let tiers = tiers.collect();
        Sheet {
            currency: Currency::USD,
            exchange: self.ratio(),
            kinds: self.kinds(),
            tiers,
            windows: (0..self.below(3)).map(|_| self.window()).collect(),
            service,
            options: OPTIONS.map(|option| (option.into(), self.percentage())).into(),
            account: self.ratio(),
            fees: Fees {
                request: Money::from_nanos(self.below(9_000_000) as i64),
                web_search: self.rate(),
                web_fetch: self.rate(),
                tool_call: self.rate(),
            },
            compute: self.one_in(3).then(|| Compute {
                per_hour: Money::from_nanos(self.below(9_000_000_000) as i64),
                concurrency: Some(1 + self.below(8) as u32),
            }),
            ladder: self.one_in(2).then(|| self.ladder()),
            free: self.one_in(3).then(|| FreeQuota {
                meter: self.meter("free/model/m", Unit::Tokens),
                tokens: self.below(300_000),
                until: None,
            }),
            commitment: self.one_in(4).then(|| Commitment {
                meter: self.meter("commit/model/m", Unit::Money),
                amount: Money::from_nanos(self.below(2_000_000_000) as i64),
            }),
            ..Sheet::default()
        }
    }

    pub fn moment<'a>(&mut self, at: Timestamp, options: &'a [std::sync::Arc<str>]) -> Moment<'a> {
        let thinking = [Thinking::Off, Thinking::Unstated, Thinking::On][self.below(3) as usize];
        let tier = self.one_in(3).then(|| ServiceTier::ALL[self.below(7) as usize]);
        let cache = [CacheLife::Unsaid, CacheLife::Short, CacheLife::Hour, CacheLife::HalfDay][self.below(4) as usize];
        Moment {
            at,
            patience: Duration::from_secs(self.below(20_000)),
            thinking,
            tier,
            any_tier: tier == Some(ServiceTier::Standard) && self.one_in(2),
            cache,
            audio: self.one_in(3),
            images: self.one_in(3),
            searches: self.below(3) as u32,
            fetches: self.below(3) as u32,
            tool_calls: self.below(3) as u32,
            options: &options[self.below(3) as usize..],
        }
    }

    /// A usage that this request may come to.
    pub fn usage(&mut self, moment: &Moment<'_>, writes: bool, (input, output): (u64, u64)) -> Usage {
        let mut part = |may: bool| {
            if may && self.one_in(2) {
                self.below(input / 2 + 1)
            } else {
                0
            }
        };
        let usage = Usage {
            cache_read: part(true),
            cache_read_explicit: part(moment.cache > CacheLife::Unsaid),
            cache_write: part(writes || moment.cache > CacheLife::Unsaid),
            cache_write_1h: part(moment.cache >= CacheLife::Hour),
            cache_write_12h: part(moment.cache >= CacheLife::HalfDay),
            input_audio: part(moment.audio),
            input_image: part(moment.images),
            ..Usage::default()
        };
        Usage {
            input: self.below(input + 1),
            output: self.below(output + 1),
            output_audio: if moment.audio { self.below(output + 1) } else { 0 },
            thinking: moment.thinking != Thinking::Off && self.one_in(2),
            web_searches: Some(self.below(u64::from(moment.searches) + 1)),
            web_fetches: self.below(u64::from(moment.fetches) + 1),
            tool_calls: self.below(u64::from(moment.tool_calls) + 1),
            tier: if moment.any_tier {
                [ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Scale]
                    .get(self.below(4) as usize)
                    .copied()
            } else {
                [None, Some(ServiceTier::Standard), moment.tier][self.below(3) as usize]
            },
            time: Duration::from_millis(self.below(moment.patience.as_millis() as u64 + 1)),
            ..usage
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn one_request_at_a_time_is_posted_as_it_was_seen_and_within_what_was_reserved(numbers in prop::collection::vec(any::<u32>(), 400)) {
        let mut dice = Dice(numbers.into_iter());
        let sheet = dice.sheet();
        let writes = sheet.kinds.get(Kind::CacheReadExplicit).is_none();
        let whole = sheet.ladder.as_ref().is_some_and(|ladder| ladder.kind == LadderKind::Whole);
        let by_tokens = sheet.ladder.as_ref().is_some_and(|ladder| ladder.meter.unit == Unit::Tokens);
        let committed = sheet.commitment.is_some();
        let price = Price::of(vec![sheet]);
        let options = OPTIONS.map(Into::into);
        let (mut counters, mut posted, mut at_steps) = (Counters::default(), Money::ZERO, Vec::<Vec<Money>>::new());
        let mut at = Timestamp::UNIX_EPOCH;
        for _ in 0..4 {
            at += SignedDuration::from_secs(dice.below(80_000) as i64);
            let (input, output) = (dice.below(120_000), dice.below(60_000));
            let moment = dice.moment(at, &options);
            let seen = counters.positions(&price, at);
            let quote = price.quote(&moment).at(&seen);
            let worst = quote.worst(input, output);
            prop_assert_eq!(quote.ceiling(input).worst(output), worst);
            let mut promise = counters.promise(&price, at, input + output);

            let later = Moment { patience: Duration::ZERO, ..moment };
            let likely = Usage {
                input,
                output,
                thinking: matches!(moment.thinking, Thinking::On | Thinking::Budget(_)),
                ..Usage::default()
            };
            let expected = quote.expected(input, output);
            counters.reach(&mut promise, likely.tokens(), &price, at);
            let standing = counters.positions_of(&promise, likely.tokens(), &price, at);
            let settled = price.quote(&later).at(&standing).over(&promise);
            if whole {
                prop_assert!(committed || settled.at_each_step(&likely).contains(&expected));
            } else if !committed {
                prop_assert_eq!(expected, settled.bill(&likely).amount);
            }
            prop_assert!(expected <= worst || whole, "{} of {}", expected, worst);

            let usage = dice.usage(&moment, writes, (input, output));
            let standing = counters.positions_of(&promise, usage.tokens(), &price, at);
            let settled = price.quote(&later).at(&standing).over(&promise);
            let bill = settled.bill(&usage);
            prop_assert_eq!(bill.amount, quote.cost(&usage));
            prop_assert!(bill.amount <= worst, "{} of {}: {:?}", bill.amount, worst, usage);
            let money = Money::from_nanos(dice.below(900_000_000) as i64);
            prop_assert_eq!(quote.ceiling(input).affordable_output(money), quote.affordable_output(money, input));
            if let Some(most) = quote.affordable_output(money, input) {
                let beyond = quote.worst(input, 0) > money;
                prop_assert!(beyond || quote.worst(input, most) <= money, "{} tokens for {}", most, money);
            }

            let steps = settled.at_each_step(&usage);
            let billed_at = standing.ladder.used + bill.drawn.ladder;
            let counted = counters.settle(&price, at, bill.drawn, &steps, Some(billed_at));
            counters.release(&price, at, &promise, bill.drawn.ladder);
            let lines = settled.lines(&usage);
            let lines = if lines.is_empty() { bill.lines(&usage) } else { lines };
            prop_assert_eq!(bill.reckoned(&lines, &usage), bill.amount, "and so it can be reckoned again");
            posted = posted.plus(bill.amount).plus(counted.adjustment.unwrap_or_default());
            at_steps.push(steps);
            if whole && by_tokens {
                let reached = |step: usize| at_steps.iter().map(|steps| steps[step]).fold(Money::ZERO, Money::plus);
                let step = price.version(at).unwrap().ladder.as_ref().unwrap().step(counters.positions(&price, at).ladder.used);
                prop_assert_eq!(posted, reached(step), "all of it at the step that was reached");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn of_many_at_once_nobody_is_billed_more_than_was_reserved_for_it(numbers in prop::collection::vec(any::<u32>(), 500)) {
        let mut dice = Dice(numbers.into_iter());
        let mut sheet = dice.sheet();
        sheet.ladder = Some(dice.ladder());
        // Nothing that differs from one hour to the next: all of it happens at one instant.
        sheet.windows.clear();
        let price = Price::of(vec![sheet]);
        let (mut counters, mut open) = (Counters::default(), Vec::new());
        let moment = Moment { thinking: Thinking::Off, ..now() };
        let (mut total, mut volume) = (0_u64, 0_u64);
        for _ in 0..40 {
            if dice.one_in(2) || open.is_empty() {
                let (input, output) = (dice.below(200_000), dice.below(60_000));
                let worst = price.quote(&moment).at(&counters.positions(&price, moment.at)).worst(input, output);
                open.push(((input, output), worst, counters.promise(&price, moment.at, input + output)));
                continue;
            }
            let ((input, output), worst, mut promise) = open.remove(dice.below(open.len() as u64) as usize);
            if dice.one_in(5) {
                counters.release(&price, moment.at, &promise, 0);
                continue;
            }
            let usage = Usage { input: dice.below(input + 1), output: dice.below(output + 1), ..Usage::default() };
            counters.reach(&mut promise, usage.tokens(), &price, moment.at);
            let stands = counters.positions_of(&promise, usage.tokens(), &price, moment.at);
            let quote = price.quote(&moment).at(&stands).over(&promise);
            let bill = quote.bill(&usage);
            prop_assert!(bill.amount <= worst, "{} of {worst}", bill.amount);
            let billed_at = stands.ladder.used + bill.drawn.ladder;
            counters.settle(&price, moment.at, bill.drawn, &quote.at_each_step(&usage), Some(billed_at));
            counters.release(&price, moment.at, &promise, bill.drawn.ladder);
            (total, volume) = (total + usage.tokens(), volume + bill.drawn.free);
        }
        for (_, _, promise) in open {
            counters.release(&price, moment.at, &promise, 0);
        }
        let ladder = price.version(moment.at).unwrap().ladder.as_ref().unwrap();
        let counted = counters.row(&ladder.meter.key(moment.at)).map_or(0, |row| row.used);
        prop_assert!(ladder.meter.unit == Unit::Money || counted == total - volume, "{counted} of {total}");
    }
}
