//! Thoughts that only their maker can read: what is handed out bears a tag of the model that sealed it, so that it goes
//! back there and nowhere else. The tag tells nobody which model that was.

use super::Target;
use std::fmt::Write;

const MARK: &str = "planb-";
/// What the maker has hidden altogether.
const HIDDEN: &str = "hidden-";

/// A seal that came back to its maker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened<'a> {
    Signature(&'a str),
    Hidden(&'a str),
}

/// The tag of one model at one vendor.
pub(super) fn tag(target: &Target<'_>) -> String {
    let words = [target.vendor.word(), "/", target.upstream];
    let bytes = words.iter().flat_map(|word| word.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut tag = MARK.to_owned();
    let _ = write!(tag, "{hash:016x}-");
    tag
}

pub(super) fn signed(tag: &str, signature: &str) -> String {
    format!("{tag}{signature}")
}

pub(super) fn hidden(tag: &str, data: &str) -> String {
    format!("{tag}{HIDDEN}{data}")
}

/// `None` where another model sealed it.
pub(super) fn open<'a>(tag: &str, seal: &'a str) -> Option<Opened<'a>> {
    let rest = seal.strip_prefix(tag)?;
    Some(match rest.strip_prefix(HIDDEN) {
        Some(data) => Opened::Hidden(data),
        None => Opened::Signature(rest),
    })
}
