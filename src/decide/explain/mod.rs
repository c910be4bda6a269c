//! The explanation of a decision: every model of the route with its cost, quality and reason; which plans had a hand in
//! it; what of it the built-in catalogue says. One value, one text and one JSON for `planb explain`, policy tests, the
//! control API, the log and `x-planb-explain`; the ledger keeps the value.
//!
//! It carries no prompt text, and decides nothing.

mod catalogue;
mod json;
mod mirror;
mod text;

pub use catalogue::Listing;
pub use mirror::MirrorLine;

use super::{Candidate, Decision, Exclusion, Stay, Terms};
use crate::money::Money;
use crate::policy::snapshot::{ModelId, Pick, Snapshot};
use crate::price::Moment;
use crate::request::Requirements;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Output tokens by which models are compared where nobody bounds the answer.
const USUAL_OUTPUT: u64 = 1_000;

/// A word of planb's own, or the same read back.
type Said = Cow<'static, str>;

/// What a decision rested on: enough to explain it later, and cheap to keep until then.
#[derive(Clone, Debug)]
pub struct Grounds {
    pub snapshot: Arc<Snapshot>,
    pub pick: Pick,
    /// A plan switches thinking off.
    pub thinking_off: bool,
    pub candidates: Vec<Candidate>,
    pub excluded: Vec<Exclusion>,
    /// Those that touched the request.
    pub plans: Vec<PlanLine>,
    /// Which model the conversation was with, and what became of that.
    pub stay: Option<(ModelId, Stay)>,
    /// By model: fields that do not go there.
    pub dropped: Vec<(ModelId, Vec<&'static str>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The route's name, or `planb/NAME`.
    pub route: String,
    pub pick: Said,
    pub asked: Asked,
    pub currency: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// Candidates in their order, then the others as the route names them.
    pub models: Vec<ModelLine>,
    /// Where copies go; what became of this one is in its attempts.
    #[serde(skip)]
    pub mirror: Option<MirrorLine>,
    /// What the client is told where no candidate is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What of the models is the catalogue's; the policy's text says the rest, so it is not kept.
    #[serde(skip)]
    pub catalogue: Vec<Listing>,
}

/// The request, as far as it decides something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub input: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bound: Option<u64>,
    /// `tools`, `stream`, `team=search`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    pub name: Arc<str>,
    /// The signals that brought it into force; empty where nobody knows.
    #[serde(default)]
    pub why: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub model: String,
    /// `kept`, `moves`, `leaves`, `tool_loop`, `reasoning`.
    pub stay: Said,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLine {
    pub model: String,
    pub provider: String,
    pub supply: Said,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
    /// The most that it would cost at `output` tokens; `None` without a price.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "json::money")]
    pub cost: Option<Money>,
    /// Output tokens that `cost` reckons with.
    pub output: u64,
    /// The output bound that planb sends of its own accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub cold: bool,
    /// What an active plan makes of thinking; nothing where none says anything of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Said>,
    /// Fields of the request that do not go there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Said>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// From 1: the first is asked first.
    Candidate(usize),
    Excluded {
        code: Said,
        detail: String,
    },
    /// It was a candidate, and when its turn came it could not be had.
    Passed {
        place: usize,
        code: Said,
        detail: String,
    },
}

impl Default for Place {
    fn default() -> Self {
        Self::Candidate(0)
    }
}

impl Grounds {
    pub fn of(snapshot: &Arc<Snapshot>, terms: &Terms, decision: &Decision, plans: Vec<PlanLine>) -> Self {
        Self {
            snapshot: snapshot.clone(),
            pick: terms.pick,
            thinking_off: terms.thinking_off,
            candidates: decision.candidates.clone(),
            excluded: decision.excluded.clone(),
            plans,
            stay: None,
            dropped: Vec::new(),
        }
    }

    /// Name, code and numbers of each model that is no candidate.
    pub fn exclusions(&self) -> impl Iterator<Item = (&Arc<str>, &'static str, String)> {
        let left = self
            .stay
            .filter(|(_, stay)| *stay == Stay::Leaves)
            .map(|(model, _)| model);
        self.excluded.iter().map(move |Exclusion { id, reason }| {
            let detail = match left {
                Some(held) if held == *id => format!("{reason}; the conversation leaves it"),
                _ => reason.to_string(),
            };
            (&self.snapshot.model(*id).name, reason.code(), detail)
        })
    }
}

impl Asked {
    pub fn of(needs: &Requirements) -> Self {
        let flags = [
            (needs.stream, "stream"),
            (needs.tools, "tools"),
            (needs.images, "images"),
            (needs.audio, "audio"),
            (needs.json_schema, "json_schema"),
        ];
        let mut words: Vec<String> = flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| (*word).to_owned())
            .collect();
        let caller = &needs.caller;
        let named = [
            ("client", &caller.client),
            ("use", &caller.purpose),
            ("in", &caller.territory),
        ];
        words.extend(
            named
                .iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(key, text)| format!("{key} {text}")),
        );
        words.extend(caller.tags.iter().map(|(name, value)| format!("{name}={value}")));
        words.extend(needs.min_quality.map(|least| format!("quality {least} or more")));
        words.extend(needs.max_cost.map(|most| format!("at most {most}")));
        Self {
            input: needs.input,
            output_bound: needs.output_bound,
            words,
        }
    }
}

impl Explanation {
    pub fn new(grounds: &Grounds, route: &str, needs: &Requirements, now: Timestamp) -> Self {
        let snapshot = &grounds.snapshot;
        let usual = (needs.output_bound.unwrap_or(USUAL_OUTPUT), now);
        let candidates = grounds
            .candidates
            .iter()
            .enumerate()
            .map(|(place, candidate)| ModelLine {
                cost: Some(candidate.worst),
                output: candidate.output,
                cap: candidate.cap,
                cold: candidate.cold,
                thinking: thinking(snapshot, candidate.id, grounds.thinking_off),
                dropped: dropped(grounds, candidate.id),
                place: Place::Candidate(place + 1),
                ..line(snapshot, candidate.id, needs, usual)
            });
        let details = grounds.exclusions();
        let excluded = grounds
            .excluded
            .iter()
            .zip(details)
            .map(|(one, (_, code, detail))| ModelLine {
                place: Place::Excluded {
                    code: code.into(),
                    detail,
                },
                ..line(snapshot, one.id, needs, usual)
            });
        let name = |id: ModelId| snapshot.model(id).name.to_string();
        let ids = grounds.candidates.iter().map(|candidate| candidate.id);
        let ids = ids.chain(grounds.excluded.iter().map(|exclusion| exclusion.id));
        Self {
            route: route.to_owned(),
            pick: grounds.pick.word().into(),
            asked: Asked::of(needs),
            currency: snapshot.currency.code().to_owned(),
            plans: grounds.plans.clone(),
            conversation: grounds.stay.map(|(model, stay)| Conversation {
                model: name(model),
                stay: stay.word().into(),
            }),
            catalogue: ids.filter_map(|id| Listing::of(snapshot.model(id), now)).collect(),
            models: candidates.chain(excluded).collect(),
            mirror: None,
            refused: None,
        }
    }

    /// Without what the catalogue says.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self {
            catalogue: Vec::new(),
            ..self.clone()
        }
    }

    /// A candidate that could not be had when its turn came.
    pub fn passed(&mut self, model: &str, code: &str, detail: &str) {
        let Some(line) = self.models.iter_mut().find(|line| line.model == model) else {
            return;
        };
        if let Place::Candidate(place) = line.place {
            line.place = Place::Passed {
                place,
                code: code.to_owned().into(),
                detail: detail.to_owned(),
            };
        }
    }
}

fn line(snapshot: &Snapshot, id: ModelId, needs: &Requirements, (output, now): (u64, Timestamp)) -> ModelLine {
    let model = snapshot.model(id);
    let billed = output.saturating_mul(needs.choices.max(1));
    let moment = Moment::of(needs, now, Duration::ZERO);
    let price = model.price.as_ref();
    ModelLine {
        model: model.name.to_string(),
        provider: snapshot.provider(model.provider).name.to_string(),
        supply: model.supply.word().into(),
        quality: model.quality,
        cost: price.map(|price| price.quote(&moment).worst(needs.input, billed)),
        output,
        ..ModelLine::default()
    }
}

fn thinking(snapshot: &Snapshot, id: ModelId, off: bool) -> Option<Said> {
    let traits = &snapshot.model(id).traits;
    let can = traits.thinking_switch.is_some();
    (traits.reasoning && off).then_some(if can { "switched off" } else { "cannot be switched off" }.into())
}

fn dropped(grounds: &Grounds, id: ModelId) -> Vec<Said> {
    let found = grounds.dropped.iter().find(|(model, _)| *model == id);
    found.map_or_else(Vec::new, |(_, fields)| {
        fields.iter().map(|field| Said::from(*field)).collect()
    })
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}
