//! What a price must know of one request before it can say what that will cost: when, how, and with which extras.

use crate::request::{Extras, Requirements, Thinking};
use crate::usage::{CacheLife, ServiceTier};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// When the request arrived: what it is billed by.
    pub at: Timestamp,
    /// The longest that it may take. Until its end the dearest hour counts for what is reserved.
    pub patience: Duration,
    pub thinking: Thinking,
    pub tier: Option<ServiceTier>,
    pub any_tier: bool,
    pub cache: CacheLife,
    pub audio: bool,
    pub images: bool,
    pub searches: u32,
    pub fetches: u32,
    pub tool_calls: u32,
    pub options: &'a [Arc<str>],
}

impl<'a> Moment<'a> {
    /// A plain request.
    pub const fn plain(at: Timestamp) -> Self {
        Self {
            at,
            patience: Duration::ZERO,
            thinking: Thinking::Unstated,
            tier: None,
            any_tier: false,
            cache: CacheLife::Unsaid,
            audio: false,
            images: false,
            searches: 0,
            fetches: 0,
            tool_calls: 0,
            options: &[],
        }
    }

    pub fn of(needs: &'a Requirements, at: Timestamp, patience: Duration) -> Self {
        let Extras {
            tier,
            any_tier,
            cache,
            audio,
            searches,
            fetches,
            tool_calls,
            options,
        } = &needs.extras;
        Self {
            at,
            patience,
            thinking: needs.thinking,
            tier: *tier,
            any_tier: *any_tier,
            cache: *cache,
            audio: *audio,
            images: needs.images,
            searches: *searches,
            fetches: *fetches,
            tool_calls: *tool_calls,
            options,
        }
    }
}
