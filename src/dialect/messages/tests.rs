//! What of Claude's names says which rules hold.

use super::*;

fn target(upstream: &str) -> Target<'_> {
    Target {
        vendor: Vendor::Anthropic,
        upstream,
        wire: Wire::Messages,
        thinks: true,
        always_thinks: false,
    }
}

#[test]
fn the_generation_stands_in_the_name() {
    for (name, generation) in [
        ("claude-opus-4-8", Some((4, 8))),
        ("claude-sonnet-5", Some((5, 0))),
        ("claude-sonnet-5@20260301", Some((5, 0))),
        ("claude-3-5-sonnet-20241022", Some((3, 5))),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", Some((4, 5))),
        ("claude-haiku-4-5-20251001", Some((4, 5))),
        ("qwen3.8-max", None),
        ("claude-instant", None),
    ] {
        assert_eq!(target(name).generation(), generation, "{name}");
    }
}

#[test]
fn a_seal_opens_at_its_maker_alone() {
    let own = seal::tag(&target("claude-opus-5-5"));
    let other = seal::tag(&target("claude-opus-5"));
    let sealed = seal::signed(&own, "EqQB==");
    assert_eq!(seal::open(&own, &sealed), Some(seal::Opened::Signature("EqQB==")));
    assert_eq!(seal::open(&other, &sealed), None);
    assert_eq!(seal::open(&own, "EqQB=="), None);
    assert_eq!(
        seal::open(&own, &seal::hidden(&own, "xyz")),
        Some(seal::Opened::Hidden("xyz"))
    );
    assert!(!sealed.contains("claude"));
}
