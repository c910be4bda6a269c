//! Alerts: where to, signed with what, which events.

use super::Resolver;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read;
use crate::policy::snapshot::{AlertTarget, AlertUrl, EventPattern};
use crate::policy::source::Word;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Events of this version; their first words are patterns, too.
pub(in crate::policy) const EVENTS: [&str; 18] = [
    "budget.threshold",
    "budget.exhausted",
    "budget.forecast",
    "budget.overdraft",
    "budget.held",
    "budget.keys_full",
    "plan.activated",
    "plan.released",
    "plan.flapping",
    "policy.reloaded",
    "policy.rejected",
    "provider.down",
    "provider.recovered",
    "license.expiring",
    "license.expired",
    "ledger.degraded",
    "ledger.recovered",
    "model.retiring",
];
const LATER_EVENTS: [&str; 12] = [
    "plan.unready",
    "provider.quota",
    "provider.balance",
    "price",
    "price.changed",
    "price.missing",
    "price.stale",
    "drill",
    "drill.started",
    "drill.passed",
    "drill.failed",
    "drill.ended",
];
const LATER_FORMATS: [&str; 9] = [
    "slack",
    "feishu",
    "lark",
    "dingtalk",
    "wecom",
    "teams",
    "discord",
    "pagerduty",
    "litellm",
];

/// All that `events` may name: everything, first words, whole names.
pub(in crate::policy) fn alert_patterns() -> Vec<&'static str> {
    let mut patterns = vec!["*"];
    for event in EVENTS {
        let first = event.split('.').next().unwrap_or(event);
        patterns.extend([first, event]);
    }
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

impl Resolver<'_, '_> {
    pub fn alerts(&mut self, written: &[read::Alert]) -> Vec<AlertTarget> {
        let mut targets: Vec<AlertTarget> = Vec::new();
        for alert in written {
            let Some(target) = self.alert(alert) else {
                continue;
            };
            if targets.iter().any(|other| other.id == target.id) {
                let place = alert.url.as_ref().map_or(alert.place, |word| word.place);
                self.report
                    .error(place, "duplicate-name", "another alert goes to the same `url`")
                    .help("list all its events in one of them");
                continue;
            }
            targets.push(target);
        }
        targets
    }

    fn alert(&mut self, written: &read::Alert) -> Option<AlertTarget> {
        let allow_private = self.truth(written.allow_private.as_ref(), false);
        let url_word = self.required(written.url.as_ref(), written.place, "url", "an alert");
        let url = url_word.and_then(|word| self.alert_url(word, allow_private));
        let format = written.format.as_ref();
        let known_format = format.is_none_or(|word| {
            self.choose(word, "format", &[("standard", ())], &LATER_FORMATS)
                .is_some()
        });
        // Whether another format would need a secret is not known here.
        let secret = match &written.secret {
            None if !known_format => None,
            word => self.required(word.as_ref(), written.place, "secret", "an alert"),
        };
        let secret = secret.and_then(|word| self.credential(word, "secret"));
        let events = match &written.events {
            None => vec![EventPattern(Arc::from(defaults::EVENTS))],
            Some(words) => words.iter().filter_map(|word| self.event(word)).collect(),
        };
        if written.events.as_ref().is_some_and(Vec::is_empty) {
            self.report
                .warning(written.place, "no-effect", "this alert gets no events")
                .help("write `events: [\"*\"]` for all");
        }
        let id = crate::policy::hexadecimal(&Sha256::digest(url_word?.text.as_bytes()));
        Some(AlertTarget {
            url: url?,
            secret: secret?,
            events,
            allow_private,
            id: id.chars().take(16).collect::<String>().into(),
        })
    }

    /// A literal address, or where one is found: many webhooks' addresses are secrets themselves.
    fn alert_url(&mut self, word: &Word, allow_private: bool) -> Option<AlertUrl> {
        if ["env:", "file:", "credential:"]
            .iter()
            .any(|start| word.text.starts_with(start))
        {
            return self.credential(word, "url").map(AlertUrl::Reference);
        }
        self.address(word, allow_private, true)?;
        Some(AlertUrl::Literal(Arc::clone(&word.text)))
    }

    fn event(&mut self, word: &Word) -> Option<EventPattern> {
        if word.broken {
            return None;
        }
        let text = word.text.as_ref();
        let first_words = || EVENTS.iter().filter_map(|event| event.split('.').next());
        if text == "*" || EVENTS.contains(&text) || first_words().any(|first| first == text) {
            return Some(EventPattern(Arc::clone(&word.text)));
        }
        if LATER_EVENTS.contains(&text) {
            self.report.not_yet(word.place, text);
            return None;
        }
        let help = suggestion(text, EVENTS.iter().copied().chain(first_words()));
        let message = format!("no event is called `{}`", shown(text));
        self.report.error(word.place, "unknown-word", message).maybe_help(
            help.or_else(|| {
                Some("events are first words (`plan`), whole names (`plan.activated`) or `\"*\"`".to_owned())
            }),
        );
        None
    }
}
