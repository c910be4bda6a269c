//! A policy of 1,000 models, 500 routes and 200 plans, and one of five megabytes, from text to snapshot with every check
//! and warning. `cargo bench --bench compile`; `--smoke` runs once.

use jiff::Timestamp;
use planb::policy::{Sources, compile};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

const MODELS: usize = 1_000;
const ROUTES: usize = 500;
const PLANS: usize = 200;
const PROVIDERS: usize = 20;
/// Models and routes of the large one.
const LARGE: usize = 7_500;
/// Models that a route tries.
const TRIED: usize = 8;

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    measure(
        &policy(),
        &format!("{MODELS} models, {ROUTES} routes, {PLANS} plans"),
        if smoke { 1 } else { 15 },
    );
    measure(
        &large(),
        &format!("{LARGE} models, {LARGE} routes"),
        if smoke { 1 } else { 5 },
    );
}

fn measure(text: &str, what: &str, rounds: usize) {
    let sources = Sources::single("policy.yaml", PathBuf::from("."), text);
    let now: Timestamp = "2026-11-23T18:00:00Z".parse().expect("a time");
    let mut took: Vec<f64> = Vec::new();
    let mut warnings = 0;
    for _ in 0..rounds {
        let began = Instant::now();
        let compiled = compile(&sources, now).unwrap_or_else(|found| panic!("{}", found[0]));
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        warnings = compiled.warnings.len();
    }
    took.sort_by(f64::total_cmp);
    println!(
        "a policy of {} KiB: {what}, {warnings} warnings\ncompile {:8.1} ms (best {:.1} ms)",
        text.len() / 1024,
        took[took.len() / 2],
        took[0]
    );
}

/// Five megabytes of models and routes, and no comment.
fn large() -> String {
    let name = |at: usize| format!("europe-central-1/search-and-ads-team-{:03}/model-{at:05}", at % 300);
    let mut text = String::from("providers:\n  p: {vendor: vllm, base_url: \"http://127.0.0.1:9000\"}\nmodels:\n");
    for at in 0..LARGE {
        let (quality, cents) = (at % 90 + 1, at % 9 + 1);
        let _ = writeln!(
            text,
            "  {}: {{provider: p, name: upstream-model, supply: competitor, quality: {quality}, context: 128k, max_output: 8k, tools: true, \
             labels: [search-and-ads-team-{}, service-tier-{}], \
             price: {{input: 0.{cents} USD/M, cache_read: 0.0{cents} USD/M, output: {cents} USD/M}}}}",
            name(at),
            at % 300,
            at % 7
        );
    }
    text.push_str("routes:\n");
    for at in 0..LARGE {
        let mut tried = vec![name(at), name(at * 7 % LARGE), name(at * 13 % LARGE)];
        tried.sort();
        tried.dedup();
        let _ = writeln!(
            text,
            "  - {{name: europe-central-1/search-and-ads/route-{at:05}, try: [{}], \
             match: {{tag: {{team: search-and-ads-team-{at}, tier: [gold, silver]}}}}, \
             need: {{quality: 1, tools: true}}, limits: {{cost: 5 USD, output: 4k, attempts: 2}}}}",
            tried.join(", ")
        );
    }
    text
}

/// Plans of every kind: some for all routes, some for one, restrictions that overlap, needs that differ.
fn policy() -> String {
    let mut text = String::from("providers:\n");
    for at in 0..PROVIDERS {
        let _ = writeln!(
            text,
            "  p{at}: {{vendor: vllm, base_url: \"http://127.0.0.1:{}\"}}",
            9_000 + at
        );
    }
    text.push_str("models:\n");
    for at in 0..MODELS {
        let (provider, quality, cents) = (at % PROVIDERS, at % 90 + 1, at % 7 + 1);
        let supply = ["licensed", "competitor", "local"][at % 3];
        let _ = writeln!(
            text,
            "  m{at}: {{provider: p{provider}, supply: {supply}, quality: {quality}, context: 128k, price: {{input: 0.{cents} USD/M, output: {cents} USD/M}}}}"
        );
    }
    text.push_str("routes:\n");
    for at in 0..ROUTES {
        let tried: Vec<String> = (0..TRIED)
            .map(|step| format!("m{}", (at * 7 + step * 131) % MODELS))
            .collect();
        let _ = writeln!(
            text,
            "  - {{name: r{at}, match: {{model: [\"r{at}-*\"]}}, try: [{}], need: {{quality: 1}}}}",
            tried.join(", ")
        );
    }
    text.push_str("budgets:\n  month: {limit: 500 USD, per: month, covers: 'model.supply != \"local\"'}\nplans:\n");
    for at in 0..PLANS {
        let (provider, model, route) = (at % PROVIDERS, at * 5 % MODELS, at * 2 % ROUTES);
        let what = match at % 5 {
            0 => format!("avoid: 'model.provider == \"p{provider}\"'"),
            1 => format!("avoid: 'model.name == \"m{model}\" && tag.tier != \"gold\"'"),
            2 => "only: 'model.supply != \"licensed\"'".to_owned(),
            3 => format!(
                "change: {{r{route}: {{need: {{quality: {}}}, limits: {{cost: 0.5 USD}}}}}}",
                at % 40
            ),
            _ => "change: {\"*\": {pick: cheapest, need: {quality: 2}}}".to_owned(),
        };
        let _ = writeln!(
            text,
            "  - {{name: plan{at}, when: 'budget(\"month\").used > 0.{}', {what}}}",
            at % 9 + 1
        );
    }
    text
}
