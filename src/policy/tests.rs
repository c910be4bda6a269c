use super::*;
use crate::catalog::Vendor;
use crate::money::Money;
use crate::period::{Period, Start as Begins};
use crate::request::Caller;
use condition::ModelFacts;
use snapshot::*;
use std::time::Duration;

mod beside;
mod charging;
mod diagnostics;
mod edits;
mod large;
mod listed;
mod never;
mod prices;
mod reference;
pub(in crate::policy) mod shape;
mod slips;
mod slips_of_rules;
mod terms;
mod unwise;
mod warnings;
mod wrong;

/// When the tests' policies are compiled: 2026-11-23T18:00:00Z.
const NOW: Timestamp = Timestamp::constant(1_795_456_800, 0);

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

/// What the reader takes, the schema takes, too.
fn compiled(text: &str) -> Compiled {
    assert_eq!(shape::refusals(text), Vec::<String>::new(), "{text}");
    compile(&sources(&[("policy.yaml", text)]), NOW).unwrap_or_else(|found| panic!("{}", shown(&found)))
}

fn refused(text: &str) -> Vec<Diagnostic> {
    compile(&sources(&[("policy.yaml", text)]), NOW).expect_err("an error")
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
        ("clients", "clients:\n  app: {key: env:APP}"),
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
    assert_eq!(qwen.keys[0].credential, CredentialRef::Env("DASHSCOPE_API_KEY".into()));
    assert_eq!(qwen.timeouts.total, Some(Duration::from_secs(300)));
    assert_eq!(
        rival.keys[0].credential,
        CredentialRef::File("/etc/planb/deepseek.key".into())
    );
    assert_eq!(home.base_url.as_ref(), "http://127.0.0.1:8081/v1");
    let start = home.start.as_ref().unwrap();
    assert_eq!(start.command, ["/etc/examples/local-model/serve", "--port", "8081"]);
    assert_eq!(start.directory, PathBuf::from("/etc/planb"));
    let million_cached = crate::usage::Usage {
        input: 1_000_000,
        cache_read: 1_000_000,
        ..Default::default()
    };
    let moment = crate::price::Moment::plain(jiff::Timestamp::UNIX_EPOCH);
    let [max, _, tiny] = snapshot.models.as_slice() else {
        panic!("three models")
    };
    assert_eq!(
        (max.upstream.as_ref(), max.quality, max.context),
        ("qwen3.8-max", Some(88), Some(1_000_000))
    );
    let cached = max.price.as_ref().unwrap().quote(&moment).cost(&million_cached);
    assert_eq!(cached.to_string(), "0.25");
    assert!(tiny.price.as_ref().unwrap().is_free());
    let route = &snapshot.routes[0];
    assert_eq!(*route.terms.candidates, [ModelId(0), ModelId(1), ModelId(2)]);
    assert_eq!(
        (route.terms.need.quality, route.terms.attempts, route.terms.max_output),
        (Some(60), 3, Some(8_000))
    );
    assert_eq!(route.terms.max_cost, Money::parse("0.05"));
    assert_eq!(snapshot.routes_named("gpt-6").next(), Some(RouteId(0)));
    let [month, teams] = snapshot.budgets.as_slice() else {
        panic!("two budgets")
    };
    assert_eq!(
        (&month.cycle, month.enforce, month.alert_at.as_slice()),
        (
            &Cycle::Calendar(Period::Month, Begins::default()),
            Enforce::Hard,
            [5_000, 8_000].as_slice()
        )
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
            Scope::Route(RouteId(0)),
            RouteChange {
                need: Need {
                    quality: Some(0),
                    ..Need::NOTHING
                },
                ..RouteChange::default()
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
        .terms
        .candidates
        .iter()
        .find(|id| snapshot.model(**id).supply == Supply::Local);
    let local = snapshot.model(*local.unwrap());
    assert!(local.quality >= route.terms.need.quality);
    assert!(snapshot.provider(local.provider).start.is_some());
    for plan in &snapshot.plans {
        let facts = ModelFacts::recorded(local.name.clone(), "home", "local");
        assert!(
            plan.only
                .as_ref()
                .is_none_or(|only| only.matches(&facts, &Caller::default()))
        );
    }
}

#[test]
fn a_policy_needs_something_in_it() {
    for text in ["", "# nothing\n", "---\n", "timezone: UTC\n"] {
        assert_eq!(refused(text)[0].code, "empty-policy", "{text:?}");
    }
    assert_eq!(compile(&sources(&[]), NOW).unwrap_err()[0].code, "empty-policy");
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
    let snapshot = compile(&whole, NOW)
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
    let found = compile(&twice, NOW).unwrap_err();
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
fn a_budget_may_begin_its_periods_where_it_likes_and_be_raised_for_a_while() {
    let line = "  b: {limit: 5 USD, per: year, start: 04-06, timezone: Europe/London, raise: [{by: 2 USD, until: 2026-12-24}]}";
    let snapshot = compiled(&with("budgets", line)).snapshot;
    let budget = snapshot.budgets.last().unwrap();
    let span = budget.span("2026-11-23T12:00:00Z".parse().unwrap(), &snapshot.timezone);
    assert_eq!(
        span.start.to_string(),
        "2026-04-05T23:00:00Z",
        "midnight of British summer"
    );
    assert_eq!(span.end.to_string(), "2027-04-05T23:00:00Z");
    assert_eq!(
        budget.raises,
        [Raise {
            by: Money::parse("2").unwrap(),
            from: None,
            until: "2026-12-25T00:00:00Z".parse().unwrap()
        }]
    );
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
fn the_table_of_defaults_says_what_a_bare_policy_gets() {
    let worded = |place: &str, key: &str| {
        let sections = read::words::sections();
        let (section, _) = sections
            .iter()
            .find(|(_, places)| places.iter().any(|p| p == place))
            .unwrap();
        section.keys.iter().find(|known| known.name == key).unwrap().default
    };
    for (place, key, default) in [
        ("", "timezone", "UTC"),
        ("providers.*.timeouts", "connect", "2s"),
        ("providers.*.timeouts", "first_token", "60s"),
        ("providers.*.timeouts", "idle", "30s"),
        ("providers.*.timeouts", "total", "10m"),
        ("providers.*.start", "ready", "2m"),
        ("models.*", "tools", "the catalogue's, else true"),
        ("routes[]", "pick", "in_order"),
        ("routes[].limits", "attempts", "3"),
        ("routes[]", "on_disconnect", "cancel"),
        ("budgets.*", "enforce", "hard"),
        ("plans[]", "after", "0s"),
        ("plans[]", "at_least", "5m"),
        ("alerts[]", "events", "[\"*\"]"),
    ] {
        assert_eq!(worded(place, key), default, "{place} {key}");
    }
    let snapshot = compiled(&with("providers", "  a: {vendor: vllm, start: {command: [x]}}")).snapshot;
    let (route, plan) = (&snapshot.routes[0], &snapshot.plans[0]);
    assert_eq!(
        (
            snapshot.timezone_name.as_ref(),
            route.terms.pick.word(),
            route.terms.attempts
        ),
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

#[test]
fn budgets_without_periods_are_read_as_meant_and_a_forecast_of_theirs_is_warned_of() {
    let text = with(
        "budgets",
        "  window: {limit: 5 USD, per: 10m rolling, held: keep}\n  paid: {credit: [{amount: 3 USD, on: 2026-01-01}, {amount: 4 USD, on: 2026-02-01}]}\n  kept: {limit: 5 USD, per: day, carry_over: 50%, held: {after: 2h}}",
    );
    let text = text.replace(
        "plans:\n",
        "plans:\n  - {name: late, when: 'budget(\"window\").forecast > 1', avoid: 'model.provider == \"hub\"'}\n",
    );
    let compiled = compiled(&text);
    let silent = compiled.warnings.iter().find(|found| found.code == "never-holds");
    assert!(
        silent.is_some_and(|found| found.message.contains("no forecast")),
        "{}",
        shown(&compiled.warnings)
    );
    let [_, window, paid, kept] = compiled.snapshot.budgets.as_slice() else {
        panic!("four budgets")
    };
    assert_eq!(
        window.rolling().map(|rolling| rolling.window()),
        Some(Duration::from_secs(600))
    );
    assert_eq!((window.held, paid.held), (Held::Keep, defaults::HELD));
    let january = "2026-01-15T00:00:00Z".parse().unwrap();
    assert_eq!(Some(paid.written_at(january)), Money::parse("3"));
    assert_eq!(Some(paid.limit), Money::parse("7"));
    assert_eq!(kept.carry_over.map(|carry| carry.most(kept.limit)), Money::parse("2.5"));
    assert_eq!(kept.held, Held::After(Duration::from_secs(7_200)));
}
