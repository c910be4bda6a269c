//! `planb check POLICY`: every error and warning of a policy, and what it would do.
//!
//! Reads the policy, and whether its credentials are there; never a credential's value, and nothing over the network.

use crate::license::{License, Territory, TerritoryOf};
use crate::policy::snapshot::{CredentialRef, LicenseId, Model, Pick, Provider, Route, Snapshot};
use crate::policy::{self, Compiled, Diagnostic, github, sarif};
use crate::watch::read_sources;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// A file, or a directory of files
    policy: PathBuf,
    /// How to say it: for people, for programs, for code hosts, as workflow commands
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail on warnings, too
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
    Github,
}

/// What was found, and the policy where it may be served.
struct Checked {
    origin: String,
    snapshot: Option<Snapshot>,
    diagnostics: Vec<Diagnostic>,
}

/// 0 when the policy may be served, 1 when not, or when there are warnings and they are denied.
pub fn run(args: &CheckArgs) -> ExitCode {
    let checked = check(&args.policy);
    let (errors, warnings) = checked.counts();
    match args.format {
        Format::Text => checked.tell(),
        Format::Json => say(&mut std::io::stdout(), &pretty(&checked.json())),
        Format::Sarif => say(&mut std::io::stdout(), &pretty(&sarif(&checked.diagnostics))),
        Format::Github => {
            let commands = github(&checked.diagnostics);
            say(&mut std::io::stdout(), &format!("{commands}{}\n", checked.count_line()));
        }
    }
    if errors > 0 || args.deny_warnings && warnings > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn check(path: &std::path::Path) -> Checked {
    let origin = path.display().to_string();
    let (snapshot, diagnostics) = match read_sources(Some(path)) {
        Err(error) => (None, vec![error.diagnostic()]),
        Ok(sources) => match policy::compile(&sources, jiff::Timestamp::now()) {
            Ok(Compiled { snapshot, warnings }) => (Some(snapshot), warnings),
            Err(diagnostics) => (None, diagnostics),
        },
    };
    Checked {
        origin,
        snapshot,
        diagnostics,
    }
}

impl Checked {
    /// Of errors and of warnings.
    fn counts(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|found| found.is_error()).count();
        (errors, self.diagnostics.len() - errors)
    }

    fn count_line(&self) -> String {
        let (errors, warnings) = self.counts();
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        format!("{}: {errors}, {warnings}", self.origin)
    }

    /// Diagnostics to standard error, a summary to standard output.
    fn tell(&self) {
        let mut text = listed(&self.diagnostics);
        match &self.snapshot {
            Some(snapshot) => {
                say(&mut std::io::stderr(), &text);
                let summary = summary(snapshot, self.diagnostics.len(), is_present);
                say(&mut std::io::stdout(), &summary);
            }
            None => {
                let _ = writeln!(text, "{}", self.count_line());
                say(&mut std::io::stderr(), &text);
            }
        }
    }

    fn json(&self) -> Value {
        let (errors, warnings) = self.counts();
        json!({
            "policy": self.origin,
            "sound": self.snapshot.is_some(),
            "errors": errors,
            "warnings": warnings,
            "diagnostics": self.diagnostics,
        })
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A reader that has gone away (`| head`) is no failure of the policy.
fn say(stream: &mut dyn std::io::Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn listed(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut text, found| {
        let _ = writeln!(text, "{found}\n");
        text
    })
}

fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn summary(snapshot: &Snapshot, warnings: usize, present: impl Fn(&CredentialRef) -> bool) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} is a sound policy ({})",
        snapshot.origin,
        counted(warnings, "warning")
    );
    for route in &snapshot.routes {
        write_route(&mut text, snapshot, route);
    }
    write_licenses(&mut text, snapshot);
    let providers = snapshot
        .providers
        .iter()
        .flat_map(|p| keys_of(p).map(move |key| ("provider", &p.name, key)));
    let clients = snapshot
        .clients
        .iter()
        .flat_map(|c| c.keys.iter().map(|key| ("client", &c.name, Some(key))));
    let _ = writeln!(text, "\nkeys");
    for (kind, name, reference) in providers.chain(clients) {
        let _ = match reference {
            None => writeln!(text, "  {kind} {name}: none needed"),
            Some(reference) => {
                let state = if present(reference) { "present" } else { "missing" };
                writeln!(text, "  {kind} {name}: {} is {state}", reference.label())
            }
        };
    }
    text
}

/// The terms that bind a model of a route, and what of them is worth a word.
fn write_licenses(text: &mut String, snapshot: &Snapshot) {
    let bound: Vec<_> = snapshot.models.iter().flat_map(Model::licenses).collect();
    let mut licenses = snapshot
        .licenses
        .iter()
        .enumerate()
        .filter(|(at, _)| bound.contains(&LicenseId(*at)))
        .peekable();
    if licenses.peek().is_some() {
        let _ = writeln!(text, "\nlicences");
    }
    for (_, license) in licenses {
        let mut said = vec![license.uses.to_string()];
        said.extend(reach(license));
        said.extend(license.term.map(|term| format!("to {}", term.last_day)));
        said.extend(bounds(license));
        said.extend(license.fee.map(|fee| fee.to_string()));
        said.extend(
            license
                .duties_now()
                .map(|duty| format!("{}: {}", duty.kind.word(), duty.text)),
        );
        said.extend((!license.unsure.is_empty()).then(|| format!("not confirmed: {}", license.unsure.join(", "))));
        let _ = writeln!(text, "  {}: {}", license.name, said.join("; "));
    }
}

/// Where it holds.
fn reach(license: &License) -> Vec<String> {
    let named = |places: &[Territory]| {
        let codes: Vec<&str> = places.iter().map(Territory::code).collect();
        (!codes.is_empty()).then(|| codes.join(", "))
    };
    let lives = match (license.territory_of, license.domicile) {
        (TerritoryOf::Use, _) => String::new(),
        (TerritoryOf::Licensee, None) => " (where you live, which is not declared)".to_owned(),
        (TerritoryOf::Licensee, Some(place)) => format!(" (where you live: {place})"),
    };
    let within = named(&license.territories).map(|places| format!("in {places}{lives}"));
    let without = named(&license.except_territories).map(|places| format!("not in {places}{lives}"));
    within.into_iter().chain(without).collect()
}

/// Up to which numbers it holds, and what you declared.
fn bounds(license: &License) -> Vec<String> {
    let counts = [
        ("users a month", &license.users),
        ("seats", &license.seats),
        ("GPUs", &license.gpus),
    ];
    let counts = counts.into_iter().filter_map(|(what, count)| {
        let count = count.as_ref()?;
        let declared = count.declared.map(|declared| declared.to_string());
        said_of(count.max.map(|max| format!("{max} {what}")), declared, what)
    });
    let revenue = license.revenue.as_ref().and_then(|revenue| {
        let (currency, per) = (revenue.currency, revenue.per.word());
        let max = revenue.max.map(|max| format!("a revenue of {max} {currency} a {per}"));
        said_of(
            max,
            revenue.declared.map(|declared| format!("{declared} {currency}")),
            "revenue",
        )
    });
    counts.chain(revenue).collect()
}

fn said_of(max: Option<String>, declared: Option<String>, what: &str) -> Option<String> {
    match (max, declared) {
        (Some(max), Some(declared)) => Some(format!("up to {max}, {declared} declared")),
        (Some(max), None) => Some(format!("up to {max}, none declared")),
        (None, Some(declared)) => Some(format!("{declared} {what} declared")),
        (None, None) => None,
    }
}

fn write_route(text: &mut String, snapshot: &Snapshot, route: &Route) {
    let patterns: Vec<&str> = route.matches.models.iter().map(|pattern| pattern.0.as_ref()).collect();
    let also = match patterns.as_slice() {
        [] => String::new(),
        patterns => format!(" (also {})", patterns.join(", ")),
    };
    let pick = match route.terms.pick {
        Pick::InOrder => "in this order",
        Pick::Cheapest => "the cheapest first",
        Pick::Fastest => "the fastest first",
        Pick::Weighted => "by weight",
    };
    let _ = writeln!(text, "\nroute {}{also}, {pick}:", route.name);
    for criterion in route.matches.criteria() {
        let _ = writeln!(text, "  {}", criterion.wanted(&route.matches));
    }
    let now = jiff::Timestamp::now();
    for id in route.terms.candidates.iter() {
        let (model, provider) = (snapshot.model(*id), snapshot.provider_of(*id));
        let (name, supply, upstream) = (&model.name, model.supply.word(), &model.upstream);
        let _ = writeln!(
            text,
            "  {name} ({supply}): {upstream} at {}",
            provider.chat_address(upstream)
        );
        if let Some(fee) = model.price.as_ref().and_then(|price| price.flat_fee(now)) {
            let _ = writeln!(text, "    paid whether or not it is used: {fee}");
        }
        write_quota(text, model, now);
        if let Some(listed) = model.traits.listed.as_ref().filter(|listed| !listed.brings.is_empty()) {
            let _ = writeln!(
                text,
                "    by the catalogue's {}: {}",
                listed.id,
                listed.brings.join(", ")
            );
            if !listed.unsure.is_empty() {
                let _ = writeln!(text, "    not confirmed there: {}", listed.unsure.join(", "));
            }
        }
    }
}

/// What the vendor gives away once for an account: planb does not know whether this one has it.
fn write_quota(text: &mut String, model: &Model, now: jiff::Timestamp) {
    let quota = model.traits.listed.as_ref().and_then(|listed| listed.free);
    let has_own = model.price.as_ref().is_some_and(|price| price.quota_at(now).is_some());
    if let Some(quota) = quota.filter(|_| !has_own) {
        let unsure = if quota.unsure { ", not confirmed" } else { "" };
        let _ = writeln!(
            text,
            "    the vendor may give an account {} tokens once, for {} days ({}{unsure}); if yours has them, write \
             `free: {{tokens: {}, until: …}}` into its price",
            quota.tokens, quota.days, quota.place, quota.tokens,
        );
    }
}

/// What a key is missing for, a line each.
pub fn missing_credentials(snapshot: &Snapshot) -> Vec<String> {
    let providers = snapshot
        .providers
        .iter()
        .flat_map(|p| keys_of(p).map(move |key| ("provider", &p.name, key)));
    let clients = snapshot
        .clients
        .iter()
        .flat_map(|c| c.keys.iter().map(|key| ("client", &c.name, Some(key))));
    let missing = providers.chain(clients).filter_map(|(kind, name, reference)| {
        let reference = reference.filter(|reference| !is_present(reference))?;
        Some(format!("{} of {kind} {name} is missing", reference.label()))
    });
    missing.collect()
}

/// `None` once for a provider that needs none.
fn keys_of(provider: &Provider) -> impl Iterator<Item = Option<&CredentialRef>> {
    let keys = provider.keys.iter().map(|key| Some(&key.credential));
    keys.chain(provider.keys.is_empty().then_some(None))
}

fn is_present(reference: &CredentialRef) -> bool {
    let filled = |path: &Path| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0);
    match reference {
        CredentialRef::Env(name) => std::env::var_os(name.as_ref()).is_some_and(|value| !value.is_empty()),
        CredentialRef::File(path) => filled(path),
        CredentialRef::Credential(name) => {
            std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|folder| filled(&Path::new(&folder).join(&**name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Checked {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, text).unwrap();
        check(&path)
    }

    #[test]
    fn a_sound_policy_is_told_from_a_broken_and_a_missing_one() {
        let sound = include_str!("../../policies/local-only.yaml");
        assert_eq!(checked(sound).counts(), (0, 0));
        let broken = checked("providers: {");
        assert_eq!((broken.snapshot.is_none(), broken.counts()), (true, (1, 0)));
        let missing = check(std::path::Path::new("/nonexistent/policy.yaml"));
        assert_eq!(missing.diagnostics[0].code, "unreadable");
        assert_eq!(missing.count_line(), "/nonexistent/policy.yaml: 1 error, 0 warnings");
    }

    #[test]
    fn tokens_that_a_vendor_gives_away_once_are_named_until_the_policy_counts_them() {
        let policy = |more: &str| {
            let text = format!(
                "providers: {{studio: {{vendor: dashscope, region: intl, api_key: env:KEY}}}}\n\
                 models: {{q: {{provider: studio, name: qwen-plus{more}}}}}\n\
                 routes: [{{name: chat, try: [q]}}]\n"
            );
            let checked = checked(&text);
            let snapshot = checked.snapshot.as_ref().unwrap();
            let mut described = String::new();
            write_route(&mut described, snapshot, &snapshot.routes[0]);
            described
        };
        assert!(policy("").contains("may give an account 1000000 tokens once, for 90 days"));
        assert!(!policy(", price: {free: {tokens: 1M}}").contains("may give"));
    }

    #[test]
    fn licences_are_listed_with_where_and_up_to_what_they_hold() {
        let checked = checked(
            "licenses:\n  deal: {uses: [internal], territories: [CN, SG], except_territories: [GB], users: {max: 100M, declared: 12k}, \
             seats: {max: 50}, gpus: {declared: 8}, revenue: {max: 20000000 USD, per: year, declared: 3000000 USD}}\n\
             providers: {home: {vendor: ollama}}\nmodels: {m: {provider: home, supply: local, license: deal}}\n\
             clients: {c: {key: env:K, use: internal, territory: CN}}\nroutes: [{name: chat, try: [m]}]\n",
        );
        let mut listed = String::new();
        write_licenses(&mut listed, checked.snapshot.as_ref().unwrap());
        for said in [
            "internal; in CN, SG; not in GB",
            "up to 100000000 users a month, 12000 declared",
            "up to 50 seats, none declared",
            "8 GPUs declared",
            "up to a revenue of 20000000 USD a year, 3000000 USD declared",
        ] {
            assert!(listed.contains(said), "{said}: {listed}");
        }
    }

    #[test]
    fn the_documentation_shows_the_json_as_it_is() {
        let text = "providers:\n  home: {vendor: llama.cpp}\nmodels:\n  tiny: {provider: home, suply: local}\n";
        let files = policy::Sources::single("policy.yaml", PathBuf::new(), text);
        let checked = Checked {
            origin: "policy.yaml".to_owned(),
            snapshot: None,
            diagnostics: policy::compile(&files, jiff::Timestamp::UNIX_EPOCH)
                .unwrap_err()
                .into_iter()
                .filter(|found| found.code == "unknown-key")
                .collect(),
        };
        let documentation = include_str!("../../docs/policy.md");
        let shown = documentation
            .split("```json\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(shown).unwrap(), checked.json());
    }

    #[test]
    fn the_summary_shows_final_addresses_and_which_keys_are_missing() {
        let sources = read_sources(None).unwrap();
        let snapshot = policy::compile(&sources, jiff::Timestamp::now()).unwrap().snapshot;
        let shown = summary(&snapshot, 0, |reference| {
            *reference == CredentialRef::Env("DEEPSEEK_API_KEY".into())
        });
        for line in [
            "built-in quickstart is a sound policy (0 warnings)",
            "route chat (also gpt-*, qwen*, deepseek*), in this order:",
            "  qwen-max (licensed): qwen3.8-max at https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
            "  tiny (local): smollm2-135m at http://127.0.0.1:8081/v1/chat/completions",
            "  provider qwen: env:DASHSCOPE_API_KEY is missing",
            "  provider rival: env:DEEPSEEK_API_KEY is present",
            "  provider home: none needed",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
        }
    }

    #[test]
    fn a_credential_counts_as_present_when_something_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(!is_present(&CredentialRef::File(path.clone())));
        std::fs::write(&path, "").unwrap();
        assert!(!is_present(&CredentialRef::File(path.clone())));
        std::fs::write(&path, "x").unwrap();
        assert!(is_present(&CredentialRef::File(path)));
        assert!(!is_present(&CredentialRef::Env("PLANB_TEST_NO_SUCH_VARIABLE".into())));
    }
}
