//! Licences by name (`licenses.json`), clause by clause as restated. What they permit is [`crate::license`].

use super::read;
use crate::money::Money;
use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenseRecord {
    pub id: &'static str,
    pub name: &'static str,
    #[serde(default, borrow)]
    pub spdx: Option<&'static str>,
    /// `commercial`, `internal`, `research`.
    #[serde(borrow)]
    pub uses: Vec<&'static str>,
    /// Why commercial use is not among them: `no`, `unknown`, `with_authorization`.
    #[serde(default, borrow)]
    pub commercial: Option<&'static str>,
    /// Monthly users up to which it holds.
    #[serde(default)]
    pub users_max: Option<u64>,
    /// Whose users, counted when.
    #[serde(default, borrow)]
    pub users_of: Option<&'static str>,
    #[serde(default)]
    pub revenue: Option<CeilingRecord>,
    #[serde(default, borrow)]
    pub except_territories: Vec<&'static str>,
    /// `licensee`: where the licensee lives. Else where the model is used.
    #[serde(default, borrow)]
    pub territory_of: Option<&'static str>,
    /// What must be shown to users.
    #[serde(default, borrow)]
    pub display: Option<&'static str>,
    /// The duty to display begins above these.
    #[serde(default)]
    pub display_above: Option<AboveRecord>,
    /// What must be kept, sent or passed on.
    #[serde(default, borrow)]
    pub notice: Option<&'static str>,
    /// What holds for the model's outputs.
    #[serde(default, borrow)]
    pub outputs: Option<&'static str>,
    /// Uses that are ruled out, whoever asks.
    #[serde(default, borrow)]
    pub prohibited: Vec<&'static str>,
    /// A policy of acceptable use comes with it.
    #[serde(default)]
    pub usage_policy: bool,
    /// What it takes beyond its bounds.
    #[serde(default, borrow)]
    pub over: Option<&'static str>,
    #[serde(default, borrow)]
    pub note: Option<&'static str>,
    #[serde(default, borrow)]
    pub source: Option<&'static str>,
    #[serde(default, borrow)]
    pub unsure: Vec<&'static str>,
}

/// A revenue, per `month` or `year`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingRecord {
    #[serde(deserialize_with = "read::amount")]
    pub max: Money,
    pub currency: &'static str,
    pub per: &'static str,
    /// Whose.
    #[serde(default, borrow)]
    pub of: Option<&'static str>,
    /// `service`: it counts only where the model itself is offered as a service.
    #[serde(default, borrow)]
    pub only: Option<&'static str>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'static"))]
pub struct AboveRecord {
    pub users: u64,
    pub revenue: CeilingRecord,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: &'static str,
    #[serde(rename = "as_of")]
    _as_of: &'static str,
    licenses: Vec<LicenseRecord>,
}

pub fn licenses() -> &'static [LicenseRecord] {
    static READ: OnceLock<File> = OnceLock::new();
    &READ.get_or_init(|| read::file(include_str!("licenses.json"))).licenses
}

pub fn license(id: &str) -> Option<&'static LicenseRecord> {
    licenses().iter().find(|license| license.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_twenty_four_licences_are_read() {
        let file: File = serde_json::from_str(include_str!("licenses.json")).unwrap();
        assert_eq!(file.licenses.len(), 24);
        for (at, license) in file.licenses.iter().enumerate() {
            let uses = ["commercial", "internal", "research"];
            assert!(!license.uses.is_empty(), "{}", license.id);
            assert!(license.uses.iter().all(|known| uses.contains(known)), "{}", license.id);
            assert_eq!(
                license.commercial.is_some(),
                !license.uses.contains(&"commercial"),
                "{}",
                license.id
            );
            assert!(file.licenses[..at].iter().all(|other| other.id != license.id));
        }
    }
}
