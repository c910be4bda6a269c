//! A price that changes at a date, whatever its forms: the old one up to the last second before it, the new one from that
//! second on, for what is seen, reserved and posted.

use super::forms::{Dice, OPTIONS};
use super::*;
use jiff::SignedDuration;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn from_its_second_on_the_new_price_counts_and_before_it_the_old_one(
        numbers in prop::collection::vec(any::<u32>(), 500),
        since in 0_i64..40_000_000, seconds in 1_i64..100_000,
    ) {
        let mut dice = Dice(numbers.into_iter());
        let from = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(since);
        let (old, new) = (dice.sheet(), Sheet { from: Some(from), ..dice.sheet() });
        let both = Price::of(vec![new.clone(), old.clone()]);
        let writes = [&old, &new].map(|sheet| sheet.kinds.get(Kind::CacheReadExplicit).is_none());
        let [old, new] = [old, new].map(|sheet| Price::of(vec![sheet]));
        let options = OPTIONS.map(Into::into);
        let beside = |nanos| SignedDuration::from_nanos(nanos);
        for (at, after) in [
            (from - beside(1), false),
            (from - SignedDuration::from_secs(seconds), false),
            (from, true),
            (from + beside(1), true),
            (from + SignedDuration::from_secs(seconds), true),
        ] {
            let bounds = (dice.below(120_000), dice.below(60_000));
            let moment = dice.moment(at, &options);
            let usage = dice.usage(&moment, writes[usize::from(after)], bounds);
            let (quote, alone) = (both.quote(&moment), if after { &new } else { &old }.quote(&moment));
            prop_assert_eq!(quote.expected(bounds.0, bounds.1), alone.expected(bounds.0, bounds.1));
            prop_assert_eq!(quote.worst(bounds.0, bounds.1), alone.worst(bounds.0, bounds.1));
            prop_assert_eq!(quote.bill(&usage).amount, alone.bill(&usage).amount);
            prop_assert!(quote.bill(&usage).amount <= quote.worst(bounds.0, bounds.1));
            let (kept, own) = (both.meters_at(at), if after { &new } else { &old }.meters_at(at));
            prop_assert_eq!(kept.map(|meter| meter.map(|meter| meter.key(at))), own.map(|meter| meter.map(|meter| meter.key(at))));
        }
    }
}
