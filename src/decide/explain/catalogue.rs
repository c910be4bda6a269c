//! Which values of a model the built-in catalogue gave, because the policy does not name them, and as of when.

use crate::policy::snapshot::Model;
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;

/// Of all that a catalogue can bring, what people decide by.
const TOLD: [&str; 4] = ["context", "max_output", "license", "weights_license"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub model: String,
    /// `price`, `context`, `license`.
    pub keys: Vec<&'static str>,
    /// When somebody last looked the price up, or where that is the policy's own, the rest.
    pub as_of: Option<Date>,
}

impl Listing {
    /// `None` where the policy names all of it.
    pub fn of(model: &Model, now: Timestamp) -> Option<Self> {
        let listed = model.traits.listed.as_ref()?;
        let price = model.price.as_ref().and_then(|price| price.listed(now));
        let brings = |key: &&&str| listed.brings.contains(*key);
        let keys: Vec<&str> = price
            .map(|_| {
                if listed.brings.contains(&"price") {
                    "price"
                } else {
                    "part of the price"
                }
            })
            .into_iter()
            .chain(TOLD.iter().filter(brings).copied())
            .collect();
        (!keys.is_empty()).then(|| Self {
            model: model.name.to_string(),
            keys,
            as_of: price.or(listed.as_of),
        })
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.model, self.keys.join(", "))?;
        match self.as_of {
            Some(day) => write!(f, " (as of {day})"),
            None => Ok(()),
        }
    }
}
