//! What ends: models that retire and licences that expire, told beforehand and once; successors put in their places.

use super::announce::Announcer;
use crate::alert::{AlertEvent, EventKind};
use crate::gateway::Gateway;
use crate::policy::snapshot::{LicenseId, ModelId, Snapshot};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashSet;

/// A retirement is told so many days before, once for each.
const WARNINGS: [i64; 2] = [7, 30];
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What this process has told; over restarts the outbox keeps it.
#[derive(Default)]
pub struct Told(Mutex<HashSet<String>>);

/// Once a second.
pub async fn tell(gateway: &Gateway, announcer: &Announcer, told: &Told) {
    let now = gateway.clock.now();
    let policy = gateway.live.policy();
    for event in ending(&policy.snapshot, now) {
        let news = match &event.dedupe {
            Some(word) => told.0.lock().insert(word.clone()),
            None => true,
        };
        if news {
            announcer.announce(event).await;
        }
    }
}

/// Everything that is within its warning now.
fn ending(snapshot: &Snapshot, now: Timestamp) -> Vec<AlertEvent> {
    let models = (0..snapshot.models.len()).filter_map(|at| retiring(snapshot, ModelId(at), now));
    let licenses = (0..snapshot.licenses.len()).filter_map(|at| expiring(snapshot, LicenseId(at), now));
    models.chain(licenses).collect()
}

fn retiring(snapshot: &Snapshot, id: ModelId, now: Timestamp) -> Option<AlertEvent> {
    let model = snapshot.model(id);
    let retirement = model.traits.retires.filter(|retirement| retirement.at > now)?;
    let left = retirement.at.duration_since(now);
    let days = WARNINGS.into_iter().find(|days| left <= DAY * (*days as i32))?;
    let successor = model.traits.successor.map(|heir| snapshot.model(heir).name.to_string());
    let listed = model.traits.listed.as_ref();
    let from_catalogue = listed.is_some_and(|listed| listed.brings.contains(&"retires"));
    let day = retirement.day.to_string();
    Some(AlertEvent {
        kind: EventKind::ModelRetiring,
        at: now,
        dedupe: Some(["model.retiring", &model.name, &day, &days.to_string()].join("\u{1f}")),
        data: json!({
            "model": &*model.name,
            "provider": &*snapshot.provider(model.provider).name,
            "upstream": &*model.upstream,
            "retires": day,
            "days_left": left.as_hours() / 24,
            "successor": successor,
            "source": if from_catalogue { "catalogue" } else { "policy" },
        }),
    })
}

fn expiring(snapshot: &Snapshot, id: LicenseId, now: Timestamp) -> Option<AlertEvent> {
    let license = snapshot.licenses.get(id.0)?;
    let term = license.term?;
    let kind = if license.has_expired(now) {
        EventKind::LicenseExpired
    } else if license.is_expiring(now) {
        EventKind::LicenseExpiring
    } else {
        return None;
    };
    let under = snapshot
        .models
        .iter()
        .filter(|model| model.licenses().any(|of| of == id));
    let models: Vec<&str> = under.map(|model| &*model.name).collect();
    let last_day = term.last_day.to_string();
    Some(AlertEvent {
        kind,
        at: now,
        dedupe: Some([kind.name(), &license.name, &last_day].join("\u{1f}")),
        data: json!({
            "license": &*license.name,
            "expires": last_day,
            "days_left": license.days_left(now, &snapshot.timezone),
            "models": models,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};

    fn snapshot(now: Timestamp) -> Snapshot {
        let text = "timezone: Asia/Shanghai\n\
            licenses: {deal: {expires: 2027-01-31, warn: 30d}}\n\
            providers: {home: {vendor: llama.cpp}}\n\
            models:\n  old: {provider: home, supply: local, license: deal, retires: 2027-03-01, successor: new}\n  \
            new: {provider: home, supply: local}\n\
            routes: [{name: chat, try: [old]}]\n";
        let sources = Sources::single("policy.yaml", "/etc/planb".into(), text);
        compile(&sources, now).unwrap().snapshot
    }

    fn told(at: &str) -> Vec<String> {
        let now = at.parse().unwrap();
        ending(&snapshot(now), now)
            .into_iter()
            .map(|event| event.dedupe.unwrap().replace('\u{1f}', " "))
            .collect()
    }

    #[test]
    fn a_licence_is_told_from_its_warning_to_its_end_and_once_after_it() {
        assert!(told("2027-01-01T15:59:59Z").is_empty());
        assert_eq!(told("2027-01-01T16:00:00Z"), ["license.expiring deal 2027-01-31"]);
        assert!(told("2027-01-31T15:59:59Z").contains(&"license.expiring deal 2027-01-31".to_owned()));
        assert!(told("2027-01-31T16:00:00Z").contains(&"license.expired deal 2027-01-31".to_owned()));
    }

    #[test]
    fn a_retirement_is_told_thirty_and_seven_days_before() {
        let of_model = |at: &str| {
            let mut all = told(at);
            all.retain(|word| word.starts_with("model"));
            all
        };
        assert!(of_model("2027-01-29T15:59:59Z").is_empty());
        assert_eq!(of_model("2027-01-29T16:00:00Z"), ["model.retiring old 2027-03-01 30"]);
        assert_eq!(of_model("2027-02-21T16:00:00Z"), ["model.retiring old 2027-03-01 7"]);
        assert!(of_model("2027-02-28T16:00:00Z").is_empty(), "it has retired");
    }
}
