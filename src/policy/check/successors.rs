//! Lines of successors that lead nowhere: in a circle, or to a model that is gone before its turn comes.

use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{ModelId, Snapshot};
use crate::policy::source::Place;

pub(super) fn require(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (at, words) in written.models.iter().enumerate() {
        let Some(word) = words.successor.as_ref().filter(|word| !word.broken) else {
            continue;
        };
        let (line, back) = line(snapshot, ModelId(at));
        match back {
            // Told once, where its first model stands.
            Some(ModelId(to)) if to == at && line.iter().all(|id| id.0 >= at) => {
                let message = format!(
                    "these models succeed each other in a circle: {} → `{}`",
                    named(snapshot, &line),
                    words.name.text
                );
                report
                    .error(word.place, "lost-successor", message)
                    .help("the last one in a line of successors has none");
            }
            Some(_) => {}
            None => gone(snapshot, &line, word.place, report),
        }
    }
}

/// The model and its successors, and the one that the last of them leads back to.
fn line(snapshot: &Snapshot, first: ModelId) -> (Vec<ModelId>, Option<ModelId>) {
    let mut line = vec![first];
    loop {
        let last = line[line.len() - 1];
        match snapshot.model(last).traits.successor {
            None => return (line, None),
            Some(next) if line.contains(&next) => return (line, Some(next)),
            Some(next) => line.push(next),
        }
    }
}

fn gone(snapshot: &Snapshot, line: &[ModelId], place: Place, report: &mut Report) {
    let [first, heir, ..] = line else { return };
    let retires = |id: &ModelId| snapshot.model(*id).traits.retires;
    let Some((own, its)) = retires(first).zip(retires(heir)).filter(|(own, its)| its.at < own.at) else {
        return;
    };
    let name = |id: &ModelId| snapshot.model(*id).name.clone();
    let message = format!(
        "`{}` retires on {}, before it could take the place of `{}`, which retires on {}: {}",
        name(heir),
        its.day,
        name(first),
        own.day,
        named(snapshot, line)
    );
    let stays = |id: &&ModelId| retires(id).is_none_or(|its| its.at > own.at);
    let help = match line.iter().skip(2).find(stays) {
        Some(id) => format!("name `{}`, which is there then", name(id)),
        None => "name a model that is there then, or write `retires: never` if you know better".to_owned(),
    };
    report.error(place, "lost-successor", message).help(help);
}

fn named(snapshot: &Snapshot, line: &[ModelId]) -> String {
    let names: Vec<String> = line
        .iter()
        .map(|id| format!("`{}`", snapshot.model(*id).name))
        .collect();
    names.join(" → ")
}
