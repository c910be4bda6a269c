//! What an explanation says of shadow traffic: where copies of such requests go, or why none does now.

use crate::decide::{Candidate, Reason};
use crate::policy::snapshot::{Mirror, ModelId, Snapshot};
use serde_json::{Value, json};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorLine {
    pub model: String,
    /// In basis points.
    pub share: u32,
    pub budget: String,
    /// Why none goes there now: a reason's code and its words.
    pub kept_back: Option<(&'static str, String)>,
}

impl MirrorLine {
    /// `decided` is what became of a copy that was decided like any.
    pub fn new(snapshot: &Snapshot, mirror: &Mirror, id: ModelId, decided: Result<Candidate, Reason>) -> Self {
        Self {
            model: snapshot.model(id).name.to_string(),
            share: mirror.share,
            budget: mirror.budget.to_string(),
            kept_back: decided.err().map(|reason| (reason.code(), reason.to_string())),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "model": self.model,
            "share": f64::from(self.share) / 10_000.0,
            "budget": self.budget,
            "reason": self.kept_back.as_ref().map(|(code, _)| *code),
            "detail": self.kept_back.as_ref().map(|(_, detail)| detail),
        })
    }
}

impl fmt::Display for MirrorLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = f64::from(self.share) / 100.0;
        write!(
            f,
            "mirror: {share} % also go to {}, paid by budget {}",
            self.model, self.budget
        )?;
        match &self.kept_back {
            Some((code, detail)) => write!(f, "; this one would not: {code}: {detail}"),
            None => Ok(()),
        }
    }
}
