//! Request shaping: what of a body changes for the model that serves it.

use std::sync::Arc;

/// The names from the body's outermost object inwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Arc<[Arc<str>]>);

/// Bounds of a number, as JSON writes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Clamp {
    least: Option<(f64, Arc<str>)>,
    most: Option<(f64, Arc<str>)>,
}

impl Clamp {
    /// `None` for what are no numbers, or bounds that leave nothing between them.
    pub fn new(least: Option<&str>, most: Option<&str>) -> Option<Self> {
        let read = |text: &str| -> Option<(f64, Arc<str>)> {
            let number: f64 = serde_json::from_str(text).ok()?;
            Some((number, text.into()))
        };
        let least = least.map(|text| read(text).ok_or(())).transpose().ok()?;
        let most = most.map(|text| read(text).ok_or(())).transpose().ok()?;
        match (&least, &most) {
            (None, None) => None,
            (Some((least, _)), Some((most, _))) if least > most => None,
            _ => Some(Self { least, most }),
        }
    }

    /// The bound that a number is beyond; `None` for one within, and for what is no number.
    pub fn bounded(&self, json: &str) -> Option<&str> {
        let number: f64 = serde_json::from_str(json).ok()?;
        match (&self.least, &self.most) {
            (Some((least, text)), _) if number < *least => Some(text),
            (_, Some((most, text))) if number > *most => Some(text),
            _ => None,
        }
    }
}

/// In this order, and the route's before the model's before the provider's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shaping {
    pub strip: Vec<Path>,
    /// The new name stands in the place of the last one.
    pub rename: Vec<(Path, Arc<str>)>,
    /// The values are JSON.
    pub set: Vec<(Path, Arc<str>)>,
    pub default: Vec<(Path, Arc<str>)>,
    pub clamp: Vec<(Path, Clamp)>,
    /// Fields that the vendor refuses are left out rather than making the model no candidate; `None` leaves the word to
    /// the next wider one.
    pub drops: Option<bool>,
}

impl Shaping {
    /// It changes no body.
    pub fn is_none(&self) -> bool {
        let lists = [self.strip.len(), self.rename.len(), self.set.len(), self.default.len()];
        lists.iter().all(|length| *length == 0) && self.clamp.is_empty()
    }
}
