//! The texts and where things stand in them: lines, and the characters of a scalar within its quotes.

use super::tree::{Place, Style, Word};
use crate::policy::Sources;
use std::ops::Range;

/// One text with its line starts.
#[derive(Debug)]
pub(in crate::policy) struct File {
    pub name: String,
    pub text: String,
    lines: Vec<usize>,
}

impl File {
    /// Number (from 1), first byte and text of the line that contains the byte.
    pub fn line_at(&self, byte: usize) -> (usize, usize, &str) {
        let number = self.lines.partition_point(|start| *start <= byte).max(1);
        let start = self.lines.get(number - 1).copied().unwrap_or(0);
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or("");
        (number, start, line.trim_end_matches(['\n', '\r']))
    }
}

#[derive(Debug)]
pub(in crate::policy) struct Files(Vec<File>);

impl Files {
    pub fn new(sources: &Sources) -> Self {
        let file = |source: &crate::policy::SourceFile| File {
            name: source.name.clone(),
            lines: std::iter::once(0)
                .chain(source.text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            text: source.text.clone(),
        };
        Self(sources.files.iter().map(file).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, file: usize) -> Option<&File> {
        self.0.get(file)
    }

    /// Where a comment begins right behind a scalar without quotes.
    pub fn comment_behind(&self, word: &Word) -> Option<Place> {
        if word.style != Style::Plain {
            return None;
        }
        let (_, begins, line) = self.get(word.place.file)?.line_at(word.place.end);
        let line = line.get(word.place.end.checked_sub(begins)?..)?.trim_end();
        let blanks = line.len() - line.trim_start().len();
        let comment = line
            .get(blanks..)
            .filter(|comment| blanks > 0 && comment.starts_with('#'))?;
        let start = word.place.end + blanks;
        Some(Place {
            start,
            end: start + comment.len(),
            ..word.place
        })
    }

    /// Where these bytes of a scalar's value stand in the text. Falls back to the whole scalar where its value and its
    /// text cannot be laid side by side.
    pub fn within(&self, word: &Word, range: Range<usize>) -> Place {
        let whole = word.place;
        let raw = self.get(whole.file).and_then(|f| f.text.get(whole.start..whole.end));
        let Some(offsets) = raw.and_then(|raw| alignment(&word.text, raw, word.style)) else {
            return whole;
        };
        let at = |byte: usize| offsets.get(byte).copied();
        match (at(range.start), range.end.checked_sub(1).and_then(at)) {
            (Some(start), Some(last)) if range.start < range.end => Place {
                file: whole.file,
                start: whole.start + start,
                end: whole.start + last + 1,
            },
            (Some(start), _) => Place {
                file: whole.file,
                start: whole.start + start,
                end: whole.start + start,
            },
            // Just behind the last character.
            (None, _) if range.start >= offsets.len() => {
                let end = whole.start + offsets.last().map_or(0, |last| last + 1);
                Place {
                    file: whole.file,
                    start: end,
                    end,
                }
            }
            _ => whole,
        }
    }
}

/// For each byte of the value, its byte in the raw text. Whitespace that the value lacks (indentation, folded lines)
/// is passed over, escapes are taken as a whole.
fn alignment(value: &str, raw: &str, style: Style) -> Option<Vec<usize>> {
    let body = match style {
        Style::Plain => 0,
        Style::SingleQuoted | Style::DoubleQuoted => 1,
        Style::Block if raw.starts_with(['|', '>']) => raw.find('\n')? + 1,
        Style::Block => 0,
    };
    let mut offsets = Vec::with_capacity(value.len());
    let mut at = body;
    for wanted in value.chars() {
        loop {
            let here = raw.get(at..)?.chars().next();
            let escaped = style == Style::DoubleQuoted && here == Some('\\');
            match here {
                Some(_) if escaped => {
                    offsets.extend(std::iter::repeat_n(at, wanted.len_utf8()));
                    at += escape_length(&raw[at..]);
                    break;
                }
                Some(c) if c == wanted => {
                    offsets.extend((0..c.len_utf8()).map(|byte| at + byte));
                    at += c.len_utf8() + usize::from(style == Style::SingleQuoted && c == '\'');
                    break;
                }
                Some(c) if c.is_whitespace() => at += c.len_utf8(),
                // The value's own line break or fold, of which the text has less.
                _ if wanted.is_whitespace() => {
                    offsets.extend(std::iter::repeat_n(at.saturating_sub(1), wanted.len_utf8()));
                    break;
                }
                _ => return None,
            }
        }
    }
    Some(offsets)
}

fn escape_length(raw: &str) -> usize {
    match raw.chars().nth(1) {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(c) => 1 + c.len_utf8(),
        None => 1,
    }
}
