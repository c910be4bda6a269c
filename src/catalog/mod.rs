//! What planb knows of vendors, as data with source and date (`vendors.json` beside this file).
//!
//! The data is compiled in and read once; a test proves that it is whole. It holds facts, no behaviour: how a failure
//! of a vendor is read is `failure/`, how a body is shaped is `dialect/`.

use serde::Deserialize;
use std::sync::OnceLock;

/// A vendor word of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Dashscope,
    Deepseek,
    Openai,
    OpenaiCompatible,
    LlamaCpp,
    Ollama,
    Vllm,
}

/// Where a vendor is reached, in one of its regions where it has several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseUrl {
    #[serde(borrow)]
    pub region: Option<&'static str>,
    /// As the official SDK takes it: `/chat/completions` is appended.
    pub url: &'static str,
}

/// What a vendor brings. Data: `vendors.json` beside this file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorFacts {
    pub word: &'static str,
    /// The page that the facts are restated from, and the day.
    pub source: &'static str,
    pub as_of: &'static str,
    /// Hosted vendors need a key; local servers do not.
    pub needs_key: bool,
    pub local: bool,
    /// The first is the default. Empty where only the operator knows.
    pub base_urls: Vec<BaseUrl>,
    /// Where a local server of this kind listens unless told otherwise.
    pub default_port: Option<u16>,
    /// Appended to the base URL: the free listing that tells whether the vendor answers.
    pub listing_path: &'static str,
    /// Path on the server's root that answers 200 when it is ready, for local servers.
    #[serde(borrow)]
    pub health_path: Option<&'static str>,
    /// The body field in which planb sends an output bound of its own: `max_tokens` or `max_completion_tokens`.
    pub output_bound_field: &'static str,
    /// Thinking tokens are not counted under the output bound.
    pub thinking_outside_bound: bool,
    /// `stream_options.include_usage` is understood.
    pub stream_usage: bool,
    /// What was not confirmed against a live endpoint.
    #[serde(borrow)]
    pub unsure: Vec<&'static str>,
}

#[derive(Default, Deserialize)]
struct Catalogue {
    /// For whoever reads the file.
    #[serde(rename = "about")]
    _about: &'static str,
    vendors: Vec<VendorFacts>,
}

impl Vendor {
    pub const ALL: [Self; 7] = [
        Self::Dashscope,
        Self::Deepseek,
        Self::Openai,
        Self::OpenaiCompatible,
        Self::LlamaCpp,
        Self::Ollama,
        Self::Vllm,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Dashscope => "dashscope",
            Self::Deepseek => "deepseek",
            Self::Openai => "openai",
            Self::OpenaiCompatible => "openai-compatible",
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "ollama",
            Self::Vllm => "vllm",
        }
    }

    pub fn facts(self) -> &'static VendorFacts {
        static FACTS: OnceLock<Vec<VendorFacts>> = OnceLock::new();
        let all = FACTS.get_or_init(|| {
            let catalogue: Catalogue = serde_json::from_str(include_str!("vendors.json")).unwrap_or_default();
            catalogue.vendors
        });
        // Compiled-in data: a test reads it and proves that it is whole and in the order of `ALL`.
        &all[self as usize]
    }
}

impl VendorFacts {
    /// The words of its regions, the default first; empty where there is but one place.
    pub fn regions(&self) -> Vec<&'static str> {
        self.base_urls.iter().filter_map(|base| base.region).collect()
    }

    /// The base URL in a region, or the only one.
    pub fn base_url(&self, region: Option<&str>) -> Option<&'static str> {
        let found = self.base_urls.iter().find(|base| base.region == region);
        found.map(|base| base.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_has_its_facts_in_order() {
        for vendor in Vendor::ALL {
            let facts = vendor.facts();
            assert_eq!(facts.word, vendor.word());
            assert!(
                facts.source.starts_with("https://") && facts.as_of.len() == 10,
                "{}",
                facts.word
            );
            assert!(matches!(
                facts.output_bound_field,
                "max_tokens" | "max_completion_tokens"
            ));
            assert!(facts.listing_path.starts_with('/'));
        }
    }

    #[test]
    fn local_vendors_have_a_port_and_a_health_path_and_hosted_ones_an_address() {
        for vendor in Vendor::ALL {
            let facts = vendor.facts();
            assert_eq!(facts.local, facts.default_port.is_some(), "{}", facts.word);
            assert_eq!(facts.local, facts.health_path.is_some(), "{}", facts.word);
            assert_eq!(facts.needs_key, !facts.base_urls.is_empty(), "{}", facts.word);
            for base in &facts.base_urls {
                assert!(
                    base.url.starts_with("https://") && !base.url.ends_with('/'),
                    "{}",
                    base.url
                );
            }
        }
    }

    #[test]
    fn a_region_chooses_the_address() {
        let facts = Vendor::Dashscope.facts();
        assert_eq!(facts.regions(), ["intl", "cn", "us"]);
        assert_eq!(
            facts.base_url(Some("cn")),
            Some("https://dashscope.aliyuncs.com/compatible-mode/v1")
        );
        assert_eq!(facts.base_url(Some("mars")), None);
        assert_eq!(
            Vendor::Deepseek.facts().base_url(None),
            Some("https://api.deepseek.com")
        );
    }
}
