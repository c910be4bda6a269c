//! What a policy's selectors answer, so that no request evaluates one that was evaluated before.
//!
//! [`Selectors`] is folded over the models' static facts when the policy compiles; what is left depends on the caller and
//! is evaluated once for each ([`Selectors::ask`]). Whoever asks keeps the [`Answers`] and may ask them as often as it likes.

use super::{ModelFacts, Selector};
use crate::request::Caller;
use std::sync::Arc;

/// A policy's selectors and models.
#[derive(Debug, Default)]
pub struct Selectors {
    list: Vec<Selector>,
    models: Vec<Arc<ModelFacts>>,
    /// Selector by selector: which models match, whoever asks.
    folded: Vec<u64>,
    /// Of each selector, the row in [`Answers`] where callers decide for any model.
    rows: Vec<Option<usize>>,
    /// Selector and model of every answer that a caller decides.
    open: Vec<(usize, usize)>,
    /// Words of a row.
    width: usize,
}

/// What one caller's requests are answered.
#[derive(Debug)]
pub struct Answers {
    of: Arc<Selectors>,
    rows: Box<[u64]>,
}

impl Selectors {
    pub fn new(list: Vec<Selector>, models: Vec<ModelFacts>) -> Self {
        let width = models.len().div_ceil(64);
        let mut table = Self {
            folded: vec![0; list.len() * width],
            rows: vec![None; list.len()],
            open: Vec::new(),
            width,
            models: models.into_iter().map(Arc::new).collect(),
            list,
        };
        let mut next = 0;
        for (at, selector) in table.list.iter().enumerate() {
            for (model, facts) in table.models.iter().enumerate() {
                match selector.folded(facts) {
                    Some(true) => set(&mut table.folded, at * width, model),
                    Some(false) => {}
                    None => {
                        table.open.push((at, model));
                        if table.rows[at].is_none() {
                            table.rows[at] = Some(next);
                            next += 1;
                        }
                    }
                }
            }
        }
        table
    }

    /// The facts of the policy's models, in its order.
    pub fn models(&self) -> &[Arc<ModelFacts>] {
        &self.models
    }

    /// What a record says of a model, and of the rest what the policy says of the one of that name. Of a model that is no
    /// longer there the rest is not known.
    pub fn complete(&self, recorded: ModelFacts) -> ModelFacts {
        let named = self.models.iter().find(|model| model.name == recorded.name);
        ModelFacts {
            more: named.and_then(|model| model.more.clone()),
            ..recorded
        }
    }

    /// How many bytes the answers to one caller take.
    pub fn size(&self) -> usize {
        self.rows.iter().flatten().count() * self.width * size_of::<u64>()
    }

    /// Evaluates what depends on the caller.
    pub fn ask(self: &Arc<Self>, caller: &Caller) -> Answers {
        let mut rows = vec![0; self.rows.iter().flatten().count() * self.width];
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(row) = row {
                let folded = &self.folded[at * self.width..(at + 1) * self.width];
                rows[row * self.width..(row + 1) * self.width].copy_from_slice(folded);
            }
        }
        for (at, model) in &self.open {
            if let (Some(row), true) = (self.rows[*at], self.list[*at].matches(&self.models[*model], caller)) {
                set(&mut rows, row * self.width, *model);
            }
        }
        Answers {
            of: Arc::clone(self),
            rows: rows.into(),
        }
    }
}

impl Answers {
    /// Does the selector match this model for the caller? Both are of the policy that was asked.
    pub fn hold(&self, selector: &Selector, model: usize) -> bool {
        let table = &self.of;
        let (words, at) = match table.rows.get(selector.at) {
            Some(Some(row)) => (&self.rows[..], row * table.width),
            Some(None) => (&table.folded[..], selector.at * table.width),
            None => return false,
        };
        let word = words.get(at + model / 64).filter(|_| model < table.models.len());
        word.is_some_and(|word| word >> (model % 64) & 1 == 1)
    }

    /// Are these the answers of that policy?
    pub fn are_of(&self, selectors: &Arc<Selectors>) -> bool {
        Arc::ptr_eq(&self.of, selectors)
    }

    pub fn facts(&self, model: usize) -> Option<&Arc<ModelFacts>> {
        self.of.models.get(model)
    }
}

fn set(words: &mut [u64], from: usize, model: usize) {
    if let Some(word) = words.get_mut(from + model / 64) {
        *word |= 1 << (model % 64);
    }
}
