//! What a test file shares is laid over: file, test, row or step, each over the one before. Trees in, trees out.

use super::words;
use crate::policy::mask::shown;
use crate::policy::read::fields::Fields;
use crate::policy::read::words::Section;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Style, Value, Word};
use std::sync::Arc;

/// A case whose parts are complete and not yet read.
#[derive(Debug)]
pub(super) struct Planned {
    pub name: String,
    pub place: Place,
    pub timed: bool,
    pub steps: Vec<PlannedStep>,
}

#[derive(Debug)]
pub(super) struct PlannedStep {
    pub name: String,
    pub place: Place,
    pub after: Option<Word>,
    pub given: Option<Node>,
    pub request: Option<Node>,
    pub expect: Option<Node>,
}

/// The three parts that are laid over one another.
#[derive(Clone, Debug, Default)]
struct Parts {
    given: Option<Node>,
    request: Option<Node>,
    expect: Option<Node>,
}

impl Parts {
    fn of(fields: &Fields<'_>) -> Self {
        Self {
            given: fields.node("given").cloned(),
            request: fields.node("request").map(as_request),
            expect: fields.node("expect").cloned(),
        }
    }

    fn with(&self, over: &Self) -> Self {
        Self {
            given: laid(self.given.as_ref(), over.given.as_ref()),
            request: laid(self.request.as_ref(), over.request.as_ref()),
            expect: laid(self.expect.as_ref(), over.expect.as_ref()),
        }
    }
}

pub(super) fn expand(root: &[(Word, Node)], report: &mut Report) -> Vec<Planned> {
    let fields = Fields::of(Place::START, root, &words::SUITE, report);
    let shared = Parts::of(&fields);
    let mut planned = Vec::new();
    for (number, node) in items(&fields, "tests", report).iter().enumerate() {
        let test = Fields::open(node, &words::TEST, report);
        let parts = shared.with(&Parts::of(&test));
        let name = name_of(&test, report).unwrap_or_else(|| format!("test {}", number + 1));
        let (cases, steps) = (items(&test, "cases", report), items(&test, "steps", report));
        if !cases.is_empty() && !steps.is_empty() {
            let found = report.error(node.place, "wrong-shape", "a test has `cases` or `steps`, not both");
            found.help("write two tests");
        }
        if !steps.is_empty() {
            planned.push(over_time(name, node.place, &parts, steps, report));
        } else if cases.is_empty() {
            planned.push(at_once(name, node.place, parts));
        } else {
            for (at, row) in cases.iter().enumerate() {
                let fields = opened(row, &words::ROW, report);
                let own = name_of(&fields, report).unwrap_or_else(|| (at + 1).to_string());
                planned.push(at_once(
                    format!("{name} / {own}"),
                    row.place,
                    parts.with(&Parts::of(&fields)),
                ));
            }
        }
    }
    planned
}

fn opened<'a>(node: &'a Node, section: &'static Section, report: &mut Report) -> Fields<'a> {
    Fields::open(node, section, report)
}

fn at_once(name: String, place: Place, parts: Parts) -> Planned {
    let step = PlannedStep {
        name: String::new(),
        place,
        after: None,
        given: parts.given,
        request: parts.request,
        expect: parts.expect,
    };
    Planned {
        name,
        place,
        timed: false,
        steps: vec![step],
    }
}

/// What is given stays from step to step; what is expected is each step's own, over the test's.
fn over_time(name: String, place: Place, parts: &Parts, steps: &[Node], report: &mut Report) -> Planned {
    let mut given = parts.given.clone();
    let mut planned = Vec::with_capacity(steps.len());
    for (at, node) in steps.iter().enumerate() {
        let fields = opened(node, &words::STEP, report);
        let own = Parts::of(&fields);
        given = laid(given.as_ref(), own.given.as_ref());
        let rest = parts.with(&own);
        planned.push(PlannedStep {
            name: name_of(&fields, report).unwrap_or_else(|| format!("step {}", at + 1)),
            place: node.place,
            after: fields.word("after", report),
            given: given.clone(),
            request: rest.request,
            expect: rest.expect,
        });
    }
    Planned {
        name,
        place,
        timed: true,
        steps: planned,
    }
}

fn name_of(fields: &Fields<'_>, report: &mut Report) -> Option<String> {
    let word = fields.word("name", report).filter(|word| !word.broken)?;
    Some(shown(&word.text))
}

fn items<'a>(fields: &Fields<'a>, key: &str, report: &mut Report) -> &'a [Node] {
    let Some(node) = fields.node(key) else { return &[] };
    match &node.value {
        Value::List(items) => items,
        _ if node.is_null() => &[],
        _ => {
            let message = format!("`{key}` is a list, and here stands {}", node.shape());
            report
                .error(node.place, "wrong-shape", message)
                .help("begin each entry with `- `");
            &[]
        }
    }
}

/// `request: chat` is `request: {model: chat}`.
fn as_request(node: &Node) -> Node {
    let Value::Scalar(word) = &node.value else {
        return node.clone();
    };
    if word.is_null() {
        return node.clone();
    }
    let key = Word {
        text: Arc::from("model"),
        place: node.place,
        style: Style::Plain,
        broken: false,
    };
    Node {
        place: node.place,
        value: Value::Map(vec![(key, node.clone())]),
    }
}

/// Maps join key by key; anything else is replaced.
fn laid(under: Option<&Node>, over: Option<&Node>) -> Option<Node> {
    let (under, over) = match (under, over) {
        (Some(under), Some(over)) => (under, over),
        (one, other) => return other.or(one).cloned(),
    };
    let (Value::Map(below), Value::Map(above)) = (&under.value, &over.value) else {
        return Some(over.clone());
    };
    let mut entries = below.clone();
    for (key, node) in above {
        match entries.iter_mut().find(|(known, _)| known.text == key.text) {
            Some(entry) => {
                *entry = (
                    key.clone(),
                    laid(Some(&entry.1), Some(node)).unwrap_or_else(|| node.clone()),
                )
            }
            None => entries.push((key.clone(), node.clone())),
        }
    }
    Some(Node {
        place: over.place,
        value: Value::Map(entries),
    })
}
