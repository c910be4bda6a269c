//! Models by vendor and name (`models.json`): what they can do, what they list for, under which terms.

use super::list_price::ListPrice;
use super::read;
use super::vendor::Place;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupplyRecord {
    Licensed,
    Competitor,
    Local,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Chat,
    Embedding,
}

/// One model at one vendor. `None` is unknown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// The list and the name in it: `dashscope-cn/qwen-plus`.
    pub id: &'static str,
    /// What the vendor's API takes.
    pub name: &'static str,
    #[serde(default, borrow)]
    pub aliases: Vec<&'static str>,
    /// Names that no longer answer, with the day on which they ended.
    #[serde(default, borrow)]
    pub former: BTreeMap<&'static str, &'static str>,
    pub supply: SupplyRecord,
    pub kind: Kind,
    /// Tokens, the larger bound where sources differ.
    pub context: u64,
    #[serde(default)]
    pub max_input: Option<u64>,
    #[serde(default)]
    pub max_output: Option<u64>,
    /// `text`, `image`, `audio`, `video`, `pdf`.
    #[serde(borrow)]
    pub input: Vec<&'static str>,
    #[serde(default)]
    pub tools: Option<bool>,
    #[serde(default)]
    pub parallel_tools: Option<bool>,
    #[serde(default)]
    pub json_schema: Option<bool>,
    pub reasoning: ReasoningRecord,
    /// Of an embedding's vector.
    #[serde(default)]
    pub dimensions: Option<u32>,
    /// Of the call; [`super::license`] has it.
    pub license: &'static str,
    /// Of the weights behind a hosted model.
    #[serde(default, borrow)]
    pub weights_license: Option<&'static str>,
    /// Calls fail after this day.
    #[serde(default, deserialize_with = "read::date")]
    pub retires: Option<Date>,
    /// Shorter prompts are not cached.
    #[serde(default)]
    pub cache_from: Option<u64>,
    /// An account's usual limits.
    #[serde(default, borrow)]
    pub limits: BTreeMap<&'static str, u64>,
    #[serde(default, borrow)]
    pub params: Option<&'static str>,
    #[serde(default, borrow)]
    pub version: Option<&'static str>,
    #[serde(default)]
    pub free: Option<FreeTokens>,
    #[serde(default, borrow)]
    pub note: Option<&'static str>,
    /// What was not confirmed.
    #[serde(default, borrow)]
    pub unsure: Vec<&'static str>,
    #[serde(default)]
    pub prices: Vec<ListPrice>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasoningRecord {
    pub supported: bool,
    /// It cannot be switched off.
    #[serde(default)]
    pub always_on: Option<bool>,
    #[serde(default, borrow)]
    pub default: Option<&'static str>,
    /// The parameter that switches it.
    #[serde(default, borrow)]
    pub control: Option<&'static str>,
    #[serde(default, borrow)]
    pub levels: Vec<&'static str>,
    /// The field that must be sent back with the history.
    #[serde(default, borrow)]
    pub echo: Option<&'static str>,
}

/// An allowance that a new account has once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeTokens {
    pub tokens: u64,
    pub days: u32,
    #[serde(rename = "where")]
    pub place: &'static str,
    pub unsure: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: &'static str,
    #[serde(default, deserialize_with = "read::date")]
    as_of: Option<Date>,
    models: Vec<ModelRecord>,
}

fn file() -> &'static File {
    static READ: OnceLock<File> = OnceLock::new();
    READ.get_or_init(|| read::file(include_str!("models.json")))
}

pub fn models() -> &'static [ModelRecord] {
    &file().models
}

/// When somebody last looked at what it says of models.
pub fn as_of() -> Option<Date> {
    file().as_of
}

/// What is known of the model that a provider at `place` calls `upstream`: by name or alias, then without a date, a
/// publisher before a slash, or the quantization and tag that local servers put behind it. A place that has a list of
/// its own (`dashscope-cn`) also knows what the vendor's first list says, for the capabilities; its prices are its own.
pub fn find(place: &Place, upstream: &str) -> Option<&'static ModelRecord> {
    let list = place.list?;
    in_list(list, upstream).or_else(|| in_list(list.strip_suffix("-cn")?, upstream))
}

fn in_list(list: &str, upstream: &str) -> Option<&'static ModelRecord> {
    let names = by_name().get(list)?;
    let called = |name: std::borrow::Cow<'_, str>| {
        let mut alike = names.get(&name.to_ascii_lowercase())?.iter();
        alike.find(|model| model.is_called(&name)).copied()
    };
    spellings(upstream, list == "open").find_map(called)
}

/// By list and lower-case name, in the order of the file.
fn by_name() -> &'static HashMap<&'static str, HashMap<String, Vec<&'static ModelRecord>>> {
    static NAMES: OnceLock<HashMap<&'static str, HashMap<String, Vec<&'static ModelRecord>>>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut lists: HashMap<&str, HashMap<String, Vec<&ModelRecord>>> = HashMap::new();
        for model in models() {
            let list = lists.entry(model.list()).or_default();
            for name in model.names() {
                list.entry(name.to_ascii_lowercase()).or_default().push(model);
            }
        }
        lists
    })
}

/// From the name as it stands to what is left of it.
fn spellings(upstream: &str, local: bool) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    use std::borrow::Cow;
    let bare = upstream.rsplit('/').next().unwrap_or(upstream);
    let bare = bare.strip_suffix(".gguf").unwrap_or(bare);
    // `qwen3:4b` is Ollama's spelling of Qwen3-4B, `…-Q4_K_M` llama.cpp's of a quantization.
    let tagged = local.then(|| Cow::Owned(bare.replacen(':', "-", 1)));
    let exact = local.then(|| Cow::Owned(without_quantization(bare).replacen(':', "-", 1)));
    [Some(upstream), without_date(upstream), Some(bare), without_date(bare)]
        .into_iter()
        .flatten()
        .map(Cow::Borrowed)
        .chain(tagged)
        .chain(exact)
}

/// `-2025-07-28`, `-20250728`, `-0728`, `-250728`, `@20250728`, `-latest`.
fn without_date(name: &str) -> Option<&str> {
    if let Some(rest) = name.strip_suffix("-latest") {
        return Some(rest);
    }
    let at = name
        .rfind(|c: char| !c.is_ascii_digit() && c != '-')
        .map_or(0, |at| at + 1);
    // The date begins after the last sign that no date has.
    let tail = name.get(at..)?;
    let (rest, digits) = match name.as_bytes().get(at.checked_sub(1)?) {
        Some(b'@') => (name.get(..at - 1)?, tail),
        _ => {
            let dash = tail.find('-')?;
            (name.get(..at + dash)?, tail.get(dash + 1..)?)
        }
    };
    let parts: Vec<usize> = digits.split('-').map(str::len).collect();
    let dated = matches!(parts.as_slice(), [4, 2, 2] | [8] | [6] | [4]);
    (dated && !rest.is_empty()).then_some(rest)
}

/// `-Q4_K_M`, `-q8_0`, `-F16`, `-AWQ`, `-FP8`, `-GGUF`.
fn without_quantization(name: &str) -> &str {
    let Some((rest, last)) = name.rsplit_once(['-', '.', ':']) else {
        return name;
    };
    let upper = last.to_ascii_uppercase();
    let numbered = upper
        .strip_prefix(['Q', 'F'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let known = ["AWQ", "GGUF", "FP8", "BF16", "INT4", "INT8", "GPTQ", "MLX"].contains(&upper.as_str());
    if numbered || known {
        without_quantization(rest)
    } else {
        name
    }
}

impl ModelRecord {
    /// The list that it stands in.
    pub fn list(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(list, _)| list)
    }

    pub fn reads_images(&self) -> bool {
        self.input.contains(&"image")
    }

    pub fn reads_audio(&self) -> bool {
        self.input.contains(&"audio")
    }

    /// Its prices at a place, in the order of their days.
    pub fn prices_at(&self, place: &Place) -> impl Iterator<Item = &ListPrice> {
        self.prices.iter().filter(|price| place.prices == Some(price.region))
    }

    /// The day on which this name of it ended, if it did.
    pub fn name_ended(&self, upstream: &str) -> Option<&'static str> {
        self.former.get(upstream).copied()
    }

    fn is_called(&self, name: &str) -> bool {
        self.former.contains_key(name) || self.present_names().any(|known| known.eq_ignore_ascii_case(name))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.former.keys().copied().chain(self.present_names())
    }

    fn present_names(&self) -> impl Iterator<Item = &'static str> {
        let last = self.id.rsplit('/').next().unwrap_or_default();
        [self.name, last].into_iter().chain(self.aliases.iter().copied())
    }
}

#[cfg(test)]
mod tests;
