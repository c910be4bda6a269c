//! What a policy's selectors answer each caller, found once and kept: a request in steady state evaluates none.
//!
//! Callers are told apart by all that a selector may read of them. Bounded: when there are too many, all are forgotten
//! and found again.

use crate::policy::condition::{Answers, Selectors};
use crate::request::Caller;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Callers that are kept, and the memory that their answers may take.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Text of one caller that is kept. Tags come from a request's header, which may be long.
const MOST_TEXT: usize = 4 * 1024;

pub struct CallerAnswers {
    of: Arc<Selectors>,
    /// Those of everybody, where no selector depends on the caller.
    all: Option<Arc<Answers>>,
    known: RwLock<HashMap<Caller, Arc<Answers>>>,
    most: usize,
}

impl CallerAnswers {
    pub fn new(of: &Arc<Selectors>) -> Self {
        let size = of.size();
        Self {
            of: of.clone(),
            all: (size == 0).then(|| Arc::new(of.ask(&Caller::default()))),
            known: RwLock::default(),
            most: MOST_BYTES.checked_div(size).map_or(MOST, |most| most.clamp(1, MOST)),
        }
    }

    /// A caller who was seen before is found without evaluating or allocating anything.
    pub fn to(&self, caller: &Caller) -> Arc<Answers> {
        if let Some(all) = &self.all {
            return all.clone();
        }
        if let Some(known) = self.known.read().get(caller) {
            return known.clone();
        }
        let answers = Arc::new(self.of.ask(caller));
        if text_of(caller) > MOST_TEXT {
            return answers;
        }
        let mut known = self.known.write();
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(caller.clone(), answers.clone());
        answers
    }
}

fn text_of(caller: &Caller) -> usize {
    let tags: usize = caller.tags.iter().map(|(name, value)| name.len() + value.len()).sum();
    tags + caller.purpose.len() + caller.territory.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::snapshot::Snapshot;
    use crate::policy::{Sources, compile};
    use crate::request::Tags;

    const POLICY: &str = r#"
providers: {home: {vendor: llama.cpp}, hub: {vendor: openai, api_key: env:KEY}}
models:
  tiny: {provider: home, supply: local}
  big: {provider: hub, supply: competitor, price: {input: 1 USD/M, output: 2 USD/M}}
routes: [{name: chat, try: [big, tiny]}]
budgets:
  gold: {limit: 1 USD, per: day, covers: 'tag.tier == "gold"'}
  hosted: {limit: 1 USD, per: day, covers: 'model.supply != "local"'}
"#;

    fn snapshot(text: &str) -> Snapshot {
        compile(
            &Sources::single("policy.yaml", "/".into(), text),
            jiff::Timestamp::UNIX_EPOCH,
        )
        .unwrap()
        .snapshot
    }

    fn caller(tier: &str) -> Caller {
        Caller {
            tags: Tags::new([("tier", tier)]),
            ..Caller::default()
        }
    }

    #[test]
    fn each_caller_is_answered_as_by_asking_every_selector() {
        let snapshot = snapshot(POLICY);
        let answers = CallerAnswers::new(&snapshot.selectors);
        for caller in [caller("gold"), caller("tin"), Caller::default()] {
            let found = answers.to(&caller);
            for budget in &snapshot.budgets {
                let covers = budget.covers.as_ref().unwrap();
                for (id, facts) in snapshot.selectors.models().iter().enumerate() {
                    assert_eq!(
                        found.hold(covers, id),
                        covers.matches(facts, &caller),
                        "{} {id}",
                        budget.name
                    );
                }
            }
        }
    }

    #[test]
    fn a_caller_with_very_long_tags_is_answered_and_not_kept() {
        let answers = CallerAnswers::new(&snapshot(POLICY).selectors);
        let long = caller(&"x".repeat(MOST_TEXT + 1));
        assert!(!Arc::ptr_eq(&answers.to(&long), &answers.to(&long)));
        assert_eq!(answers.known.read().len(), 0);
    }

    #[test]
    fn a_caller_is_asked_about_once_and_all_share_what_depends_on_none() {
        let answers = CallerAnswers::new(&snapshot(POLICY).selectors);
        let first = answers.to(&caller("gold"));
        assert!(Arc::ptr_eq(&first, &answers.to(&caller("gold"))));
        assert!(!Arc::ptr_eq(&first, &answers.to(&caller("tin"))));
        let plain = POLICY.replace("tag.tier == \"gold\"", "model.name == \"big\"");
        let answers = CallerAnswers::new(&snapshot(&plain).selectors);
        assert!(Arc::ptr_eq(&answers.to(&caller("gold")), &answers.to(&caller("tin"))));
    }

    #[test]
    fn no_crowd_of_callers_fills_the_memory() {
        let answers = CallerAnswers::new(&snapshot(POLICY).selectors);
        for number in 0..=MOST {
            answers.to(&caller(&number.to_string()));
        }
        assert!(answers.known.read().len() <= MOST);
    }
}
