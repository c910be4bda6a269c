//! Each warning of what is legal and unwise: that it is given, and that the policy which only looks like it gets none.

use super::*;

/// What is warned of, of the given kind.
fn warned(text: &str, code: &str) -> Vec<String> {
    let found = compiled(text).warnings;
    let found = found.iter().filter(|found| found.code == code);
    found.map(|found| found.message.clone()).collect()
}

#[track_caller]
fn one(text: &str, code: &str, words: &str) {
    let found = warned(text, code);
    assert!(
        found.iter().any(|message| message.contains(words)),
        "{code}: {found:?}\n{text}"
    );
}

#[track_caller]
fn none(text: &str, code: &str) {
    assert_eq!(warned(text, code), [""; 0], "{text}");
}

fn two_routes(models: &str, tried: &str) -> String {
    format!(
        "providers:\n  a: {{vendor: openai, api_key: env:A}}\n  b: {{vendor: deepseek, api_key: env:B}}\n  \
         c: {{vendor: openai, api_key: env:A, region: eu}}\n  home: {{vendor: llama.cpp}}\nmodels:\n{models}routes: [{{name: chat, try: [{tried}]}}]\n"
    )
}

#[test]
fn a_route_that_no_plan_can_save() {
    let price = "price: {input: 1 USD/M, output: 1 USD/M}";
    let models = format!(
        "  one: {{provider: a, supply: licensed, {price}}}\n  two: {{provider: b, supply: licensed, {price}}}\n  \
         three: {{provider: b, supply: competitor, {price}}}\n  same: {{provider: c, supply: competitor, {price}}}\n  own: {{provider: home, supply: local}}\n"
    );
    let route = |tried: &str| two_routes(&models, tried);
    one(&route("one"), "no-plan-b", "its only model");
    one(&route("one, same"), "no-plan-b", "fail together");
    one(&route("one, two"), "no-plan-b", "one change of terms");
    for saved in ["one, three", "same, three", "one, own", "own"] {
        none(&route(saved), "no-plan-b");
    }
}

#[test]
fn plans_whose_combination_leaves_a_route_empty() {
    let plans = |second: &str| {
        with(
            "plans",
            &format!("  - {{name: p, when: '!provider(\"hub\").up', avoid: '{second}'}}"),
        )
    };
    one(
        &plans("model.name == \"tiny\""),
        "nothing-left",
        "`out` and `p` together",
    );
    none(&plans("model.name == \"big\""), "nothing-left");
    none(&plans("model.name == \"tiny\" && tag.tier != \"gold\""), "nothing-left");
}

#[test]
fn a_plan_that_can_never_hold() {
    let plan = |when: &str| {
        with(
            "plans",
            &format!("  - {{name: p, when: '{when}', avoid: 'model.name == \"big\"'}}"),
        )
    };
    one(&plan("budget(\"month\").used >= 1"), "never-holds", "used");
    none(&plan("budget(\"month\").used >= 0.99"), "never-holds");
    none(&plan("budget(\"month\").exhausted"), "never-holds");
    let soft = plan("budget(\"month\").used >= 1").replace("per: month}", "per: month, enforce: soft}");
    none(&soft, "never-holds");
}

#[test]
fn a_budget_that_no_request_touches() {
    let budget = |covers: &str| {
        with(
            "budgets",
            &format!("  b: {{limit: 1 USD, per: day, covers: '{covers}'}}"),
        )
    };
    one(
        &budget("model.supply == \"licensed\""),
        "untouched",
        "no request touches budget `b`",
    );
    none(&budget("model.supply == \"competitor\""), "untouched");
    // It may be touched: that depends on who asks.
    none(&budget("tag.team == \"nobody\""), "untouched");
}

#[test]
fn a_hard_budget_without_a_free_fallback() {
    let paid = with("routes", "  - {name: paid, try: [big]}");
    one(&paid, "no-fallback", "route `paid` serves nobody");
    none(&with("top", ""), "no-fallback");
    none(
        &paid.replace("per: month}", "per: month, enforce: soft}"),
        "no-fallback",
    );
    none(
        &paid
            .replace("output: 2 USD/M", "output: 0 USD/M")
            .replace("input: 1 USD/M", "input: 0 USD/M"),
        "no-fallback",
    );
}

#[test]
fn a_cost_cap_that_excludes_every_candidate() {
    let cap = |tried: &str, cost: &str| {
        with(
            "routes",
            &format!("  - {{name: r, try: [{tried}], limits: {{cost: {cost}}}}}"),
        )
    };
    one(
        &cap("big", "0.001 USD"),
        "cost-cap",
        "no model of route `r` answers for that",
    );
    none(&cap("big", "0.003 USD"), "cost-cap");
    none(&cap("big, tiny", "0.001 USD"), "cost-cap");
    // What has no price is never used under a cap, and hides nothing.
    let unpriced = |tried: &str, cost: &str| {
        let models = "models:\n  m: {provider: hub, supply: competitor}\n";
        cap(tried, cost).replacen("models:\n", models, 1)
    };
    one(
        &unpriced("big, m", "0.001 USD"),
        "cost-cap",
        "no model of route `r` answers for that",
    );
    one(&unpriced("m", "5 USD"), "cost-cap", "none has a price");
    none(&unpriced("big, m", "0.003 USD"), "cost-cap");
    none(&unpriced("m, tiny", "0.001 USD"), "cost-cap");
}

#[test]
fn a_licence_or_a_model_that_ends_soon() {
    let text = |retires: &str, expires: &str| {
        format!(
            "licenses: {{deal: {{expires: {expires}}}}}\n{}",
            with(
                "models",
                &format!("  m: {{provider: home, supply: local, license: deal, retires: {retires}}}")
            )
        )
    };
    let (soon, late) = ("2026-12-20", "2027-02-20");
    one(&text(soon, late), "ends-soon", "model `m` retires on 2026-12-20");
    one(&text(late, soon), "ends-soon", "licence `deal` ends with 2026-12-20");
    none(&text(late, late), "ends-soon");
    none(&text("never", late), "ends-soon");
    // What has ended is not about to.
    none(&text("2026-11-01", late), "ends-soon");
    one(&text("2026-11-01", late), "retired", "model `m` retired on 2026-11-01");
}

/// Who plans a year ahead is told of what ends within the year.
#[test]
fn what_ends_is_told_within_the_longest_period_that_covers_it() {
    let text = |budgets: &str| {
        let text = with(
            "models",
            "  m: {provider: home, supply: local, license: deal, retires: 2027-02-20}",
        );
        let text = text.replace("  month: {limit: 10 USD, per: month}", budgets);
        format!("licenses: {{deal: {{expires: 2027-02-20, warn: 1d}}}}\n{text}")
    };
    let year = "  year: {limit: 10 USD, per: year}\n  day: {limit: 1 USD, per: day}";
    for words in ["model `m` retires on 2027-02-20", "licence `deal` ends with 2027-02-20"] {
        one(
            &text(year),
            "ends-soon",
            &format!("{words}, within a period of budget `year`"),
        );
    }
    none(&text("  day: {limit: 1 USD, per: day}"), "ends-soon");
    none(&text("  window: {limit: 1 USD, per: 60m rolling}"), "ends-soon");
    let others = "  year: {limit: 10 USD, per: year, covers: 'model.name == \"big\"'}";
    none(&text(others), "ends-soon");
    // Without a period it is a month.
    let soon = |budget: &str| text(budget).replace("2027-02-20", "2026-12-20");
    one(&soon(others), "ends-soon", "model `m` retires on 2026-12-20");
    none(&soon("  day: {limit: 1 USD, per: day}"), "ends-soon");
    // What the licence asks for itself counts beside it.
    let warned = soon("  day: {limit: 1 USD, per: day}").replace("warn: 1d", "warn: 40d");
    one(&warned, "ends-soon", "licence `deal` ends with 2026-12-20");
}

#[test]
fn a_price_older_than_ninety_days() {
    let seen = |day: &str| {
        with(
            "models",
            &format!(
                "  m: {{provider: hub, supply: competitor, price: {{input: 1 USD/M, output: 2 USD/M, as_of: {day}}}}}"
            ),
        )
    };
    // It is the 23rd of November; ninety days before it was the 25th of August.
    one(
        &seen("2026-08-24"),
        "stale-price",
        "as of 2026-08-24, more than 90 days ago",
    );
    none(&seen("2026-08-25"), "stale-price");
    none(&seen("2026-11-23"), "stale-price");
    none(&with("top", ""), "stale-price");
    // What a listed price brings is as old as the list; a day of one's own takes its place.
    let listed = |price: &str| {
        with("providers", "  qwen: {vendor: dashscope, api_key: env:Q}").replace(
            "models:\n",
            &format!("models:\n  m: {{provider: qwen, name: qwen3.8-max{price}}}\n"),
        )
    };
    let later = Timestamp::constant(NOW.as_second() + 200 * 86_400, 0);
    let codes = |text: &str| {
        let found = compile(&sources(&[("policy.yaml", text)]), later).unwrap().warnings;
        found.iter().filter(|found| found.code == "stale-price").count()
    };
    assert_eq!(codes(&listed("")), 1);
    assert_eq!(
        codes(&listed(", price: {input: 2 USD/M, output: 6 USD/M, as_of: 2027-06-01}")),
        0
    );
}

#[test]
fn an_unpriced_model() {
    let text = with("models", "  m: {provider: hub, supply: competitor}");
    one(&text, "unpriced", "never used under budget `month`");
    none(
        &text.replace("provider: hub, supply: competitor}", "provider: home, supply: local}"),
        "unpriced",
    );
    // Nobody asks for it and no budget would count it.
    none(&text.replace("per: month}", "per: month, enforce: soft}"), "unpriced");
    one(
        &text
            .replace("per: month}", "per: month, enforce: soft}")
            .replace("try: [big, tiny]", "try: [big, m, tiny]"),
        "unpriced",
        "counted as nothing",
    );
    one(
        &text
            .replace("per: month}", "per: month, enforce: soft}")
            .replace("try: [big, tiny]", "try: [big, m, tiny], limits: {cost: 1 USD}"),
        "unpriced",
        "never used under `limits.cost` of route `chat`",
    );
}

#[test]
fn an_unquoted_condition() {
    let plan = |when: &str| {
        with(
            "plans",
            &format!("  - name: p\n    when: {when}\n    avoid: 'model.name == \"big\"'"),
        )
    };
    one(&plan("budget(\"month\").used > 0.5"), "unquoted", "not quoted");
    one(
        &plan("budget(\"month\").used > 0.5 # of it"),
        "unquoted",
        "no part of the condition",
    );
    none(&plan("'budget(\"month\").used > 0.5'"), "unquoted");
    none(&plan("'budget(\"month\").used > 0.5' # said in quotes"), "unquoted");
}

#[test]
fn a_shadowed_match() {
    let routes = |first: &str| {
        with(
            "routes",
            &format!(
                "  - {{name: a, match: {{{first}}}, try: [tiny]}}\n  - {{name: b, match: {{model: [gpt-4]}}, try: [tiny]}}"
            ),
        )
    };
    one(
        &routes("model: [\"gpt-*\"]"),
        "shadowed",
        "requests for `gpt-4` go to route `a`",
    );
    none(&routes("model: [\"gpt-5*\"]"), "shadowed");
    none(&routes("model: [\"gpt-*\"], images: true"), "shadowed");
}

/// What the model that saves a route may be, so that it saves nobody: switched off, at a provider that is, retired, or
/// under terms that have run out.
const GONE: [(&str, &str); 4] = [
    ("quality: 20}", "quality: 20, disabled: true}"),
    ("{vendor: llama.cpp}", "{vendor: llama.cpp, disabled: true}"),
    ("quality: 20}", "quality: 20, retires: 2026-01-01}"),
    ("quality: 20}", "quality: 20, license: old}"),
];

#[test]
fn a_model_that_may_not_serve_saves_no_route() {
    let sound = with(
        "plans",
        "  - {name: p, when: '!provider(\"hub\").up', avoid: 'model.name == \"big\"'}",
    );
    let sound = format!("{sound}\nlicenses:\n  old: {{expires: 2026-01-01}}\n");
    for code in ["no-plan-b", "no-fallback", "nothing-left"] {
        none(&sound, code);
    }
    for (is, gone) in GONE {
        let text = sound.replacen(is, gone, 1);
        one(&text, "no-plan-b", "`big` is its only model that may serve now");
        one(
            &text,
            "no-fallback",
            "once budget `month` is spent, route `chat` serves nobody",
        );
        one(&text, "nothing-left", "plan `p` leaves route `chat` no model");
    }
}

#[test]
fn a_successor_saves_a_route_in_the_place_of_the_retired() {
    let text = with("models", "  heir: {provider: home, supply: local}");
    let text = text.replacen("quality: 20}", "quality: 20, retires: 2026-01-01, successor: heir}", 1);
    for code in ["no-plan-b", "no-fallback", "nothing-left"] {
        none(&text, code);
    }
}

#[test]
fn a_least_answer_longer_than_the_longest() {
    let route = |least: u32| {
        let route = format!("  - {{name: r, try: [big, tiny], min_output: {least}, limits: {{output: 100}}}}");
        with("routes", &route)
    };
    one(
        &route(500),
        "no-effect",
        "`limits.output` of route `r` allows 100 tokens",
    );
    none(&route(100), "no-effect");
}
