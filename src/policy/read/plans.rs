//! Plans as written.

use super::fields::Fields;
use super::routes::{Need, need, weights};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Value, Word};

#[derive(Debug)]
pub(in crate::policy) struct Plan {
    pub place: Place,
    pub name: Option<Word>,
    pub when: Option<Word>,
    pub until: Option<Word>,
    pub after: Option<Word>,
    pub at_least: Option<Word>,
    /// `None` where it is not given; empty where nothing of it could be read.
    pub during: Option<Vec<During>>,
    pub only: Option<Word>,
    pub avoid: Option<Word>,
    pub shed: Option<Word>,
    pub message: Option<Word>,
    pub warm: Option<Vec<Word>>,
    pub change: Vec<Change>,
}

/// One window of time.
#[derive(Debug)]
pub(in crate::policy) struct During {
    pub place: Place,
    pub hours: Option<Vec<Word>>,
    pub days: Option<Vec<Word>>,
    pub timezone: Option<Word>,
    pub from: Option<Word>,
    pub until: Option<Word>,
    pub except: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Change {
    pub route: Word,
    pub pick: Option<Word>,
    pub stick: Option<Word>,
    pub weights: Vec<(Word, Word)>,
    pub need: Option<Need>,
    pub tried: Option<Vec<Word>>,
    pub cost: Option<Word>,
    pub attempts: Option<Word>,
    pub output: Option<Word>,
    pub cap_output: Option<Word>,
    pub min_output: Option<Word>,
    pub thinking: Option<Word>,
    pub shed: Option<Word>,
}

/// In the place of a route's name: every route.
const ALL: &str = "*";

impl Change {
    pub fn is_of_all(&self) -> bool {
        self.route.text.as_ref() == ALL
    }

    pub fn is_of(&self, route: &str) -> bool {
        self.is_of_all() || self.route.text.as_ref() == route
    }

    pub fn says_nothing(&self) -> bool {
        let words = [
            &self.pick,
            &self.stick,
            &self.cost,
            &self.attempts,
            &self.output,
            &self.cap_output,
            &self.min_output,
            &self.thinking,
            &self.shed,
        ];
        let lists = !self.weights.is_empty() || self.tried.is_some();
        !lists && words.iter().all(|word| word.is_none()) && self.need.as_ref().is_none_or(Need::says_nothing)
    }
}

pub(super) fn read(node: &Node, report: &mut Report) -> Plan {
    let fields = Fields::open(node, &words::PLAN, report);
    let changes = fields.pairs("change", report).into_iter().map(|(route, node)| {
        let inner = Fields::open(node, &words::CHANGE, report);
        let limits = inner.map("limits", &words::CHANGED_LIMITS, report);
        let limit = |key: &str, report: &mut Report| limits.and_then(|limits| limits.word(key, report));
        Change {
            route: route.clone(),
            pick: inner.word("pick", report),
            stick: inner.word("stick", report),
            weights: weights(inner, report),
            need: need(inner, report),
            tried: inner.words("try", report),
            cost: limit("cost", report),
            attempts: limit("attempts", report),
            output: limit("output", report),
            cap_output: inner.word("cap_output", report),
            min_output: inner.word("min_output", report),
            thinking: inner.word("thinking", report),
            shed: inner.word("shed", report),
        }
    });
    let mut change: Vec<Change> = changes.collect();
    // What is said of all routes comes before what is said of one, wherever it stands.
    change.sort_by_key(|change| !change.is_of_all());
    Plan {
        place: fields.place,
        name: fields.word("name", report),
        when: fields.word("when", report),
        until: fields.word("until", report),
        after: fields.word("after", report),
        at_least: fields.word("at_least", report),
        during: during(fields, report),
        only: fields.word("only", report),
        avoid: fields.word("avoid", report),
        shed: fields.word("shed", report),
        message: fields.word("message", report),
        warm: fields.words("warm", report),
        change,
    }
}

/// One window, or a list of them.
fn during(fields: Fields<'_>, report: &mut Report) -> Option<Vec<During>> {
    let node = fields.node("during")?;
    let windows = match &node.value {
        Value::List(items) => items.iter().map(|item| window(item, report)).collect(),
        _ => vec![window(node, report)],
    };
    Some(windows)
}

fn window(node: &Node, report: &mut Report) -> During {
    let fields = Fields::open(node, &words::DURING, report);
    During {
        place: node.place,
        hours: fields.words("hours", report),
        days: fields.words("days", report),
        timezone: fields.word("timezone", report),
        from: fields.word("from", report),
        until: fields.word("until", report),
        except: fields.word("except", report),
    }
}
