//! What the words of a price mean, and what is said of wrong ones.

use super::*;
use crate::price::{Moment, Quote};
use crate::usage::{ServiceTier, Usage};
use jiff::Timestamp;

/// A policy of one hosted model with this price.
pub(super) fn priced(top: &str, price: &str) -> String {
    format!(
        "{top}\nproviders:\n  hub: {{vendor: openai, api_key: env:KEY}}\nmodels:\n  m: {{provider: hub, name: m, supply: competitor, price: {price}}}\n\
         routes:\n  - {{name: chat, try: [m]}}\n"
    )
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::default()
    }
}

/// What a usage costs at an instant, and the most that it may.
fn costs(top: &str, price: &str, at: &str, usage: &Usage) -> (String, String) {
    let snapshot = compiled(&priced(top, price)).snapshot;
    let moment = Moment::plain(at.parse::<Timestamp>().unwrap());
    let quote: Quote<'_> = snapshot.models[0].price.as_ref().unwrap().quote(&moment);
    (
        quote.cost(usage).to_string(),
        quote.worst(usage.input, usage.output).to_string(),
    )
}

fn cost(price: &str, at: &str, usage: &Usage) -> String {
    costs("timezone: Asia/Shanghai", price, at, usage).0
}

const NOON: &str = "2026-11-23T12:00:00Z";

#[test]
fn a_tier_is_above_its_edge_and_re_rates_the_whole_request() {
    let price = "{input: 2.5 CNY/M, output: 10 CNY/M, tiers: [{above: 32k, input: 4 CNY/M, output: 16 CNY/M}]}";
    assert_eq!(cost(price, NOON, &usage(32_000, 1_000)), "0.09");
    assert_eq!(cost(price, NOON, &usage(32_001, 1_000)), "0.144004");
}

#[test]
fn prices_over_time_turn_at_midnight_of_the_policys_zone() {
    let price = "[{input: 2 USD/M, output: 10 USD/M}, {from: 2026-12-01, input: 4 USD/M, output: 20 USD/M}]";
    let usage = usage(1_000_000, 0);
    assert_eq!(cost(price, "2026-11-30T15:59:59Z", &usage), "2");
    assert_eq!(cost(price, "2026-11-30T16:00:00Z", &usage), "4");
}

#[test]
fn a_price_in_another_currency_is_worth_what_the_rate_says() {
    let budget = "budgets: {month: {limit: 100 USD, per: month}}\nrates: {CNY: 0.14 USD}";
    let price = "{input: 2.5 CNY/M, output: 10 CNY/M}";
    let found = costs(budget, price, NOON, &usage(1_000_000, 100_000));
    assert_eq!(found, ("0.49".to_owned(), "0.49".to_owned()), "3.5 CNY");
    let other_way = "budgets: {month: {limit: 100 USD, per: month}}\nrates: {USD: 7 CNY}";
    assert_eq!(costs(other_way, price, NOON, &usage(1_000_000, 100_000)).0, "0.5");
    let explicit = "currency: CNY\nrates: {USD: 7 CNY}\nbudgets: {month: {limit: 100 USD, per: month}}";
    let snapshot = compiled(&priced(explicit, price)).snapshot;
    assert_eq!(
        (snapshot.currency.code(), snapshot.budgets[0].limit.to_string()),
        ("CNY", "700".to_owned())
    );
}

#[test]
fn a_missing_rate_names_the_line_to_write_once() {
    let text = priced(
        "budgets: {month: {limit: 100 USD, per: month}}",
        "{input: 2.5 CNY/M, cache_read: 0.5 CNY/M, output: 10 CNY/M}",
    );
    let found = refused(&text);
    assert_eq!(findings(&found), [("missing-rate", "2.5 CNY/M".to_owned())]);
    assert!(found[0].help.as_ref().unwrap().contains("`rates: {CNY: … USD}`"));
}

#[test]
fn windows_have_hours_days_a_zone_and_days_off() {
    let top = "holidays: {off: [2026-11-24, 2026-12-24..2026-12-26]}";
    let price = "{input: 1 USD/M, output: 1 USD/M, windows: [{name: peak, timezone: Asia/Shanghai, \
                 days: [mon, tue, wed, thu, fri], hours: [\"09:00-12:00\", \"14:00-18:00\"], except: off, times: 200%}]}";
    for (at, expected) in [
        ("2026-11-23T09:00:00+08:00", "2"),
        ("2026-11-23T08:59:59+08:00", "1"),
        ("2026-11-23T11:59:59+08:00", "2"),
        ("2026-11-23T12:00:00+08:00", "1"),
        ("2026-11-23T14:00:00+08:00", "2"),
        ("2026-11-23T18:00:00+08:00", "1"),
        ("2026-11-24T10:00:00+08:00", "1"),
        ("2026-11-22T10:00:00+08:00", "1"),
        ("2026-12-25T10:00:00+08:00", "1"),
    ] {
        assert_eq!(costs(top, price, at, &usage(1_000_000, 0)).0, expected, "{at}");
    }
}

#[test]
fn accounts_have_discounts_and_surcharges_on_everything() {
    let price = "{input: 2 USD/M, output: 6 USD/M, request: 0.01 USD/request, discount: 10%, surcharge: 5%}";
    assert_eq!(
        cost(price, NOON, &usage(1_000_000, 0)),
        "1.89945",
        "(2 + 0.01) × 0.9 × 1.05"
    );
    let text = priced("", price).replace("api_key: env:KEY", "api_key: env:KEY, discount: 50%");
    let snapshot = compiled(&text).snapshot;
    let moment = Moment::plain(NOON.parse().unwrap());
    let quote = snapshot.models[0].price.as_ref().unwrap().quote(&moment);
    assert_eq!(quote.cost(&usage(1_000_000, 0)).to_string(), "0.949725");
}

#[test]
fn fees_are_by_the_piece_and_not_multiplied_by_a_service_tier() {
    let price = "{input: 2 USD/M, output: 6 USD/M, web_search: 10 USD/k, service: {priority: 250%}, multipliers: {\"inference_geo=us\": 110%}}";
    let used = Usage {
        web_searches: Some(3),
        tier: Some(ServiceTier::Priority),
        ..usage(1_000_000, 0)
    };
    assert_eq!(cost(price, NOON, &used), "5.03");
}

#[test]
fn wrong_prices_are_said_to_be_wrong() {
    for (price, code, at) in [
        ("{input: 1 USD/M}", "missing-key", "{input: 1 USD/M}"),
        ("{inptu: 1 USD/M, output: 1 USD/M}", "unknown-key", "inptu"),
        (
            "{input: 1 USD/M, output: 1 USD/M, tiers: [{above: 128k, input: 2 USD/M}, {above: 32k, input: 3 USD/M}]}",
            "bad-value",
            "32k",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, tiers: [{above: 128k}]}",
            "missing-key",
            "{above: 128k}",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, windows: [{hours: [\"9-12\"], times: 200%}]}",
            "bad-value",
            "\"9-12\"",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, windows: [{hours: [\"09:00-12:00\"]}]}",
            "missing-key",
            "{hours: [\"09:00-12:00\"]}",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, windows: [{except: off, times: 200%}]}",
            "unknown-name",
            "off",
        ),
        ("{input: 1 USD/M, output: 1 USD/M, concurrency: 2}", "not-here", "2"),
        (
            "{input: 1 USD/M, output: 1 USD/M, request: 1 USD/M}",
            "bad-value",
            "1 USD/M",
        ),
        ("{input: 1 USD/M, output: 1 USD/M, discount: 110%}", "bad-value", "110%"),
        (
            "{input: 1 USD/M, output: 1 USD/M, service: {turbo: 200%}}",
            "unknown-key",
            "turbo",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, multipliers: {geo: 110%}}",
            "bad-value",
            "geo",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, commit: {amount: 5 USD, per: month}, minimum: 5 USD/month}",
            "not-here",
            "5 USD/month",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, ladder: {per: month, steps: []}}",
            "missing-key",
            "{per: month, steps: []}",
        ),
        (
            "{input: 1 USD/M, output: 1 USD/M, ladder: {steps: [{above: 1M, input: 1 USD/M}]}}",
            "missing-key",
            "{steps: [{above: 1M, input: 1 USD/M}]}",
        ),
        (
            "[{input: 1 USD/M, output: 1 USD/M}, {input: 2 USD/M, output: 2 USD/M}]",
            "missing-key",
            "{input: 2 USD/M, output: 2 USD/M}",
        ),
        (
            "[{from: 2027-01-01, input: 1 USD/M, output: 1 USD/M}, {from: 2026-01-01, input: 2 USD/M, output: 2 USD/M}]",
            "bad-value",
            "2026-01-01",
        ),
        ("{input: 1 USD/M, output: 1 EUR/M}", "mixed-currencies", "1 EUR/M"),
    ] {
        let found = refused(&priced("", price));
        assert_eq!(findings(&found), [(code, at.to_owned())], "{price}\n{}", shown(&found));
    }
    for (top, code, at) in [
        ("currency: dollars", "bad-value", "dollars"),
        ("rates: {cny: 0.14 USD}", "bad-value", "cny"),
        ("rates: {CNY: 0.14}", "bad-value", "0.14"),
        ("currency: USD\nrates: {CNY: 0.13 EUR}", "bad-value", "0.13 EUR"),
        (
            "holidays: {x: [2027-02-11..2027-02-05]}",
            "bad-value",
            "2027-02-11..2027-02-05",
        ),
        ("holidays: {x: 2027-01-01}", "wrong-shape", "2027-01-01"),
    ] {
        let found = refused(&priced(top, "{input: 1 USD/M, output: 1 USD/M}"));
        assert_eq!(findings(&found), [(code, at.to_owned())], "{top}\n{}", shown(&found));
    }
}

/// What a model of the catalogue costs at an instant where the policy says nothing.
fn listed(provider: &str, model: &str, at: &str, usage: &Usage) -> String {
    let text = format!(
        "currency: USD\nrates: {{CNY: 0.5 USD}}\nproviders:\n  hub: {{{provider}, api_key: env:KEY}}\n\
         models:\n  m: {{provider: hub, name: {model}, supply: competitor}}\nroutes:\n  - {{name: chat, try: [m]}}\n"
    );
    let snapshot = compiled(&text).snapshot;
    let moment = Moment::plain(at.parse::<Timestamp>().unwrap());
    let price = snapshot.models[0]
        .price
        .as_ref()
        .unwrap_or_else(|| panic!("{model} is unpriced"));
    price.quote(&moment).cost(usage).to_string()
}

#[test]
fn the_catalogues_tiers_turn_at_their_edges() {
    let intl = |usage: &Usage| listed("vendor: dashscope", "qwen-plus-latest", NOON, usage);
    assert_eq!(intl(&usage(256_000, 0)), "0.1024");
    assert_eq!(intl(&usage(256_001, 0)), "0.3072012");
    let thought = Usage {
        thinking: true,
        ..usage(0, 1_000_000)
    };
    assert_eq!(intl(&thought), "4");
    assert_eq!(intl(&usage(0, 1_000_000)), "1.2");
    let written = Usage {
        cache_write: 100_000,
        ..usage(100_000, 0)
    };
    assert_eq!(intl(&written), "0.05", "125 % of the input");
    let china = |usage: &Usage| listed("vendor: dashscope, region: cn", "qwen-plus", NOON, usage);
    assert_eq!(
        china(&usage(128_000, 1_000_000)),
        "1.0512",
        "(0.1024 + 2) CNY at a half"
    );
    assert_eq!(china(&usage(128_001, 1_000_000)), "10.1536012");
}

#[test]
fn deepseeks_peak_follows_beijings_clock_and_days_off() {
    for (at, expected) in [
        ("2026-11-23T08:59:59+08:00", "0.15"),
        ("2026-11-23T09:00:00+08:00", "0.3"),
        ("2026-11-23T12:00:00+08:00", "0.15"),
        ("2026-11-23T14:00:00+08:00", "0.3"),
        ("2026-11-23T18:00:00+08:00", "0.15"),
        ("2026-11-22T10:00:00+08:00", "0.15"),
        ("2026-10-05T10:00:00+08:00", "0.15"),
        ("2026-10-08T10:00:00+08:00", "0.3"),
    ] {
        assert_eq!(
            listed("vendor: deepseek", "deepseek-flash", at, &usage(1_000_000, 0)),
            expected,
            "{at}"
        );
    }
}

#[test]
fn a_rise_that_is_announced_comes_by_itself() {
    let gemini = |model: &str, at: &str| listed("vendor: gemini", model, at, &usage(1_000_000, 0));
    assert_eq!(gemini("gemini-4-argon", "2026-11-30T23:59:59Z"), "2");
    assert_eq!(gemini("gemini-4-argon", "2026-12-01T00:00:00Z"), "4");
    assert_eq!(gemini("gemini-3.8-flash", "2026-12-31T23:59:59Z"), "0.75");
    assert_eq!(gemini("gemini-3.8-flash", "2027-01-01T00:00:00Z"), "1.5");
}

#[test]
fn a_policys_kind_stands_in_for_the_catalogues() {
    let text = priced("", "{output: 3 USD/M}")
        .replace("vendor: openai", "vendor: deepseek")
        .replace("name: m,", "name: deepseek-flash,");
    let snapshot = compiled(&text).snapshot;
    let moment = Moment::plain("2026-11-22T04:00:00Z".parse().unwrap());
    let quote = snapshot.models[0].price.as_ref().unwrap().quote(&moment);
    assert_eq!(quote.cost(&usage(1_000_000, 1_000_000)).to_string(), "3.15");
}
