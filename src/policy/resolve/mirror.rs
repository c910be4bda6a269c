//! Shadow traffic of a route: to which model, how much of it, and on which budget.

use super::{Referent, Resolver};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read;
use crate::policy::snapshot::{Mirror, ModelId};
use crate::policy::source::Word;
use std::sync::Arc;

/// All requests, in basis points.
const WHOLE: u32 = 10_000;

impl Resolver<'_, '_> {
    pub fn mirror(&mut self, written: &read::Mirror) -> Option<Mirror> {
        let model = self.required(written.model.as_ref(), written.place, "model", "a mirror");
        let share = self.required(written.share.as_ref(), written.place, "share", "a mirror");
        if written.budget.is_none() {
            self.report
                .error(written.place, "missing-key", "a mirror needs `budget`")
                .help("name a budget of its own: it pays for shadow calls and for nothing else, so that they never take the money of requests");
        }
        let model = model.and_then(|word| self.lookup(word, Referent::Model)).map(ModelId);
        let share = share.and_then(|word| self.mirrored_share(word));
        let budget = written.budget.as_ref().and_then(|word| self.mirror_budget(word));
        Some(Mirror {
            model: model?,
            share: share?,
            budget: budget?,
        })
    }

    fn mirrored_share(&mut self, word: &Word) -> Option<u32> {
        let share = self.percentage(word)?;
        if (1..=WHOLE).contains(&share) {
            return Some(share);
        }
        let message = format!("`{}` is no share of a route's requests", shown(&word.text));
        self.report
            .error(word.place, "bad-value", message)
            .help("write more than `0%` and at most `100%`; without a mirror, leave `mirror` out");
        None
    }

    fn mirror_budget(&mut self, word: &Word) -> Option<Arc<str>> {
        if word.broken {
            return None;
        }
        if self.names.budgets.iter().any(|(name, _)| *name == word.text) {
            return Some(word.text.clone());
        }
        let message = format!("no budget is called `{}`", shown(&word.text));
        let names = self.names.budgets.iter().map(|(name, _)| name.as_ref());
        let help = suggestion(&word.text, names);
        self.report.error(word.place, "unknown-name", message).maybe_help(help);
        None
    }

    /// A budget that a route's mirror names counts shadow calls, whatever else it says.
    pub fn pays_for_mirrors(&mut self, budget: &read::Budget, routes: &[read::Route]) -> bool {
        let mut mirrors = routes.iter().filter_map(|route| route.mirror.as_ref()?.budget.as_ref());
        let Some(mirror) = mirrors.find(|word| word.text == budget.name.text) else {
            return false;
        };
        if let Some(covers) = &budget.covers {
            let message = format!(
                "budget `{}` pays for a mirror's shadow calls and for nothing else, so that `covers` cannot be kept",
                shown(&budget.name.text)
            );
            self.report
                .error(covers.place, "mirror-budget", message)
                .related(mirror.place, "the mirror is here")
                .help("take `covers` out, or give the mirror another budget");
        }
        true
    }
}
