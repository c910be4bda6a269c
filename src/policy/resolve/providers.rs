//! Providers: vendor, address, key, deadlines, and how to start a local server.

use super::Resolver;
use super::urls::Address;
use crate::catalog::{KeyHeader, Place, Vendor, VendorFacts};
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Limits, Provider, ProviderKey, Timeouts};
use crate::policy::source::Word;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn providers(&mut self, written: &[read::Provider]) -> Vec<Provider> {
        written.iter().map(|provider| self.provider(provider)).collect()
    }

    fn provider(&mut self, written: &read::Provider) -> Provider {
        self.check_name(&written.name, "provider");
        let vendor = self.vendor(written);
        let facts = vendor.map(Vendor::facts);
        let allow_private = self.truth(written.allow_private.as_ref(), false);
        let place = facts.and_then(|facts| self.place(written.region.as_ref(), facts));
        let address = facts
            .zip(place)
            .and_then(|(facts, place)| self.base(written, facts, place, allow_private));
        let keys = self.provider_keys(written, facts);
        let breaker = self.off_switch(written.breaker.as_ref(), "breaker");
        let cooldown = self.off_switch(written.cooldown.as_ref(), "cooldown");
        let start = written
            .start
            .as_ref()
            .and_then(|start| self.start(start, facts, address.as_ref()));
        let running = self.running(written.start.as_ref());
        Provider {
            name: Arc::clone(&written.name.text),
            vendor: vendor.unwrap_or(Vendor::OpenaiCompatible),
            place: place.copied().unwrap_or_default(),
            // What the operator writes holds for all of its models.
            messages_url: place
                .filter(|_| written.base_url.is_none())
                .and_then(|place| place.messages_url),
            base_url: address.map_or_else(|| Arc::from(""), |address| Arc::from(address.text)),
            key_header: self.key_header(written, facts),
            keys,
            timeouts: self.timeouts(&written.timeouts),
            breaker,
            cooldown,
            allow_private,
            disabled: self.truth(written.disabled.as_ref(), false),
            limits: self.limits(&written.limits),
            shaping: self.shaping(&written.shaping),
            start,
            running,
        }
    }

    fn vendor(&mut self, written: &read::Provider) -> Option<Vendor> {
        let word = self.required(written.vendor.as_ref(), written.place, "vendor", "a provider")?;
        let mut all = Vendor::ALL.iter().map(|vendor| vendor.facts());
        if let Some(facts) = all.find(|facts| facts.also.contains(&word.text.as_ref())) {
            let message = format!("`{}` is no vendor", word.text);
            self.report
                .error(word.place, "unknown-word", message)
                .help(format!("planb calls it `{}`", facts.word));
            return None;
        }
        let known = Vendor::ALL.map(|vendor| (vendor.word(), vendor));
        self.choose(word, "vendor", &known, &[])
    }

    fn base(
        &mut self,
        written: &read::Provider,
        facts: &VendorFacts,
        place: &Place,
        allow_private: bool,
    ) -> Option<Address> {
        let Some(word) = &written.base_url else {
            return self.usual_base(written, facts, place);
        };
        let mut address = self.address(word, allow_private, false)?;
        // What the official SDKs of local servers are given, too.
        if facts.local && !address.has_path {
            address.text.push_str("/v1");
        }
        // What OpenAI's SDK is given there: the location's other models are called beside it.
        let openai = address.text.strip_suffix("/endpoints/openapi").map(str::len);
        if let Some(location) = openai.filter(|_| facts.word == Vendor::Vertex.word()) {
            address.text.truncate(location);
        }
        Some(address)
    }

    /// Beside `base_url`, the region still says which prices hold and where data stays.
    fn place(&mut self, word: Option<&Word>, facts: &'static VendorFacts) -> Option<&'static Place> {
        let Some(word) = word else {
            return facts.place(None);
        };
        let regions = facts.regions();
        if regions.is_empty() {
            if !word.broken {
                let message = format!("`{}` has no regions", facts.word);
                self.report
                    .error(word.place, "not-here", message)
                    .help("leave `region` out");
            }
            return facts.place(None);
        }
        let known: Vec<_> = regions.iter().map(|region| (*region, *region)).collect();
        facts.place(self.choose(word, "region", &known, &[]))
    }

    fn usual_base(&mut self, written: &read::Provider, facts: &VendorFacts, place: &Place) -> Option<Address> {
        if let Some(port) = facts.default_port {
            return Some(Address {
                text: format!("http://127.0.0.1:{port}/v1"),
                has_path: true,
                loopback: true,
            });
        }
        if let Some(url) = place.url {
            return Some(Address {
                text: url.to_owned(),
                has_path: true,
                loopback: false,
            });
        }
        let region = place
            .region
            .map_or_else(String::new, |region| format!(" in region `{region}`"));
        let message = format!("a provider of vendor `{}`{region} needs `base_url`", facts.word);
        self.report
            .error(written.place, "missing-key", message)
            .help(match facts.address {
                Some(address) => format!("write `base_url: {address}`"),
                None => "what its official SDK is given, such as `https://host/v1`".to_owned(),
            });
        None
    }

    fn key_header(&mut self, written: &read::Provider, facts: Option<&VendorFacts>) -> KeyHeader {
        let known = KeyHeader::ALL.map(|header| (header.word(), header));
        let word = written.key_header.as_ref();
        let said = word.and_then(|word| self.choose(word, "key_header", &known, &[]));
        said.unwrap_or_else(|| facts.map_or(KeyHeader::Bearer, |facts| facts.key_header))
    }

    /// `api_key` alone, or `keys` with their names and weights.
    fn provider_keys(&mut self, written: &read::Provider, facts: Option<&'static VendorFacts>) -> Vec<ProviderKey> {
        if let (Some(one), Some(_)) = (&written.api_key, &written.keys) {
            self.report
                .error(one.place, "both-keys", "a provider has `api_key` or `keys`, not both")
                .help("list them all in `keys`");
            return Vec::new();
        }
        if let Some(several) = &written.keys {
            return self.several_keys(written, several);
        }
        if let Some(word) = &written.api_key {
            let only = self.credential(word, "api_key").map(|credential| ProviderKey {
                credential,
                name: "".into(),
                weight: 1,
                limits: Limits::default(),
            });
            return only.into_iter().collect();
        }
        if let Some(facts) = facts.filter(|facts| facts.needs_key) {
            let usual = facts.key_env.unwrap_or("NAME");
            self.report
                .error(
                    written.place,
                    "missing-key",
                    format!("a provider of vendor `{}` needs `api_key`", facts.word),
                )
                .help(format!(
                    "write `api_key: env:{usual}`, `api_key: file:PATH` or `api_key: credential:NAME`"
                ));
        }
        Vec::new()
    }

    fn several_keys(&mut self, written: &read::Provider, several: &[read::ProviderKey]) -> Vec<ProviderKey> {
        if several.is_empty() {
            self.report.error(written.place, "missing-key", "`keys` lists no key");
        }
        let mut keys: Vec<ProviderKey> = Vec::new();
        for (place, one) in (1..).zip(several) {
            let weight = self.number(one.weight.as_ref(), "weight", 1, 100);
            let key = self.required(one.key.as_ref(), one.place, "key", "a key");
            let Some(credential) = key.and_then(|word| self.credential(word, "key")) else {
                continue;
            };
            let name: Arc<str> = match one.name.as_ref().filter(|word| !word.broken) {
                Some(word) => {
                    self.check_name(word, "key");
                    word.text.clone()
                }
                None => place.to_string().into(),
            };
            let at = one
                .name
                .as_ref()
                .or(one.key.as_ref())
                .map_or(one.place, |word| word.place);
            if keys.iter().any(|known| known.credential == credential) {
                self.report.error(at, "duplicate-name", "this key is listed twice");
            } else if keys.iter().any(|known| known.name == name) {
                let message = format!(
                    "two keys of `{}` are called `{}`",
                    shown(&written.name.text),
                    shown(&name)
                );
                self.report.error(at, "duplicate-name", message);
            }
            keys.push(ProviderKey {
                credential,
                name,
                weight: weight.unwrap_or(1),
                limits: self.limits(&one.limits),
            });
        }
        keys
    }

    /// `breaker` and `cooldown` know one word: `none`.
    fn off_switch(&mut self, word: Option<&Word>, key: &str) -> bool {
        let Some(word) = word else {
            return true;
        };
        self.choose(word, key, &[("none", false)], &[]).unwrap_or(true)
    }

    pub fn timeouts(&mut self, written: &read::Timeouts) -> Timeouts {
        Timeouts {
            connect: self.span(written.connect.as_ref()),
            first_token: self.span(written.first_token.as_ref()),
            idle: self.span(written.idle.as_ref()),
            total: self.span(written.total.as_ref()),
        }
    }
}
