//! The text as tokens, none of its bytes lost but whitespace: scalars where the YAML parser says they stand, and the
//! few signs between them.

use super::quote::{self, Quotes};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    /// `|` or `>` with its signs; the lines follow as `Content`.
    Header,
    Content,
    Alias,
    /// An anchor or a tag.
    Property,
    Dash,
    Question,
    Colon,
    Comma,
    Open,
    Close,
    Comment,
    /// `---`, `...` or a directive: the whole of it.
    Document,
    Newline,
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: Cow<'a, str>,
    /// In characters, from 0.
    pub column: usize,
}

/// `None` where something stands between scalars that is none of these signs.
pub(super) fn tokens<'a>(text: &'a str, quotes: &Quotes) -> Option<Vec<Token<'a>>> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line_start: 0,
        counted: (0, 0),
        flow: 0,
        header: None,
        scalars: scalars(text)?.into_iter().peekable(),
        quotes,
        tokens: Vec::new(),
    };
    while lexer.at < text.len() {
        lexer.step()?;
    }
    Some(lexer.tokens)
}

/// Where a scalar begins and ends. Of a block scalar only the end counts: its header stands before its begin.
struct Scalar {
    start: usize,
    end: usize,
    is_block: bool,
}

fn scalars(text: &str) -> Option<Vec<Scalar>> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let byte = |character: usize| starts.get(character).copied();
    let mut found = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.ok()?;
        let Event::Scalar(_, style, ..) = event else { continue };
        let (start, end) = (byte(span.start.index())?, byte(span.end.index())?);
        let raw = text.get(start..end)?;
        let end = match style {
            ScalarStyle::Plain if raw.is_empty() => continue,
            ScalarStyle::Plain => start + raw.trim_end().len(),
            ScalarStyle::SingleQuoted => start + single_quoted(text.get(start..)?)?,
            ScalarStyle::DoubleQuoted => start + double_quoted(text.get(start..)?)?,
            ScalarStyle::Literal | ScalarStyle::Folded => end,
        };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        found.push(Scalar { start, end, is_block });
    }
    Some(found)
}

fn single_quoted(text: &str) -> Option<usize> {
    let mut rest = text.strip_prefix('\'')?;
    loop {
        rest = &rest[rest.find('\'')? + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => rest = after,
            None => return Some(text.len() - rest.len()),
        }
    }
}

fn double_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

struct Lexer<'a, 'q> {
    text: &'a str,
    at: usize,
    line_start: usize,
    /// A byte of this line and its column, from which the next column is counted on.
    counted: (usize, usize),
    flow: usize,
    /// Of a block scalar whose lines come after this one: where they end, and whether blank ones behind count.
    header: Option<(usize, bool)>,
    scalars: std::iter::Peekable<std::vec::IntoIter<Scalar>>,
    quotes: &'q Quotes,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a, '_> {
    fn step(&mut self) -> Option<()> {
        if self
            .scalars
            .peek()
            .is_some_and(|next| !next.is_block && next.start <= self.at)
        {
            return self.scalar();
        }
        let rest = self.text.get(self.at..)?;
        let first = rest.chars().next()?;
        let separate = rest[first.len_utf8()..]
            .chars()
            .next()
            .is_none_or(|c| " \t\n".contains(c));
        match first {
            ' ' | '\t' => self.at += 1,
            '\n' => return self.newline(),
            '#' => self.push(Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '{' | '[' => {
                self.flow += 1;
                self.push(Kind::Open, 1);
            }
            '}' | ']' => {
                self.flow = self.flow.checked_sub(1)?;
                self.push(Kind::Close, 1);
            }
            ',' => self.push(Kind::Comma, 1),
            ':' => self.push(Kind::Colon, 1),
            '?' if separate => self.push(Kind::Question, 1),
            '%' if self.at == self.line_start => self.push(Kind::Document, rest.find('\n').unwrap_or(rest.len())),
            _ if self.at == self.line_start && is_marker(rest) => self.push(Kind::Document, 3),
            '-' if separate => self.push(Kind::Dash, 1),
            '&' | '!' => self.push(Kind::Property, self.word(rest)),
            '*' => self.push(Kind::Alias, self.word(rest)),
            '|' | '>' => {
                let block = self.scalars.next_if(|next| next.is_block)?;
                let length = self.word(rest);
                self.header = Some((block.end, rest[..length].contains('+')));
                self.push(Kind::Header, length);
            }
            _ => return None,
        }
        Some(())
    }

    fn scalar(&mut self) -> Option<()> {
        let scalar = self.scalars.next().filter(|scalar| scalar.start == self.at)?;
        self.push(Kind::Scalar, scalar.end - scalar.start);
        let token = self.tokens.last_mut()?;
        if let Some(word) = self.quotes.get(&scalar.start)
            && let Some(quoted) = quote::requoted(&token.text, word)
        {
            token.text = Cow::Owned(quoted);
        }
        if let Some(line) = self.text.get(scalar.start..scalar.end)?.rfind('\n') {
            self.line_start = scalar.start + line + 1;
        }
        Some(())
    }

    fn newline(&mut self) -> Option<()> {
        self.push(Kind::Newline, 1);
        self.line_start = self.at;
        let Some((end, keeps)) = self.header.take() else {
            return Some(());
        };
        let lines = self.text.get(self.at..end.max(self.at))?;
        let lines = if keeps {
            lines.strip_suffix('\n').unwrap_or(lines)
        } else {
            lines.trim_end_matches(['\n', ' ', '\t'])
        };
        if !lines.is_empty() {
            self.push(Kind::Content, lines.len());
            let content = self.tokens.last()?.text.rfind('\n');
            self.line_start = content.map_or(self.line_start, |line| self.at - lines.len() + line + 1);
        }
        Some(())
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = self.text.get(self.at..self.at + length).unwrap_or("");
        let (from, column) = match self.counted {
            (at, column) if at >= self.line_start => (at, column),
            _ => (self.line_start, 0),
        };
        let column = column + self.text.get(from..self.at).unwrap_or("").chars().count();
        self.counted = (self.at, column);
        let text = if kind == Kind::Comment { text.trim_end() } else { text };
        self.tokens.push(Token {
            kind,
            text: Cow::Borrowed(text),
            column,
        });
        self.at += length;
    }

    fn word(&self, rest: &str) -> usize {
        let ends = |c: char| " \t\n".contains(c) || self.flow > 0 && ",[]{}".contains(c);
        rest.find(ends).unwrap_or(rest.len())
    }
}

fn is_marker(rest: &str) -> bool {
    let after = rest.strip_prefix("---").or_else(|| rest.strip_prefix("..."));
    after.is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t', '\n']))
}
