//! Clients: a key and tags.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::Client;
use crate::policy::source::Word;
use crate::request::Tags;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn clients(&mut self, written: &[read::Client]) -> Vec<Client> {
        let mut clients: Vec<Client> = Vec::new();
        for client in written {
            self.check_name(&client.name, "client");
            for (tag, _) in &client.tags {
                self.check_tag(tag);
            }
            let key = self
                .required(client.key.as_ref(), client.place, "key", "a client")
                .and_then(|word| self.credential(word, "key"));
            let Some(key) = key else {
                continue;
            };
            if let Some(other) = clients.iter().find(|other| other.key == key) {
                let message = format!("`{}` and `{}` have the same key", other.name, shown(&client.name.text));
                let place = client.key.as_ref().map_or(client.place, |word| word.place);
                self.report
                    .error(place, "same-key", message)
                    .help("a request would be the first one's; give each client a key of its own");
            }
            let pairs = client
                .tags
                .iter()
                .map(|(tag, value)| (Arc::clone(&tag.text), Arc::clone(&value.text)));
            clients.push(Client {
                name: Arc::clone(&client.name.text),
                key,
                tags: Tags::new(pairs),
            });
        }
        clients
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
