//! The lines that come out: at most one blank one in a row, comments behind them in their columns.

/// Between a line's text and a comment behind it.
const GAP: usize = 2;

#[derive(Default)]
pub(super) struct Lines {
    done: Vec<Line>,
    current: Option<Line>,
    /// Blank lines since the last one with something on it.
    blanks: usize,
}

#[derive(Default)]
struct Line {
    text: String,
    /// In characters.
    width: usize,
    indent: usize,
    /// Its column in the text that was read, and the comment.
    comment: Option<(usize, String)>,
    /// Part of a scalar: what is before and behind it is not ours.
    is_verbatim: bool,
}

impl Lines {
    pub fn begin(&mut self, indent: usize) {
        if self.blanks > 1 && !self.done.is_empty() {
            self.done.push(Line::default());
        }
        self.start(indent, false);
    }

    /// The first line of a block scalar: blank ones before it are its own.
    pub fn begin_verbatim(&mut self, indent: usize) {
        self.start(indent, true);
    }

    fn start(&mut self, indent: usize, is_verbatim: bool) {
        self.blanks = 0;
        self.current = Some(Line {
            text: " ".repeat(indent),
            width: indent,
            indent,
            comment: None,
            is_verbatim,
        });
    }

    /// The next line of the same scalar.
    pub fn next(&mut self, indent: usize) {
        self.done.extend(self.current.take());
        self.start(indent, true);
    }

    pub fn push(&mut self, text: &str) {
        if let Some(line) = &mut self.current {
            line.text.push_str(text);
            line.width += text.chars().count();
        }
    }

    pub fn comment(&mut self, column: usize, text: &str) {
        if let Some(line) = &mut self.current {
            line.comment = Some((column, text.to_owned()));
        }
    }

    pub fn end(&mut self) {
        self.done.extend(self.current.take());
        self.blanks += 1;
    }

    pub fn column(&self) -> usize {
        self.current.as_ref().map_or(0, |line| line.width)
    }

    pub fn indent(&self) -> usize {
        self.current.as_ref().map_or(0, |line| line.indent)
    }

    pub fn finish(mut self) -> String {
        self.done.extend(self.current.take());
        let mut text = String::new();
        let mut rest = self.done.as_slice();
        while let Some(first) = rest.first() {
            let column = |line: &Line| line.comment.as_ref().map(|(column, _)| *column);
            let length = match column(first) {
                None => 1,
                shared => rest.iter().take_while(|line| column(line) == shared).count(),
            };
            let (group, after) = rest.split_at(length);
            let widest = group.iter().map(|line| line.width + GAP).max().unwrap_or(0);
            for line in group {
                write(&mut text, line, widest.max(column(line).unwrap_or(0)));
            }
            rest = after;
        }
        text
    }
}

fn write(text: &mut String, line: &Line, column: usize) {
    text.push_str(&line.text);
    if let Some((_, comment)) = &line.comment {
        text.push_str(&" ".repeat(column - line.width));
        text.push_str(comment);
    } else if !line.is_verbatim {
        text.truncate(text.trim_end_matches(' ').len());
    }
    text.push('\n');
}
