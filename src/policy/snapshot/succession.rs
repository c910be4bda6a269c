//! Retired models make room for their successors: in their place, and with their weight.

use super::{ModelId, Snapshot, Terms};
use jiff::Timestamp;
use std::sync::Arc;

impl Snapshot {
    /// A route's terms with each retired model's successor in its place; `None` where nobody has retired. The retired
    /// ones come last, so that a decision still says what became of them.
    pub fn succeeded(&self, terms: &Terms, at: Timestamp) -> Option<Terms> {
        let heir = |id: ModelId| self.heir(id, at);
        if !terms.candidates.iter().any(|id| heir(*id).is_some()) {
            return None;
        }
        let mut serving: Vec<ModelId> = Vec::with_capacity(terms.candidates.len());
        let mut retired = Vec::new();
        for id in terms.candidates.iter() {
            let heir = heir(*id);
            retired.extend(heir.map(|_| *id));
            let serves = heir.unwrap_or(*id);
            if !serving.contains(&serves) {
                serving.push(serves);
            }
        }
        let candidates = serving.into_iter().chain(retired);
        let weights = terms.weights.iter().map(|(id, weight)| match heir(*id) {
            Some(heir) if !terms.weights.iter().any(|(known, _)| *known == heir) => (heir, *weight),
            _ => (*id, *weight),
        });
        Some(Terms {
            candidates: Arc::from_iter(candidates),
            weights: Arc::from_iter(weights),
            ..terms.clone()
        })
    }

    /// The first instant after `at` at which a model retires that has a successor.
    pub fn next_succession(&self, at: Timestamp) -> Option<Timestamp> {
        let with_heir = self.models.iter().filter(|model| model.traits.successor.is_some());
        with_heir
            .filter_map(|model| model.traits.retires.map(|retirement| retirement.at))
            .filter(|end| *end > at)
            .min()
    }

    /// The model itself, or who took its place.
    pub fn serving(&self, id: ModelId, at: Timestamp) -> ModelId {
        self.heir(id, at).unwrap_or(id)
    }

    /// The first in the line of successors that has not retired itself.
    fn heir(&self, id: ModelId, at: Timestamp) -> Option<ModelId> {
        let mut now = id;
        // A line that leads back to where it began ends here.
        for _ in 0..self.models.len() {
            if !self.model(now).traits.is_retired(at) {
                break;
            }
            now = self.model(now).traits.successor?;
        }
        (now != id && !self.model(now).traits.is_retired(at)).then_some(now)
    }
}
