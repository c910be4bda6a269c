//! One of a few words, with what the product knows beyond this version.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::nearest::{nearest, suggestion};
use crate::policy::source::Word;

impl Resolver<'_, '_> {
    /// The value of a word. `later` are words that this version refuses by name.
    pub fn choose<T: Copy>(&mut self, word: &Word, what: &str, known: &[(&str, T)], later: &[&str]) -> Option<T> {
        if word.broken {
            return None;
        }
        let text = word.text.as_ref();
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        if later.contains(&text) {
            self.report.not_yet(word.place, &format!("{what}: {text}"));
            return None;
        }
        let names = || known.iter().map(|(name, _)| *name);
        let help = nearest(text, names())
            .map(|name| format!("did you mean `{name}`?"))
            .or_else(|| {
                let later = nearest(text, later.iter().copied())?;
                Some(format!("`{later}` is not supported by this version yet"))
            })
            .or_else(|| suggestion(text, names()))
            .or_else(|| {
                let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
                Some(format!("known here: {}", all.join(", ")))
            });
        let message = if what.contains(' ') {
            format!("`{}` is no {what}", shown(text))
        } else {
            format!("`{}` cannot be `{}`", what.trim_matches('`'), shown(text))
        };
        self.report.error(word.place, "unknown-word", message).maybe_help(help);
        None
    }

    pub fn truth(&mut self, word: Option<&Word>, default: bool) -> bool {
        let known = [("true", true), ("false", false)];
        word.and_then(|word| self.choose(word, "truth value", &known, &[]))
            .unwrap_or(default)
    }
}
