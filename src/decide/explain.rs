//! The explanation of a decision: every model of the route with its cost, quality and reason; which plans had a hand in
//! it. One value, one text and one JSON for `planb explain`, policy tests, the control API and `x-planb-explain`.
//!
//! It carries no prompt text, and decides nothing.

use super::{Decision, Exclusion};
use crate::money::Money;
use crate::policy::snapshot::{ModelId, Snapshot, Terms};
use crate::price::Moment;
use crate::request::Requirements;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

/// Output tokens by which models are compared where nobody bounds the answer.
const USUAL_OUTPUT: u64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The route's name, or `planb/NAME`.
    pub route: String,
    pub pick: &'static str,
    pub asked: Asked,
    pub currency: String,
    pub plans: Vec<PlanLine>,
    /// Candidates in their order, then the others as the route names them.
    pub models: Vec<ModelLine>,
    /// What the client is told where no candidate is left.
    pub refused: Option<String>,
}

/// The request, as far as it decides something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub input: u64,
    pub output_bound: Option<u64>,
    /// `tools`, `stream`, `team=search`.
    pub words: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    pub name: String,
    /// The signals that brought it into force; empty where nobody knows.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    pub model: String,
    pub provider: String,
    pub supply: &'static str,
    pub quality: Option<u8>,
    /// The most that it would cost at `output` tokens; `None` without a price.
    pub cost: Option<Money>,
    /// Output tokens that `cost` reckons with.
    pub output: u64,
    /// The output bound that planb sends of its own accord.
    pub cap: Option<u64>,
    pub cold: bool,
    /// What an active plan makes of thinking; nothing where none says anything of it.
    pub thinking: Option<&'static str>,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 1: the first is asked first.
    Candidate(usize),
    Excluded {
        code: String,
        detail: String,
    },
}

impl Asked {
    pub fn of(needs: &Requirements) -> Self {
        let flags = [
            (needs.stream, "stream"),
            (needs.tools, "tools"),
            (needs.images, "images"),
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
    /// `plans` are those that touched the request.
    pub fn new(
        snapshot: &Snapshot,
        route: &str,
        terms: &Terms,
        needs: &Requirements,
        decision: &Decision,
        plans: Vec<PlanLine>,
        now: Timestamp,
    ) -> Self {
        let usual = (needs.output_bound.unwrap_or(USUAL_OUTPUT), now);
        let candidates = decision
            .candidates
            .iter()
            .enumerate()
            .map(|(place, candidate)| ModelLine {
                cost: Some(candidate.worst),
                output: candidate.output,
                cap: candidate.cap,
                cold: candidate.cold,
                thinking: thinking(snapshot, candidate.id, terms),
                place: Place::Candidate(place + 1),
                ..line(snapshot, candidate.id, needs, usual)
            });
        let excluded = decision.excluded.iter().map(|Exclusion { id, reason }| ModelLine {
            place: Place::Excluded {
                code: reason.code().to_owned(),
                detail: reason.to_string(),
            },
            ..line(snapshot, *id, needs, usual)
        });
        Self {
            route: route.to_owned(),
            pick: terms.pick.word(),
            asked: Asked::of(needs),
            currency: snapshot.currency.code().to_owned(),
            plans,
            models: candidates.chain(excluded).collect(),
            refused: None,
        }
    }

    pub fn json(&self) -> Value {
        let candidates = self.models.iter().filter_map(|line| match line.place {
            Place::Candidate(place) => Some(json!({
                "model": line.model,
                "provider": line.provider,
                "supply": line.supply,
                "quality": line.quality,
                "place": if place == 1 { "chosen" } else { "next" },
                "worst_cost": line.cost.map(|cost| cost.to_string()),
                // Without any bound at all there is no number to give.
                "output": (line.output < u64::MAX).then_some(line.output),
                "output_cap": line.cap,
                "cold": line.cold,
                "thinking": line.thinking,
            })),
            Place::Excluded { .. } => None,
        });
        let excluded = self.models.iter().filter_map(|line| match &line.place {
            Place::Excluded { code, detail } => Some(json!({
                "model": line.model,
                "provider": line.provider,
                "supply": line.supply,
                "quality": line.quality,
                "worst_cost": line.cost.map(|cost| cost.to_string()),
                "reason": code,
                "detail": detail,
            })),
            Place::Candidate(_) => None,
        });
        json!({
            "object": "planb.explanation",
            "route": self.route,
            "input": self.asked.input,
            "currency": self.currency,
            "plans": self.plans.iter().map(|plan| &plan.name).collect::<Vec<_>>(),
            "candidates": candidates.collect::<Vec<_>>(),
            "excluded": excluded.collect::<Vec<_>>(),
            "refused": self.refused,
            "text": self.to_string(),
        })
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
        supply: model.supply.word(),
        quality: model.quality,
        cost: price.map(|price| price.quote(&moment).worst(needs.input, billed)),
        output,
        cap: None,
        cold: false,
        thinking: None,
        place: Place::Candidate(0),
    }
}

fn thinking(snapshot: &Snapshot, id: ModelId, terms: &Terms) -> Option<&'static str> {
    let traits = &snapshot.model(id).traits;
    let can = traits.thinking_switch.is_some();
    (traits.reasoning && terms.thinking_off).then_some(if can { "switched off" } else { "cannot be switched off" })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.asked.output_bound {
            Some(bound) => format!("{bound} out at most"),
            None => "no bound on the answer".to_owned(),
        };
        let words: String = self.asked.words.iter().fold(String::new(), |mut text, word| {
            let _ = write!(text, ", {word}");
            text
        });
        writeln!(
            f,
            "route {} ({}): {} tokens in, {bound}{words}",
            self.route, self.pick, self.asked.input
        )?;
        for plan in &self.plans {
            let why = if plan.why.is_empty() {
                String::new()
            } else {
                format!(": {}", plan.why)
            };
            writeln!(f, "plan {}{why}", plan.name)?;
        }
        let rows: Vec<[String; 5]> = self.models.iter().map(|line| self.row(line)).collect();
        let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (model, supply, quality, cost) = (wide(0), wide(1), wide(2), wide(3));
        for (line, row) in self.models.iter().zip(&rows) {
            let mark = match line.place {
                Place::Candidate(place) => place.to_string(),
                Place::Excluded { .. } => "-".to_owned(),
            };
            let [name, kind, good, money, rest] = row;
            writeln!(
                f,
                "{mark:>3}  {name:model$}  {kind:supply$}  {good:quality$}  {money:cost$}  {rest}"
            )?;
        }
        if self.models.is_empty() {
            writeln!(f, "  no model")?;
        }
        match &self.refused {
            Some(refused) => writeln!(f, "refused: {refused}"),
            None => Ok(()),
        }
    }
}

impl Explanation {
    fn row(&self, line: &ModelLine) -> [String; 5] {
        let quality = line
            .quality
            .map_or_else(|| "no quality".to_owned(), |quality| format!("quality {quality}"));
        let cost = match line.cost {
            None => "no price".to_owned(),
            Some(Money::ZERO) => "free".to_owned(),
            Some(cost) => format!("up to {cost} {}", self.currency),
        };
        let rest = match &line.place {
            Place::Excluded { code, detail } => format!("{code}: {detail}"),
            Place::Candidate(place) => {
                let mut rest = if *place == 1 { "chosen" } else { "next" }.to_owned();
                if line.output < u64::MAX {
                    let _ = write!(rest, ", {} tokens out", line.output);
                }
                if line.cap.is_some() {
                    rest.push_str(" (planb's own bound)");
                }
                if line.cold {
                    rest.push_str(", cold");
                }
                if let Some(thinking) = line.thinking {
                    let _ = write!(rest, ", thinking {thinking}");
                }
                rest
            }
        };
        [line.model.clone(), line.supply.to_owned(), quality, cost, rest]
    }
}
