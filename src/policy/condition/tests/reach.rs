//! What can never hold and what always does, against worlds that are drawn at random.

use super::*;
use crate::policy::condition::reach::{Domain, Numbers};
use proptest::prelude::*;
use proptest::sample::select;
use signature::WEEKDAYS;

/// As the policy's checks know them: a hard budget, a licence with 60 days left, nothing of what `home` has paid in.
fn domain(signal: &Signal) -> Domain {
    let numbers = |least, most| Domain::Numbers(Numbers::between(least, most));
    match signal.live {
        Live::BudgetUsed if &*signal.name == "month" => numbers(0.0, 1.0_f64.next_down()),
        Live::ProviderBalance => Domain::NEVER,
        Live::BudgetExhausted | Live::ProviderUp | Live::ProviderCooling => Domain::Truths { no: true, yes: true },
        Live::ProviderErrorRate => numbers(0.0, 1.0),
        Live::LicenseDaysLeft => Domain::Numbers(Numbers::between(f64::MIN, 60.0).whole()),
        Live::Hour => Domain::Numbers(Numbers::between(0.0, 23.0).whole()),
        Live::Weekday => Domain::weekdays(),
        Live::Date => Domain::from_day("2026-11-23".parse().unwrap()),
        _ => numbers(0.0, f64::MAX),
    }
}

fn can_be(text: &str, answer: bool) -> bool {
    sound_state(text).can_be(answer, &domain).is_ok()
}

#[test]
fn contradictions_are_found() {
    for text in [
        "budget(\"month\").used > 0.7 && budget(\"month\").used < 0.6",
        "budget(\"month\").used > 0.7 && budget(\"month\").used <= 0.7",
        "hour > 3 && hour < 2",
        "hour > 3 && hour < 4",
        "hour >= 22 && hour < 6",
        "weekday == \"mon\" && weekday == \"tue\"",
        "weekday in [\"sat\", \"sun\"] && !(weekday == \"sat\" || weekday == \"sun\")",
        "weekday.startsWith(\"s\") && weekday == \"mon\"",
        "date < \"2026-11-23\"",
        "date == \"2026-12-24\" && date > \"2026-12-24\"",
        "date.startsWith(\"2026-12\") && date > \"2026-12-31\"",
        "date.startsWith(\"2025\")",
        "budget(\"month\").used - 1 >= 0",
        "budget(\"month\").used * 100 >= 100",
        "100 - 100 * budget(\"month\").used <= 0",
        "0 >= 2 - 2 * budget(\"month\").used",
        "budget(\"month\").used / 2 > 0.5",
        "-budget(\"month\").used < -1",
        "!(budget(\"month\").used < 1)",
        "provider(\"qwen\").up && !provider(\"qwen\").up",
        "provider(\"qwen\").up == false && provider(\"qwen\").up",
        "(provider(\"qwen\").up ? 1 : 2) == 3",
        "(budget(\"month\").exhausted ? 1 : 0) == 1 && !budget(\"month\").exhausted",
        "provider(\"home\").balance < 5",
        "!(provider(\"home\").balance < 5)",
        "provider(\"home\").balance < 5 && provider(\"qwen\").up",
        "license(\"qwen\").days_left > 60",
        "license(\"qwen\").days_left < 14 && license(\"qwen\").days_left > 13",
        "(hour < 2 || hour > 5) && hour == 3",
        "(budget(\"month\").used > 0.7 || hour > 3) && budget(\"month\").used < 0.6 && hour < 2",
        "hour in [1, 2] && hour in [3, 4]",
        "hour != 0 && hour < 1",
        "model(\"tiny\").unit_cost > 2 * model(\"tiny\").unit_cost && model(\"tiny\").unit_cost > 1 && model(\"tiny\").unit_cost < 1",
        "1 / 0 > 0 || 1 / 0 <= 0",
    ] {
        assert!(!can_be(text, true), "{text}");
    }
}

#[test]
fn what_always_holds_is_found() {
    for text in [
        "budget(\"month\").used >= 0",
        "hour < 6 || hour >= 6",
        "hour < 24",
        "weekday != \"mon\" || weekday == \"mon\"",
        "date >= \"2026-11-23\"",
        "license(\"qwen\").days_left <= 60",
        "provider(\"qwen\").up || !provider(\"qwen\").up",
        "budget(\"month\").used < 0.5 || budget(\"month\").used > 0.4",
    ] {
        assert!(!can_be(text, false), "{text}");
        assert!(can_be(text, true), "{text}");
    }
    assert!(can_be("1 / budget(\"month\").used > 0", false), "nothing may be used");
}

#[test]
fn whose_fault_it_is_is_told() {
    let blamed = |text: &str| {
        let never = sound_state(text).can_be(true, &domain).unwrap_err();
        never.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(blamed("provider(\"qwen\").up && hour > 3 && hour < 2"), ["hour"]);
    assert_eq!(blamed("budget(\"month\").used - 1 >= 0"), ["budget(\"month\").used"]);
    assert_eq!(
        blamed("(weekday == \"mon\" && weekday == \"tue\") || (hour > 3 && hour < 2)"),
        ["weekday", "hour"]
    );
    assert_eq!(blamed("hour > 3 && false"), [""; 0]);
}

#[test]
fn of_a_condition_that_no_person_wrote_nothing_is_concluded() {
    let nested = (0..60).fold("provider(\"qwen\").up".to_owned(), |text, _| {
        format!("({text}) == provider(\"qwen\").cooling")
    });
    assert!(can_be(&nested, true) && can_be(&nested, false));
    let chosen = (0..29).fold("hour".to_owned(), |text, _| format!("({text} > 3 ? hour : 2)"));
    assert!(can_be(&format!("{chosen} > 1"), true));
}

/// Conditions over a handful of signals, with the constants at which they turn.
fn conditions() -> impl Strategy<Value = String> {
    let number = select(vec![
        "budget(\"month\").used",
        "budget(\"teams\").used",
        "provider(\"qwen\").error_rate",
        "provider(\"home\").balance",
        "license(\"qwen\").days_left",
        "hour",
        "0.6",
        "0.7",
        "1",
        "2",
        "3.5",
        "60",
    ]);
    let number = number.prop_map(str::to_owned).prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), select(vec!["+", "-", "*", "/"]), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            1 => inner.clone().prop_map(|a| format!("(-{a})")),
            1 => (select(vec!["provider(\"qwen\").up", "hour + 0 > 3"]), inner.clone(), inner)
                .prop_map(|(chosen, a, b)| format!("({chosen} ? {a} : {b})")),
        ]
    });
    let order = || select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let leaf = prop_oneof![
        6 => (number.clone(), order(), number.clone()).prop_map(|(a, order, b)| format!("{a} + 0 {order} {b} + 0")),
        1 => (number.clone(), number.clone(), number).prop_map(|(a, b, c)| format!("{a} + 0 in [{b} + 0, {c} + 0]")),
        1 => select(vec!["provider(\"qwen\").up", "budget(\"month\").exhausted", "true", "false"]).prop_map(str::to_owned),
        1 => (select(vec!["==", "!="]), select(WEEKDAYS.to_vec())).prop_map(|(order, day)| format!("weekday {order} \"{day}\"")),
        1 => (select(vec!["==", "!=", "<", "<=", ">", ">="]), select(vec!["2026-11-23", "2026-12-01", "2027-01-01"]))
            .prop_map(|(order, day)| format!("date {order} \"{day}\"")),
        1 => select(vec!["2026-1", "2026-12", "2026", "2", "2026-12-01", "20270"]).prop_map(|part| format!("date.startsWith(\"{part}\")")),
        1 => select(vec!["s", "m", "x", ""]).prop_map(|part| format!("weekday.startsWith(\"{part}\") || hour + 0 == 1")),
    ];
    let leaf = leaf.prop_filter("a sound one", |text| state(text, &names()).0.is_some());
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            1 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) == ({b})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
        ]
    })
}

/// Values at which conditions turn, beside them, and far from them.
fn value(least: f64, most: f64) -> impl Strategy<Value = f64> {
    let turn = select(vec![
        0.0,
        0.3,
        0.6,
        0.7,
        0.5,
        1.0,
        1.4,
        2.0,
        3.5,
        7.0,
        60.0,
        1e300,
        f64::MIN_POSITIVE,
    ]);
    let beside = (turn, -1_i32..=1).prop_map(|(turn, beside)| match beside {
        0 => turn,
        1 => turn.next_up(),
        _ => turn.next_down(),
    });
    prop_oneof![3 => beside, 1 => 0.0..1.0_f64, 1 => 0.0..1e9_f64].prop_map(move |value| value.clamp(least, most))
}

/// A world that [`domain`] allows; what has no value yet is left out now and then.
fn worlds() -> impl Strategy<Value = Signals> {
    let numbers = (
        value(0.0, 1.0_f64.next_down()),
        value(0.0, f64::MAX),
        value(0.0, 1.0),
        -9_i32..=60,
        0_u8..24,
    );
    let texts = (
        0_usize..7,
        select(vec![
            "2026-11-23",
            "2026-11-30",
            "2026-12-01",
            "2026-12-31",
            "2027-01-01",
            "2031-07-09",
        ]),
    );
    (numbers, texts, any::<[bool; 3]>()).prop_map(
        |((month, teams, errors, days, hour), (day, date), [up, exhausted, known])| {
            let mut signals = Signals::default();
            signals.set(Live::BudgetUsed, "month", month);
            if known {
                signals.set(Live::BudgetUsed, "teams", teams);
                signals.set(Live::ProviderErrorRate, "qwen", errors);
            }
            signals.set(Live::BudgetExhausted, "month", exhausted);
            signals.set(Live::ProviderUp, "qwen", up);
            signals.set(Live::LicenseDaysLeft, "qwen", f64::from(days));
            signals.set(Live::Hour, "", f64::from(hour));
            signals.set(Live::Weekday, "", Value::Text(WEEKDAYS[day].into()));
            signals.set(Live::Date, "", Value::Text(date.into()));
            signals
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn nothing_that_some_world_makes_true_is_said_never_to_hold(
        text in conditions(),
        other in conditions(),
        worlds in prop::collection::vec(worlds(), 24),
    ) {
        let (one, two) = (sound_state(&text), sound_state(&other));
        let may = [true, false].map(|answer| one.can_be(answer, &domain).is_ok());
        let beside = one.can_be_beside(true, Some((&two, false)), &domain).is_ok();
        for world in worlds {
            let answer = one.tree.holds(&world);
            prop_assert!(answer != Some(true) || may[0], "{} holds in {:?}", text, world);
            prop_assert!(answer != Some(false) || may[1], "{} fails in {:?}", text, world);
            let both = answer == Some(true) && two.tree.holds(&world) == Some(false);
            prop_assert!(!both || beside, "{} beside {} in {:?}", text, other, world);
        }
    }
}
