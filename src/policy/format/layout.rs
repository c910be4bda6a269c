//! Tokens to lines: two spaces a level, lists within what holds them, one space where one belongs.
//!
//! Line breaks stay where they were. A flow map or list over several lines hangs under its first item; values that
//! stand in one column on neighbouring lines stay in one.

use super::lines::Lines;
use super::tokens::{Kind, Token};

const STEP: usize = 2;

/// A block map or list that is open.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Where it began in the text, and where it begins now.
    was: usize,
    is: usize,
    is_list: bool,
}

/// A flow map or list that is open: where its lines begin, and its closing bracket.
#[derive(Clone, Copy, Debug)]
struct Bracket {
    inside: usize,
    close: usize,
}

pub(super) fn layout(tokens: &[Token]) -> String {
    let mut layout = Layout {
        tokens,
        pads: pads(tokens),
        significant: significant(tokens),
        levels: Vec::new(),
        brackets: Vec::new(),
        lines: Lines::default(),
        before: None,
        fixed: None,
    };
    for at in 0..tokens.len() {
        layout.put(at);
    }
    layout.lines.finish()
}

struct Layout<'t> {
    tokens: &'t [Token<'t>],
    /// Spaces behind each colon that are more than one.
    pads: Vec<usize>,
    /// For each token the next that is neither a comment nor a line break.
    significant: Vec<usize>,
    levels: Vec<Level>,
    brackets: Vec<Bracket>,
    lines: Lines,
    /// What stands before, on the same line.
    before: Option<usize>,
    /// The indentation that the last block scalar's header fixes.
    fixed: Option<usize>,
}

impl<'t> Layout<'t> {
    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn put(&mut self, at: usize) {
        let Some(token) = self.tokens.get(at) else { return };
        match token.kind {
            Kind::Newline => {
                self.lines.end();
                self.before = None;
                return;
            }
            Kind::Content => return self.content(token),
            Kind::Comment if self.before.is_some() => return self.lines.comment(token.column, &token.text),
            _ => {}
        }
        match self.before {
            None => {
                let indent = self.indent(at, token);
                self.lines.begin(indent);
            }
            Some(before) => {
                self.lines.push(&" ".repeat(self.space(before, at)));
                if self.kind(before) == Some(Kind::Dash) && self.brackets.is_empty() && token.kind != Kind::Header {
                    self.enter(token);
                }
            }
        }
        match token.kind {
            Kind::Open => self.open(at),
            Kind::Close => {
                self.brackets.pop();
            }
            Kind::Header => {
                self.fixed = token
                    .text
                    .chars()
                    .find_map(|c| c.to_digit(10))
                    .map(|digit| digit as usize)
            }
            _ => {}
        }
        self.text(token);
        self.before = Some(at);
    }

    /// A token's text; of a scalar over several lines, the further ones stand a step deeper.
    fn text(&mut self, token: &Token) {
        let mut parts = token.text.split('\n');
        self.lines.push(parts.next().unwrap_or(""));
        let deeper = match self.brackets.last() {
            Some(bracket) => bracket.inside + STEP,
            None => self.levels.last().map_or(0, |level| level.is) + STEP,
        };
        for part in parts {
            let part = part.trim_start_matches([' ', '\t']);
            self.lines.next(if part.is_empty() { 0 } else { deeper });
            self.lines.push(part);
        }
    }

    /// Where the first token of a line stands.
    fn indent(&mut self, at: usize, token: &Token) -> usize {
        if let Some(bracket) = self.brackets.last() {
            return if token.kind == Kind::Close {
                bracket.close
            } else {
                bracket.inside
            };
        }
        match token.kind {
            Kind::Document => {
                self.levels.clear();
                0
            }
            Kind::Comment => self.indent_of_comment(at, token.column),
            _ => self.enter(token),
        }
    }

    /// Closes what a line at this column ends, opens what it begins.
    fn enter(&mut self, token: &Token) -> usize {
        Self::descend(&mut self.levels, token)
    }

    fn descend(levels: &mut Vec<Level>, token: &Token) -> usize {
        let (column, is_list) = (token.column, token.kind == Kind::Dash);
        while levels.last().is_some_and(|level| level.was > column) {
            levels.pop();
        }
        // A list may begin at the column of the key that holds it.
        if !is_list && levels.last().is_some_and(|level| level.was == column && level.is_list) {
            levels.pop();
        }
        match levels.last() {
            Some(level) if level.was == column && level.is_list == is_list => level.is,
            last => {
                let is = last.map_or(0, |level| level.is + STEP);
                let was = column;
                levels.push(Level { was, is, is_list });
                is
            }
        }
    }

    /// With the line that follows; one that stands deeper belongs to what is still open there.
    fn indent_of_comment(&self, at: usize, column: usize) -> usize {
        let next = self.significant.get(at).and_then(|next| self.tokens.get(*next));
        let next = next.filter(|token| token.kind != Kind::Document);
        let open = self.levels.iter().rev().find(|level| level.was == column);
        match (next, open) {
            (Some(next), Some(open)) if column > next.column => open.is,
            (Some(next), _) => Self::descend(&mut self.levels.clone(), next),
            (None, open) => open.map_or(0, |level| level.is),
        }
    }

    fn open(&mut self, at: usize) {
        let hangs = matches!(self.kind(at + 1), Some(Kind::Newline | Kind::Comment) | None);
        let bracket = match (hangs, self.brackets.is_empty()) {
            (false, _) => Bracket {
                inside: self.lines.column() + 1,
                close: self.lines.column(),
            },
            // YAML wants even the closing bracket deeper than the key.
            (true, true) => {
                let base = self.levels.last().map_or(0, |level| level.is);
                Bracket {
                    inside: base + 2 * STEP,
                    close: base + STEP,
                }
            }
            (true, false) => Bracket {
                inside: self.lines.indent() + STEP,
                close: self.lines.indent(),
            },
        };
        self.brackets.push(bracket);
    }

    fn space(&self, before: usize, at: usize) -> usize {
        match (self.kind(before), self.kind(at)) {
            (Some(Kind::Alias), Some(Kind::Colon)) => 1,
            (Some(Kind::Comma | Kind::Question), Some(Kind::Colon)) => 1,
            (_, Some(Kind::Comma | Kind::Colon | Kind::Close)) | (Some(Kind::Open), _) => 0,
            (Some(Kind::Colon), _) => self.pads.get(before).copied().unwrap_or(1),
            _ => 1,
        }
    }

    /// The lines of a block scalar, moved as a whole.
    fn content(&mut self, token: &Token) {
        let level = self.levels.last().copied();
        let (was, is) = level.map_or((0, 0), |level| (level.was, level.is));
        let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let (from, to) = match self.fixed {
            Some(digit) => (was + digit, is + digit),
            None => {
                let first = token.text.split('\n').find(|line| !line.trim_matches(' ').is_empty());
                (first.map_or(0, spaces), is + STEP)
            }
        };
        for (number, line) in token.text.split('\n').enumerate() {
            let rest = line.get(from.min(spaces(line))..).unwrap_or("");
            let indent = if rest.is_empty() { 0 } else { to };
            match number {
                0 => self.lines.begin_verbatim(indent),
                _ => self.lines.next(indent),
            }
            self.lines.push(rest);
        }
        self.before = None;
    }
}

fn significant(tokens: &[Token]) -> Vec<usize> {
    let mut next = tokens.len();
    let mut found: Vec<usize> = (0..tokens.len())
        .rev()
        .map(|at| {
            if !matches!(
                tokens.get(at).map(|token| token.kind),
                Some(Kind::Comment | Kind::Newline)
            ) {
                next = at;
            }
            next
        })
        .collect();
    found.reverse();
    found
}

/// A `key: value` that begins a line.
struct Pair {
    colon: usize,
    line: usize,
    /// The line behind its value.
    next_line: usize,
    key: (usize, usize),
    value: usize,
}

/// For each token the spaces behind it, where it is the colon of a pair that stands in a column with its neighbours.
fn pads(tokens: &[Token]) -> Vec<usize> {
    let mut pads = vec![1; tokens.len()];
    let pairs = pairs(tokens);
    let mut rest = pairs.as_slice();
    while let Some(first) = rest.first() {
        let together = |pair: &[Pair]| match pair {
            [one, next] => one.next_line == next.line && one.key.0 == next.key.0 && one.value == next.value,
            _ => false,
        };
        let length = 1 + rest.windows(2).take_while(|pair| together(pair)).count();
        let (group, after) = rest.split_at(length);
        let widest = group.iter().map(|pair| pair.key.1).max().unwrap_or(first.key.1);
        for pair in group {
            if let Some(pad) = pads.get_mut(pair.colon) {
                *pad = widest - pair.key.1 + 1;
            }
        }
        rest = after;
    }
    pads
}

fn pairs(tokens: &[Token]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let (mut line, mut depth, mut is_first) = (0, 0_usize, true);
    for (at, token) in tokens.iter().enumerate() {
        let breaks = token.text.matches('\n').count();
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Scalar if is_first && depth == 0 && breaks == 0 => pairs.extend(pair(tokens, at, line)),
            _ => {}
        }
        is_first = match token.kind {
            Kind::Newline => true,
            Kind::Dash => is_first,
            _ => false,
        };
        line += breaks;
        if let Some(last) = pairs
            .last_mut()
            .filter(|last| at > last.colon && depth == 0 && last.next_line == last.line)
        {
            // Its value is over at the first line break outside brackets.
            if token.kind == Kind::Newline {
                last.next_line = line;
            }
        }
    }
    pairs
}

fn pair(tokens: &[Token], key: usize, line: usize) -> Option<Pair> {
    let [key_token, colon, value] = tokens.get(key..key + 3)? else {
        return None;
    };
    let is_value = !matches!(value.kind, Kind::Newline | Kind::Comment | Kind::Header);
    (colon.kind == Kind::Colon && is_value).then(|| Pair {
        colon: key + 1,
        line,
        next_line: line,
        key: (key_token.column, key_token.text.chars().count()),
        value: value.column,
    })
}
