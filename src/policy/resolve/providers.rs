//! Providers: vendor, address, key, deadlines, and how to start a local server.

use super::Resolver;
use super::urls::Address;
use crate::catalog::{Vendor, VendorFacts};
use crate::policy::defaults;
use crate::policy::read;
use crate::policy::snapshot::{CredentialRef, Provider, Timeouts};
use crate::policy::source::Word;
use std::sync::Arc;

/// Vendors that the product knows and this version does not speak to by name.
const LATER_VENDORS: [&str; 23] = [
    "azure",
    "anthropic",
    "gemini",
    "vertex",
    "bedrock",
    "moonshot",
    "zhipu",
    "zai",
    "minimax",
    "qianfan",
    "ark",
    "byteplus",
    "hunyuan",
    "tencent",
    "mistral",
    "xai",
    "openrouter",
    "together",
    "fireworks",
    "groq",
    "siliconflow",
    "sglang",
    "lmstudio",
];
const COMPATIBLE_LATER: &str = "anthropic-compatible";

impl Resolver<'_, '_> {
    pub fn providers(&mut self, written: &[read::Provider]) -> Vec<Provider> {
        written.iter().map(|provider| self.provider(provider)).collect()
    }

    fn provider(&mut self, written: &read::Provider) -> Provider {
        self.check_name(&written.name, "provider");
        let vendor = self.vendor(written);
        let facts = vendor.map(Vendor::facts);
        let allow_private = self.truth(written.allow_private.as_ref(), false);
        let address = facts.and_then(|facts| self.base(written, facts, allow_private));
        let api_key = self.api_key(written, facts);
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
            base_url: address.map_or_else(|| Arc::from(""), |address| Arc::from(address.text)),
            api_key,
            timeouts: self.timeouts(&written.timeouts),
            breaker,
            cooldown,
            allow_private,
            start,
            running,
        }
    }

    fn vendor(&mut self, written: &read::Provider) -> Option<Vendor> {
        let word = self.required(written.vendor.as_ref(), written.place, "vendor", "a provider")?;
        let known: Vec<_> = Vendor::ALL.iter().map(|vendor| (vendor.word(), *vendor)).collect();
        let later: Vec<_> = LATER_VENDORS.iter().copied().chain([COMPATIBLE_LATER]).collect();
        self.choose(word, "vendor", &known, &later)
    }

    fn base(&mut self, written: &read::Provider, facts: &VendorFacts, allow_private: bool) -> Option<Address> {
        let region = self.region(written.region.as_ref(), written, facts);
        let Some(word) = &written.base_url else {
            return self.usual_base(written, facts, region);
        };
        let mut address = self.address(word, allow_private, false)?;
        // What the official SDKs of local servers are given, too.
        if facts.local && !address.has_path {
            address.text.push_str("/v1");
        }
        Some(address)
    }

    fn region(&mut self, word: Option<&Word>, written: &read::Provider, facts: &VendorFacts) -> Option<&'static str> {
        let regions = facts.regions();
        let default = regions.iter().copied().find(|region| *region == defaults::REGION);
        let Some(word) = word else {
            return default;
        };
        if regions.is_empty() {
            if !word.broken {
                let message = format!("`{}` has no regions", facts.word);
                self.report
                    .error(word.place, "not-here", message)
                    .help("leave `region` out");
            }
            return None;
        }
        if written.base_url.is_some() {
            self.report.warning(
                word.place,
                "no-effect",
                "`base_url` says where, so `region` changes nothing",
            );
        }
        let known: Vec<_> = regions.iter().map(|region| (*region, *region)).collect();
        self.choose(word, "region", &known, &["eu", "jp", "hk", "de", "sg"])
            .or(default)
    }

    fn usual_base(
        &mut self,
        written: &read::Provider,
        facts: &VendorFacts,
        region: Option<&'static str>,
    ) -> Option<Address> {
        if let Some(port) = facts.default_port {
            return Some(Address {
                text: format!("http://127.0.0.1:{port}/v1"),
                has_path: true,
                loopback: true,
            });
        }
        if let Some(url) = facts.base_url(region) {
            return Some(Address {
                text: url.to_owned(),
                has_path: true,
                loopback: false,
            });
        }
        let message = format!("a provider of vendor `{}` needs `base_url`", facts.word);
        self.report
            .error(written.place, "missing-key", message)
            .help("what its official SDK is given, such as `https://host/v1`");
        None
    }

    fn api_key(&mut self, written: &read::Provider, facts: Option<&'static VendorFacts>) -> Option<CredentialRef> {
        if let Some(word) = &written.api_key {
            return self.credential(word, "api_key");
        }
        if let Some(facts) = facts.filter(|facts| facts.needs_key) {
            let example = facts.word.to_ascii_uppercase();
            self.report
                .error(
                    written.place,
                    "missing-key",
                    format!("a provider of vendor `{}` needs `api_key`", facts.word),
                )
                .help(format!(
                    "write `api_key: env:{example}_API_KEY` or `api_key: file:PATH`"
                ));
        }
        None
    }

    /// `breaker` and `cooldown` know one word: `none`.
    fn off_switch(&mut self, word: Option<&Word>, key: &str) -> bool {
        let Some(word) = word else {
            return true;
        };
        self.choose(
            word,
            &format!("`{key}` (the one word is `none`)"),
            &[("none", false)],
            &[],
        )
        .unwrap_or(true)
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
