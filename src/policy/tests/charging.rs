//! How vendors charge, one row a way, each with an example that can be reckoned by hand: written as policies write it, seen
//! before the call, posted after it, one request at a time.

use super::prices::priced;
use super::*;
use crate::money::Currency;
use crate::price::{Counters, Moment, Price};
use crate::usage::{CacheLife, ServiceTier, Usage};
use jiff::Timestamp;

/// A row: what is charged by, the price as a policy writes it, and calls one after another.
struct Row {
    what: &'static str,
    price: &'static str,
    calls: Vec<Call>,
}

#[derive(Clone)]
struct Call {
    at: &'static str,
    asks: fn(Moment<'static>) -> Moment<'static>,
    used: Usage,
    /// What is posted, with what it corrects of what was posted before.
    posted: &'static str,
    /// The part of it that nobody had paid for beforehand; `None` is all of it.
    cash: Option<&'static str>,
    /// What it adds to the period's bill, where that is something else.
    adds: Option<&'static str>,
}

fn row(what: &'static str, price: &'static str, calls: Vec<Call>) -> Row {
    Row { what, price, calls }
}

fn call(used: Usage, posted: &'static str) -> Call {
    Call {
        at: "2026-11-22T04:00:00Z",
        asks: |plain| plain,
        used,
        posted,
        cash: None,
        adds: None,
    }
}

impl Call {
    fn at(self, at: &'static str) -> Self {
        Self { at, ..self }
    }

    fn asking(self, asks: fn(Moment<'static>) -> Moment<'static>) -> Self {
        Self { asks, ..self }
    }

    fn cash(self, cash: &'static str, adds: &'static str) -> Self {
        Self {
            cash: Some(cash),
            adds: Some(adds),
            ..self
        }
    }
}

pub(super) const MILLION: u64 = 1_000_000;

pub(super) fn used(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::NONE
    }
}

fn rows_of_tokens() -> Vec<Row> {
    let read = |read| Usage {
        cache_read_explicit: read,
        ..used(MILLION, 0)
    };
    vec![
        row(
            "kinds of tokens: what is neither read from a cache nor written to one is plain input",
            "{input: 5 USD/M, cache_read: 0.5 USD/M, cache_write: 6.25 USD/M, cache_write_1h: 10 USD/M, output: 25 USD/M}",
            vec![
                call(
                    Usage {
                        cache_read: 60_000,
                        cache_write: 20_000,
                        cache_write_1h: 10_000,
                        reasoning: 800,
                        ..used(100_000, 1_000)
                    },
                    "0.33",
                )
                .asking(|plain| Moment {
                    cache: CacheLife::Hour,
                    ..plain
                }),
            ],
        ),
        row(
            "the length of the input: one token over the edge re-rates the whole request, cached tokens count",
            "{input: 2.5 USD/M, output: 10 USD/M, tiers: [{above: 32k, input: 4 USD/M, output: 16 USD/M}]}",
            vec![
                call(used(32_000, 1_000), "0.09"),
                call(used(32_001, 1_000), "0.144004"),
                call(
                    Usage {
                        cache_read: 32_000,
                        ..used(32_001, 1_000)
                    },
                    "0.144004",
                ),
            ],
        ),
        row(
            "thinking: the whole answer of a call in thinking mode, and not its reasoning alone",
            "{input: 0.4 USD/M, output: 1.2 USD/M, output_thinking: 4 USD/M}",
            vec![
                call(
                    Usage {
                        reasoning: 600_000,
                        thinking: true,
                        ..used(0, MILLION)
                    },
                    "4",
                ),
                call(used(0, MILLION), "1.2"),
            ],
        ),
        row(
            "caches that a request sets up: 1.25 and twice 0.1 against three times 1",
            "{input: 1 USD/M, cache_read: 0.2 USD/M, cache_read_explicit: 0.1 USD/M, cache_write: 1.25 USD/M, cache_write_1h: 2 USD/M, \
             cache_write_12h: 2.5 USD/M, output: 1 USD/M}",
            vec![
                call(
                    Usage {
                        cache_write: MILLION,
                        ..used(MILLION, 0)
                    },
                    "1.25",
                )
                .asking(|plain| Moment {
                    cache: CacheLife::Short,
                    ..plain
                }),
                call(read(MILLION), "0.1"),
                call(read(MILLION), "0.1"),
                call(
                    Usage {
                        cache_write_1h: MILLION,
                        ..used(MILLION, 0)
                    },
                    "2",
                )
                .asking(|plain| Moment {
                    cache: CacheLife::Hour,
                    ..plain
                }),
                call(
                    Usage {
                        cache_write_12h: MILLION,
                        ..used(MILLION, 0)
                    },
                    "2.5",
                )
                .asking(|plain| Moment {
                    cache: CacheLife::HalfDay,
                    ..plain
                }),
                call(
                    Usage {
                        cache_read: MILLION,
                        ..used(MILLION, 0)
                    },
                    "0.2",
                ),
            ],
        ),
        row(
            "pictures and sound: a minute at 25 tokens a second, and a picture of 1,280 tokens",
            "{input: 1 USD/M, input_audio: 10 USD/M, input_image: 2 USD/M, output: 4 USD/M, output_audio: 20 USD/M}",
            vec![
                call(
                    Usage {
                        input_audio: 1_500,
                        input_image: 1_280,
                        output_audio: 500,
                        ..used(3_780, 600)
                    },
                    "0.02896",
                )
                .asking(|plain| Moment {
                    audio: true,
                    images: true,
                    ..plain
                }),
            ],
        ),
    ]
}

fn rows_of_time_and_terms() -> Vec<Row> {
    let million = |posted| call(used(MILLION, 0), posted);
    let tier = |tier| Usage {
        tier: Some(tier),
        ..used(MILLION, 0)
    };
    vec![
        row(
            "hours of the day: twice as much on working days from 9 to 12 and from 14 to 18 in Beijing, days off left out",
            "{input: 1 USD/M, output: 2 USD/M, windows: [{timezone: Asia/Shanghai, days: [mon-fri], \
             hours: [\"09:00-12:00\", \"14:00-18:00\"], except: cn-statutory-holidays, times: 200%}]}",
            vec![
                million("2").at("2026-11-23T09:00:00+08:00"),
                million("1").at("2026-11-23T12:00:00+08:00"),
                million("2").at("2026-11-23T17:59:59+08:00"),
                million("1").at("2026-11-22T10:00:00+08:00"),
                million("1").at("2026-10-05T10:00:00+08:00"),
            ],
        ),
        row(
            "dates: a rise that was announced",
            "[{input: 2 USD/M, output: 10 USD/M}, {from: 2026-12-01T00:00:00Z, input: 4 USD/M, output: 20 USD/M}]",
            vec![
                million("2").at("2026-11-30T23:59:59Z"),
                million("4").at("2026-12-01T00:00:00Z"),
            ],
        ),
        row(
            "service tiers: the one that the answer names, whatever was asked for",
            "{input: 2 USD/M, output: 6 USD/M, service: {batch: 50%, flex: 50%, priority: 250%, fast: 200%, ultrafast: 600%}}",
            vec![
                call(tier(ServiceTier::Priority), "5").asking(|plain| Moment {
                    tier: Some(ServiceTier::Priority),
                    ..plain
                }),
                call(tier(ServiceTier::Standard), "2").asking(|plain| Moment {
                    tier: Some(ServiceTier::Priority),
                    ..plain
                }),
                call(tier(ServiceTier::Flex), "1").asking(|plain| Moment {
                    tier: Some(ServiceTier::Flex),
                    ..plain
                }),
                call(tier(ServiceTier::Batch), "1").asking(|plain| Moment {
                    tier: Some(ServiceTier::Batch),
                    ..plain
                }),
                call(tier(ServiceTier::Ultrafast), "12").asking(|plain| Moment {
                    tier: Some(ServiceTier::Ultrafast),
                    ..plain
                }),
            ],
        ),
        row(
            "calls: three searches of at most five, at 10 USD for a thousand, beside 20,000 tokens",
            "{input: 5 USD/M, output: 25 USD/M, web_search: 10 USD/k, web_fetch: 2 USD/k, tool_call: 1 USD/k, request: 0.001 USD/request}",
            vec![
                call(
                    Usage {
                        web_searches: Some(3),
                        web_fetches: 1,
                        tool_calls: 2,
                        ..used(20_000, 0)
                    },
                    "0.135",
                )
                .asking(|plain| Moment {
                    searches: 5,
                    fetches: 1,
                    tool_calls: 2,
                    ..plain
                }),
            ],
        ),
        row(
            "one's own machine: 20 seconds of an hour at 0.18 USD, shared by four",
            "{compute: 0.18 USD/h, concurrency: 4}",
            vec![
                call(
                    Usage {
                        time: Duration::from_secs(20),
                        ..used(900, 100)
                    },
                    "0.00025",
                )
                .asking(|plain| Moment {
                    patience: Duration::from_secs(60),
                    ..plain
                }),
            ],
        ),
        row(
            "other currencies: 2.5 CNY at 0.14 USD",
            "{input: 2.5 CNY/M, output: 10 CNY/M}",
            vec![million("0.35")],
        ),
        row(
            "rounding: once, at the end, half to even; half of 3 nano-units is 2, and of a billion tokens it is exact",
            "{input: 0.003 USD/M, output: 0.003 USD/M, discount: 50%}",
            vec![call(used(1, 0), "0.000000002"), call(used(1_000 * MILLION, 0), "1.5")],
        ),
    ]
}

fn rows_of_volume() -> Vec<Row> {
    let tokens = |millions: u64, posted| call(used(millions * MILLION, 0), posted);
    vec![
        row(
            "free quotas: drawn before money, in part where they end, gone at their date",
            "{input: 2 USD/M, output: 6 USD/M, free: {tokens: 1M, until: 2026-11-30}}",
            vec![
                call(used(600_000, 0), "0"),
                call(used(600_000, 0), "0.4"),
                call(used(600_000, 0), "1.2"),
            ],
        ),
        row(
            "packs of tokens that were bought: nothing until their date",
            "{input: 2 USD/M, output: 6 USD/M, free: {tokens: 10M, until: 2026-11-30}}",
            vec![tokens(1, "0"), tokens(1, "2").at("2026-12-01T00:00:00Z")],
        ),
        row(
            "plans that were paid for: posted at list value, and no cash until they are used",
            "{input: 2 USD/M, output: 2 USD/M, commit: {amount: 50 USD, per: quarter}}",
            vec![
                tokens(20, "40").cash("0", "0"),
                // At this pace the rest of it is used up anyway.
                tokens(10, "20").cash("10", "20"),
                tokens(1, "2").cash("2", "2"),
                tokens(1, "2").at("2027-01-01T00:00:00Z").cash("0", "0"),
            ],
        ),
        row(
            "volume, step by step: each step's rate for its own tokens",
            "{input: 2 USD/M, output: 2 USD/M, ladder: {per: month, steps: [{above: 100M, input: 1.6 USD/M, output: 1.6 USD/M}]}}",
            vec![tokens(80, "160"), tokens(40, "72"), tokens(10, "16")],
        ),
        row(
            "volume as a whole: the last 20 million tokens before the step cost nothing",
            "{input: 2 USD/M, output: 2 USD/M, ladder: {per: month, kind: whole, steps: [{above: 100M, input: 1.6 USD/M, output: 1.6 USD/M}]}}",
            vec![tokens(80, "160"), tokens(20, "0"), tokens(10, "16")],
        ),
        row(
            "a minimum: below it a call adds nothing, above it its price",
            "{input: 2 USD/M, output: 2 USD/M, minimum: 500 USD/month}",
            vec![
                tokens(100, "200").cash("0", "0"),
                tokens(150, "300").cash("0", "0"),
                tokens(1, "2").cash("2", "2"),
            ],
        ),
        row(
            "a commitment with overage: 100 USD at 2, and 3 for what comes after",
            "{input: 2 USD/M, output: 2 USD/M, commit: {amount: 100 USD, per: month}, \
             ladder: {per: month, by: money, steps: [{above: 100 USD, input: 3 USD/M, output: 3 USD/M}]}}",
            vec![tokens(50, "100").cash("0", "0"), tokens(1, "3").cash("3", "3")],
        ),
        row(
            "capacity that is paid by the day, 20 CNY an hour: no call adds anything",
            "{input: 0 CNY/M, output: 0 CNY/M, fee: 480 CNY/day}",
            vec![tokens(5, "0")],
        ),
    ]
}

#[test]
fn every_way_of_charging_is_posted_as_it_was_seen() {
    for row in [rows_of_tokens(), rows_of_time_and_terms(), rows_of_volume()]
        .into_iter()
        .flatten()
    {
        let text = priced("currency: USD\nrates: {CNY: 0.14 USD}", row.price);
        let snapshot = compiled(&text).snapshot;
        let price = snapshot.models[0].price.as_ref().unwrap();
        let mut counters = Counters::default();
        for (at, call) in row.calls.iter().enumerate() {
            one_call(price, &mut counters, call, &format!("{}, call {}", row.what, at + 1));
        }
    }
}

/// Seen, reserved, settled and counted.
fn one_call(price: &Price, counters: &mut Counters, call: &Call, what: &str) {
    let at: Timestamp = call.at.parse().unwrap();
    let (moment, used) = ((call.asks)(Moment::plain(at)), &call.used);
    let stands = counters.positions(price, at);
    let seen = price.quote(&moment).at(&stands);
    let worst = seen.worst(used.input, used.output);
    let cost = seen.cost(used);
    if let Some(adds) = call.adds {
        assert_eq!(seen.marginal(used).to_string(), adds, "{what}: what it adds");
    }
    let promise = counters.promise(price, at, used.tokens());
    let stands = counters.positions_of(&promise, used.tokens(), price, at);
    let settled = price.quote(&moment).at(&stands).over(&promise);
    let bill = settled.bill(used);
    assert_eq!(bill.amount, cost, "{what}: posted as it was seen");
    assert!(bill.amount <= worst, "{what}: {} of {worst}", bill.amount);
    let billed_at = stands.ladder.used + bill.drawn.ladder;
    let counted = counters.settle(price, at, bill.drawn, &settled.at_each_step(used), Some(billed_at));
    counters.release(price, at, &promise, bill.drawn.ladder);
    let posted = bill.amount.plus(counted.adjustment.unwrap_or_default());
    assert_eq!(posted.to_string(), call.posted, "{what}");
    if let Some(cash) = call.cash {
        assert_eq!(bill.billed.minus(bill.prepaid).to_string(), cash, "{what}: cash");
    }
}

#[test]
fn what_having_a_model_costs_is_no_part_of_a_call() {
    let text = priced(
        "rates: {CNY: 0.14 USD}\ncurrency: USD",
        "{input: 0 CNY/M, output: 0 CNY/M, fee: 480 CNY/day}",
    );
    let snapshot = compiled(&text).snapshot;
    let price = snapshot.models[0].price.as_ref().unwrap();
    let fee = price.flat_fee(NOW).unwrap();
    assert_eq!(
        (fee.to_string(), fee.currency),
        ("480 CNY/day".to_owned(), Currency::parse("CNY").unwrap())
    );
}
