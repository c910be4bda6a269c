//! Plans that are never active.

use super::plan_place;
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::Snapshot;
use jiff::Timestamp;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    for plan in &snapshot.plans {
        let over = !plan.during.is_empty() && plan.during.iter().all(|window| window.is_over(now));
        if over {
            let message = format!("plan `{}` is never active again: its `during` is over", plan.name);
            report
                .warning(plan_place(written, plan), "never-holds", message)
                .help("take the plan out, or give it a later `until`");
        }
        let when = plan.when.as_ref();
        if when.is_some_and(|when| when.constant() == Some(false)) {
            let message = format!(
                "plan `{}` is never active: its `when` is false whatever the signals say",
                plan.name
            );
            report
                .warning(plan_place(written, plan), "never-holds", message)
                .help("name a signal in it; `planb plan activate NAME` still switches such a plan on by hand");
        }
    }
}
