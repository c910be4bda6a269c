//! Every kind of warning, where it stands, and policies about which there is none to give.

use super::*;

fn warnings(text: &str) -> Vec<(&'static str, String)> {
    let found = compiled(text).warnings;
    let at = findings(&found).into_iter().map(|(_, at)| at);
    found.iter().map(|found| found.code).zip(at).collect()
}

/// Of the sound policy with one more line.
fn line(section: &str, line: &str) -> Vec<(&'static str, String)> {
    warnings(&with(section, line))
}

#[test]
fn a_sound_policy_has_none() {
    assert_eq!(warnings(&with("top", "")), []);
}

#[test]
fn a_route_that_no_plan_can_save_says_why() {
    let single = with("routes", "  - {name: r, try: [big]}").replace("per: month}", "per: month, enforce: soft}");
    let found = compiled(&single).warnings;
    assert!(findings(&found).contains(&("no-plan-b", "r".to_owned())));
    assert!(
        found
            .iter()
            .any(|found| found.message.contains("`big` is its only model")),
        "{}",
        shown(&found)
    );
    let small = "models:\n  small: {provider: hub, supply: competitor, price: {input: 1 USD/M, output: 1 USD/M}}\n";
    let together = single
        .replace("try: [big]", "try: [big, small]")
        .replace("models:\n", small);
    let found = compiled(&together).warnings;
    assert!(
        found.iter().any(|found| found.message.contains("fail together")),
        "{}",
        shown(&found)
    );
    assert_eq!(
        line("routes", "  - {name: r, try: [tiny]}"),
        [],
        "one's own servers have no vendor"
    );
    let licensed = with("routes", "  - {name: r, try: [one, two]}")
        .replace("providers:\n", "providers:\n  qwen: {vendor: dashscope, api_key: env:Q}\n")
        .replace(
            "models:\n",
            "models:\n  one: {provider: qwen, supply: licensed, price: {input: 1 USD/M, output: 1 USD/M}}\n  two: {provider: home, supply: licensed, price: {input: 0 USD/M, output: 0 USD/M}}\n",
        );
    let found = compiled(&licensed).warnings;
    assert_eq!(findings(&found), [("no-plan-b", "r".to_owned())]);
    assert!(found[0].message.contains("`licensed`"), "{}", found[0].message);
}

#[test]
fn a_budget_that_no_request_touches_says_so() {
    let found = line(
        "budgets",
        "  idle: {limit: 1 USD, per: day, covers: 'model.supply == \"licensed\"'}",
    );
    assert_eq!(found, [("untouched", "idle".to_owned())]);
}

#[test]
fn a_hard_budget_without_a_free_fallback_names_the_routes_that_end() {
    let text = with("routes", "  - {name: paid, try: [big]}");
    let found = compiled(&text).warnings;
    let ended = found.iter().find(|found| found.code == "no-fallback").unwrap();
    assert!(
        ended.message.contains("route `paid` serves nobody"),
        "{}",
        ended.message
    );
    let soft = text.replace("per: month}", "per: month, enforce: soft}");
    assert!(!warnings(&soft).iter().any(|(code, _)| *code == "no-fallback"));
    let uncovered = text.replace("per: month}", "per: month, covers: 'model.name != \"big\"'}");
    assert!(!warnings(&uncovered).iter().any(|(code, _)| *code == "no-fallback"));
}

#[test]
fn a_cost_cap_that_excludes_every_model_says_what_the_least_answer_costs() {
    let cap = |cost: &str| {
        line(
            "routes",
            &format!("  - {{name: r, try: [big], limits: {{cost: {cost}}}}}"),
        )
    };
    assert!(cap("0.001 USD").contains(&("cost-cap", "0.001 USD".to_owned())));
    assert!(!cap("0.01 USD").iter().any(|(code, _)| *code == "cost-cap"));
}

#[test]
fn a_plan_that_can_never_be_active_says_so() {
    for when in ["false", "budget(\"month\").exhausted && false", "1 > 2"] {
        let found = line(
            "plans",
            &format!("  - {{name: p, when: '{when}', avoid: 'model.name == \"big\"'}}"),
        );
        assert_eq!(found, [("never-holds", "p".to_owned())], "{when}");
    }
}

#[test]
fn a_hosted_model_without_a_price_is_told_apart_by_what_follows() {
    let text =
        with("models", "  m: {provider: hub, supply: competitor}").replace("try: [big, tiny]", "try: [big, m, tiny]");
    let found = compiled(&text).warnings;
    assert_eq!(findings(&found), [("unpriced", "m".to_owned())]);
    assert!(
        found[0].message.contains("never used under budget `month`"),
        "{}",
        found[0].message
    );
    let free = text.replace("per: month}", "per: month, covers: 'model.name != \"m\"'}");
    let found = compiled(&free).warnings;
    assert!(found[0].message.contains("counted as nothing"), "{}", found[0].message);
}

#[test]
fn an_unquoted_condition_is_told_that_it_may_be_cut() {
    let found = line(
        "plans",
        "  - name: p\n    when: budget(\"month\").used > 0.5 # of the month\n    avoid: 'model.name == \"big\"'",
    );
    assert_eq!(found, [("unquoted", "# of the month".to_owned())]);
    let found = line(
        "plans",
        "  - name: p\n    when: budget(\"month\").used > 0.5\n    avoid: 'model.name == \"big\"'",
    );
    assert_eq!(found, [("unquoted", "budget(\"month\").used > 0.5".to_owned())]);
}

#[test]
fn every_effect_of_plans_counts_in_what_they_leave() {
    let both = |one: &str, two: &str| {
        let text = with(
            "plans",
            &format!(
                "  - {{name: p, when: '!provider(\"hub\").up', {one}}}\n  - {{name: q, when: '!provider(\"hub\").up', {two}}}"
            ),
        );
        let found = compiled(&text).warnings;
        let mut found: Vec<_> = found
            .iter()
            .filter(|found| found.code == "nothing-left")
            .map(|found| found.message.clone())
            .collect();
        found.sort();
        found
    };
    let nothing: [String; 0] = [];
    assert_eq!(
        both("avoid: 'model.name == \"tiny\"'", "avoid: 'tag.team == \"a\"'"),
        ["plans `out` and `p` together leave route `chat` no model"]
    );
    assert_eq!(
        both("avoid: 'tag.team == \"a\"'", "change: {chat: {pick: cheapest}}"),
        nothing
    );
    assert_eq!(
        both("change: {\"*\": {need: {quality: 50}}}", "avoid: 'tag.team == \"a\"'"),
        ["plans `out` and `p` together leave route `chat` no model"]
    );
    // The later plan lowers what the earlier one asks for; the other way round it does not.
    assert_eq!(
        both(
            "change: {chat: {need: {quality: 50}}}, avoid: 'model.name == \"big\"'",
            "change: {chat: {need: {quality: 0}}}"
        ),
        ["plan `p` leaves route `chat` no model"]
    );
    assert_eq!(
        both(
            "change: {chat: {limits: {cost: 0.000001 USD}}}",
            "only: 'model.name == \"big\"'"
        ),
        [
            "plans `out` and `q` together leave route `chat` no model",
            "plans `p` and `q` together leave route `chat` no model"
        ]
    );
    assert_eq!(
        both(
            "shed: Closed., avoid: 'model.name == \"tiny\"'",
            "avoid: 'tag.team == \"a\"'"
        ),
        nothing
    );
}

/// The slow way: every plan and every pair against every route, candidate by candidate.
#[test]
fn masks_find_what_asking_one_by_one_finds() {
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..30 {
        let models: String = (0..6)
            .map(|at| {
                format!(
                    "  m{at}: {{provider: home, supply: local, quality: {}}}\n",
                    next(4) * 25
                )
            })
            .collect();
        let routes: String = (0..4)
            .map(|at| {
                let tried: Vec<String> = (0..6)
                    .filter(|_| next(2) == 0)
                    .map(|model| format!("m{model}"))
                    .collect();
                let tried = if tried.is_empty() {
                    "m0".to_owned()
                } else {
                    tried.join(", ")
                };
                format!(
                    "  - {{name: r{at}, try: [{tried}], need: {{quality: {}}}}}\n",
                    next(2) * 25
                )
            })
            .collect();
        let plans: String = (0..5)
            .map(|at| match next(3) {
                0 => format!(
                    "  - {{name: p{at}, during: {{days: [mon]}}, avoid: 'model.name == \"m{}\"'}}\n",
                    next(6)
                ),
                1 => format!(
                    "  - {{name: p{at}, during: {{days: [mon]}}, only: 'model.name in [\"m{}\", \"m{}\"]'}}\n",
                    next(6),
                    next(6)
                ),
                _ => format!(
                    "  - {{name: p{at}, during: {{days: [mon]}}, change: {{r{}: {{need: {{quality: {}}}}}}}}}\n",
                    next(4),
                    next(4) * 25
                ),
            })
            .collect();
        let text =
            format!("providers: {{home: {{vendor: llama.cpp}}}}\nmodels:\n{models}routes:\n{routes}plans:\n{plans}");
        let Compiled { snapshot, warnings } = compiled(&text);
        let mut told: Vec<&str> = warnings
            .iter()
            .filter(|found| found.code == "nothing-left" && found.message.starts_with("plan"))
            .map(|found| found.message.as_str())
            .collect();
        told.sort_unstable();
        let mut slow: Vec<String> = slowly(&snapshot);
        slow.sort();
        assert_eq!(told, slow, "{text}");
    }
}

fn slowly(snapshot: &Snapshot) -> Vec<String> {
    let serves = |route: usize, plans: &[usize]| {
        let (words, id) = (&snapshot.routes[route], RouteId(route));
        let changes = plans.iter().flat_map(|plan| snapshot.plans[*plan].changes_of(id));
        let terms = changes.fold(words.terms.clone(), |terms, change| change.applied_to(&terms));
        words.terms.candidates.iter().any(|model| {
            let facts = snapshot.facts(*model);
            let kept = plans.iter().map(|plan| &snapshot.plans[*plan]).all(|plan| {
                plan.only.as_ref().is_none_or(|only| only.folded(facts) == Some(true))
                    && plan
                        .avoid
                        .as_ref()
                        .is_none_or(|avoid| avoid.folded(facts) == Some(false))
            });
            kept && terms.need.unmet(snapshot.model(*model), &snapshot.licenses).is_none()
        })
    };
    let named = |routes: &[usize]| match routes {
        [one] => format!("route `r{one}`"),
        some => {
            let names: Vec<String> = some.iter().take(3).map(|one| format!("`r{one}`")).collect();
            let more = some.len().saturating_sub(3);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("routes {}{more}", names.join(", "))
        }
    };
    let routes: Vec<usize> = (0..snapshot.routes.len()).filter(|route| serves(*route, &[])).collect();
    let mut found = Vec::new();
    for one in 0..snapshot.plans.len() {
        let empty: Vec<usize> = routes.iter().copied().filter(|route| !serves(*route, &[one])).collect();
        if !empty.is_empty() {
            found.push(format!("plan `p{one}` leaves {} no model", named(&empty)));
        }
        for two in one + 1..snapshot.plans.len() {
            let together =
                |route: &usize| serves(*route, &[one]) && serves(*route, &[two]) && !serves(*route, &[one, two]);
            let empty: Vec<usize> = routes.iter().copied().filter(|route| together(route)).collect();
            if !empty.is_empty() {
                found.push(format!(
                    "plans `p{one}` and `p{two}` together leave {} no model",
                    named(&empty)
                ));
            }
        }
    }
    found
}

#[test]
fn a_match_is_shadowed_by_a_wider_one_before_it_and_not_by_a_narrower() {
    let shadowed = |first: &str, second: &str| {
        let text = with(
            "routes",
            &format!(
                "  - {{name: a, match: {{{first}}}, try: [tiny]}}\n  - {{name: b, match: {{{second}}}, try: [tiny]}}"
            ),
        );
        warnings(&text).iter().any(|(code, _)| *code == "shadowed")
    };
    assert!(shadowed("model: [\"g*\"]", "model: [\"gpt-*\"], tag: {team: search}"));
    assert!(!shadowed("model: [\"g*\"], tag: {team: search}", "model: [\"gpt-*\"]"));
    assert!(shadowed(
        "model: [\"g*\"], tag: {team: \"s*\"}",
        "model: [g4], tag: {team: [search, support]}"
    ));
    assert!(!shadowed(
        "model: [\"g*\"], tag: {team: \"s*\"}",
        "model: [g4], tag: {team: [search, ads]}"
    ));
    assert!(shadowed(
        "model: [g4], size: {above: 1k}",
        "model: [g4], size: {above: 2k, up_to: 9k}"
    ));
    assert!(!shadowed(
        "model: [g4], size: {above: 2k}",
        "model: [g4], size: {above: 1k}"
    ));
    assert!(!shadowed("model: [g4], images: true", "model: [g4]"));
}

#[test]
fn a_mirror_that_never_sends_anything_says_so() {
    let with_mirror = |tried: &str, model: &str| {
        let route = format!("  - {{name: r, try: [{tried}], mirror: {{model: {model}, share: 5%, budget: aside}}}}");
        let text = with("routes", &route).replace("budgets:\n", "budgets:\n  aside: {limit: 1 USD, per: day}\n");
        text.replace(
            "models:\n",
            "models:\n  nameless: {provider: hub, supply: competitor}\n",
        )
    };
    let says = |model, words: &str| {
        let found = compiled(&with_mirror("big, tiny", model)).warnings;
        found.iter().any(|one| one.message.contains(words))
    };
    assert!(says("nameless", "nothing is mirrored to it under budget `aside`"));
    assert!(!says("big", "mirrored"));
    assert!(warnings(&with_mirror("tiny", "tiny")).contains(&("no-effect", "tiny".to_owned())));
    let touched = warnings(&with_mirror("big, tiny", "tiny"));
    let about_budget = touched
        .iter()
        .any(|(code, _)| matches!(*code, "untouched" | "no-fallback"));
    assert!(!about_budget, "it pays for the mirror: {touched:?}");
}
