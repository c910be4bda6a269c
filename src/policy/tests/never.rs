//! Conditions that never hold and those that always do: what is said of them, and where.

use super::*;

/// Of the sound policy with one more plan, and more providers and licences to read from.
fn said(plan: &str) -> Vec<(&'static str, String, String)> {
    let text = with(
        "plans",
        &format!("  - {{name: p, {plan}, avoid: 'model.name == \"big\"'}}"),
    )
    .replace(
        "providers:\n",
        "providers:\n  deep: {vendor: deepseek, api_key: env:D}\n",
    )
    .replace(
        "budgets:\n",
        "licenses:\n  open: {uses: [commercial]}\n  term: {expires: 2027-01-31, seats: {max: 10, declared: 4}}\n\
             budgets:\n  soft: {limit: 1 USD, per: day, enforce: soft}\n  last: {limit: 1 USD, per: 60m rolling}\n",
    );
    let found = compiled(&text).warnings;
    let places = findings(&found).into_iter().map(|(_, place)| place);
    let of_plan = |(found, place): (&Diagnostic, String)| (found.code, found.message.clone(), place);
    let all = found.iter().zip(places).map(of_plan);
    all.filter(|(code, ..)| matches!(*code, "never-holds" | "always-holds"))
        .collect()
}

#[track_caller]
fn one(plan: &str, code: &str, words: &str) {
    let found = said(plan);
    let [(found_code, message, _)] = found.as_slice() else {
        panic!("{plan}: {found:?}")
    };
    assert!(*found_code == code && message.contains(words), "{plan}: {found:?}");
}

#[test]
fn what_contradicts_itself_is_told_with_the_signal_that_it_asks_too_much_of() {
    let never = |when: &str, words: &str| {
        one(&format!("when: '{when}'"), "never-holds", words);
        let (_, message, place) = said(&format!("when: '{when}'")).remove(0);
        assert!(
            message.starts_with("plan `p` is never active") && place == format!("'{when}'"),
            "{message} at {place}"
        );
    };
    never(
        "budget(\"month\").used > 0.7 && budget(\"month\").used < 0.6",
        "`budget(\"month\").used` may have",
    );
    never("hour > 3 && hour < 2", "`hour` may have");
    never("weekday == \"mon\" && weekday == \"tue\"", "`weekday` may have");
    never("date < \"2026-11-23\"", "`date` may have");
    never("budget(\"month\").used - 1 >= 0", "`budget(\"month\").used` may have");
    never(
        "license(\"term\").days_left > 70",
        "`license(\"term\").days_left` may have",
    );
    never(
        "(weekday == \"mon\" && weekday == \"tue\") || (hour > 3 && hour < 2)",
        "`weekday` and `hour` may have",
    );
}

#[test]
fn what_is_never_known_is_told_with_the_reason() {
    for (when, why) in [
        ("license(\"open\").seats > 0.9", "licence `open` bounds no seats"),
        ("license(\"open\").users > 0.9", "licence `open` bounds no users"),
        ("license(\"open\").days_left < 14", "licence `open` has no `expires`"),
        (
            "provider(\"home\").balance < 20",
            "the vendor of provider `home` tells no balance",
        ),
        (
            "budget(\"last\").forecast > 1",
            "budget `last` has no period, and so no forecast",
        ),
    ] {
        one(
            &format!("when: '{when}'"),
            "never-holds",
            &format!("plan `p` is never active: {why}"),
        );
        let beside = said(&format!("when: '{when} || hour > 3'"));
        assert!(
            beside.len() == 1 && beside[0].1 == format!("{why}{}", rest(&beside[0].1, why)),
            "{beside:?}"
        );
    }
    for known in [
        "license(\"term\").seats > 0.9",
        "license(\"term\").days_left < 14",
        "provider(\"deep\").balance < 20",
        "budget(\"month\").forecast > 1",
    ] {
        assert_eq!(said(&format!("when: '{known}'")), [], "{known}");
    }
}

/// What a message goes on with.
fn rest<'m>(message: &'m str, begins: &str) -> &'m str {
    message.strip_prefix(begins).unwrap_or("")
}

#[test]
fn what_always_holds_is_a_plan_that_is_always_active() {
    one("when: 'true'", "always-holds", "plan `p` is always active");
    one(
        "when: 'hour < 6 || hour >= 6'",
        "always-holds",
        "plan `p` is always active",
    );
    one(
        "when: 'hour >= 0', during: {days: [sat]}",
        "always-holds",
        "so that its `during` alone decides",
    );
    // A limit that is lowered below what is spent leaves more used than it allows.
    assert_eq!(said("when: 'budget(\"month\").used < 1'"), []);
}

#[test]
fn a_plan_that_is_never_released_is_told() {
    let month = |until: &str| format!("when: 'budget(\"month\").used > 0.8', until: '{until}'");
    one(
        &month("hour > 3 && hour < 2"),
        "never-holds",
        "plan `p` is never released",
    );
    one(
        &month("budget(\"month\").used > 0.9"),
        "never-holds",
        "wherever its `until` holds, its `when` holds too",
    );
    one(
        &format!("{}, during: {{days: [sat]}}", month("budget(\"month\").used > 0.9")),
        "never-holds",
        "released by the end of its `during` alone",
    );
    one(
        &month("provider(\"home\").balance > 5"),
        "never-holds",
        "plan `p` is never released: the vendor",
    );
    for released in [
        "budget(\"month\").used > 0.8 - 0.1",
        "budget(\"month\").used < 0.5",
        "hour == 3",
        "true",
    ] {
        assert_eq!(said(&month(released)), [], "{released}");
    }
    // Of another signal it may not be known.
    assert_eq!(
        said("when: 'budget(\"month\").forecast > 1', until: 'budget(\"soft\").used > 2'"),
        []
    );
}

#[test]
fn what_is_sound_is_left_alone_and_a_comparison_is_told_once() {
    for sound in [
        "hour >= 22 || hour < 6",
        "budget(\"soft\").used >= 1",
        "date >= \"2026-12-24\" && date <= \"2026-12-26\"",
        "license(\"term\").days_left < 14",
        "model(\"big\").unit_cost > 1.5 * model(\"tiny\").unit_cost",
    ] {
        assert_eq!(said(&format!("when: '{sound}'")), [], "{sound}");
    }
    one("when: 'budget(\"month\").used >= 1'", "never-holds", "never reaches 1");
}

#[test]
fn a_server_that_is_never_kept_warm_is_told() {
    let text = with("top", "").replace(
        "{vendor: llama.cpp}",
        "{vendor: llama.cpp, start: {command: [serve], warm_when: 'hour > 3 && hour < 2'}}",
    );
    let found = compiled(&text).warnings;
    assert!(
        found[0]
            .message
            .starts_with("the server of provider `home` is never kept warm"),
        "{}",
        shown(&found)
    );
}
