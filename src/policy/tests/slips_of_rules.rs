//! Every kind of error of routes, budgets and plans, with the place that its caret points at.

use super::slips::every_one_points_at_its_place;

#[test]
fn of_routes() {
    every_one_points_at_its_place(&[
        (
            "routes",
            "  - {name: r, try: [tiny], pick: weighted}",
            "missing-key",
            "weighted",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], pick: weighted, weights: {tiny: 0}}",
            "missing-key",
            "weighted",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], pick: weighted, weights: {tiny: 1, big: 1}}",
            "unknown-name",
            "big",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], weights: {tiny: half}}",
            "bad-value",
            "half",
        ),
        (
            "routes",
            "  - {name: r, try: ['model.supply == \"local\" && tag.a == \"b\"']}",
            "wrong-environment",
            "'model.supply == \"local\" && tag.a == \"b\"'",
        ),
        (
            "routes",
            "  - {name: r, try: ['model.supply == \"lokal\"']}",
            "never-matches",
            "\"lokal\"",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {size: {above: 8k, up_to: 8k}}}",
            "never-matches",
            "{above: 8k, up_to: 8k}",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {client: app2}}",
            "unknown-name",
            "app2",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {dialect: [messages]}}",
            "not-yet",
            "messages",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {header: {\"x y\": a}}}",
            "bad-name",
            "\"x y\"",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {tag: {a: \"\"}}}",
            "bad-value",
            "\"\"",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], match: {tools: maybe}}",
            "unknown-word",
            "maybe",
        ),
        ("routes", "  - {name: chat, try: [tiny]}", "duplicate-name", "chat"),
        ("routes", "  - {name: r, try: []}", "missing-key", "{name: r, try: []}"),
        ("routes", "  - {name: r, try: [tiny, tiny]}", "duplicate-name", "tiny"),
        ("routes", "  - {name: r, try: tiny}", "wrong-shape", "tiny"),
        (
            "routes",
            "  - {name: r, try: [tiny], limits: {attempts: 4}}",
            "bad-value",
            "4",
        ),
        ("routes", "  - {name: planb/r, try: [tiny]}", "bad-name", "planb/r"),
        ("routes", "  - {try: [tiny]}", "missing-key", "{try: [tiny]}"),
        (
            "routes",
            "  - {name: r, match: {model: [\"\"]}, try: [tiny]}",
            "bad-value",
            "\"\"",
        ),
    ]);
}

#[test]
fn of_budgets_and_plans() {
    every_one_points_at_its_place(&[
        ("budgets", "  b: {limit: 5 USD, per: minute}", "unknown-word", "minute"),
        ("budgets", "  b: {limit: 5 USD, per: day, start: 15}", "bad-value", "15"),
        (
            "budgets",
            "  b: {limit: 5 USD, per: week, start: noday}",
            "bad-value",
            "noday",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: month, start: 29}",
            "bad-value",
            "29",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: year, start: 13-01}",
            "bad-value",
            "13-01",
        ),
        ("budgets", "  b: {limit: 5 USD, per: hour, start: 1}", "bad-value", "1"),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, raise: [{by: 5 USD, until: soon}]}",
            "bad-value",
            "soon",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, timezone: Mars/Base}",
            "unknown-timezone",
            "Mars/Base",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: 90s rolling}",
            "bad-value",
            "90s rolling",
        ),
        ("budgets", "  b: {limit: 5 EUR, per: day}", "missing-rate", "5 EUR"),
        ("budgets", "  b: {limit: 0 USD, per: day}", "bad-value", "0 USD"),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, each: tag.a-b}",
            "bad-name",
            "tag.a-b",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, each: license}",
            "unknown-word",
            "license",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, alert_at: [80%, 50%]}",
            "bad-value",
            "50%",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, alert_at: [120%]}",
            "bad-value",
            "120%",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, pace: value}",
            "not-yet",
            "pace",
        ),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, covers: 'budget(\"month\").exhausted'}",
            "wrong-environment",
            "budget",
        ),
        (
            "plans",
            "  - {name: p, when: 'true'}\n  - {name: p, when: 'true', avoid: 'false'}",
            "duplicate-name",
            "p",
        ),
        ("plans", "  - {name: p, when: 'true', shed: true}", "bad-value", "true"),
        (
            "plans",
            "  - {name: p, during: {hours: [9-18]}, avoid: 'false'}",
            "bad-value",
            "9-18",
        ),
        (
            "plans",
            "  - {name: p, during: {days: [monday]}, avoid: 'false'}",
            "bad-value",
            "monday",
        ),
        (
            "plans",
            "  - {name: p, during: {from: 2027-02-01, until: 2027-01-01}, avoid: 'false'}",
            "bad-value",
            "2027-01-01",
        ),
        (
            "plans",
            "  - {name: p, during: {timezone: Mars/Base, days: [mon]}, avoid: 'false'}",
            "unknown-timezone",
            "Mars/Base",
        ),
        (
            "plans",
            "  - {name: p, during: {timezone: UTC}, avoid: 'false'}",
            "missing-key",
            "{timezone: UTC}",
        ),
        ("plans", "  - {name: p, when: 'true', warm: [hub]}", "not-here", "hub"),
        (
            "plans",
            "  - {name: p, when: 'true', change: {caht: {pick: cheapest}}}",
            "unknown-name",
            "caht",
        ),
        (
            "plans",
            "  - {name: p, when: 'true', change: {chat: {pick: weighted}}}",
            "missing-key",
            "weighted",
        ),
        ("plans", "  - {name: p, only: 'true'}", "missing-key", "p"),
    ]);
}
