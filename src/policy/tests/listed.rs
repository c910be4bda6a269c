//! The catalogue's own prices where a request asks for more than the plainest: classes of written caches, service tiers,
//! places.

use super::charging::{MILLION, used};
use super::prices::priced;
use super::*;
use crate::price::Moment;
use crate::usage::{CacheLife, ServiceTier, Usage};

/// What a model of the catalogue costs a request that asks for more than the plainest.
fn listed(provider: &str, model: &str, asks: &dyn Fn(&mut Moment<'_>), usage: &Usage) -> (String, String) {
    let text = format!(
        "currency: USD\nrates: {{CNY: 0.5 USD}}\nproviders:\n  hub: {{{provider}, api_key: env:KEY}}\n\
         models:\n  m: {{provider: hub, name: {model}, supply: competitor}}\nroutes:\n  - {{name: chat, try: [m]}}\n"
    );
    let snapshot = compiled(&text).snapshot;
    let mut moment = Moment::plain(NOW);
    asks(&mut moment);
    let quote = snapshot.models[0].price.as_ref().unwrap().quote(&moment);
    let worst = quote.worst(usage.input, usage.output);
    (quote.cost(usage).to_string(), worst.to_string())
}

fn both(amount: &str) -> (String, String) {
    (amount.to_owned(), amount.to_owned())
}

#[test]
fn the_catalogues_classes_of_written_caches_are_billed_and_reserved_apart() {
    let astra = |asks: &dyn Fn(&mut Moment<'_>), usage: &Usage| listed("vendor: openai", "gpt-6-astra", asks, usage);
    let halved = Usage {
        cache_write_12h: 100_000,
        ..used(100_000, 0)
    };
    let half_day = |moment: &mut Moment<'_>| moment.cache = CacheLife::HalfDay;
    assert_eq!(astra(&half_day, &halved), both("2.5"), "250 % of 10 USD");
    let short = Usage {
        cache_write: 100_000,
        ..used(100_000, 0)
    };
    assert_eq!(astra(&|_| (), &short), both("1.25"), "written unasked");
    // One token over 272,000 doubles every kind of input, the written ones too.
    let long = Usage {
        cache_write: 272_001,
        ..used(272_001, 0)
    };
    assert_eq!(astra(&|_| (), &long), both("6.800025"));
    let kimi = |usage: &Usage| {
        let hour = |moment: &mut Moment<'_>| moment.cache = CacheLife::Hour;
        listed("vendor: moonshot", "kimi-k3.1-pro", &hour, usage).0
    };
    let hour = Usage {
        cache_write_1h: MILLION,
        ..used(MILLION, 0)
    };
    let minutes = Usage {
        cache_write: MILLION,
        ..used(MILLION, 0)
    };
    assert_eq!((kimi(&minutes), kimi(&hour)), ("2".to_owned(), "4".to_owned()));
}

#[test]
fn the_catalogues_service_tiers_and_places_multiply_every_kind() {
    let tier = |tier| {
        move |moment: &mut Moment<'_>| {
            moment.tier = Some(tier);
        }
    };
    let answered = |tier| Usage {
        tier: Some(tier),
        cache_read: 100_000,
        ..used(200_000, 10_000)
    };
    let at = |provider: &str, asked, named| listed(provider, "gpt-6-astra", &tier(asked), &answered(named)).0;
    // 100,000 at 10, 100,000 at 1, 10,000 at 50: 1.6 USD.
    let openai = "vendor: openai";
    for (asked, named, posted) in [
        (ServiceTier::Standard, ServiceTier::Standard, "1.6"),
        (ServiceTier::Batch, ServiceTier::Batch, "0.8"),
        (ServiceTier::Flex, ServiceTier::Flex, "0.8"),
        (ServiceTier::Flex, ServiceTier::Standard, "1.6"),
        (ServiceTier::Priority, ServiceTier::Priority, "3.2"),
        (ServiceTier::Ultrafast, ServiceTier::Ultrafast, "9.6"),
    ] {
        assert_eq!(at(openai, asked, named), posted, "{asked:?}, {named:?}");
    }
    let in_europe = "vendor: openai, region: eu";
    assert_eq!(at(in_europe, ServiceTier::Standard, ServiceTier::Standard), "1.76");
    assert_eq!(
        at(in_europe, ServiceTier::Batch, ServiceTier::Batch),
        "0.88",
        "they stack"
    );
}

#[test]
fn a_field_that_says_where_a_call_is_served_multiplies_what_is_left_of_every_discount() {
    let text = priced(
        "",
        "{input: 5 USD/M, cache_read: 0.5 USD/M, output: 25 USD/M, service: {batch: 50%}, multipliers: {\"inference_geo=us\": 110%}}",
    );
    let snapshot = compiled(&text).snapshot;
    let options = [crate::price::option("inference_geo", "us")];
    let moment = Moment {
        options: &options,
        tier: Some(ServiceTier::Batch),
        ..Moment::plain(NOW)
    };
    let read = Usage {
        cache_read: MILLION,
        tier: Some(ServiceTier::Batch),
        ..used(MILLION, 0)
    };
    let quote = snapshot.models[0].price.as_ref().unwrap().quote(&moment);
    assert_eq!(quote.cost(&read).to_string(), "0.275", "0.5 × 0.5 × 1.1");
}
