//! What is wrong with a policy, and where the caret stands.

use super::*;

#[test]
fn every_error_shows_at_once_and_one_slip_is_one_error() {
    let found = refused(concat!(
        "providers:\n  qwen: {vendor: dashscop, api_key: env:KEY}\n",
        "models:\n  max: {provider: qwem, supply: lokal, qualty: 8}\n",
        "routes:\n  - {name: chat, try: [maxx], pick: value}\n",
        "budgets:\n  month: {limit: 5, per: month}\n",
        "plans:\n  - {name: p, when: 'budget(\"mont\").used > 0.8', only: 'model.supply == \"lokal\"'}\n",
    ));
    let expected = [
        ("unknown-word", "dashscop"),
        ("unknown-name", "qwem"),
        ("unknown-word", "lokal"),
        ("unknown-key", "qualty"),
        ("unknown-name", "maxx"),
        ("not-yet", "value"),
        ("bad-value", "5"),
        ("unknown-name", "\"mont\""),
        ("never-matches", "\"lokal\""),
    ];
    assert_eq!(
        findings(&found),
        expected.map(|(code, at)| (code, at.to_owned())),
        "{}",
        shown(&found)
    );
    let helps: Vec<_> = found.iter().map(|found| found.help.as_deref().unwrap_or("")).collect();
    for (at, word) in [
        (0, "`dashscope`"),
        (1, "`qwen`"),
        (2, "`local`"),
        (3, "`quality`"),
        (4, "`max`"),
        (7, "`month`"),
        (8, "`local`"),
    ] {
        assert!(helps[at].contains(word), "{}: {}", word, helps[at]);
    }
}

#[test]
fn a_diagnostic_prints_its_place_its_line_a_caret_and_help() {
    let found = refused(
        "providers:\n  qwen: {vendor: dashscop, api_key: env:KEY}\nmodels: {m: {provider: qwen, supply: local}}\nroutes: [{name: r, try: [m]}]\n",
    );
    let expected = "\
error[unknown-word]: `vendor` cannot be `dashscop`
 --> policy.yaml:2:18
  |
2 |   qwen: {vendor: dashscop, api_key: env:KEY}
  |                  ^^^^^^^^
  |
  = help: did you mean `dashscope`?";
    assert_eq!(found[0].to_string(), expected);
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(
        (
            json["severity"].as_str(),
            json["line"].as_u64(),
            json["column"].as_u64()
        ),
        (Some("error"), Some(2), Some(18))
    );
}

#[test]
fn every_kind_of_error_points_at_its_place() {
    for (section, line, code, at) in [
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
        ("top", "licenses: {a: {base: qwen-2025}}", "unknown-name", "qwen-2025"),
        ("top", "licenses: {a: {uses: [military]}}", "unknown-word", "military"),
        ("top", "licenses: {a: {territories: [Germany]}}", "bad-value", "Germany"),
        ("top", "licenses: {a: {expires: soon}}", "bad-value", "soon"),
        ("top", "licenses: {a: {fee: 2000 USD}}", "bad-value", "2000 USD"),
        ("top", "licenses: {a: {users: {max: many}}}", "bad-value", "many"),
        (
            "top",
            "licenses: {a: {revenue: {max: 2 USD, declared: 3 CNY}}}",
            "mixed-currencies",
            "3 CNY",
        ),
        ("top", "licenses: {a: {expiry: 2027-01-31}}", "unknown-key", "expiry"),
        ("top", "plan: []", "unknown-key", "plan"),
        (
            "providers",
            "  a: {vendor: anthropic, api_key: env:A}",
            "not-yet",
            "anthropic",
        ),
        ("providers", "  a: {vendor: zai, api_key: env:A}", "unknown-word", "zai"),
        ("providers", "  a: {vendor: azure, api_key: env:A}", "missing-key", "a"),
        ("providers", "  a: {api_key: env:A}", "missing-key", "a"),
        ("providers", "  a: {vendor: deepseek}", "missing-key", "a"),
        ("providers", "  a: {vendor: openai-compatible}", "missing-key", "a"),
        (
            "providers",
            "  a: {vendor: mistral, api_key: env:A, region: cn}",
            "not-here",
            "cn",
        ),
        (
            "providers",
            "  a: {vendor: dashscope, api_key: env:A, region: intel}",
            "unknown-word",
            "intel",
        ),
        ("providers", "  a: {vendor: vllm, breaker: off}", "unknown-word", "off"),
        (
            "providers",
            "  a: {vendor: vllm, base_url: http://10.0.0.1:8000}",
            "egress",
            "http://10.0.0.1:8000",
        ),
        (
            "providers",
            "  a: {vendor: vllm, base_url: http://169.254.169.254, allow_private: true}",
            "egress",
            "http://169.254.169.254",
        ),
        (
            "providers",
            "  a: {vendor: vllm, base_url: ollama}",
            "bad-url",
            "ollama",
        ),
        (
            "providers",
            "  a: {vendor: vllm, timeouts: {total: 5}}",
            "bad-value",
            "5",
        ),
        (
            "providers",
            "  a: {vendor: vllm, timeouts: {total: 0s}}",
            "bad-value",
            "0s",
        ),
        (
            "providers",
            "  a: {vendor: vllm, allow_private: yes}",
            "unknown-word",
            "yes",
        ),
        (
            "providers",
            "  a: {vendor: deepseek, api_key: env:A, start: {command: [x]}}",
            "not-here",
            "{command: [x]}",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {ready: 5s}}",
            "missing-key",
            "{ready: 5s}",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: serve}}",
            "wrong-shape",
            "serve",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: [serve], health: /up}}",
            "unknown-key",
            "health",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: [serve], idle: 0s}}",
            "bad-value",
            "0s",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: [serve], env: {PLANB_STATE: /tmp}}}",
            "not-here",
            "PLANB_STATE",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: [serve], env: {HF_TOKEN: hunter2hunter2}}}",
            "literal-credential",
            "HF_TOKEN",
        ),
        (
            "providers",
            "  a: {vendor: vllm, start: {command: [serve], warm_when: 'model.supply == \"local\"'}}",
            "wrong-environment",
            "model",
        ),
        ("providers", "  a b: {vendor: vllm}", "bad-name", "a b"),
        (
            "providers",
            "  a: {vendor: vllm, api_key: credential:../x}",
            "bad-value",
            "credential:../x",
        ),
        ("providers", "  home: {vendor: vllm}", "duplicate-key", "home"),
        (
            "providers",
            "  a: {vendor: vllm, disabled: maybe}",
            "unknown-word",
            "maybe",
        ),
        ("clients", "  a: {tags: {team: search}}", "missing-key", "a"),
        ("clients", "  a: {keys: []}", "missing-key", "a"),
        ("providers", "  a: {vendor: vllm, set: {model: x}}", "not-here", "model"),
        (
            "providers",
            "  a: {vendor: vllm, strip: [messages]}",
            "not-here",
            "messages",
        ),
        (
            "providers",
            "  a: {vendor: vllm, set: {service_tier: priority}}",
            "not-here",
            "service_tier",
        ),
        (
            "providers",
            "  a: {vendor: vllm, default: {tools.x: 1}}",
            "not-here",
            "tools.x",
        ),
        (
            "providers",
            "  a: {vendor: vllm, rename: {seed: tools}}",
            "not-here",
            "tools",
        ),
        (
            "providers",
            "  a: {vendor: vllm, rename: {seed: a.b}}",
            "bad-value",
            "a.b",
        ),
        (
            "providers",
            "  a: {vendor: vllm, set: {seed: 1}, strip: [seed]}",
            "duplicate-name",
            "seed",
        ),
        (
            "providers",
            "  a: {vendor: vllm, set: {x.y: 1}, default: {x: 1}}",
            "duplicate-name",
            "x",
        ),
        ("providers", "  a: {vendor: vllm, strip: [x..y]}", "bad-value", "x..y"),
        (
            "providers",
            "  a: {vendor: vllm, clamp: {top_p: {min: 2, max: 1}}}",
            "bad-value",
            "top_p",
        ),
        (
            "providers",
            "  a: {vendor: vllm, on_unsupported: ignore}",
            "unknown-word",
            "ignore",
        ),
        (
            "clients",
            "  a: {key: env:A, limits: {requests: 60}}",
            "bad-value",
            "60",
        ),
        (
            "clients",
            "  a: {key: env:A, limits: {tokens: 1M/month}}",
            "bad-value",
            "1M/month",
        ),
        ("clients", "  a: {key: env:A, limits: {in_flight: 0}}", "bad-value", "0"),
        ("clients", "  a: {key: env:A, limits: {queue: 5}}", "missing-key", "5"),
        (
            "clients",
            "  a: {key: env:A, limits: {in_flight: 2, wait: 1s}}",
            "missing-key",
            "1s",
        ),
        (
            "clients",
            "  a: {key: env:A, limits: {in_flight: 2, queue: 1, wait: 2m}}",
            "bad-value",
            "2m",
        ),
        (
            "clients",
            "  a: {key: env:A, limits: {request: 5/s}}",
            "unknown-key",
            "request",
        ),
        ("providers", "  a: {vendor: openai, keys: []}", "missing-key", "a"),
        (
            "providers",
            "  a: {vendor: openai, api_key: env:A, keys: [env:B]}",
            "both-keys",
            "env:A",
        ),
        (
            "providers",
            "  a: {vendor: openai, keys: [env:A, env:A]}",
            "duplicate-name",
            "env:A",
        ),
        (
            "providers",
            "  a: {vendor: openai, keys: [env:A, {key: env:B, name: \"1\"}]}",
            "duplicate-name",
            "\"1\"",
        ),
        (
            "providers",
            "  a: {vendor: openai, keys: [{key: env:B, weight: 0}]}",
            "bad-value",
            "0",
        ),
        (
            "providers",
            "  a: {vendor: openai, keys: [{name: x}]}",
            "missing-key",
            "{name: x}",
        ),
        ("clients", "  a: {key: env:A, keys: [env:B]}", "both-keys", "env:B"),
        ("clients", "  a: {keys: [env:A, env:A]}", "same-key", "env:A"),
        ("clients", "  a: {key: env:A, routes: [chut]}", "unknown-name", "chut"),
        (
            "clients",
            "  a: {key: env:A, expires: 2027-02-30}",
            "bad-value",
            "2027-02-30",
        ),
        (
            "clients",
            "  a: {key: env:A, may_set: [price]}",
            "unknown-word",
            "price",
        ),
        ("clients", "  a: {key: env:A, scope: [write]}", "unknown-word", "write"),
        ("clients", "  a: {key: env:A, expose: some}", "unknown-word", "some"),
        ("clients", "  a: {key: env:A, use: fun}", "unknown-word", "fun"),
        (
            "clients",
            "  a: {key: env:A, territory: Germany}",
            "bad-value",
            "Germany",
        ),
        ("models", "  m: {provider: home}", "missing-key", "m"),
        ("models", "  m: {provider: home, supply: open}", "unknown-word", "open"),
        (
            "models",
            "  m: {provider: home, supply: local, quality: 101}",
            "bad-value",
            "101",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, context: 32K}",
            "bad-value",
            "32K",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, price: {input: 0.1 USD/request, output: 1 USD/M}}",
            "bad-value",
            "0.1 USD/request",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, price: {input: 2 USD/M, output: 1 EUR/M}}",
            "mixed-currencies",
            "1 EUR/M",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, license: apache}",
            "unknown-name",
            "apache",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, successor: nobody}",
            "unknown-name",
            "nobody",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, successor: m}",
            "bad-value",
            "m",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, retires: soon}",
            "bad-value",
            "soon",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, residence: [Mars]}",
            "bad-value",
            "Mars",
        ),
        ("models", "  m: {provider: home}", "missing-key", "m"),
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
        (
            "alerts",
            "  - {url: https://a.example, secret: env:A, format: slack}",
            "not-yet",
            "slack",
        ),
        (
            "alerts",
            "  - {url: https://a.example, secret: env:A, events: [plans]}",
            "unknown-word",
            "plans",
        ),
        (
            "alerts",
            "  - {url: https://a.example, secret: env:A, events: [price]}",
            "not-yet",
            "price",
        ),
        (
            "alerts",
            "  - {url: http://a.example, secret: env:A}",
            "egress",
            "http://a.example",
        ),
        (
            "alerts",
            "  - {url: https://a.example}",
            "missing-key",
            "{url: https://a.example}",
        ),
        (
            "alerts",
            "  - {url: https://ops.example/hook, secret: env:A}",
            "duplicate-name",
            "https://ops.example/hook",
        ),
    ] {
        let found = refused(&with(section, line));
        let found = findings(&found);
        assert!(found.contains(&(code, at.to_owned())), "{line}: {found:?}");
        let errors = found.iter().filter(|(code, _)| *code != "no-effect").count();
        assert!(errors == 1, "{line}: {found:?}");
    }
}

#[test]
fn two_places_are_shown_where_two_matter() {
    let found = one_error("budgets", "  b: {limit: 5 EUR, per: day}", "missing-rate", "5 EUR");
    assert_eq!(
        (found.related[0].line, found.related[0].excerpt.contains("10 USD")),
        (13, true)
    );
    assert!(found.help.unwrap().contains("`rates: {EUR: … USD}`"));
    let found = one_error("routes", "  - {name: chat, try: [tiny]}", "duplicate-name", "chat");
    assert_eq!(found.related[0].excerpt, "  - {name: chat, try: [big, tiny]}");
    assert!(found.to_string().contains("the first one is here"), "{found}");
}

#[test]
fn a_need_without_a_quality_names_the_model() {
    let text = with("routes", "  - {name: r, try: [big, plain], need: {quality: 50}}");
    let text = text.replace("models:\n", "models:\n  plain: {provider: home, supply: local}\n");
    let found = refused(&text);
    assert_eq!(findings(&found), [("no-quality", "50".to_owned())]);
    assert!(found[0].message.contains("`plain`"), "{}", found[0].message);
    let text = text.replace(", need: {quality: 50}", "");
    assert!(compile(&sources(&[("policy.yaml", &text)]), NOW).is_ok());
    let text = text.replace(
        "avoid: 'model.provider == \"hub\"'",
        "change: {r: {need: {quality: 50}}}",
    );
    assert_eq!(findings(&refused(&text)), [("no-quality", "50".to_owned())]);
}

#[test]
fn literal_credentials_are_errors_and_are_shown_nowhere() {
    for line in [
        "  a: {vendor: deepseek, api_key: hunter2hunter2}",
        "  a: {vendor: deepseek, api_key: hunter2hunter2, api_key: hunter2hunter2}",
        "  a: {vendor: deepseek, apikey: hunter2hunter2, api_key: env:A}",
        "  a: {vendor: deepseek, api_key: \"hunter2hunter2\", vendr: x}",
        "  a:\n    vendor: deepseek\n    api_key: |\n      hunter2hunter2\n",
        "  a: {vendor: deepseek, api_key: env:A, base_url: https://u:hunter2hunter2@host/}",
        "  a: {vendor: sk-hunter2hunter2, api_key: env:A}",
        "  a: {vendor: vllm, start: {command: [serve], env: {HF_TOKEN: hunter2hunter2}}}",
        "  a: {vendor: deepseek, api_key: hunter2hunter2, region: [",
    ] {
        let found = refused(&with("providers", line));
        assert!(found.iter().any(Diagnostic::is_error));
        let everything = format!("{}{}{found:?}", shown(&found), serde_json::to_string(&found).unwrap());
        assert!(!everything.contains("hunter2"), "{line}\n{everything}");
    }
}

#[test]
fn unwise_policies_compile_with_a_warning() {
    for (section, line, code, at) in [
        ("models", "  m: {provider: hub, supply: competitor}", "unpriced", "m"),
        (
            "models",
            "  m: {provider: home, supply: local, context: 4k, max_output: 8k}",
            "no-effect",
            "8k",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], need: {quality: 60}}",
            "nothing-left",
            "60",
        ),
        (
            "routes",
            "  - {name: a, match: {model: [\"z*\"]}, try: [tiny]}\n  - {name: zed, try: [tiny]}",
            "shadowed",
            "zed",
        ),
        ("plans", "  - {name: p, when: 'true'}", "no-effect", "p"),
        (
            "plans",
            "  - {name: p, when: 'true', shed: Closed., message: Never said.}",
            "no-effect",
            "Never said.",
        ),
        (
            "plans",
            "  - {name: p, during: {until: 2026-11-22}, avoid: 'model.name == \"big\"'}",
            "never-holds",
            "p",
        ),
        (
            "plans",
            "  - {name: p, when: 'true', only: 'model.provider == \"hub\"'}",
            "nothing-left",
            "p",
        ),
        (
            "plans",
            "  - {name: p, when: 'budget(\"month\").used >= 1', avoid: 'model.name == \"big\"'}",
            "never-holds",
            "budget(\"month\").used >= 1",
        ),
        (
            "alerts",
            "  - {url: https://b.example, secret: env:A, events: []}",
            "no-effect",
            "{url: https://b.example, secret: env:A, events: []}",
        ),
    ] {
        let warnings = compiled(&with(section, line)).warnings;
        assert!(
            findings(&warnings).contains(&(code, at.to_owned())),
            "{line}: {:?}",
            findings(&warnings)
        );
    }
}

#[test]
fn the_reference_shows_an_error_as_it_looks() {
    let reference = include_str!("../../../docs/policy.md");
    let line = r#"  - {name: lights-out, when: 'budget("month").exhausted', only: 'model.supply == "lokal"'}"#;
    let text = with("plans", line);
    let before = text.lines().position(|found| found == line).unwrap();
    let found = refused(&format!("{}{text}", "\n".repeat(20 - before)));
    assert!(reference.contains(&found[0].to_string()), "{}", found[0]);
}
