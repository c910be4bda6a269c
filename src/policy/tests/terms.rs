//! What the catalogue brings, and what licences, retirements and spaces come to.

use super::*;

fn model(line: &str) -> Model {
    let text = format!(
        "providers:\n  qwen: {{vendor: dashscope, api_key: env:A, labels: [audited]}}\n  home: {{vendor: ollama}}\n  \
         near: {{vendor: openai, region: eu, api_key: env:B}}\nmodels:\n  m: {line}\nroutes: [{{name: chat, try: [m]}}]\n"
    );
    compiled(&text).snapshot.models.remove(0)
}

#[test]
fn a_model_of_the_catalogue_brings_what_the_policy_does_not_name() {
    let max = model("{provider: qwen, name: qwen3.8-max}");
    assert_eq!(max.supply, Supply::Licensed);
    assert_eq!((max.context, max.max_output), (Some(1_000_000), Some(131_072)));
    assert!(max.tools && max.images && max.json_schema && max.traits.reasoning && !max.traits.audio);
    let listed = max.traits.listed.unwrap();
    assert_eq!(listed.id, "dashscope/qwen3.8-max");
    assert!(listed.brings.contains(&"supply") && !listed.unsure.is_empty());
    assert_eq!(max.traits.residence[0].code(), "SG");
    assert_eq!(max.traits.domain.as_ref(), "env:A");
    let own = model(
        "{provider: qwen, name: qwen3.8-max, supply: competitor, context: 8k, tools: false, residence: [CN], labels: [own]}",
    );
    assert_eq!(
        (own.supply, own.context, own.tools),
        (Supply::Competitor, Some(8_000), false)
    );
    assert!(!own.traits.listed.unwrap().brings.contains(&"context"));
    assert_eq!(own.traits.labels, ["audited".into(), "own".into()]);
    assert_eq!(own.traits.residence[0].code(), "CN");
    assert_eq!(
        model("{provider: near, name: gpt-5.6}").traits.residence[0].code(),
        "EU"
    );
}

#[test]
fn what_neither_names_counts_as_present() {
    let unknown = model("{provider: home, supply: local}");
    assert!(unknown.tools && unknown.traits.reasoning && unknown.traits.audio && unknown.traits.listed.is_none());
    assert_eq!((unknown.context, unknown.max_output), (None, None));
}

#[test]
fn weights_bind_who_runs_them() {
    let text = "providers:\n  hub: {vendor: groq, api_key: env:A}\n  home: {vendor: ollama}\nmodels:\n  \
        hosted: {provider: hub, name: openai/gpt-oss-20b}\n  own: {provider: home, name: \"qwen2.5-3b-instruct\"}\n\
        routes: [{name: chat, try: [hosted, own]}]\n";
    let found = compiled(text);
    let names = |at: usize| {
        let ids = found.snapshot.models[at].licenses();
        ids.map(|id| found.snapshot.licenses[id.0].name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(0),
        ["vendor-api-terms"],
        "its weights' licence is the host's to keep"
    );
    assert_eq!(names(1), ["qwen-research"]);
    assert!(
        shown(&found.warnings).contains("permits research alone"),
        "{}",
        shown(&found.warnings)
    );
}

#[test]
fn a_licence_of_the_policy_begins_with_one_of_the_catalogue() {
    let text = format!(
        "timezone: Asia/Shanghai\nlicenses:\n  deal: {{base: qwen-2024, uses: [internal], expires: 2026-12-10, users: {{declared: 40k}}, fee: 2000 USD/month, notice: done}}\n{}",
        "providers: {home: {vendor: ollama}}\nmodels: {m: {provider: home, supply: local, license: deal}}\nroutes: [{name: chat, try: [m]}]\n"
    );
    let found = compiled(&text);
    let deal = &found.snapshot.licenses[0];
    assert_eq!(deal.uses.to_string(), "internal");
    assert_eq!(deal.users.unwrap().max, Some(100_000_000));
    assert_eq!(deal.users_used(None), Some(0.000_4));
    assert_eq!(
        deal.users_used(Some(1)),
        Some(0.000_4),
        "the larger of what is declared and counted"
    );
    assert!(deal.users_used(Some(u64::MAX)) > Some(1.0));
    assert_eq!(deal.term.unwrap().end.to_string(), "2026-12-10T16:00:00Z");
    assert_eq!(deal.fee.unwrap().to_string(), "2000 USD/month");
    let warnings = shown(&found.warnings);
    assert!(warnings.contains("ends with 2026-12-10"), "{warnings}");
    assert!(
        warnings.contains("(outputs)") && !warnings.contains("(notice)"),
        "{warnings}"
    );
}

#[test]
fn ends_are_warned_of() {
    let text = "providers: {hub: {vendor: deepseek, api_key: env:A}}\nmodels:\n  \
        chat-model: {provider: hub, name: deepseek-chat, retires: 2026-12-01}\nroutes: [{name: chat, try: [chat-model]}]\n";
    let warnings = shown(&compiled(text).warnings);
    assert!(warnings.contains("retires on 2026-12-01"), "{warnings}");
    assert!(
        warnings.contains("ended on 2026-07-24") && warnings.contains("`deepseek-flash`"),
        "{warnings}"
    );
    let stays = text.replace("2026-12-01", "never");
    assert!(!shown(&compiled(&stays).warnings).contains("retires on"));
}

#[test]
fn a_route_keeps_to_one_space_of_vectors() {
    let text = "providers:\n  a: {vendor: openai, api_key: env:A}\n  b: {vendor: azure, base_url: https://x.openai.azure.com/openai/v1, api_key: env:B}\nmodels:\n  \
        one: {provider: a, name: text-embedding-3-large}\n  two: {provider: a, name: text-embedding-3-small}\n  \
        same: {provider: b, name: my-deployment, supply: competitor, space: text-embedding-3-large}\nroutes: [{name: vectors, try: [one, two]}]\n";
    let found = refused(text);
    assert_eq!(found[0].code, "mixed-spaces", "{}", shown(&found));
    compiled(&text.replace("[one, two]", "[one, same]"));
}

#[test]
fn a_line_of_successors_keeps_to_the_space_to_its_end() {
    let text = "providers: {a: {vendor: openai, api_key: env:K}}\nmodels:\n  \
        one: {provider: a, name: x, supply: competitor, space: s, retires: 2026-01-01, successor: two}\n  \
        two: {provider: a, name: y, supply: competitor, space: s, retires: 2026-01-01, successor: three}\n  \
        three: {provider: a, name: z, supply: competitor, space: other}\n\
        routes: [{name: vectors, try: [one]}]\n";
    let found = refused(text);
    let errors = found.iter().filter(|found| found.is_error()).map(|found| found.code);
    assert_eq!(errors.collect::<Vec<_>>(), ["mixed-spaces"], "{}", shown(&found));
}

#[test]
fn a_plan_leaves_out_the_days_off_of_a_calendar() {
    let text = "providers: {home: {vendor: ollama}}\nmodels: {m: {provider: home, supply: local}}\n\
        routes: [{name: chat, try: [m]}]\nholidays: {off: [2026-11-24, 2026-12-24..2026-12-26]}\n\
        plans: [{name: p, during: {days: [mon-fri], hours: [\"22:00-06:00\"], except: off}, shed: closed}]\n";
    let plan = compiled(text).snapshot.plans.remove(0);
    let active = |at: &str| plan.during[0].contains(at.parse().unwrap());
    assert!(
        active("2026-11-23T23:00:00Z") && active("2026-11-24T05:00:00Z"),
        "Monday's night ends on the day off"
    );
    assert!(!active("2026-11-24T23:00:00Z") && !active("2026-12-25T23:00:00Z"));
    assert!(active("2026-11-25T23:00:00Z"));
    assert!(plan.condition().contains("except 4 days off"), "{}", plan.condition());
}
