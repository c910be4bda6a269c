//! Vendors (`vendors.json`): where they are reached, how their wire differs, what a policy need not say.

use super::{KeyHeader, read};
use serde::Deserialize;
use std::sync::OnceLock;

/// A vendor word of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Dashscope,
    Deepseek,
    Openai,
    Azure,
    Anthropic,
    Gemini,
    Vertex,
    Bedrock,
    Moonshot,
    Zhipu,
    Minimax,
    Qianfan,
    Ark,
    Hunyuan,
    Mistral,
    Xai,
    Openrouter,
    Together,
    Fireworks,
    Groq,
    Siliconflow,
    LlamaCpp,
    Ollama,
    Vllm,
    Sglang,
    Lmstudio,
    OpenaiCompatible,
    AnthropicCompatible,
}

/// Which API a vendor's base URL speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
}

/// Where a vendor is reached, in one of its regions where it has several, and what is different there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    #[serde(default, borrow)]
    pub region: Option<&'static str>,
    /// As the official SDK takes it: `/chat/completions` or `/v1/messages` is appended. `None`: the operator says.
    #[serde(default, borrow)]
    pub url: Option<&'static str>,
    /// Where its models are called that speak Messages, of a vendor whose others speak chat completions.
    #[serde(default, borrow)]
    pub messages_url: Option<&'static str>,
    /// The list of models.json that its models stand in.
    #[serde(default, borrow)]
    pub list: Option<&'static str>,
    /// The region of their prices.
    #[serde(default, borrow)]
    pub prices: Option<&'static str>,
    /// The multiplier of those prices that this place brings.
    #[serde(default, borrow)]
    pub multiplier: Option<&'static str>,
    /// The territory in which data stays.
    #[serde(default, borrow)]
    pub residence: Option<&'static str>,
}

/// A vendor's own listing of prepaid money, with the key that calls models.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceListing {
    /// From the host's root.
    pub path: &'static str,
    pub shape: BalanceShape,
}

/// Where in the answer the amounts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BalanceShape {
    /// `balance_infos[].{currency, total_balance}`
    Deepseek,
    /// `data.available_balance`
    Moonshot,
    /// `data.total_credits` less `data.total_usage`
    Openrouter,
}

/// What a vendor brings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorFacts {
    pub word: &'static str,
    /// What people call it too, for the help of an error.
    #[serde(default, borrow)]
    pub also: Vec<&'static str>,
    /// The page that the facts are restated from, and the day.
    pub source: &'static str,
    pub as_of: &'static str,
    pub dialect: Dialect,
    /// Hosted vendors need a key; local servers do not.
    #[serde(default)]
    pub needs_key: bool,
    /// Where people usually keep the key.
    #[serde(default, borrow)]
    pub key_env: Option<&'static str>,
    #[serde(default)]
    pub key_header: KeyHeader,
    #[serde(default)]
    pub local: bool,
    /// What its base URL looks like, where only the operator knows it.
    #[serde(default, borrow)]
    pub address: Option<&'static str>,
    /// The first is the default.
    pub places: Vec<Place>,
    /// Where a local server of this kind listens unless told otherwise.
    #[serde(default)]
    pub default_port: Option<u16>,
    /// Appended to the base URL: the free listing that tells whether the vendor answers.
    pub listing_path: &'static str,
    /// Where the vendor tells what prepaid money is left.
    #[serde(default)]
    pub balance: Option<BalanceListing>,
    /// Path on the server's root that answers 200 when it is ready, for local servers.
    #[serde(default, borrow)]
    pub health_path: Option<&'static str>,
    /// The body field in which planb sends an output bound of its own: `max_tokens` or `max_completion_tokens`.
    pub output_bound_field: &'static str,
    /// Thinking tokens are not counted under the output bound.
    #[serde(default)]
    pub thinking_outside_bound: bool,
    /// `stream_options.include_usage` is understood.
    #[serde(default)]
    pub stream_usage: bool,
    /// How long it keeps a prompt in its cache after the last use, where it says so.
    #[serde(default)]
    pub cache_minutes: Option<u32>,
    /// What was not confirmed against a live endpoint.
    #[serde(default, borrow)]
    pub unsure: Vec<&'static str>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: &'static str,
    vendors: Vec<VendorFacts>,
}

impl Vendor {
    /// In the order of the data.
    pub const ALL: [Self; 28] = [
        Self::Dashscope,
        Self::Deepseek,
        Self::Openai,
        Self::Azure,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::Bedrock,
        Self::Moonshot,
        Self::Zhipu,
        Self::Minimax,
        Self::Qianfan,
        Self::Ark,
        Self::Hunyuan,
        Self::Mistral,
        Self::Xai,
        Self::Openrouter,
        Self::Together,
        Self::Fireworks,
        Self::Groq,
        Self::Siliconflow,
        Self::LlamaCpp,
        Self::Ollama,
        Self::Vllm,
        Self::Sglang,
        Self::Lmstudio,
        Self::OpenaiCompatible,
        Self::AnthropicCompatible,
    ];

    pub fn word(self) -> &'static str {
        self.facts().word
    }

    pub fn facts(self) -> &'static VendorFacts {
        static READ: OnceLock<File> = OnceLock::new();
        let file = READ.get_or_init(|| read::file(include_str!("vendors.json")));
        // Compiled-in data: a test reads it and proves that it is whole and in the order of `ALL`.
        &file.vendors[self as usize]
    }
}

impl VendorFacts {
    /// The words of its regions, the default first; empty where there is but one place.
    pub fn regions(&self) -> Vec<&'static str> {
        self.places.iter().filter_map(|place| place.region).collect()
    }

    /// The place of a region; without one, the default.
    pub fn place(&self, region: Option<&str>) -> Option<&Place> {
        let mut places = self.places.iter();
        match region {
            None => places.next(),
            Some(_) => places.find(|place| place.region == region),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_has_its_facts_in_order() {
        let file: File = serde_json::from_str(include_str!("vendors.json")).unwrap();
        assert_eq!(file.vendors.len(), Vendor::ALL.len());
        for vendor in Vendor::ALL {
            let facts = vendor.facts();
            let name = format!("{vendor:?}").to_ascii_lowercase();
            assert_eq!(facts.word.replace(['-', '.'], ""), name);
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
            assert!(!facts.places.is_empty(), "{}", facts.word);
        }
    }

    #[test]
    fn local_vendors_have_a_port_and_a_health_path_and_hosted_ones_an_address_or_ask_for_one() {
        for vendor in Vendor::ALL {
            let facts = vendor.facts();
            assert_eq!(facts.local, facts.default_port.is_some(), "{}", facts.word);
            assert_eq!(facts.local, facts.health_path.is_some(), "{}", facts.word);
            assert!(!facts.needs_key || facts.key_env.is_some(), "{}", facts.word);
            for url in facts.places.iter().filter_map(|place| place.url) {
                assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
            }
        }
    }

    #[test]
    fn bedrock_has_a_host_for_each_of_its_dialects_in_every_region() {
        for place in &Vendor::Bedrock.facts().places {
            let region = place.region.unwrap();
            for url in [place.url, place.messages_url] {
                assert!(url.is_some_and(|url| url.contains(&format!(".{region}."))), "{region}");
            }
        }
    }

    #[test]
    fn a_region_chooses_the_address_the_list_and_the_residence() {
        let facts = Vendor::Dashscope.facts();
        assert_eq!(facts.regions(), ["intl", "cn", "us", "hk", "eu", "jp"]);
        let cn = facts.place(Some("cn")).unwrap();
        assert_eq!(cn.url, Some("https://dashscope.aliyuncs.com/compatible-mode/v1"));
        assert_eq!((cn.list, cn.residence), (Some("dashscope-cn"), Some("CN")));
        assert_eq!(facts.place(None).unwrap().region, Some("intl"));
        assert_eq!(facts.place(Some("mars")), None);
        let deepseek = Vendor::Deepseek.facts();
        assert_eq!(deepseek.place(None).unwrap().url, Some("https://api.deepseek.com"));
    }
}
