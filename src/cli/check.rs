//! `planb check POLICY`: every error and warning of a policy, and what it would do.
//!
//! Reads the policy, and whether its credentials are there; never a credential's value, and nothing over the network.

use crate::policy::snapshot::{CredentialRef, Pick, Route, Snapshot};
use crate::policy::{self, Compiled, Diagnostic};
use crate::watch::read_sources;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Diagnostics to standard error, a summary to standard output; 1 when the policy cannot be served.
pub fn run(path: &Path) -> ExitCode {
    let sources = match read_sources(Some(path)) {
        Ok(sources) => sources,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("error: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    match policy::compile(&sources) {
        Ok(Compiled { snapshot, warnings }) => {
            say(&mut std::io::stderr(), &listed(&warnings));
            say(&mut std::io::stdout(), &summary(&snapshot, warnings.len(), is_present));
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            let errors = diagnostics.iter().filter(|found| found.is_error()).count();
            let rest = diagnostics.len() - errors;
            let mut text = listed(&diagnostics);
            let _ = writeln!(
                text,
                "{}: {}, {}",
                path.display(),
                counted(errors, "error"),
                counted(rest, "warning")
            );
            say(&mut std::io::stderr(), &text);
            ExitCode::FAILURE
        }
    }
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
    let providers = snapshot
        .providers
        .iter()
        .map(|p| ("provider", &p.name, p.api_key.as_ref()));
    let clients = snapshot.clients.iter().map(|c| ("client", &c.name, Some(&c.key)));
    let _ = writeln!(text, "\nkeys");
    for (kind, name, reference) in providers.chain(clients) {
        let _ = match reference {
            None => writeln!(text, "  {kind} {name}: none needed"),
            Some(reference) => {
                let state = if present(reference) { "present" } else { "missing" };
                writeln!(text, "  {kind} {name}: {} is {state}", reference_text(reference))
            }
        };
    }
    text
}

fn write_route(text: &mut String, snapshot: &Snapshot, route: &Route) {
    let patterns: Vec<&str> = route.matches.iter().map(|pattern| pattern.0.as_ref()).collect();
    let also = match patterns.as_slice() {
        [] => String::new(),
        patterns => format!(" (also {})", patterns.join(", ")),
    };
    let pick = match route.terms.pick {
        Pick::InOrder => "in this order",
        Pick::Cheapest => "the cheapest first",
    };
    let _ = writeln!(text, "\nroute {}{also}, {pick}:", route.name);
    for id in &route.candidates {
        let (model, provider) = (snapshot.model(*id), snapshot.provider_of(*id));
        let (name, supply, upstream) = (&model.name, model.supply.word(), &model.upstream);
        let _ = writeln!(
            text,
            "  {name} ({supply}): {upstream} at {}/chat/completions",
            provider.base_url
        );
    }
}

fn reference_text(reference: &CredentialRef) -> String {
    match reference {
        CredentialRef::Env(name) => format!("env:{name}"),
        CredentialRef::File(path) => format!("file:{}", path.display()),
    }
}

fn is_present(reference: &CredentialRef) -> bool {
    match reference {
        CredentialRef::Env(name) => std::env::var_os(name.as_ref()).is_some_and(|value| !value.is_empty()),
        CredentialRef::File(path) => path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> ExitCode {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, text).unwrap();
        run(&path)
    }

    #[test]
    fn a_sound_policy_succeeds_and_a_broken_or_missing_one_fails() {
        let sound = include_str!("../../policies/local-only.yaml");
        assert_eq!(checked(sound), ExitCode::SUCCESS);
        assert_eq!(checked("providers: {"), ExitCode::FAILURE);
        assert_eq!(run(Path::new("/nonexistent/policy.yaml")), ExitCode::FAILURE);
    }

    #[test]
    fn the_summary_shows_final_addresses_and_which_keys_are_missing() {
        let sources = read_sources(None).unwrap();
        let snapshot = policy::compile(&sources).unwrap().snapshot;
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
