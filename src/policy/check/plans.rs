//! Conditions that never hold, or always: plans that are never active, or never released, servers that are never warm.

use super::plan_place;
use super::signals::Domains;
use super::sound::Sound;
use crate::policy::condition::reach::Never;
use crate::policy::condition::{Signal, StateCondition};
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{Plan, Snapshot};
use crate::policy::source::{Place, Word};
use jiff::Timestamp;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, sound: &Sound, report: &mut Report) {
    let conditions = Conditions {
        able: Domains {
            snapshot,
            now,
            enforced: true,
        },
        bound: Domains {
            snapshot,
            now,
            enforced: false,
        },
    };
    for plan in &snapshot.plans {
        // One that could not be read is none of the snapshot's.
        let mut named = written.plans.iter().enumerate().filter(|(_, words)| {
            let name = words.name.as_ref();
            name.is_some_and(|name| name.text == plan.name)
        });
        let Some((_, words)) = named.next().filter(|(at, _)| sound.plan(*at)) else {
            continue;
        };
        let known = |condition: &Option<StateCondition>| {
            condition
                .as_ref()
                .is_none_or(|condition| sound.condition(condition, written))
        };
        if !known(&plan.when) || !known(&plan.until) {
            continue;
        }
        over(plan, plan_place(written, plan), now, report);
        if let (Some(when), Some(word)) = (&plan.when, &words.when) {
            conditions.when(plan, when, (word, plan_place(written, plan)), report);
        }
        if let (Some(until), Some(word)) = (&plan.until, &words.until) {
            conditions.until(plan, until, word, report);
        }
    }
    for (at, (provider, words)) in snapshot.providers.iter().zip(&written.providers).enumerate() {
        let word = words.start.as_ref().and_then(|start| start.warm_when.as_ref());
        if let (Some(warm), Some(word)) = (&provider.running.warm_when, word)
            && sound.provider(at)
            && sound.condition(warm, written)
        {
            let what = format!("the server of provider `{}` is never kept warm", provider.name);
            conditions.never(&what, "warm_when", warm, word, report);
        }
    }
}

fn over(plan: &Plan, place: Place, now: Timestamp, report: &mut Report) {
    let over = !plan.during.is_empty() && plan.during.iter().all(|window| window.is_over(now));
    if over {
        let message = format!("plan `{}` is never active again: its `during` is over", plan.name);
        report
            .warning(place, "never-holds", message)
            .help("take the plan out, or give it a later `until`");
    }
}

struct Conditions<'a> {
    /// What conditions may ask for.
    able: Domains<'a>,
    /// What they may not take for granted: a limit that is lowered leaves more used than it allows.
    bound: Domains<'a>,
}

impl Conditions<'_> {
    fn when(&self, plan: &Plan, when: &StateCondition, (word, place): (&Word, Place), report: &mut Report) {
        let name = &plan.name;
        if when.constant() == Some(false) {
            let message = format!("plan `{name}` is never active: its `when` is false whatever the signals say");
            report
                .warning(place, "never-holds", message)
                .help("name a signal in it; `planb plan activate NAME` still switches such a plan on by hand");
            return;
        }
        let what = format!("plan `{name}` is never active");
        if self.never(&what, "when", when, word, report) {
            return;
        }
        // Where something is never known, it may come to no answer at all.
        let known = when.signals().iter().all(|signal| self.able.silence(signal).is_none());
        if known && when.can_be(false, &|signal| self.bound.of(signal)).is_err() {
            let message = match plan.during.is_empty() {
                true => format!("plan `{name}` is always active: its `when` holds whatever the signals say"),
                false => format!("`when` of plan `{name}` always holds, so that its `during` alone decides"),
            };
            report
                .warning(word.place, "always-holds", message)
                .help("a plan is for what is not always so: what it changes belongs into its routes");
        }
    }

    fn until(&self, plan: &Plan, until: &StateCondition, word: &Word, report: &mut Report) {
        let end = match plan.during.is_empty() {
            true => "never released",
            false => "released by the end of its `during` alone",
        };
        let what = format!("plan `{}` is {end}", plan.name);
        if self.never(&what, "until", until, word, report) {
            return;
        }
        // Of one signal alone it is sure that both know it.
        let (Some(when), [signal]) = (&plan.when, until.signals()) else {
            return;
        };
        if when.signals() != [signal.clone()] || until.constant().is_some() {
            return;
        }
        let released = until.can_be_beside(true, Some((when, false)), &|signal| self.able.of(signal));
        if released.is_err() {
            let message = format!("{what}: wherever its `until` holds, its `when` holds too");
            report
                .warning(word.place, "never-holds", message)
                .help(format!("a plan is released where `when` no longer holds and `until` does; let `{signal}` pass on between the two"));
        }
    }

    /// Whether it can never hold, which is said.
    fn never(&self, what: &str, key: &str, condition: &StateCondition, word: &Word, report: &mut Report) -> bool {
        let domain = |signal: &Signal| self.able.of(signal);
        let never = condition.can_be(true, &domain).err();
        let silent = condition
            .signals()
            .iter()
            .filter_map(|signal| self.able.silence(signal));
        let silent: Vec<_> = silent.collect();
        for (why, help) in &silent {
            let message = match never.is_some() {
                true => format!("{what}: {why}"),
                false => why.clone(),
            };
            report.warning(word.place, "never-holds", message).help(*help);
        }
        let Some(emptied) = never else { return false };
        // A comparison of it was told already.
        if silent.is_empty() && !report.has_within("never-holds", word.place) {
            let message = format!("{what}: {}", self.reason(key, condition, &emptied));
            let hard = condition.can_be(true, &|signal| self.bound.of(signal)).is_ok();
            let found = report.warning(word.place, "never-holds", message);
            found.help(match (hard, emptied.first()) {
                (true, Some(signal)) => format!(
                    "`used` never reaches 1 under a hard budget; write `budget(\"{}\").exhausted`",
                    signal.name
                ),
                _ => "`&&` asks for all of its parts at once, `||` for any of them".to_owned(),
            });
        }
        true
    }

    fn reason(&self, key: &str, condition: &StateCondition, emptied: &Never) -> String {
        match emptied.as_slice() {
            [] => format!("the parts of its `{key}` exclude each other"),
            [one] => format!("no value that `{one}` may have meets its `{key}`"),
            some => {
                let in_order = condition.signals().iter().filter(|signal| some.contains(signal));
                let names: Vec<String> = in_order.map(|signal| format!("`{signal}`")).collect();
                format!("no values that {} may have meet its `{key}`", names.join(" and "))
            }
        }
    }
}
