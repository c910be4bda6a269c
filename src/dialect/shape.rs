//! Shapes a request's body for the model that serves it, as the policy says: `strip`, then `rename`, `set`, `default` and
//! `clamp`. All bytes that are not named stay the client's, and what was JSON stays JSON.

use super::members::{Member, Unreadable, cut, json_string, key_range, members, splice};
use crate::policy::snapshot::{Clamp, Path, Shaping};
use bytes::Bytes;
use std::ops::Range;

/// The body after each of these in turn; `None` where none of them changes it.
pub fn shaped(body: &Bytes, chain: &[&Shaping]) -> Result<Option<Bytes>, Unreadable> {
    let mut now: Option<Bytes> = None;
    for shaping in chain {
        let before = now.as_ref().unwrap_or(body);
        let mut edited = before.clone();
        for change in changes(shaping) {
            if let Some(next) = apply(&edited, change.path(), &change)? {
                edited = next;
            }
        }
        if edited != *before {
            now = Some(edited);
        }
    }
    Ok(now)
}

enum Change<'a> {
    Strip(&'a Path),
    Rename(&'a Path, &'a str),
    Set(&'a Path, &'a str),
    Default(&'a Path, &'a str),
    Clamp(&'a Path, &'a Clamp),
}

impl Change<'_> {
    fn path(&self) -> &[std::sync::Arc<str>] {
        match self {
            Self::Strip(path)
            | Self::Rename(path, _)
            | Self::Set(path, _)
            | Self::Default(path, _)
            | Self::Clamp(path, _) => &path.0,
        }
    }
}

fn changes(shaping: &Shaping) -> Vec<Change<'_>> {
    let strip = shaping.strip.iter().map(Change::Strip);
    let rename = shaping.rename.iter().map(|(path, to)| Change::Rename(path, to));
    let set = shaping.set.iter().map(|(path, json)| Change::Set(path, json));
    let default = shaping.default.iter().map(|(path, json)| Change::Default(path, json));
    let clamp = shaping.clamp.iter().map(|(path, clamp)| Change::Clamp(path, clamp));
    strip.chain(rename).chain(set).chain(default).chain(clamp).collect()
}

/// One change of an object; `None` where it changes nothing.
fn apply(object: &Bytes, path: &[std::sync::Arc<str>], change: &Change<'_>) -> Result<Option<Bytes>, Unreadable> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(None);
    };
    let members = members(object)?;
    let found = members.iter().find(|member| member.name == first.as_ref());
    if !rest.is_empty() {
        return within(object, found, first, rest, change);
    }
    let name = first.as_ref();
    // At the top of the body two names mean the same bound, and a request with both is no request.
    let twin = twin_of(name).filter(|_| change.path().len() == 1);
    let twin = twin.and_then(|twin| {
        members
            .iter()
            .find(|member| member.name == twin && member.json(object) != "null")
    });
    let edits = match (change, found) {
        (Change::Default(..), _) if twin.is_some() => Vec::new(),
        (Change::Set(_, json), None) if twin.is_some() => {
            let ranges = cut(&members, object, |member| {
                twin.is_some_and(|twin| twin.name == member.name)
            });
            let without = splice(object, ranges.into_iter().map(|range| (range, String::new())).collect());
            let rest = super::members::members(&without)?;
            return Ok(Some(splice(&without, vec![added(&without, &rest, name, json)])));
        }
        (Change::Strip(_), Some(_)) => {
            let ranges = cut(&members, object, |member| member.name == name);
            ranges.into_iter().map(|range| (range, String::new())).collect()
        }
        // What the client wrote under the new name is what it meant.
        (Change::Rename(_, to), Some(member)) if members.iter().all(|other| other.name != *to) => {
            vec![(key_range(member, object), json_string(to))]
        }
        (Change::Set(_, json), Some(member)) => vec![(member.value.clone(), (*json).to_owned())],
        (Change::Default(_, json), Some(member)) if member.json(object) == "null" => {
            vec![(member.value.clone(), (*json).to_owned())]
        }
        (Change::Set(_, json) | Change::Default(_, json), None) => vec![added(object, &members, name, json)],
        (Change::Clamp(_, clamp), Some(member)) => match clamp.bounded(member.json(object)) {
            Some(bound) => vec![(member.value.clone(), bound.to_owned())],
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    Ok((!edits.is_empty()).then(|| splice(object, edits)))
}

/// The other name of the output bound.
fn twin_of(name: &str) -> Option<&'static str> {
    match name {
        "max_tokens" => Some("max_completion_tokens"),
        "max_completion_tokens" => Some("max_tokens"),
        _ => None,
    }
}

/// The same inside a member. What must be there is made; what is no object has nothing inside.
fn within(
    object: &Bytes,
    found: Option<&Member<'_>>,
    name: &str,
    rest: &[std::sync::Arc<str>],
    change: &Change<'_>,
) -> Result<Option<Bytes>, Unreadable> {
    let makes = matches!(change, Change::Set(..) | Change::Default(..));
    let inner = match found {
        Some(member) if member.json(object).starts_with('{') => object.slice(member.value.clone()),
        Some(member) if makes && member.json(object) == "null" => Bytes::from_static(b"{}"),
        None if makes => Bytes::from_static(b"{}"),
        _ => return Ok(None),
    };
    let Some(inner) = apply(&inner, rest, change)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&inner).into_owned();
    let edit = match found {
        Some(member) => (member.value.clone(), text),
        None => added(object, &members(object)?, name, &text),
    };
    Ok(Some(splice(object, vec![edit])))
}

/// A new member, first in its object.
fn added(object: &Bytes, members: &[Member<'_>], name: &str, json: &str) -> (Range<usize>, String) {
    let inside = object.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
    let comma = if members.is_empty() { "" } else { "," };
    (inside..inside, format!("{}:{json}{comma}", json_string(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn path(text: &str) -> Path {
        Path(text.split('.').map(Into::into).collect())
    }

    fn shape(body: &str, shaping: &Shaping) -> String {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let shaped = shaped(&body, &[shaping]).unwrap().unwrap_or(body);
        String::from_utf8(shaped.to_vec()).unwrap()
    }

    fn everything() -> Shaping {
        Shaping {
            strip: vec![path("logit_bias"), path("extra.secret")],
            rename: vec![(path("max_tokens"), "max_completion_tokens".into())],
            set: vec![(path("extra.deep.flag"), "true".into()), (path("seed"), "7".into())],
            default: vec![(path("top_p"), "0.9".into())],
            clamp: vec![(path("temperature"), Clamp::new(Some("0"), Some("1")).unwrap())],
            ..Shaping::default()
        }
    }

    #[test]
    fn each_change_does_its_own_and_leaves_all_other_bytes() {
        assert_eq!(
            shape(
                r#"{ "model":"m" , "logit_bias": {"1":2},"max_tokens" : 5, "temperature":1.7, "extra": {"secret":1, "x" :[ 1 ]} }"#,
                &everything()
            ),
            r#"{"top_p":0.9,"seed":7, "model":"m" ,"max_completion_tokens" : 5, "temperature":1, "extra": {"deep":{"flag":true}, "x" :[ 1 ]} }"#
        );
        let same =
            r#"{"seed":7,"top_p":0.1,"temperature":"warm","max_completion_tokens":4,"extra":{"deep":{"flag":true}}}"#;
        assert_eq!(shape(same, &everything()), same, "nothing to do, nothing done");
        assert_eq!(
            shape(
                "{}",
                &Shaping {
                    set: vec![(path("a.b"), "1".into())],
                    ..Shaping::default()
                }
            ),
            r#"{"a":{"b":1}}"#
        );
    }

    #[test]
    fn a_bound_has_two_names_and_a_body_one_bound() {
        let bound = path("max_completion_tokens");
        let default = Shaping {
            default: vec![(bound.clone(), "900".into())],
            ..Shaping::default()
        };
        let set = Shaping {
            set: vec![(bound, "900".into())],
            ..Shaping::default()
        };
        for (body, defaulted, was_set) in [
            (
                r#"{"max_tokens":5}"#,
                r#"{"max_tokens":5}"#,
                r#"{"max_completion_tokens":900}"#,
            ),
            (
                r#"{"a":1,"max_tokens":5,"b":2}"#,
                r#"{"a":1,"max_tokens":5,"b":2}"#,
                r#"{"max_completion_tokens":900,"a":1,"b":2}"#,
            ),
            (
                r#"{"max_tokens":null}"#,
                r#"{"max_completion_tokens":900,"max_tokens":null}"#,
                r#"{"max_completion_tokens":900,"max_tokens":null}"#,
            ),
            (
                "{}",
                r#"{"max_completion_tokens":900}"#,
                r#"{"max_completion_tokens":900}"#,
            ),
        ] {
            assert_eq!(
                (shape(body, &default), shape(body, &set)),
                (defaulted.to_owned(), was_set.to_owned())
            );
        }
        let inside = Shaping {
            default: vec![(path("extra.max_completion_tokens"), "900".into())],
            ..Shaping::default()
        };
        let body = r#"{"extra":{"max_tokens":5}}"#;
        assert_ne!(shape(body, &inside), body, "what stands inside is somebody else's");
    }

    #[test]
    fn route_then_model_then_provider() {
        let set = |json: &str| Shaping {
            set: vec![(path("seed"), json.into())],
            ..Shaping::default()
        };
        let body = Bytes::from_static(b"{}");
        let chain = [&set("1"), &set("2"), &set("3")];
        assert_eq!(shaped(&body, &chain).unwrap().unwrap(), r#"{"seed":3}"#);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-3.0..3.0_f64).prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            let names = prop_oneof!["[a-z]{1,6}", Just("secret".to_owned()), Just("deep".to_owned())];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(names, inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_stays_json_and_what_is_not_named_stays(
            members in proptest::collection::btree_map(
                prop_oneof!["[a-z]{1,6}", Just("extra".to_owned()), Just("logit_bias".to_owned()),
                            Just("temperature".to_owned()), Just("max_tokens".to_owned())], value(), 0..8),
            pretty in any::<bool>(),
        ) {
            let before = json!(members);
            let text = if pretty { serde_json::to_string_pretty(&before).unwrap() } else { before.to_string() };
            let before: Value = serde_json::from_str(&text).unwrap();
            let after: Value = serde_json::from_str(&shape(&text, &everything())).unwrap();
            prop_assert!(after.get("logit_bias").is_none() && after.get("max_tokens").is_none());
            prop_assert_eq!(&after["seed"], &json!(7));
            if let Some(number) = after["temperature"].as_f64() {
                prop_assert!((0.0..=1.0).contains(&number));
            }
            let named = ["logit_bias", "max_tokens", "temperature", "extra", "seed", "top"];
            for (name, value) in before.as_object().unwrap().iter().filter(|(name, _)| !named.contains(&name.as_str())) {
                prop_assert_eq!(&after[name], value);
            }
        }
    }
}
