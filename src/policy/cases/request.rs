//! What a test asks: the words of a request as requirements.

use super::{Reader, words};
use crate::policy::read::fields::Fields;
use crate::policy::resolve::json;
use crate::policy::source::{Node, Word};
use crate::request::{Caller, Requirements, Tags, Thinking};
use std::sync::Arc;

/// Input tokens where nothing is said.
const INPUT: u64 = 1_000;

/// The headers of an answer that a decision alone settles.
pub(super) const ANSWER_HEADERS: [&str; 7] = [
    "x-planb-model",
    "x-planb-provider",
    "x-planb-plan",
    "x-planb-degraded",
    "x-planb-budget-remaining",
    "x-planb-output-cap",
    "x-planb-dropped",
];

/// A request as a decision sees it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What the application writes in `model`.
    pub model: Arc<str>,
    /// The route that is known to take it, by name: what routes `match` is not asked then.
    pub route: Option<Arc<str>>,
    pub dialect: Arc<str>,
    /// Names in lower case.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Other fields of the body, by name, as JSON.
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    pub needs: Requirements,
}

impl Reader<'_, '_> {
    /// `None` after what is wrong was reported.
    pub fn request(&mut self, node: &Node) -> Option<Ask> {
        let fields = Fields::open(node, &words::REQUEST, self.report);
        let Some(model) = fields.word("model", self.report) else {
            let found = self
                .report
                .error(fields.place, "missing-key", "a request needs `model`");
            found.help("write what the application writes: the name of a route");
            return None;
        };
        let dialect = self
            .own(&fields, "dialect")
            .map_or_else(|| Arc::from("chat"), |word| word.text);
        let needs = Requirements {
            caller: Arc::new(self.caller(&fields)),
            input: self.size_of(&fields, "input").unwrap_or(INPUT),
            output_bound: self.size_of(&fields, "output"),
            thinking: self.thinking(&fields),
            choices: self.whole_of(&fields, "choices", 1, 128).unwrap_or(1),
            tools: self.flag(&fields, "tools"),
            images: self.flag(&fields, "images"),
            audio: self.flag(&fields, "audio"),
            json_schema: self.flag(&fields, "json_schema"),
            stream: self.flag(&fields, "stream"),
            min_quality: self
                .whole_of(&fields, "min_quality", 0, 100)
                .and_then(|quality| u8::try_from(quality).ok()),
            max_cost: self.own(&fields, "max_cost").and_then(|word| self.amount(&word)),
            embeds: dialect.as_ref() == "embeddings",
            ..Requirements::default()
        };
        let headers = self.texts(&fields, "headers").into_iter();
        Some(Ask {
            model: model.text,
            route: None,
            dialect,
            fields: self.fields(&fields),
            headers: headers
                .map(|(name, value)| (name.to_lowercase().into(), value))
                .collect(),
            needs,
        })
    }

    /// A client's own tags win over those of the request.
    fn caller(&mut self, fields: &Fields<'_>) -> Caller {
        let policy = self.policy;
        let mut tags = Tags::new(self.texts(fields, "tags"));
        let client = self.own(fields, "client");
        let names = policy.clients.iter().map(|client| client.name.as_ref());
        let client = client.filter(|word| self.known(word, "client", names));
        let known = client
            .as_ref()
            .and_then(|word| policy.clients.iter().find(|client| client.name == word.text));
        for (name, value) in known.into_iter().flat_map(|client| client.tags.iter()) {
            tags.set(name.into(), value.into());
        }
        let purpose = self.own(fields, "use").filter(|word| {
            let uses = ["commercial", "internal", "research"];
            self.known(word, "use", uses.into_iter())
        });
        let territory = self.own(fields, "territory");
        let said = |word: Option<Word>| word.map_or_else(|| Arc::from(""), |word| word.text);
        let own = |own: Option<&Arc<str>>, said: Arc<str>| own.filter(|own| !own.is_empty()).cloned().unwrap_or(said);
        Caller {
            client: said(client),
            tags,
            purpose: own(known.map(|client| &client.purpose), said(purpose)),
            territory: own(
                known.map(|client| &client.territory),
                said(territory).to_uppercase().into(),
            ),
            ..Caller::default()
        }
    }

    fn fields(&mut self, fields: &Fields<'_>) -> Vec<(Arc<str>, Arc<str>)> {
        let pairs = fields.pairs("fields", self.report).into_iter();
        pairs
            .map(|(name, node)| (name.text.clone(), json(node).to_string().into()))
            .collect()
    }

    fn thinking(&mut self, fields: &Fields<'_>) -> Thinking {
        match self.own(fields, "thinking") {
            None => Thinking::Unstated,
            Some(word) => match word.text.as_ref() {
                "true" => Thinking::On,
                "false" => Thinking::Off,
                _ => self.tokens(&word).map_or(Thinking::Unstated, Thinking::Budget),
            },
        }
    }

    /// A value that is there and of the right shape.
    pub fn own(&mut self, fields: &Fields<'_>, key: &str) -> Option<Word> {
        fields.word(key, self.report).filter(|word| !word.broken)
    }

    fn size_of(&mut self, fields: &Fields<'_>, key: &str) -> Option<u64> {
        self.own(fields, key).and_then(|word| self.tokens(&word))
    }

    fn whole_of(&mut self, fields: &Fields<'_>, key: &str, least: u64, most: u64) -> Option<u64> {
        self.own(fields, key)
            .and_then(|word| self.whole(&word, &format!("`{key}`"), least, most))
    }

    fn flag(&mut self, fields: &Fields<'_>, key: &str) -> bool {
        self.own(fields, key)
            .and_then(|word| self.truth(&word))
            .unwrap_or(false)
    }

    fn texts(&mut self, fields: &Fields<'_>, key: &str) -> Vec<(Arc<str>, Arc<str>)> {
        let pairs = fields.pairs(key, self.report);
        let mut texts = Vec::with_capacity(pairs.len());
        for (name, node) in pairs {
            texts.extend(
                self.scalar(node, &name.text)
                    .map(|word| (name.text.clone(), word.text.clone())),
            );
        }
        texts
    }
}
