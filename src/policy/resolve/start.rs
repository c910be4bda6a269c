//! How to run a local server: its command and environment, and when it is to run.

use super::Resolver;
use super::credentials::from_folder;
use super::urls::Address;
use crate::catalog::VendorFacts;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Running, Start};
use crate::policy::source::Word;
use std::sync::Arc;

/// How variables end that hold secrets.
const SECRET_ENDS: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];
/// planb's own, which it sets itself.
const OWN: &str = "PLANB_STATE";

impl Resolver<'_, '_> {
    pub fn start(
        &mut self,
        written: &read::Start,
        facts: Option<&VendorFacts>,
        address: Option<&Address>,
    ) -> Option<Start> {
        if let Some(facts) = facts.filter(|facts| !facts.local) {
            let message = format!("planb starts local servers, and `{}` is none", facts.word);
            self.report.error(written.place, "not-here", message);
        } else if address.is_some_and(|address| !address.loopback) {
            self.report
                .error(
                    written.place,
                    "not-here",
                    "planb starts servers on this machine, and `base_url` is elsewhere",
                )
                .help("use `http://127.0.0.1:PORT`");
        }
        let ready = self.span(written.ready.as_ref()).unwrap_or(defaults::READY);
        let env = written
            .env
            .iter()
            .filter_map(|(name, value)| self.variable(name, value));
        let env = env.collect();
        let Some(words) = &written.command else {
            self.report
                .error(written.place, "missing-key", "`start` needs `command`")
                .help("write `command: [llama-server, -m, model.gguf, --port, \"8080\"]`");
            return None;
        };
        let Some(program) = words.first() else {
            self.report
                .error(written.place, "missing-value", "`command` names no program")
                .help("write the program and its arguments: `command: [llama-server, --port, \"8080\"]`");
            return None;
        };
        let mut command: Vec<String> = words.iter().map(|word| word.text.to_string()).collect();
        if program.text.contains('/') {
            command[0] = from_folder(self.directory, &program.text)
                .to_string_lossy()
                .into_owned();
        }
        Some(Start {
            command,
            directory: self.directory.to_path_buf(),
            env,
            ready,
        })
    }

    /// When the server is to run without being asked for, and when it may rest.
    pub fn running(&mut self, written: Option<&read::Start>) -> Running {
        let warm_when = written.and_then(|start| start.warm_when.as_ref());
        let warm_when = warm_when.filter(|word| !word.broken);
        Running {
            idle: written.and_then(|start| self.span(start.idle.as_ref())),
            warm_when: warm_when.and_then(|word| self.state(word)),
        }
    }

    fn variable(&mut self, name: &Word, value: &Word) -> Option<(Arc<str>, Arc<str>)> {
        if name.broken || value.broken {
            return None;
        }
        let text = name.text.as_ref();
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() {
            let message = format!("`{}` cannot be the name of a variable", shown(text));
            self.report
                .error(name.place, "bad-name", message)
                .help("write letters, digits and `_`, such as `CUDA_VISIBLE_DEVICES`");
            return None;
        }
        if text == OWN {
            let message = format!("`{OWN}` is set by planb itself");
            self.report.error(name.place, "not-here", message);
            return None;
        }
        if SECRET_ENDS.iter().any(|end| text.to_ascii_uppercase().ends_with(end)) {
            self.report.secret(value.place);
            let message = format!(
                "`{}` looks like a secret, and the policy is no place for one",
                shown(text)
            );
            self.report
                .error(name.place, "literal-credential", message)
                .help("the server inherits planb's own environment: set it there");
            return None;
        }
        Some((Arc::clone(&name.text), Arc::clone(&value.text)))
    }
}
