//! Thoughts that planb handed out sealed for the model that had them (`thinking_blocks`): on its way to a model of this
//! dialect a request goes without them, as the field is unknown there. What others have sealed stays the client's.

use crate::dialect::members::{Unreadable, cut, members, splice};
use bytes::Bytes;
use serde_json::value::RawValue;

const FIELD: &str = "thinking_blocks";
/// What every seal of planb's begins with.
const MARK: &[u8] = b"\"planb-";

/// `None` where there is nothing to take out.
pub fn without_seals(body: &Bytes) -> Result<Option<Bytes>, Unreadable> {
    let holds = |word: &[u8]| memchr::memmem::find(body, word).is_some();
    if !holds(FIELD.as_bytes()) || !holds(MARK) {
        return Ok(None);
    }
    let top = members(body)?;
    let messages = top.iter().find(|member| member.name == "messages");
    let messages = messages.map_or("[]", |member| member.json(body));
    let mut edits = Vec::new();
    for message in serde_json::from_str::<Vec<&RawValue>>(messages).unwrap_or_default() {
        let start = message.get().as_ptr() as usize - body.as_ptr() as usize;
        let message = body.slice(start..start + message.get().len());
        // One that is no object is its reader's business.
        let Ok(own) = members(&message) else { continue };
        let sealed = cut(&own, &message, |member| {
            member.name == FIELD && memchr::memmem::find(member.json(&message).as_bytes(), MARK).is_some()
        });
        edits.extend(
            sealed
                .into_iter()
                .map(|range| (range.start + start..range.end + start, String::new())),
        );
    }
    Ok((!edits.is_empty()).then(|| splice(body, edits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(json: &str) -> Option<String> {
        let body = Bytes::copy_from_slice(json.as_bytes());
        let changed = without_seals(&body).unwrap()?;
        Some(String::from_utf8(changed.to_vec()).unwrap())
    }

    #[test]
    fn what_planb_sealed_goes_and_all_else_stays_as_it_was_written() {
        let sealed = r#"[{"type":"thinking","thinking":"h","signature":"planb-0123-x"}]"#;
        assert_eq!(
            without(&format!(
                r#"{{ "messages": [ {{"role":"user"}}, {{"thinking_blocks":{sealed}, "role":"assistant"}},{{"role" : "assistant","content":"a","thinking_blocks":{sealed}}}, 7 ],"seed":1}}"#
            ))
            .as_deref(),
            Some(r#"{ "messages": [ {"role":"user"}, { "role":"assistant"},{"role" : "assistant","content":"a"}, 7 ],"seed":1}"#)
        );
        for none in [
            r#"{"messages":[{"role":"user","content":"planb- thinking_blocks"}]}"#,
            r#"{"messages":[{"thinking_blocks":[{"signature":"abc"}]},{"content":"\"planb-"}]}"#,
            r#"{"messages":"thinking_blocks \"planb-"}"#,
        ] {
            assert_eq!(without(none), None, "{none}");
        }
    }
}
