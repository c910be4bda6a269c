//! By what fields of the body a client names the conversation that a request goes on with.

use super::ChatRequest;
use crate::dialect::chat::conversation::Conversation;
use crate::dialect::members::Member;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::ops::Range;

impl ChatRequest {
    /// What goes on with a conversation. Read anew each time.
    pub fn conversation(&self) -> Conversation<'_> {
        Conversation::of(self.part(Some(&self.messages_at)))
    }

    /// The JSON of the tools that are offered, empty without.
    pub fn tools_json(&self) -> &[u8] {
        self.part(self.tools_at.as_ref())
    }

    /// What names the conversation in the body (`prompt_cache_key`, `conversation`, …), as JSON.
    pub fn session_name(&self) -> Option<&[u8]> {
        self.session_at.as_ref().map(|at| self.part(Some(at)))
    }

    fn part(&self, at: Option<&Range<usize>>) -> &[u8] {
        at.and_then(|at| self.body.get(at.clone())).unwrap_or_default()
    }
}

/// The first of the fields by which clients name a conversation.
pub(super) fn named(members: &[Member<'_>], body: &Bytes) -> Option<Range<usize>> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow, default)]
        session_id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        user_id: Option<&'a RawValue>,
    }
    let member = |name: &str| members.iter().find(|member| member.name == name);
    let named = SESSION_FIELDS.iter().filter_map(|name| member(name));
    if let Some(member) = named.into_iter().find(|member| is_name(member.json(body))) {
        return Some(member.value.clone());
    }
    let metadata = member("metadata")?;
    let Ok(Metadata { session_id, user_id }) = serde_json::from_str(metadata.json(body)) else {
        return None;
    };
    // A user has many conversations; only a user id that names one counts.
    let user_id = user_id.filter(|id| id.get().contains("_session_"));
    let found = session_id.into_iter().chain(user_id).find(|raw| is_name(raw.get()))?;
    let from = found.get().as_ptr() as usize - body.as_ptr() as usize;
    Some(from..from + found.get().len())
}

const SESSION_FIELDS: [&str; 4] = ["prompt_cache_key", "previous_response_id", "conversation", "session_id"];

/// A text that is not empty, or an object (`conversation: {id: …}`).
fn is_name(json: &str) -> bool {
    json.len() > 2 && (json.starts_with('"') || json.starts_with('{'))
}
