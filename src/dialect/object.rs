//! A JSON object as its members, each still JSON: for reading what may hold members that nobody foresaw.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// In the order of the text; `null` members are not there.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A JSON string, borrowed where it has no escapes: also inside an `Option`, where a plain `Cow` never is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(8);
                while let Some(Text(name)) = map.next_key()? {
                    let value: &RawValue = map.next_value()?;
                    // Parsers differ on which of two counts.
                    if all.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a member is given twice"));
                    }
                    if value.get() != "null" {
                        all.push((name, value));
                    }
                }
                Ok(Object(all))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Object<'a> {
    pub fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// The first member that is none of these.
    pub fn other_than(&self, known: &[&str]) -> Option<&str> {
        let names = self.0.iter().map(|(name, _)| name.as_ref());
        names.into_iter().find(|name| !known.contains(name))
    }
}

/// The value of a JSON string, borrowed where it has no escapes.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|Text(text)| text)
}

/// The elements of a JSON array.
pub(super) fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

pub(super) fn is_true(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get() == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_as_they_were_written_and_nulls_are_not_there() {
        let object = Object::read(r#"{"a":1.0,"\u0062":"x\n","c":null,"d":[ 1 ]}"#).unwrap();
        assert_eq!(object.get("a").map(RawValue::get), Some("1.0"));
        assert_eq!(object.text("b").as_deref(), Some("x\n"));
        assert_eq!(object.other_than(&["a", "b"]), Some("d"));
        assert!(object.get("c").is_none() && object.text("a").is_none());
    }

    #[test]
    fn a_member_that_is_given_twice_is_not_read() {
        assert!(Object::read(r#"{"a":1,"\u0061":2}"#).is_none());
        assert!(Object::read("[]").is_none());
    }
}
