//! Policy texts for tests: one flow-style line for each thing, plus the key files that stand beside the policy.

use super::{Sink, Upstream};
use std::fmt::Write;

pub const LICENSED: &str = "supply: licensed, quality: 80, context: 128k, max_output: 4k";
pub const COMPETITOR: &str = "supply: competitor, quality: 70, context: 128k, max_output: 4k";
pub const LOCAL: &str = "supply: local, quality: 20, context: 128k, max_output: 4k";

#[derive(Clone, Debug, Default)]
pub struct Policy {
    top: Vec<String>,
    providers: Vec<String>,
    models: Vec<String>,
    licenses: Vec<String>,
    clients: Vec<String>,
    routes: Vec<String>,
    budgets: Vec<String>,
    plans: Vec<String>,
    alerts: Vec<String>,
    /// Name and text of each file beside the policy.
    pub files: Vec<(String, String)>,
}

impl Policy {
    pub fn new() -> Self {
        Self::default()
    }

    /// Two hosted providers, `first` (licensed) and `second` (competitor), on one route `chat`.
    pub fn two(first: &Upstream, second: &Upstream) -> Self {
        Self::two_with(first, second, "")
    }

    /// As [`Policy::two`], with more words on both providers.
    pub fn two_with(first: &Upstream, second: &Upstream, words: &str) -> Self {
        Self::new()
            .provider(first, words)
            .provider(second, words)
            .model("first", first, LICENSED)
            .model("second", second, COMPETITOR)
            .route("name: chat, try: [first, second]")
    }

    /// One licensed model `only` on one route `chat`.
    pub fn one(upstream: &Upstream) -> Self {
        Self::one_with(upstream, "")
    }

    pub fn one_with(upstream: &Upstream, words: &str) -> Self {
        Self::new()
            .provider(upstream, words)
            .model("only", upstream, LICENSED)
            .route("name: chat, try: [only]")
    }

    /// A line of its own, such as `rates: {CNY: 0.14 USD}`.
    pub fn top(mut self, line: &str) -> Self {
        self.top.push(line.to_owned());
        self
    }

    pub fn provider(self, upstream: &Upstream, words: &str) -> Self {
        let (name, url) = (&upstream.name, upstream.base_url());
        let comma = if words.is_empty() { "" } else { ", " };
        let line = format!("vendor: openai-compatible, base_url: \"{url}\", api_key: file:{name}.key{comma}{words}");
        self.provider_line(name, &line)
            .file(&format!("{name}.key"), &format!("{}\n", upstream.key))
    }

    pub fn provider_line(mut self, name: &str, words: &str) -> Self {
        self.providers.push(format!("{name}: {{{words}}}"));
        self
    }

    pub fn license(mut self, name: &str, words: &str) -> Self {
        self.licenses.push(format!("{name}: {{{words}}}"));
        self
    }

    pub fn model(self, name: &str, upstream: &Upstream, words: &str) -> Self {
        let (provider, upstream_name, price) = (&upstream.name, upstream.model(), upstream.price.yaml());
        self.model_line(
            name,
            &format!("provider: {provider}, name: {upstream_name}, {price}, {words}"),
        )
    }

    pub fn model_line(mut self, name: &str, words: &str) -> Self {
        self.models.push(format!("{name}: {{{words}}}"));
        self
    }

    pub fn client(self, name: &str, key: &str, tags: &str) -> Self {
        self.client_with(name, key, &format!("tags: {{{tags}}}"))
    }

    pub fn client_with(mut self, name: &str, key: &str, words: &str) -> Self {
        let comma = if words.is_empty() { "" } else { ", " };
        self.clients
            .push(format!("{name}: {{key: file:{name}.client{comma}{words}}}"));
        self.file(&format!("{name}.client"), key)
    }

    pub fn client_line(mut self, name: &str, words: &str) -> Self {
        self.clients.push(format!("{name}: {{{words}}}"));
        self
    }

    pub fn route(mut self, words: &str) -> Self {
        self.routes.push(format!("- {{{words}}}"));
        self
    }

    pub fn budget(mut self, name: &str, words: &str) -> Self {
        self.budgets.push(format!("{name}: {{{words}}}"));
        self
    }

    pub fn plan(mut self, words: &str) -> Self {
        self.plans.push(format!("- {{{words}}}"));
        self
    }

    pub fn alert(mut self, sink: &Sink, events: &str) -> Self {
        let url = sink.url();
        self.alerts.push(format!(
            "- {{url: \"{url}\", secret: file:hook.key, format: standard, events: [{events}]}}"
        ));
        self.file("hook.key", &sink.secret)
    }

    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.retain(|(known, _)| known != name);
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    pub fn text(&self) -> String {
        let mut text = String::from("timezone: UTC\n");
        for line in &self.top {
            let _ = writeln!(text, "{line}");
        }
        let sections = [
            ("providers", &self.providers),
            ("models", &self.models),
            ("licenses", &self.licenses),
            ("clients", &self.clients),
            ("routes", &self.routes),
            ("budgets", &self.budgets),
            ("plans", &self.plans),
            ("alerts", &self.alerts),
        ];
        for (name, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
            let _ = writeln!(text, "{name}:");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }
}
