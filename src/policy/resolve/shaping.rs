//! Request shaping: paths into a body, JSON values, and what may not be touched.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Clamp, Path, Shaping};
use crate::policy::source::{Node, Style, Value, Word};
use std::sync::Arc;

/// What planb itself answers for: which model, whose words, how they are sent, and what routes elsewhere.
const UNTOUCHABLE: [&str; 9] = [
    "model",
    "messages",
    "input",
    "stream",
    "stream_options",
    "models",
    "fallbacks",
    "provider",
    "num_retries",
];
/// A price may hang on these: a request may be spared them, and given none.
const BILLED: [&str; 9] = [
    "service_tier",
    "tools",
    "functions",
    "web_search_options",
    "enable_search",
    "search_options",
    "enable_code_interpreter",
    "modalities",
    "plugins",
];
const DEEPEST: usize = 8;

impl Resolver<'_, '_> {
    pub fn shaping(&mut self, written: &read::Shaping) -> Shaping {
        let mut named: Vec<(&Word, &str)> = Vec::new();
        let strip = written.strip.iter().filter_map(|word| self.path(word)).collect();
        let rename = written
            .rename
            .iter()
            .filter_map(|(from, to)| self.renamed(from, to))
            .collect();
        let set = self.values(&written.set);
        let default = self.values(&written.default);
        let clamp = written.clamp.iter().filter_map(|one| self.clamp(one)).collect();
        named.extend(written.strip.iter().map(|word| (word, "strip")));
        named.extend(written.rename.iter().map(|(word, _)| (word, "rename")));
        named.extend(written.set.iter().map(|(word, _)| (word, "set")));
        named.extend(written.default.iter().map(|(word, _)| (word, "default")));
        self.check_conflicts(&named, written);
        let known = [("refuse", false), ("drop", true)];
        Shaping {
            strip,
            rename,
            set,
            default,
            clamp,
            drops: written
                .on_unsupported
                .as_ref()
                .and_then(|word| self.choose(word, "on_unsupported", &known, &[])),
        }
    }

    fn path(&mut self, word: &Word) -> Option<Path> {
        if word.broken {
            return None;
        }
        let parts: Vec<Arc<str>> = word.text.split('.').map(Arc::from).collect();
        let plain = |part: &Arc<str>| {
            !part.is_empty() && part.len() <= 128 && part.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
        };
        if parts.len() > DEEPEST || !parts.iter().all(plain) {
            let help = "fields are named as `temperature`, and inside an object as `extra_body.top_k`";
            self.unreadable(word, "field of a request", help);
            return None;
        }
        self.may_touch(word, &parts[0])?;
        Some(Path(parts.into()))
    }

    fn may_touch(&mut self, word: &Word, field: &str) -> Option<()> {
        if !UNTOUCHABLE.contains(&field) {
            return Some(());
        }
        let message = format!("`{}` is not to be shaped: planb itself answers for it", shown(field));
        self.report.error(word.place, "not-here", message);
        None
    }

    fn may_give(&mut self, word: &Word, field: &str) -> Option<()> {
        if !BILLED.contains(&field) {
            return Some(());
        }
        let message = format!("`{}` may cost more than is reserved for the request", shown(field));
        self.report
            .error(word.place, "not-here", message)
            .help("it can be left out with `strip`; only the request itself can ask for it");
        None
    }

    fn renamed(&mut self, from: &Word, to: &Word) -> Option<(Path, Arc<str>)> {
        let path = self.path(from)?;
        if to.broken {
            return None;
        }
        let plain = to.text.chars().all(|c| c.is_ascii_graphic() && !".\"\\".contains(c));
        if to.text.is_empty() || !plain {
            self.unreadable(
                to,
                "name of a field",
                "write the new name alone: `rename: {max_tokens: max_completion_tokens}`",
            );
            return None;
        }
        if path.0.len() == 1 {
            self.may_touch(to, &to.text)?;
            self.may_give(to, &to.text)?;
        }
        Some((path, Arc::clone(&to.text)))
    }

    fn values(&mut self, written: &[(Word, Node)]) -> Vec<(Path, Arc<str>)> {
        let mut values = Vec::new();
        for (word, node) in written {
            let Some(path) = self.path(word) else { continue };
            if self.may_give(word, &path.0[0]).is_some() && self.is_plain(node) {
                values.push((path, json(node).to_string().into()));
            }
        }
        values
    }

    /// Nothing in it would be sent as a text that looks like a truth value or a number to who wrote it.
    fn is_plain(&mut self, node: &Node) -> bool {
        match &node.value {
            // Each is told, not the first alone.
            Value::List(items) => items.iter().filter(|item| !self.is_plain(item)).count() == 0,
            Value::Map(entries) => entries.iter().filter(|(_, item)| !self.is_plain(item)).count() == 0,
            Value::Scalar(word) if word.broken || word.is_null() || word.style != Style::Plain => true,
            Value::Scalar(word) => self.is_json_or_text(word),
        }
    }

    fn is_json_or_text(&mut self, word: &Word) -> bool {
        let Some(meant) = slip(&word.text) else { return true };
        let help = format!(
            "did you mean `{meant}`? A text that looks like this is quoted: `\"{}\"`",
            word.text
        );
        self.unreadable(word, "JSON value", &help);
        false
    }

    fn clamp(&mut self, (word, least, most): &(Word, Option<Word>, Option<Word>)) -> Option<(Path, Clamp)> {
        let path = self.path(word)?;
        let text = |word: &Option<Word>| word.as_ref().map(|word| Arc::clone(&word.text));
        let (least, most) = (text(least), text(most));
        let clamp = Clamp::new(least.as_deref(), most.as_deref());
        if clamp.is_none() {
            let help = "write numbers, the smaller one first: `temperature: {min: 0, max: 1}`";
            self.unreadable(word, "field with bounds", help);
        }
        Some((path, clamp?))
    }

    /// One field, one change: of two nobody could say which counts.
    fn check_conflicts(&mut self, named: &[(&Word, &str)], written: &read::Shaping) {
        for (at, (word, what)) in named.iter().enumerate().filter(|(_, (word, _))| !word.broken) {
            let earlier = named.iter().take(at).find(|(other, _)| inside(&other.text, &word.text));
            if let Some((first, other)) = earlier {
                let message = format!("`{what}` and `{other}` both change `{}`", shown(&word.text));
                self.report
                    .error(word.place, "duplicate-name", message)
                    .related(first.place, "the other one is here");
            }
        }
        for (word, ..) in &written.clamp {
            let lost = named
                .iter()
                .find(|(other, what)| matches!(*what, "strip" | "set") && other.text == word.text);
            if let Some((first, what)) = lost {
                let message = format!("`{what}` leaves nothing of `{}` to clamp", shown(&word.text));
                self.report
                    .error(word.place, "duplicate-name", message)
                    .related(first.place, "the other one is here");
            }
        }
    }
}

/// One path is the other, or within it.
fn inside(one: &str, other: &str) -> bool {
    let under = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('.'));
    under(one, other) || under(other, one)
}

/// What a plain word means to other readers of YAML, where JSON does not write it so; it would go out as a text.
fn slip(text: &str) -> Option<String> {
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some("true".to_owned()),
        "false" | "no" | "off" => Some("false".to_owned()),
        lower => number(lower),
    }
}

/// The number that is written `0x10`, `0o17`, `+1`, `007`, `.5` or `5.`, as JSON writes it.
fn number(lower: &str) -> Option<String> {
    let (sign, digits) = match lower.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", lower.strip_prefix('+').unwrap_or(lower)),
    };
    let radix = |prefix: &str, radix: u32| u64::from_str_radix(digits.strip_prefix(prefix)?, radix).ok();
    if let Some(whole) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(format!("{sign}{whole}"));
    }
    let written = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = digits.parse().ok().filter(|value: &f64| written && value.is_finite())?;
    Some(format!("{sign}{value}"))
}

/// As JSON: what is quoted is a text, what is not is what YAML 1.2 reads in it.
pub(in crate::policy) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|(name, node)| (name.text.to_string(), json(node)));
            serde_json::Value::Object(pairs.collect())
        }
        Value::Scalar(word) if word.is_null() => serde_json::Value::Null,
        Value::Scalar(word) if word.style == Style::Plain => {
            let plain = serde_json::from_str(&word.text).ok();
            plain.unwrap_or_else(|| word.text.as_ref().into())
        }
        Value::Scalar(word) => word.text.as_ref().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::slip;

    #[test]
    fn what_others_read_as_a_truth_value_or_a_number_is_known() {
        let slips = [
            ("True", "true"),
            ("FALSE", "false"),
            ("Yes", "true"),
            ("off", "false"),
            ("0x10", "16"),
            ("0o17", "15"),
            ("-.5", "-0.5"),
            ("+1", "1"),
            ("007", "7"),
            ("5.", "5"),
        ];
        for (text, meant) in slips {
            assert_eq!(slip(text).as_deref(), Some(meant), "{text}");
        }
        for text in [
            "true",
            "0.5",
            "1e3",
            "low",
            "inf",
            "1.2.3",
            "2026-11-24",
            "0xyz",
            "+",
            ".",
        ] {
            assert_eq!(slip(text), None, "{text}");
        }
    }
}
