use super::*;
use crate::catalog::Vendor;
use crate::money::Money;
use crate::period::Period;
use crate::request::Caller;
use condition::{ModelFacts, signature};
use proptest::prelude::*;
use snapshot::*;
use std::time::Duration;

/// The language's example: every key of this version but the few that exclude each other.
const EXAMPLE: &str = include_str!("tests/example.yaml");

fn sources(files: &[(&str, &str)]) -> Sources {
    Sources {
        origin: "/etc/planb/policy.yaml".to_owned(),
        directory: PathBuf::from("/etc/planb"),
        files: files
            .iter()
            .map(|(name, text)| SourceFile {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect(),
    }
}

fn compiled(text: &str) -> Compiled {
    compile(&sources(&[("policy.yaml", text)])).unwrap_or_else(|found| panic!("{}", shown(&found)))
}

fn refused(text: &str) -> Vec<Diagnostic> {
    compile(&sources(&[("policy.yaml", text)])).expect_err("an error")
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|found| format!("{found}\n")).collect()
}

/// A small sound policy with one line put in the place of a marker.
fn with(section: &str, line: &str) -> String {
    let base = [
        ("top", "timezone: UTC"),
        (
            "providers",
            "providers:\n  home: {vendor: llama.cpp}\n  hub: {vendor: openai, api_key: env:KEY}",
        ),
        (
            "models",
            "models:\n  tiny: {provider: home, supply: local, quality: 20}\n  big: {provider: hub, supply: competitor, quality: 80, price: {input: 1 USD/M, output: 2 USD/M}}",
        ),
        ("clients", "clients: {app: {key: env:APP}}"),
        ("routes", "routes:\n  - {name: chat, try: [big, tiny]}"),
        ("budgets", "budgets:\n  month: {limit: 10 USD, per: month}"),
        (
            "plans",
            "plans:\n  - {name: out, when: '!provider(\"hub\").up', avoid: 'model.provider == \"hub\"'}",
        ),
        (
            "alerts",
            "alerts:\n  - {url: https://ops.example/hook, secret: env:HOOK}",
        ),
    ];
    let mut text = String::new();
    for (name, lines) in base {
        text.push_str(lines);
        text.push('\n');
        if name == section {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Code, and what the caret points at.
fn findings(diagnostics: &[Diagnostic]) -> Vec<(&str, String)> {
    let under = |found: &Diagnostic| {
        let characters = found.excerpt.chars();
        let caret = found.caret;
        characters.skip(caret.start).take(caret.end - caret.start).collect()
    };
    diagnostics.iter().map(|found| (found.code, under(found))).collect()
}

fn one_error(section: &str, line: &str, code: &str, at: &str) -> Diagnostic {
    let found = refused(&with(section, line));
    assert_eq!(findings(&found), [(code, at.to_owned())], "{line}\n{}", shown(&found));
    found.into_iter().next().unwrap()
}

#[test]
fn the_example_compiles_whole() {
    let Compiled { snapshot, warnings } = compiled(EXAMPLE);
    assert!(warnings.is_empty(), "{}", shown(&warnings));
    assert_eq!(snapshot.timezone_name.as_ref(), "Asia/Shanghai");
    assert_eq!(snapshot.currency.code(), "USD");
    let [qwen, rival, home] = snapshot.providers.as_slice() else {
        panic!("three providers")
    };
    assert_eq!(qwen.vendor, Vendor::Dashscope);
    assert_eq!(
        qwen.base_url.as_ref(),
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    );
    assert_eq!(qwen.api_key, Some(CredentialRef::Env("DASHSCOPE_API_KEY".into())));
    assert_eq!(qwen.timeouts.total, Some(Duration::from_secs(300)));
    assert_eq!(
        rival.api_key,
        Some(CredentialRef::File("/etc/planb/deepseek.key".into()))
    );
    assert_eq!(home.base_url.as_ref(), "http://127.0.0.1:8081/v1");
    let start = home.start.as_ref().unwrap();
    assert_eq!(start.command, ["/etc/examples/local-model/serve", "--port", "8081"]);
    assert_eq!(start.directory, PathBuf::from("/etc/planb"));
    let [max, _, tiny] = snapshot.models.as_slice() else {
        panic!("three models")
    };
    assert_eq!(
        (max.upstream.as_ref(), max.quality, max.context),
        ("qwen3.8-max", Some(88), Some(1_000_000))
    );
    assert_eq!(max.price.unwrap().cache_read.nanos_per_million(), 250_000_000);
    assert!(tiny.price.unwrap().is_free());
    let route = &snapshot.routes[0];
    assert_eq!(route.candidates, [ModelId(0), ModelId(1), ModelId(2)]);
    assert_eq!(
        (route.need_quality, route.attempts, route.max_output),
        (Some(60), 3, Some(8_000))
    );
    assert_eq!(route.max_cost, Money::parse("0.05"));
    assert_eq!(snapshot.route_for("gpt-6"), Some(RouteId(0)));
    let [month, teams] = snapshot.budgets.as_slice() else {
        panic!("two budgets")
    };
    assert_eq!(
        (month.per, month.enforce, month.alert_at.as_slice()),
        (Period::Month, Enforce::Hard, [5_000, 8_000].as_slice())
    );
    assert_eq!(teams.each, Some(Each::Tag("team".into())));
    let [austerity, outage, lights_out] = snapshot.plans.as_slice() else {
        panic!("three plans")
    };
    assert_eq!(austerity.at_least, Duration::from_secs(600));
    assert_eq!(outage.at_least, defaults::AT_LEAST);
    assert_eq!(
        lights_out.change,
        [(
            RouteId(0),
            RouteChange {
                pick: None,
                need_quality: Some(0)
            }
        )]
    );
    assert_eq!(snapshot.alerts[0].events.len(), 4);
}

#[test]
fn the_policies_that_come_with_planb_compile_without_a_word() {
    for (name, text) in [
        ("quickstart", include_str!("../../policies/quickstart.yaml")),
        ("qwen-first", include_str!("../../policies/qwen-first.yaml")),
        ("local-only", include_str!("../../policies/local-only.yaml")),
    ] {
        let warnings = compiled(text).warnings;
        assert!(warnings.is_empty(), "{name}:\n{}", shown(&warnings));
    }
}

#[test]
fn the_quickstart_serves_chat_with_the_local_model_alone() {
    let snapshot = compiled(include_str!("../../policies/quickstart.yaml")).snapshot;
    let route = &snapshot.routes[0];
    assert_eq!(route.name.as_ref(), "chat");
    let local = route
        .candidates
        .iter()
        .find(|id| snapshot.model(**id).supply == Supply::Local);
    let local = snapshot.model(*local.unwrap());
    assert!(local.quality >= route.need_quality);
    assert!(snapshot.provider(local.provider).start.is_some());
    for plan in &snapshot.plans {
        let facts = ModelFacts {
            name: &local.name,
            provider: "home",
            supply: "local",
        };
        assert!(
            plan.only
                .as_ref()
                .is_none_or(|only| only.matches(facts, &Caller::default()))
        );
    }
}

#[test]
fn every_error_shows_at_once_and_one_slip_is_one_error() {
    let found = refused(concat!(
        "providers:\n  qwen: {vendor: dashscop, api_key: env:KEY}\n",
        "models:\n  max: {provider: qwem, supply: lokal, qualty: 8}\n",
        "routes:\n  - {name: chat, try: [maxx], pick: fastest}\n",
        "budgets:\n  month: {limit: 5, per: month}\n",
        "plans:\n  - {name: p, when: 'budget(\"mont\").used > 0.8', only: 'model.supply == \"lokal\"'}\n",
    ));
    let expected = [
        ("unknown-word", "dashscop"),
        ("unknown-name", "qwem"),
        ("unknown-word", "lokal"),
        ("unknown-key", "qualty"),
        ("unknown-name", "maxx"),
        ("not-yet", "fastest"),
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
error[unknown-word]: `dashscop` is no vendor
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
        ("top", "licenses: {}", "not-yet", "licenses"),
        ("top", "plan: []", "unknown-key", "plan"),
        ("providers", "  a: {vendor: azure, api_key: env:A}", "not-yet", "azure"),
        (
            "providers",
            "  a: {vendor: llama.cpp, limits: {in_flight: 4}}",
            "not-yet",
            "limits",
        ),
        ("providers", "  a: {api_key: env:A}", "missing-key", "a"),
        ("providers", "  a: {vendor: deepseek}", "missing-key", "a"),
        ("providers", "  a: {vendor: openai-compatible}", "missing-key", "a"),
        (
            "providers",
            "  a: {vendor: deepseek, api_key: env:A, region: cn}",
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
            "  a: {vendor: vllm, start: {command: [serve], idle: 15m}}",
            "not-yet",
            "idle",
        ),
        ("providers", "  a b: {vendor: vllm}", "bad-name", "a b"),
        (
            "providers",
            "  a: {vendor: vllm, api_key: credential:x}",
            "not-yet",
            "credential:x",
        ),
        ("providers", "  home: {vendor: vllm}", "duplicate-key", "home"),
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
            "  m: {provider: home, supply: local, price: {compute: 0.18 USD/h}}",
            "not-yet",
            "compute",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, price: {input: 0.1 USD/request, output: 1 USD/M}}",
            "not-yet",
            "0.1 USD/request",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, price: {input: 2 EUR/M, output: 1 USD/M}}",
            "mixed-currencies",
            "2 EUR/M",
        ),
        (
            "models",
            "  m: {provider: home, supply: local, license: x}",
            "not-yet",
            "license",
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
        (
            "routes",
            "  - {name: r, try: [tiny], limits: {requests: 60/min}}",
            "not-yet",
            "requests",
        ),
        ("routes", "  - {name: r, try: [tiny], stick: none}", "not-yet", "stick"),
        ("routes", "  - {name: planb/r, try: [tiny]}", "bad-name", "planb/r"),
        ("routes", "  - {try: [tiny]}", "missing-key", "{try: [tiny]}"),
        (
            "routes",
            "  - {name: r, match: {model: [\"\"]}, try: [tiny]}",
            "bad-value",
            "\"\"",
        ),
        ("budgets", "  b: {limit: 5 USD, per: hour}", "not-yet", "hour"),
        (
            "budgets",
            "  b: {limit: 5 USD, per: 10m rolling}",
            "not-yet",
            "10m rolling",
        ),
        ("budgets", "  b: {limit: 5 EUR, per: day}", "mixed-currencies", "5 EUR"),
        ("budgets", "  b: {limit: 0 USD, per: day}", "bad-value", "0 USD"),
        (
            "budgets",
            "  b: {limit: 5 USD, per: day, each: tag.a-b}",
            "bad-name",
            "tag.a-b",
        ),
        ("budgets", "  b: {limit: 5 USD, per: day, each: run}", "not-yet", "run"),
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
        ("plans", "  - {name: p, when: 'true', shed: true}", "not-yet", "shed"),
        (
            "plans",
            "  - {name: p, when: 'true', change: {caht: {pick: cheapest}}}",
            "unknown-name",
            "caht",
        ),
        (
            "plans",
            "  - {name: p, when: 'true', change: {chat: {weights: {}}}}",
            "not-yet",
            "weights",
        ),
        (
            "plans",
            "  - {name: p, when: 'true', change: {chat: {pick: weighted}}}",
            "not-yet",
            "weighted",
        ),
        (
            "plans",
            "  - {name: p, only: 'true'}",
            "missing-key",
            "{name: p, only: 'true'}",
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
            "  - {url: https://a.example, secret: env:A, events: [license]}",
            "not-yet",
            "license",
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
    let found = one_error("budgets", "  b: {limit: 5 EUR, per: day}", "mixed-currencies", "5 EUR");
    assert_eq!(
        (found.related[0].line, found.related[0].excerpt.contains("1 USD/M")),
        (7, true)
    );
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
    assert!(compile(&sources(&[("policy.yaml", &text)])).is_ok());
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
            "providers",
            "  a: {vendor: dashscope, region: cn, api_key: env:A, base_url: https://x.example/v1}",
            "no-effect",
            "cn",
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
fn a_policy_needs_something_in_it() {
    for text in ["", "# nothing\n", "---\n", "timezone: UTC\n"] {
        assert_eq!(refused(text)[0].code, "empty-policy", "{text:?}");
    }
    assert_eq!(compile(&sources(&[])).unwrap_err()[0].code, "empty-policy");
    let found = refused("providers: {a: {vendor: vllm}}");
    assert_eq!(
        found.iter().map(|found| found.code).collect::<Vec<_>>(),
        ["missing-key", "missing-key"]
    );
}

#[test]
fn a_folder_of_files_is_one_policy() {
    let parts: Vec<String> = with("none", "").split_inclusive('\n').map(str::to_owned).collect();
    let (first, second) = parts.split_at(4);
    let whole = sources(&[
        ("a.yaml", &first.concat()),
        ("b.yaml", &second.concat()),
        ("c.yaml", "routes:\n  - {name: more, try: [tiny]}\n"),
    ]);
    let snapshot = compile(&whole)
        .unwrap_or_else(|found| panic!("{}", shown(&found)))
        .snapshot;
    assert_eq!(
        snapshot
            .routes
            .iter()
            .map(|route| route.name.as_ref())
            .collect::<Vec<_>>(),
        ["chat", "more"]
    );
    assert!(snapshot.text.starts_with("# --- a.yaml\n") && snapshot.text.contains("\n# --- b.yaml\n"));
    let text = with("none", "");
    let twice = sources(&[("a.yaml", &text), ("b.yaml", "providers:\n  home: {vendor: vllm}\n")]);
    let found = compile(&twice).unwrap_err();
    assert_eq!(
        (found[0].code, found[0].file.as_str(), found[0].line),
        ("duplicate-name", "b.yaml", 2)
    );
    assert_eq!(
        (found[0].related[0].file.as_str(), found[0].related[0].line),
        ("a.yaml", 3)
    );
}

#[test]
fn the_hash_tells_texts_and_names_apart() {
    let hash = |files: &[(&str, &str)]| sources(files).hash();
    assert_eq!(hash(&[("a", "x")]), hash(&[("a", "x")]));
    assert_ne!(hash(&[("a", "x")]), hash(&[("a", "y")]));
    assert_ne!(hash(&[("a", "x")]), hash(&[("b", "x")]));
    assert_ne!(hash(&[("a", "x"), ("b", "y")]), hash(&[("a", "xb"), ("", "y")]));
    assert_eq!(hash(&[("a", "x")]).len(), 64);
}

#[test]
fn a_budgets_shape_follows_what_its_accounts_depend_on() {
    let shape = |line: &str| {
        let snapshot = compiled(&with("budgets", line)).snapshot;
        snapshot.budgets[1].shape.to_string()
    };
    let plain = shape("  b: {limit: 5 USD, per: day}");
    assert_eq!(
        plain,
        shape("  b: {limit: 9 USD, per: day, alert_at: [50%], enforce: soft}")
    );
    assert_ne!(plain, shape("  b: {limit: 5 USD, per: week}"));
    assert_ne!(plain, shape("  b: {limit: 5 USD, per: day, each: client}"));
    assert_ne!(plain, shape("  b: {limit: 5 USD, per: day, covers: 'tag.a == \"\"'}"));
}

#[test]
fn the_reference_has_every_key_default_and_signal() {
    let reference = include_str!("../../docs/policy.md");
    for section in read::words::SECTIONS {
        for key in section.keys {
            assert!(reference.contains(&format!("`{key}`")), "`{key}` of {}", section.what);
        }
    }
    for (key, default) in defaults::TABLE {
        let row = format!("| `{key}` | {default} |");
        let row = if default.contains('`') || default.contains(' ') {
            row
        } else {
            format!("| `{key}` | `{default}` |")
        };
        assert!(reference.contains(&row), "{row}");
    }
    for signal in &signature::SIGNATURES {
        assert!(
            reference.contains(&format!("| {} | `{}` |", signal.unit, signal.example)),
            "{}",
            signal.example
        );
        assert!(reference.contains(signal.meaning), "{}", signal.meaning);
    }
}

#[test]
fn the_table_of_defaults_says_what_a_bare_policy_gets() {
    let snapshot = compiled(&with("providers", "  a: {vendor: vllm, start: {command: [x]}}")).snapshot;
    let (route, plan) = (&snapshot.routes[0], &snapshot.plans[0]);
    assert_eq!(
        (snapshot.timezone_name.as_ref(), route.pick.word(), route.attempts),
        ("UTC", "in_order", 3)
    );
    assert_eq!((plan.after, plan.at_least), (Duration::ZERO, Duration::from_secs(300)));
    assert_eq!(route.on_disconnect, OnDisconnect::Cancel);
    assert_eq!(snapshot.budgets[0].enforce, Enforce::Hard);
    assert_eq!(snapshot.alerts[0].events, [EventPattern("*".into())]);
    assert_eq!(
        snapshot.providers[2].start.as_ref().unwrap().ready,
        Duration::from_secs(120)
    );
    assert_eq!(snapshot.models[0].upstream.as_ref(), "tiny");
    assert!(snapshot.models[0].tools);
    let timeouts = [
        defaults::TIMEOUTS.connect,
        defaults::TIMEOUTS.first_token,
        defaults::TIMEOUTS.idle,
        defaults::TIMEOUTS.total,
    ];
    assert_eq!(
        timeouts,
        [2, 60, 30, 600].map(|seconds| Some(Duration::from_secs(seconds)))
    );
}

/// One edit of a text: cut, doubled, replaced or inserted.
fn mutated(text: &str, at: usize, length: usize, insert: &str) -> String {
    let floor = |byte: usize| {
        (0..=byte.min(text.len()))
            .rev()
            .find(|b| text.is_char_boundary(*b))
            .unwrap_or(0)
    };
    let (start, end) = (floor(at), floor(at + length));
    format!("{}{insert}{}", &text[..start], &text[end.max(start)..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = compile(&sources(&[("a.yaml", &text)]));
        let _ = compile(&sources(&[("a.yaml", &String::from_utf8_lossy(&bytes))]));
    }

    #[test]
    fn no_edit_of_a_policy_makes_the_reader_panic(
        at in 0..EXAMPLE.len(), length in 0..40_usize,
        insert in prop_oneof![Just(String::new()), "[-{}\\[\\]:,&*!|>'\"%@#~\n\t a-z0-9é]{0,6}"],
    ) {
        let text = mutated(EXAMPLE, at, length, &insert);
        let files = sources(&[("a.yaml", &text)]);
        let (once, twice) = (compile(&files), compile(&files));
        match (once, twice) {
            (Ok(a), Ok(b)) => {
                prop_assert_eq!(a.warnings, b.warnings);
                prop_assert_eq!(format!("{:?}", a.snapshot), format!("{:?}", b.snapshot));
            }
            (Err(a), Err(b)) => {
                prop_assert!(!a.is_empty());
                for found in &a {
                    let _ = found.to_string();
                }
                prop_assert_eq!(a, b);
            }
            _ => prop_assert!(false, "one text, two answers"),
        }
    }
}
