//! The state that a test gives: signals in the words of the conditions' own table, and how providers and models stand.

use super::present::Moment;
use super::{Reader, entries, words};
use crate::money::Money;
use crate::policy::condition::signature::{Environment, Live, SIGNATURES, Signature, Source, Type};
use crate::policy::condition::{Signal, Value as Level};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read::fields::Fields;
use crate::policy::resolve::units;
use crate::policy::source::{Node, Value, Word};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long something cools when nobody says.
const COOLING: Duration = Duration::from_secs(60);

/// How a provider or a model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Up,
    Down,
    /// A local server that is not running.
    Cold,
    Cooling(Duration),
    NoCredential,
}

#[derive(Clone, Debug)]
pub struct Given {
    pub time: Option<Timestamp>,
    /// When it is where nothing is said.
    pub noon: Timestamp,
    pub signals: Vec<(Signal, Level)>,
    /// What a budget has left.
    pub left: Vec<(Arc<str>, Money)>,
    pub providers: Vec<(Arc<str>, Health)>,
    pub models: Vec<(Arc<str>, Health)>,
    /// Activated (true) or released by hand.
    pub plans: Vec<(Arc<str>, bool)>,
    pub moment: Moment,
}

impl Given {
    pub fn at(noon: Timestamp) -> Self {
        Self {
            time: None,
            noon,
            signals: Vec::new(),
            left: Vec::new(),
            providers: Vec::new(),
            models: Vec::new(),
            plans: Vec::new(),
            moment: Moment::default(),
        }
    }
}

impl Reader<'_, '_> {
    pub fn given(&mut self, node: Option<&Node>) -> Given {
        let mut given = Given::at(self.noon());
        let Some(node) = node else { return given };
        let fields = Fields::open(node, &words::GIVEN, self.report);
        given.time = self.own(&fields, "time").and_then(|word| self.moment(&word));
        let policy = self.policy;
        let budgets = policy.budgets.iter().map(|budget| budget.name.as_ref());
        let providers = policy.providers.iter().map(|provider| provider.name.as_ref());
        let models = policy.models.iter().map(|model| model.name.as_ref());
        let plans = policy.plans.iter().map(|plan| plan.name.as_ref());
        for (name, node) in fields.pairs("budgets", self.report) {
            if self.known(name, "budget", budgets.clone()) {
                self.budget(name, node, &mut given);
            }
        }
        for (name, node) in fields.pairs("providers", self.report) {
            if self.known(name, "provider", providers.clone()) {
                let health = self.standing("provider", name, node, &mut given);
                given.providers.extend(health.map(|health| (name.text.clone(), health)));
            }
        }
        for (name, node) in fields.pairs("models", self.report) {
            if self.known(name, "model", models.clone()) {
                let health = self.standing("model", name, node, &mut given);
                given.models.extend(health.map(|health| (name.text.clone(), health)));
            }
        }
        for (name, node) in fields.pairs("licenses", self.report) {
            // Its other keys are the policy's own, and are read with it.
            for (field, node) in entries(node)
                .iter()
                .filter(|(field, _)| is_signal("license", &field.text))
            {
                if let Some(word) = self.scalar(node, &format!("`{}`", field.text)) {
                    given.signals.extend(self.signal("license", name, &field.text, word));
                }
            }
        }
        for (name, node) in fields.pairs("plans", self.report) {
            let word = self.scalar(node, "whether a plan is active");
            if let Some(active) = word.and_then(|word| self.truth(word))
                && self.known(name, "plan", plans.clone())
            {
                given.plans.push((name.text.clone(), active));
            }
        }
        for (name, node) in fields.pairs("signals", self.report) {
            given.signals.extend(self.any_signal(name, node));
        }
        given
    }

    /// The used share alone, or signals by their fields and `left`.
    fn budget(&mut self, name: &Word, node: &Node, given: &mut Given) {
        if let Value::Scalar(word) = &node.value {
            given.signals.extend(self.signal("budget", name, "used", word));
            return;
        }
        for (field, node) in entries(node) {
            let Some(word) = self.scalar(node, &format!("`{}`", field.text)) else {
                continue;
            };
            if field.text.as_ref() == "left" {
                given
                    .left
                    .extend(self.amount(word).map(|amount| (name.text.clone(), amount)));
            } else {
                given.signals.extend(self.field("budget", name, field, word, &["left"]));
            }
        }
    }

    fn standing(&mut self, subject: &'static str, name: &Word, node: &Node, given: &mut Given) -> Option<Health> {
        if let Value::Scalar(word) = &node.value {
            return self.health(word);
        }
        let mut health = None;
        for (field, node) in entries(node) {
            let Some(word) = self.scalar(node, &format!("`{}`", field.text)) else {
                continue;
            };
            match (field.text.as_ref(), units::duration(&word.text)) {
                ("state", _) => health = self.health(word),
                ("cooling", Some(length)) => health = Some(Health::Cooling(length)),
                _ => given
                    .signals
                    .extend(self.field(subject, name, field, word, &["state", "cooling"])),
            }
        }
        health
    }

    fn health(&mut self, word: &Word) -> Option<Health> {
        let known = [
            ("up", Health::Up),
            ("down", Health::Down),
            ("cold", Health::Cold),
            ("cooling", Health::Cooling(COOLING)),
            ("no_credential", Health::NoCredential),
        ];
        let found = known.iter().find(|(name, _)| *name == word.text.as_ref());
        if found.is_none() {
            let help = suggestion(&word.text, known.iter().map(|(name, _)| *name));
            let message = format!("`{}` is no state", shown(&word.text));
            self.report.error(word.place, "unknown-word", message).maybe_help(help);
        }
        found.map(|(_, health)| *health)
    }

    /// A signal by the field of its subject; `more` are fields that are no signals.
    pub fn field(
        &mut self,
        subject: &'static str,
        name: &Word,
        field: &Word,
        word: &Word,
        more: &[&'static str],
    ) -> Option<(Signal, Level)> {
        if fields_of(subject).any(|known| known == field.text.as_ref()) {
            return self.signal(subject, name, &field.text, word);
        }
        let help = suggestion(&field.text, fields_of(subject).chain(more.iter().copied()));
        let message = format!("a {subject} has no `{}`", shown(&field.text));
        self.report.error(field.place, "unknown-key", message).maybe_help(help);
        None
    }

    fn signal(&mut self, subject: &str, name: &Word, field: &str, word: &Word) -> Option<(Signal, Level)> {
        let (live, kind) = live_of(subject, field)?;
        let value = match kind {
            Type::Bool => Level::Truth(self.truth(word)?),
            Type::Number => Level::Number(self.number(word)?),
            Type::Text | Type::Texts => Level::Text(word.text.clone()),
        };
        let name = name.text.clone();
        Some((Signal { live, name }, value))
    }

    /// `budget("month").used`, `hour`.
    fn any_signal(&mut self, key: &Word, node: &Node) -> Option<(Signal, Level)> {
        let word = self.scalar(node, "a signal")?;
        let parts = parsed(&key.text).filter(|(subject, _, field)| live_of(subject, field).is_some());
        let Some((subject, name, field)) = parts else {
            let message = format!("`{}` is no signal", shown(&key.text));
            let found = self.report.error(key.place, "unknown-signal", message);
            found.help("write it as a condition does: 'budget(\"month\").used'");
            return None;
        };
        let policy = self.policy;
        let named = Word {
            text: name.into(),
            ..key.clone()
        };
        let known = match subject {
            "budget" => self.known(&named, subject, policy.budgets.iter().map(|known| known.name.as_ref())),
            "provider" => self.known(
                &named,
                subject,
                policy.providers.iter().map(|known| known.name.as_ref()),
            ),
            "license" => self.known(&named, subject, policy.licenses.iter().map(|known| known.name.as_ref())),
            "model" => self.known(&named, subject, policy.models.iter().map(|known| known.name.as_ref())),
            _ => true,
        };
        known.then(|| self.signal(subject, &named, field, word)).flatten()
    }
}

/// Subject, name and field of a signal as a condition writes it.
fn parsed(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim();
    let Some((subject, rest)) = text.split_once('(') else {
        return Some((text, "", ""));
    };
    let (name, field) = rest.split_once(").")?;
    let name = name.trim().trim_matches(['"', '\'']);
    Some((subject.trim(), name, field.trim()))
}

fn live_signals() -> impl Iterator<Item = &'static Signature> + Clone {
    SIGNATURES
        .iter()
        .filter(|known| known.environment == Environment::State)
}

fn fields_of(subject: &str) -> impl Iterator<Item = &'static str> + Clone {
    let own = live_signals().filter(move |known| known.subject.word() == subject);
    own.filter_map(|known| known.field)
}

/// Is this field of that subject a live signal?
pub(super) fn is_signal(subject: &str, field: &str) -> bool {
    live_of(subject, field).is_some()
}

fn live_of(subject: &str, field: &str) -> Option<(Live, Type)> {
    let mut own = live_signals().filter(|known| known.subject.word() == subject);
    let found = own.find(|known| known.field.unwrap_or("") == field)?;
    match found.source {
        Source::Live(live) => Some((live, found.kind)),
        Source::Request(_) => None,
    }
}
