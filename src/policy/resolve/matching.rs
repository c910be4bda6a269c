//! Which requests a route takes: names and patterns, who asks, and what the request brings.

use super::routes::RESERVED;
use super::{Referent, Resolver};
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Match, Pattern};
use crate::policy::source::Word;
use std::sync::Arc;

/// What this version is spoken to in, and what the product knows beyond.
const DIALECTS: [&str; 2] = ["chat", "embeddings"];
const LATER_DIALECTS: [&str; 3] = ["messages", "responses", "completions"];
/// Longest name, tag or header text in a pattern.
const LONGEST: usize = 128;

impl Resolver<'_, '_> {
    pub fn matching(&mut self, written: &read::Match) -> Match {
        let wish =
            |resolver: &mut Self, word: &Option<Word>| word.as_ref().map(|word| resolver.truth(Some(word), false));
        let (above, up_to) = (self.size(written.above.as_ref()), self.size(written.up_to.as_ref()));
        if let (Some(place), true) = (
            written.size,
            above.zip(up_to).is_some_and(|(above, up_to)| above >= up_to),
        ) {
            self.report
                .error(place, "never-matches", "no size is above the one and up to the other")
                .help("write the smaller one first: `{above: 8k, up_to: 100k}`");
        }
        Match {
            models: self.patterns(&written.models),
            dialects: self.dialects(&written.dialects),
            tags: self.texts(&written.tags, "tag", false),
            clients: self.matched_clients(&written.clients),
            headers: self.texts(&written.headers, "header", true),
            above,
            up_to,
            tools: wish(self, &written.tools),
            images: wish(self, &written.images),
            uses: self.uses(&written.uses),
        }
    }

    fn dialects(&mut self, words: &[Word]) -> Vec<Arc<str>> {
        let known = DIALECTS.map(|word| (word, word));
        let found = words
            .iter()
            .filter_map(|word| self.choose(word, "dialect", &known, &LATER_DIALECTS));
        found.map(Arc::from).collect()
    }

    fn matched_clients(&mut self, words: &[Word]) -> Vec<Arc<str>> {
        let mut found = Vec::with_capacity(words.len());
        for word in words {
            let client = self.lookup(word, Referent::Client);
            found.extend(client.map(|_| word.text.clone()));
        }
        found
    }

    /// Names with the texts that count, patterns among them. Names of headers are read in lower case.
    fn texts(&mut self, written: &[(Word, Vec<Word>)], what: &str, lower: bool) -> Vec<(Arc<str>, Vec<Pattern>)> {
        let mut all = Vec::with_capacity(written.len());
        for (name, texts) in written.iter().filter(|(name, _)| !name.broken) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || (lower && c == '-');
            if name.text.is_empty() || !name.text.chars().all(plain) {
                let message = format!("`{}` cannot be the name of a {what}", shown(&name.text));
                self.report.error(name.place, "bad-name", message);
                continue;
            }
            let patterns = texts.iter().filter_map(|text| self.text_pattern(text)).collect();
            let name = if lower {
                Arc::from(name.text.to_ascii_lowercase())
            } else {
                Arc::clone(&name.text)
            };
            all.push((name, patterns));
        }
        all
    }

    fn text_pattern(&mut self, word: &Word) -> Option<Pattern> {
        if word.broken {
            return None;
        }
        if word.text.is_empty() || word.text.len() > LONGEST {
            let message = format!("`{}` matches nothing", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("write a text such as `search`, or a pattern such as `\"sea*\"`; `\"*\"` asks that it is there");
            return None;
        }
        Some(Pattern(Arc::clone(&word.text)))
    }

    fn patterns(&mut self, words: &[Word]) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for word in words.iter().filter(|word| !word.broken) {
            let text = word.text.as_ref();
            let plain = text.chars().all(|c| c.is_ascii_graphic());
            if text.is_empty() || text.len() > LONGEST || !plain || text.starts_with(RESERVED) {
                let message = format!("`{}` matches no model's name", shown(text));
                self.report
                    .error(word.place, "bad-value", message)
                    .help("write a name such as `gpt-5`, or a pattern such as `\"gpt-*\"`");
                continue;
            }
            patterns.push(Pattern(Arc::clone(&word.text)));
        }
        patterns
    }
}
