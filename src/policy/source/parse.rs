//! One file's YAML events to a tree, without recursion: a stack of what is open.

use super::files::Files;
use super::tree::{Node, Place, Style, Value, Word};
use super::trouble;
use crate::policy::mask;
use crate::policy::report::Report;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// A policy needs six levels.
const DEPTH: usize = 32;
/// Values of a whole policy, aliases counted as what they stand for: a bound on anchors that multiply.
const NODES: usize = 500_000;

/// What is left of the bound on values.
pub(super) struct Allowance(usize);

impl Default for Allowance {
    fn default() -> Self {
        Self(NODES)
    }
}

/// Where each key stands in its map.
type Index = HashMap<Arc<str>, usize>;

/// Something that was begun and not ended.
struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(Word, Node)>,
        /// A map may be long.
        index: Index,
        key: Option<Word>,
        /// What stands behind `<<`: its entries are taken in where the map has none of that key.
        merged: Vec<Node>,
    },
}

/// A whole value with what an alias to it would cost.
#[derive(Clone)]
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

/// The file's root: `Some(None)` when it is empty, `None` after an error that was reported.
pub(super) fn parse<'f>(
    files: &'f Files,
    file: usize,
    left: &mut Allowance,
    report: &mut Report<'f>,
) -> Option<Option<Node>> {
    let text = files.get(file)?.text.as_str();
    let mut builder = Builder {
        positions: Positions::new(file, text),
        left,
        stack: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        documents: 0,
        report,
    };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(body);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return Some(builder.root),
            Some(Ok((event, span))) => builder.take(event, span)?,
            Some(Err(error)) => {
                let place = builder.positions.place(Span::empty(*error.marker()));
                trouble::tell(error.info(), text, place, builder.opened(), builder.report);
                return None;
            }
        }
    }
}

struct Builder<'r, 'f, 'l> {
    positions: Positions<'f>,
    left: &'l mut Allowance,
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
    report: &'r mut Report<'f>,
}

impl Builder<'_, '_, '_> {
    /// `None` after an error behind which nothing can be trusted.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let place = self.positions.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.report
                        .error(place, "yaml", "a policy has no use for tags")
                        .help("leave the `!…` out");
                }
                let word = Word {
                    text: Arc::from(text.as_ref()),
                    place,
                    style: style_of(style),
                    broken: false,
                };
                let node = Node {
                    place,
                    value: Value::Scalar(word),
                };
                self.complete(node, anchor, 1, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(place, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let entries = Vec::new();
                self.open(
                    place,
                    anchor,
                    Content::Map {
                        entries,
                        index: Index::new(),
                        key: None,
                        merged: Vec::new(),
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place),
            Event::Alias(anchor) => {
                let Some(known) = self.anchors.get(&anchor).cloned() else {
                    self.report.error(place, "yaml", "an anchor cannot stand inside itself");
                    return None;
                };
                self.complete(known.node, 0, known.nodes, known.height)
            }
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.report
                        .error(place, "yaml", "a policy file is one YAML document")
                        .help("put the second one into a file of its own, in the same folder");
                    return None;
                }
                Some(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, content: Content) -> Option<()> {
        if self.stack.len() >= DEPTH {
            self.too_deep(place);
            return None;
        }
        self.stack.push(Open { place, anchor, content });
        Some(())
    }

    fn close(&mut self, end: Place) -> Option<()> {
        let open = self.stack.pop()?;
        let place = Place {
            end: end.end.max(open.place.end),
            ..open.place
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut entries,
                mut index,
                merged,
                ..
            } => {
                merged
                    .into_iter()
                    .for_each(|node| take_in(&mut entries, &mut index, node));
                Value::Map(entries)
            }
        };
        let node = Node { place, value };
        // Only what is anchored is ever counted again, so only that is measured.
        let (nodes, height) = if open.anchor == 0 { (1, 1) } else { measure(&node) };
        self.finish(node, open.anchor, 1, nodes, height)
    }

    fn complete(&mut self, node: Node, anchor: usize, nodes: usize, height: usize) -> Option<()> {
        self.finish(node, anchor, nodes, nodes, height)
    }

    /// Puts a whole value where it belongs. `cost` is what it takes from the allowance now.
    fn finish(&mut self, node: Node, anchor: usize, cost: usize, nodes: usize, height: usize) -> Option<()> {
        let Some(left) = self.left.0.checked_sub(cost) else {
            let message = "a policy of more than 500,000 values, each alias counted as what it stands for";
            self.report.error(node.place, "too-large", message);
            return None;
        };
        self.left.0 = left;
        if self.stack.len() + height > DEPTH + 1 {
            self.too_deep(node.place);
            return None;
        }
        if anchor != 0 {
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, nodes, height });
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(open) => match &mut open.content {
                Content::List(items) => items.push(node),
                Content::Map {
                    entries,
                    index,
                    key,
                    merged,
                } => match key.take() {
                    None => *key = Some(key_of(node, self.report)),
                    Some(key) if is_merge(&key) => merge(merged, node, self.report),
                    Some(key) => insert(entries, index, key, node, self.report),
                },
            },
        }
        Some(())
    }

    /// The bracket of the innermost flow map or list that is open.
    fn opened(&self) -> Option<Place> {
        let bracket = |open: &Open| {
            let raw = self.positions.text.get(open.place.start..open.place.end)?;
            let start = raw.ends_with(['{', '[']).then(|| open.place.end - 1)?;
            Some(Place { start, ..open.place })
        };
        self.stack.iter().rev().find_map(bracket)
    }

    fn too_deep(&mut self, place: Place) {
        let message = format!("nested more than {DEPTH} levels deep");
        self.report.error(place, "too-large", message);
    }
}

fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::Scalar(_) => Vec::new(),
        Value::List(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
    };
    children
        .into_iter()
        .map(measure)
        .fold((1, 1), |(nodes, height), child| {
            (nodes + child.0 + 1, height.max(child.1 + 1))
        })
}

fn key_of(node: Node, report: &mut Report) -> Word {
    match node.value {
        Value::Scalar(word) => word,
        Value::List(_) | Value::Map(_) => {
            report.error(node.place, "wrong-shape", "a key is a single word");
            Word::broken(node.place)
        }
    }
}

fn is_merge(key: &Word) -> bool {
    key.style == Style::Plain && key.text.as_ref() == "<<"
}

fn merge(merged: &mut Vec<Node>, node: Node, report: &mut Report) {
    match node.value {
        Value::Map(_) => merged.push(node),
        Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => merged.extend(items),
        _ => {
            let message = format!("`<<` takes a map, or a list of maps, and here stands {}", node.shape());
            report
                .error(node.place, "wrong-shape", message)
                .help("give a map an anchor, `tiny: &small {…}`, and write `<<: *small`");
        }
    }
}

/// What the map itself says wins, then what comes first.
fn take_in(entries: &mut Vec<(Word, Node)>, index: &mut Index, node: Node) {
    let Value::Map(more) = node.value else { return };
    for (key, node) in more {
        if !index.contains_key(&key.text) {
            index.insert(Arc::clone(&key.text), entries.len());
            entries.push((key, node));
        }
    }
}

fn insert(entries: &mut Vec<(Word, Node)>, index: &mut Index, key: Word, node: Node, report: &mut Report) {
    if key.broken {
        return;
    }
    if mask::is_secret_key(&key.text) {
        hide_literals(&node, report);
    }
    match index.get(&key.text).and_then(|at| entries.get(*at)) {
        None => {
            index.insert(Arc::clone(&key.text), entries.len());
            entries.push((key, node));
        }
        Some((first, _)) => {
            let message = format!("`{}` is given twice", mask::shown(&key.text));
            report
                .error(key.place, "duplicate-key", message)
                .related(first.place, "first given here");
        }
    }
}

fn hide_literals(node: &Node, report: &mut Report) {
    match &node.value {
        Value::Scalar(word) if !mask::is_reference(&word.text) => report.secret(word.place),
        Value::Scalar(_) | Value::Map(_) => {}
        Value::List(items) => items.iter().for_each(|item| hide_literals(item, report)),
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

/// The parser counts characters; places are bytes.
struct Positions<'a> {
    file: usize,
    text: &'a str,
    /// Where a byte-order mark stood, that the parser has not seen.
    skipped: usize,
    /// First byte of each character; absent where each is one byte.
    characters: Option<Vec<usize>>,
}

impl<'a> Positions<'a> {
    fn new(file: usize, text: &'a str) -> Self {
        let skipped = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let characters = (!text.is_ascii()).then(|| {
            let body = text.get(skipped..).unwrap_or(text);
            body.char_indices().map(|(at, _)| at + skipped).collect()
        });
        Self {
            file,
            text,
            skipped,
            characters,
        }
    }

    fn place(&self, span: Span) -> Place {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        // A value never ends in the whitespace behind it, whatever the parser needed to look at.
        let raw = self.text.get(start..end).unwrap_or("");
        Place {
            file: self.file,
            start,
            end: start + raw.trim_end().len(),
        }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.characters {
            None => (character + self.skipped).min(self.text.len()),
            Some(starts) => starts.get(character).copied().unwrap_or(self.text.len()),
        }
    }
}
