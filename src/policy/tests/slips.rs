//! Every kind of error of a policy, section by section, with the place that its caret points at.

use super::*;

/// Section, what is put into it, the code and what stands under the caret.
pub(super) type Slip = (&'static str, &'static str, &'static str, &'static str);

/// Each is one error, whatever is unwise beside it.
pub(super) fn every_one_points_at_its_place(slips: &[Slip]) {
    for (section, line, code, at) in slips {
        let said = refused(&with(section, line));
        let found = findings(&said);
        assert!(found.contains(&(code, (*at).to_owned())), "{line}: {found:?}");
        let errors = said.iter().filter(|found| found.is_error()).count();
        assert!(errors == 1, "{line}: {found:?}");
    }
}

#[test]
fn of_providers_models_and_what_holds_for_all() {
    every_one_points_at_its_place(&[
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
            "  a: {vendor: anthropic, api_key: env:A, key_header: cookie}",
            "unknown-word",
            "cookie",
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
    ]);
}

#[test]
fn of_clients_and_alerts() {
    every_one_points_at_its_place(&[
        ("clients", "  a: {tags: {team: search}}", "missing-key", "a"),
        ("clients", "  a: {keys: []}", "missing-key", "a"),
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
    ]);
}
