//! What a test gives of the moment besides signals: a conversation with its warm cache, speeds and usual answers, where
//! meters stand, limits that are used up, and how keys stand.

use super::{Reader, entries, words};
use crate::money::{Currency, Money};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read::fields::Fields;
use crate::policy::resolve::units;
use crate::policy::snapshot::{Limits, ProviderKey, Snapshot};
use crate::policy::source::{Node, Value, Word};
use crate::price::Unit;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Of the prompt, where nobody says: all of it.
const ALL: u32 = 10_000;

/// What the request goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub model: Arc<str>,
    /// The share of the prompt that is likely to be in its cache, in basis points; `None` once that has expired.
    pub cached: Option<u32>,
    pub lock: Option<Lock>,
    pub from: Option<Arc<str>>,
    /// Other plans are active than when it answered.
    pub replanned: bool,
}

/// Why only that model can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    ToolLoop,
    Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub first_token: Duration,
    pub per_thousand: Duration,
}

/// A counter of a model's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    Ladder,
    Free,
    Commit,
}

/// Which limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    Requests,
    Tokens,
    InFlight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    Up,
    Cooling,
    Missing,
    Limited,
}

/// By name.
#[derive(Clone, Debug, Default)]
pub struct UsedUp {
    pub clients: Vec<(Arc<str>, Reached)>,
    pub routes: Vec<(Arc<str>, Reached)>,
    pub providers: Vec<(Arc<str>, Reached)>,
    pub models: Vec<(Arc<str>, Reached)>,
}

#[derive(Clone, Debug, Default)]
pub struct Moment {
    pub conversation: Option<Conversation>,
    pub speeds: Vec<(Arc<str>, Pace)>,
    /// Output tokens that a model's answers lately had.
    pub answers: Vec<(Arc<str>, u64)>,
    /// By model: tokens, or nano-units of the price's own currency.
    pub meters: Vec<(Arc<str>, Counter, u64)>,
    pub used_up: UsedUp,
    /// By provider and key.
    pub keys: Vec<(Arc<str>, Arc<str>, KeyState)>,
    /// Models that the request was sent to already.
    pub attempted: Vec<Arc<str>>,
}

impl Reader<'_, '_> {
    /// `under` is the policy with the prices that the test gives.
    pub fn present(&mut self, node: Option<&Node>, under: &Snapshot, at: Timestamp) -> Moment {
        let Some(node) = node else { return Moment::default() };
        let parts = entries(node);
        let part = |key: &str| {
            parts
                .iter()
                .find(|(known, _)| known.text.as_ref() == key)
                .map(|(_, node)| node)
        };
        let models: Vec<Arc<str>> = under.models.iter().map(|model| model.name.clone()).collect();
        let mut moment = Moment {
            conversation: part("conversation").and_then(|node| self.conversation(node, &models)),
            used_up: part("limits").map_or_else(UsedUp::default, |node| self.used_up(node)),
            ..Moment::default()
        };
        for (name, node) in self.named(part("speeds"), "model", &models) {
            let pace = self.pace(node);
            moment.speeds.extend(pace.map(|pace| (name.clone(), pace)));
        }
        for (name, node) in self.named(part("answers"), "model", &models) {
            let tokens = self
                .scalar(node, "the length of an answer")
                .and_then(|word| self.tokens(word));
            moment.answers.extend(tokens.map(|tokens| (name.clone(), tokens)));
        }
        for (name, node) in self.named(part("meters"), "model", &models) {
            for (counter, used) in self.meters(&name, node, (under, at)) {
                moment.meters.push((name.clone(), counter, used));
            }
        }
        let providers: Vec<Arc<str>> = under.providers.iter().map(|provider| provider.name.clone()).collect();
        for (name, node) in self.named(part("keys"), "provider", &providers) {
            let keys = under.providers.iter().find(|provider| provider.name == name);
            let keys = keys.map_or(&[][..], |provider| &provider.keys);
            moment.keys.extend(self.keys(&name, node, keys));
        }
        let attempted = match part("attempted").map(|node| &node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        for item in attempted {
            let word = self.scalar(item, "a model");
            let known = word.filter(|word| self.known(word, "model", models.iter().map(AsRef::as_ref)));
            moment.attempted.extend(known.map(|word| word.text.clone()));
        }
        moment
    }

    /// The entries of a part whose names are there.
    fn named<'n>(&mut self, node: Option<&'n Node>, kind: &str, known: &[Arc<str>]) -> Vec<(Arc<str>, &'n Node)> {
        let entries = node.map(entries).unwrap_or_default();
        let names = || known.iter().map(AsRef::as_ref);
        let there = entries.iter().filter(|(name, _)| self.known(name, kind, names()));
        there.map(|(name, node)| (name.text.clone(), node)).collect()
    }

    fn conversation(&mut self, node: &Node, models: &[Arc<str>]) -> Option<Conversation> {
        let fields = Fields::open(node, &words::CONVERSATION, self.report);
        let names = || models.iter().map(AsRef::as_ref);
        let Some(model) = self.own(&fields, "model") else {
            let found = self
                .report
                .error(node.place, "missing-key", "a conversation needs `model`");
            found.help("write the model that answered last");
            return None;
        };
        let locks = [("tools", Lock::ToolLoop), ("reasoning", Lock::Reasoning)];
        let cached = match self.own(&fields, "cached") {
            None => Some(ALL),
            Some(word) if word.text.as_ref() == "expired" => None,
            Some(word) => {
                let share = units::percentage(&word.text).filter(|share| *share <= ALL);
                if share.is_none() {
                    self.wrong(&word, "share of a prompt", "write `90%`, or `expired`");
                }
                share
            }
        };
        Some(Conversation {
            cached,
            lock: self.own(&fields, "lock").and_then(|word| self.one_of(&word, &locks)),
            from: self
                .own(&fields, "from")
                .filter(|word| self.known(word, "model", names()))
                .map(|word| word.text),
            replanned: self.own(&fields, "replanned").and_then(|word| self.truth(&word)) == Some(true),
            model: self.known(&model, "model", names()).then_some(model.text)?,
        })
    }

    fn pace(&mut self, node: &Node) -> Option<Pace> {
        let fields = Fields::open(node, &words::SPEED, self.report);
        let first_token = self.own(&fields, "first_token");
        let rate = self.own(&fields, "per_second").and_then(|word| {
            let tokens = self.whole(&word, "number of tokens a second", 1, 1_000_000)?;
            Some(Duration::from_secs(1_000) / u32::try_from(tokens).ok()?)
        });
        Some(Pace {
            first_token: self.wait(first_token.as_ref()),
            per_thousand: rate.unwrap_or_default(),
        })
    }

    fn meters(&mut self, model: &str, node: &Node, (under, at): (&Snapshot, Timestamp)) -> Vec<(Counter, u64)> {
        let fields = Fields::open(node, &words::METERS, self.report);
        let price = under.model_named(model).and_then(|id| under.model(id).price.as_ref());
        let mut found = Vec::new();
        let known = price.map_or([None; 3], |price| price.meters_at(at));
        let keys = [
            ("ladder", Counter::Ladder),
            ("free", Counter::Free),
            ("commit", Counter::Commit),
        ];
        for ((key, counter), meter) in keys.into_iter().zip(known) {
            let Some(word) = self.own(&fields, key) else { continue };
            let Some(meter) = meter else {
                let message = format!("the price of `{}` has no `{key}`", shown(model));
                self.report.error(word.place, "unknown-name", message);
                continue;
            };
            let used = match meter.unit {
                Unit::Tokens => self.tokens(&word),
                Unit::Money => {
                    let own = price.and_then(|price| price.currency(at));
                    self.in_currency(&word, own.unwrap_or(under.currency))
                }
            };
            found.extend(used.map(|used| (counter, used)));
        }
        found
    }

    /// Nano-units of the price's own currency.
    fn in_currency(&mut self, word: &Word, own: Currency) -> Option<u64> {
        let (number, code) = word.text.trim().rsplit_once(' ').unwrap_or((&word.text, ""));
        let amount = Money::parse(number).filter(|_| code.is_empty() || Currency::parse(code) == Some(own));
        let nanos = amount.and_then(|amount| u64::try_from(amount.nanos()).ok());
        if nanos.is_none() {
            self.wrong(word, "amount in this price's money", &format!("write `300 {own}`"));
        }
        nanos
    }

    fn used_up(&mut self, node: &Node) -> UsedUp {
        Fields::open(node, &words::USED_UP, self.report);
        let policy = self.policy;
        let part = |key: &str| {
            let found = entries(node).iter().find(|(known, _)| known.text.as_ref() == key);
            found.map(|(_, node)| node)
        };
        let clients: Vec<_> = policy
            .clients
            .iter()
            .map(|one| (one.name.clone(), &one.limits))
            .collect();
        let routes: Vec<_> = policy
            .routes
            .iter()
            .map(|one| (one.name.clone(), &one.limits))
            .collect();
        let providers: Vec<_> = policy
            .providers
            .iter()
            .map(|one| (one.name.clone(), &one.limits))
            .collect();
        let models: Vec<_> = policy
            .models
            .iter()
            .map(|one| (one.name.clone(), &one.limits))
            .collect();
        UsedUp {
            clients: self.reached(part("clients"), "client", &clients),
            routes: self.reached(part("routes"), "route", &routes),
            providers: self.reached(part("providers"), "provider", &providers),
            models: self.reached(part("models"), "model", &models),
        }
    }

    fn reached(&mut self, node: Option<&Node>, kind: &str, all: &[(Arc<str>, &Limits)]) -> Vec<(Arc<str>, Reached)> {
        let names: Vec<Arc<str>> = all.iter().map(|(name, _)| name.clone()).collect();
        let mut found = Vec::new();
        for (name, node) in self.named(node, kind, &names) {
            let Some(word) = self.scalar(node, "a limit") else {
                continue;
            };
            let words = [
                ("requests", Reached::Requests),
                ("tokens", Reached::Tokens),
                ("in_flight", Reached::InFlight),
            ];
            let Some(reached) = self.one_of(word, &words) else {
                continue;
            };
            let limits = all.iter().find(|(known, _)| *known == name).map(|(_, limits)| *limits);
            let there = limits.is_some_and(|limits| match reached {
                Reached::Requests => limits.requests.is_some(),
                Reached::Tokens => limits.tokens.is_some(),
                Reached::InFlight => limits.in_flight.is_some(),
            });
            if there {
                found.push((name, reached));
            } else {
                let message = format!("{kind} `{}` has no `limits.{}`", shown(&name), word.text);
                self.report.error(word.place, "unknown-name", message);
            }
        }
        found
    }

    fn keys(&mut self, provider: &Arc<str>, node: &Node, keys: &[ProviderKey]) -> Vec<(Arc<str>, Arc<str>, KeyState)> {
        let names: Vec<Arc<str>> = keys.iter().map(|key| key.name.clone()).collect();
        let states = [
            ("up", KeyState::Up),
            ("cooling", KeyState::Cooling),
            ("missing", KeyState::Missing),
            ("limited", KeyState::Limited),
        ];
        let mut found = Vec::new();
        for (name, node) in self.named(Some(node), "key of this provider", &names) {
            let state = self
                .scalar(node, "how a key stands")
                .and_then(|word| self.one_of(word, &states));
            found.extend(state.map(|state| (provider.clone(), name, state)));
        }
        found
    }

    fn one_of<T: Copy>(&mut self, word: &Word, known: &[(&'static str, T)]) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word.text.as_ref());
        if found.is_none() {
            let names = known.iter().map(|(name, _)| *name);
            let help = suggestion(&word.text, names.clone())
                .unwrap_or_else(|| format!("write {}", names.collect::<Vec<_>>().join(", ")));
            let message = format!("`{}` is none of these", shown(&word.text));
            self.report.error(word.place, "unknown-word", message).help(help);
        }
        found.map(|(_, value)| *value)
    }
}
