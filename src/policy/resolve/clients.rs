//! Clients: their keys, what they may call, and what their requests may say.

use super::{Referent, Resolver};
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Client, Compat, CredentialRef, Expiry, RouteId, Wish};
use crate::policy::source::Word;
use crate::request::Tags;
use std::sync::Arc;

/// LiteLLM's names of headers.
const LATER_COMPAT: [&str; 1] = ["litellm"];

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Inference,
    Read,
}

impl Resolver<'_, '_> {
    pub fn clients(&mut self, written: &[read::Client]) -> Vec<Client> {
        let mut clients: Vec<Client> = Vec::new();
        for client in written {
            self.check_name(&client.name, "client");
            for (tag, _) in &client.tags {
                self.check_tag(tag);
            }
            let keys = self.client_keys(client, &clients);
            let client = self.client(client, keys);
            if !client.keys.is_empty() {
                clients.push(client);
            }
        }
        clients
    }

    fn client(&mut self, written: &read::Client, keys: Vec<CredentialRef>) -> Client {
        let pairs = written
            .tags
            .iter()
            .map(|(tag, value)| (Arc::clone(&tag.text), Arc::clone(&value.text)));
        let uses = ["commercial", "internal", "research"].map(|word| (word, word));
        let scope = self.scope(written.scope.as_deref());
        Client {
            name: Arc::clone(&written.name.text),
            keys,
            tags: Tags::new(pairs),
            purpose: written
                .purpose
                .as_ref()
                .and_then(|word| self.choose(word, "use", &uses, &[]))
                .unwrap_or_default()
                .into(),
            territory: self.territory(written.territory.as_ref()),
            routes: written.routes.as_ref().map(|words| self.client_routes(words)),
            expires: self
                .end(written.expires.as_ref())
                .zip(written.expires.as_ref())
                .map(|(end, word)| Expiry {
                    last: Arc::clone(&word.text),
                    end,
                }),
            may_set: self.may_set(written.may_set.as_deref()),
            inference: scope.contains(&Scope::Inference),
            read: scope.contains(&Scope::Read),
            exposes: self.exposes(written.expose.as_ref()),
            limits: self.limits(&written.limits),
            compat: self.compat(&written.compat),
        }
    }

    fn compat(&mut self, words: &[Word]) -> Compat {
        let known = [("openai_quota_429", true), ("openrouter", false)];
        let mut compat = Compat::default();
        for word in words {
            match self.choose(word, "compat", &known, &LATER_COMPAT) {
                Some(true) => compat.quota_429 = true,
                Some(false) => compat.usage_cost = true,
                None => {}
            }
        }
        compat
    }

    /// `key` or `keys`, and no key that another client has.
    fn client_keys(&mut self, written: &read::Client, others: &[Client]) -> Vec<CredentialRef> {
        let (words, name) = match (&written.key, &written.keys) {
            (Some(one), None) => (std::slice::from_ref(one), "key"),
            (None, Some(several)) => (several.as_slice(), "keys"),
            (Some(_), Some(several)) => {
                let place = several.first().map_or(written.place, |word| word.place);
                self.report
                    .error(place, "both-keys", "a client has `key` or `keys`, not both")
                    .help("list them all in `keys`");
                return Vec::new();
            }
            (None, None) => {
                self.report
                    .error(written.place, "missing-key", "a client needs `key`")
                    .help("write `key: file:NAME.key` or `key: env:NAME`: where the key is that it calls with");
                return Vec::new();
            }
        };
        if words.is_empty() {
            self.report.error(
                written.place,
                "missing-key",
                "`keys` lists no key, so nobody could call",
            );
        }
        let mut keys: Vec<CredentialRef> = Vec::new();
        for word in words {
            let Some(key) = self.credential(word, name) else {
                continue;
            };
            let own = keys.contains(&key);
            let other = others.iter().find(|other| other.keys.contains(&key));
            if let Some(first) = other
                .map(|other| other.name.as_ref())
                .or(own.then_some(&*written.name.text))
            {
                let message = format!("`{first}` and `{}` have the same key", shown(&written.name.text));
                self.report
                    .error(word.place, "same-key", message)
                    .help("nobody could tell whose request it is; give each client keys of its own");
            }
            keys.push(key);
        }
        keys
    }

    fn client_routes(&mut self, words: &[Word]) -> Vec<RouteId> {
        words
            .iter()
            .filter_map(|word| self.lookup(word, Referent::Route).map(RouteId))
            .collect()
    }

    fn may_set(&mut self, words: Option<&[Word]>) -> Vec<Wish> {
        let Some(words) = words else {
            return defaults::MAY_SET.to_vec();
        };
        let known = Wish::ALL.map(|wish| (wish.word(), wish));
        words
            .iter()
            .filter_map(|word| self.choose(word, "header that a client may set", &known, &[]))
            .collect()
    }

    fn scope(&mut self, words: Option<&[Word]>) -> Vec<Scope> {
        let Some(words) = words else {
            return vec![Scope::Inference];
        };
        let known = [("inference", Scope::Inference), ("read", Scope::Read)];
        words
            .iter()
            .filter_map(|word| self.choose(word, "scope", &known, &[]))
            .collect()
    }

    pub fn exposes(&mut self, word: Option<&Word>) -> bool {
        let known = [("all", true), ("none", false)];
        word.and_then(|word| self.choose(word, "expose", &known, &[]))
            .unwrap_or(true)
    }

    fn territory(&mut self, word: Option<&Word>) -> Arc<str> {
        let Some(word) = word.filter(|word| !word.broken) else {
            return Arc::default();
        };
        let (country, part) = word.text.split_once('-').unwrap_or((&word.text, "A"));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let letters = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !letters || !(1..=3).contains(&part.len()) || !plain(part) {
            let help = "territories are ISO 3166 codes, `DE` or `CN-HK`, or `EU`";
            self.unreadable(word, "territory", help);
            return Arc::default();
        }
        word.text.to_ascii_uppercase().into()
    }

    /// Tags are read in conditions as `tag.NAME`, so they are spelled as names there.
    pub fn check_tag(&mut self, tag: &Word) -> bool {
        let text = tag.text.as_ref();
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let good = tag.broken || begins && plain && text.len() <= 64 && !matches!(text, "in" | "true" | "false");
        if !good {
            let message = format!("`{}` cannot be the name of a tag", shown(text));
            self.report
                .error(tag.place, "bad-name", message)
                .help("tags have up to 64 letters, digits and `_`, so that conditions can say `tag.NAME`");
        }
        good
    }
}
