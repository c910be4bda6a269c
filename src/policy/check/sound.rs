//! Which parts of a policy are as they were meant, so that beside errors nothing is warned of that comes from them alone.
//!
//! A part is broken where an error stands within it. What cannot be told by its place (a section of the wrong shape, a
//! key that no policy has) breaks no part, and everything that looks at the whole.

use crate::policy::condition::StateCondition;
use crate::policy::condition::signature::Subject;
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{LicenseId, Model, ModelId, Route, Snapshot};
use crate::policy::source::{Place, Word};
use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Section {
    Licenses,
    Providers,
    Models,
    Routes,
    Budgets,
    Plans,
    /// Clients and alerts, at which no warning looks.
    Others,
}

#[derive(Debug, Default)]
pub(super) struct Sound {
    broken: HashSet<(Section, usize)>,
    sections: HashSet<Section>,
    elsewhere: bool,
}

impl Sound {
    pub fn of(written: &Policy, report: &Report<'_>) -> Self {
        let mut sound = Self::default();
        if !report.has_errors() {
            return sound;
        }
        let mut parts = parts(written);
        parts.sort_unstable_by_key(|part| (part.place.file, part.place.start));
        for part in parts.iter().filter(|part| part.is_alias) {
            sound.breaks(part.section, part.at);
        }
        for place in report.error_places() {
            let before = parts.partition_point(|part| (part.place.file, part.place.start) <= (place.file, place.start));
            let within = before.checked_sub(1).and_then(|at| parts.get(at));
            let within = within.filter(|part| part.place.file == place.file && place.start < part.place.end);
            match within {
                Some(part) => sound.breaks(part.section, part.at),
                None => sound.elsewhere = true,
            }
        }
        sound
    }

    fn breaks(&mut self, section: Section, at: usize) {
        self.broken.insert((section, at));
        self.sections.insert(section);
    }

    fn part(&self, section: Section, at: usize) -> bool {
        !self.broken.contains(&(section, at))
    }

    /// Nothing in these is broken, and nothing about the policy as a whole.
    pub fn whole(&self, sections: &[Section]) -> bool {
        !self.elsewhere && !sections.iter().any(|section| self.sections.contains(section))
    }

    /// With where it is called and what it may be used under.
    pub fn model(&self, snapshot: &Snapshot, id: ModelId) -> bool {
        let is_there = |model: &Model| snapshot.providers.get(model.provider.0).is_some();
        let known = snapshot.models.get(id.0).filter(|model| is_there(model));
        self.part(Section::Models, id.0)
            && known.is_some_and(|model| {
                self.part(Section::Providers, model.provider.0) && model.licenses().all(|id| self.license(id))
            })
    }

    /// Of the policy's own; those of the catalogue come after them.
    pub fn license(&self, id: LicenseId) -> bool {
        self.part(Section::Licenses, id.0)
    }

    /// With every model that it may try.
    pub fn route(&self, snapshot: &Snapshot, at: usize) -> bool {
        let tried = |route: &Route| route.terms.candidates.iter().all(|id| self.model(snapshot, *id));
        self.part(Section::Routes, at) && self.whole(&[Section::Models]) && snapshot.routes.get(at).is_some_and(tried)
    }

    pub fn provider(&self, at: usize) -> bool {
        self.part(Section::Providers, at)
    }

    pub fn plan(&self, at: usize) -> bool {
        self.part(Section::Plans, at)
    }

    /// Everything that a condition reads.
    pub fn condition(&self, condition: &StateCondition, written: &Policy) -> bool {
        condition.signals().iter().all(|signal| {
            let named = |words: &Word| words.text == signal.name;
            let (section, at) = match signal.live.subject() {
                Subject::Budget => (Section::Budgets, written.budgets.iter().position(|of| named(&of.name))),
                Subject::License => (
                    Section::Licenses,
                    written.licenses.iter().position(|of| named(&of.name)),
                ),
                Subject::Provider => (
                    Section::Providers,
                    written.providers.iter().position(|of| named(&of.name)),
                ),
                Subject::Model => (Section::Models, written.models.iter().position(|of| named(&of.name))),
                _ => return true,
            };
            // What the catalogue names is not written.
            at.is_none_or(|at| self.part(section, at))
        })
    }
}

struct Part {
    section: Section,
    at: usize,
    place: Place,
    is_alias: bool,
}

fn parts(written: &Policy) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, entries) in &written.places {
        let section = match *name {
            "licenses" => Section::Licenses,
            "providers" => Section::Providers,
            "models" => Section::Models,
            "routes" => Section::Routes,
            "budgets" => Section::Budgets,
            "plans" => Section::Plans,
            _ => Section::Others,
        };
        parts.extend(entries.iter().enumerate().map(|(at, entry)| Part {
            section,
            at,
            place: entry.place,
            is_alias: entry.is_alias,
        }));
    }
    parts
}
