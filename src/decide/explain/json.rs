//! The explanation as JSON: for programs, and as the ledger keeps it.

use super::{Explanation, MirrorLine, ModelLine, Place};
use serde_json::{Value, json};

impl Explanation {
    pub fn json(&self) -> Value {
        let shown = |line: &ModelLine, more: Value| {
            let mut value = json!({
                "model": line.model,
                "provider": line.provider,
                "supply": line.supply,
                "quality": line.quality,
                "worst_cost": line.cost.map(|cost| cost.to_string()),
            });
            if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
                value.extend(more);
            }
            value
        };
        let candidates = self.models.iter().filter_map(|line| {
            let (place, passed) = match &line.place {
                Place::Candidate(place) => (*place, None),
                Place::Passed { place, code, detail } => (*place, Some(json!({"reason": code, "detail": detail}))),
                Place::Excluded { .. } => return None,
            };
            let more = json!({
                "place": if place == 1 { "chosen" } else { "next" },
                // Without any bound at all there is no number to give.
                "output": (line.output < u64::MAX).then_some(line.output),
                "output_cap": line.cap,
                "cold": line.cold,
                "thinking": line.thinking,
                "dropped": line.dropped,
                "passed_over": passed,
            });
            Some(shown(line, more))
        });
        let excluded = self.models.iter().filter_map(|line| match &line.place {
            Place::Excluded { code, detail } => Some(shown(line, json!({"reason": code, "detail": detail}))),
            _ => None,
        });
        json!({
            "object": "planb.explanation",
            "route": self.route,
            "input": self.asked.input,
            "currency": self.currency,
            "plans": self.plans.iter().map(|plan| &plan.name).collect::<Vec<_>>(),
            "conversation": self.conversation,
            "candidates": candidates.collect::<Vec<_>>(),
            "excluded": excluded.collect::<Vec<_>>(),
            "mirror": self.mirror.as_ref().map(MirrorLine::json),
            "refused": self.refused,
            "catalogue": self.catalogue.iter().map(|listing| json!({
                "model": listing.model,
                "keys": listing.keys,
                "as_of": listing.as_of.map(|day| day.to_string()),
            })).collect::<Vec<_>>(),
            "text": self.to_string(),
        })
    }

    /// As it is kept: everything but what the policy's own text says.
    pub fn kept(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read_back(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A decimal, so that whoever reads the ledger by hand can.
pub(super) mod money {
    use crate::money::Money;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(cost: &Option<Money>, to: S) -> Result<S::Ok, S::Error> {
        match cost {
            Some(cost) => to.serialize_str(&cost.to_string()),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Money>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        Ok(text.as_deref().and_then(Money::parse))
    }
}
