//! No text whatever makes the reader panic, and one text has one answer.

use super::*;
use proptest::prelude::*;

/// One edit of a text: cut, doubled, replaced or inserted.
fn mutated(text: &str, at: usize, length: usize, insert: &str) -> String {
    let floor = |byte: usize| {
        (0..=byte.min(text.len()))
            .rev()
            .find(|b| text.is_char_boundary(*b))
            .unwrap_or(0)
    };
    let (start, end) = (floor(at), floor(at + length));
    format!("{}{insert}{}", &text[..start], &text[end.max(start)..])
}

/// All that a snapshot says, but for the order in which a hash map says it.
fn letters(snapshot: &Snapshot) -> Vec<u8> {
    let mut letters = format!("{snapshot:?}").into_bytes();
    letters.sort_unstable();
    letters
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = compile(&sources(&[("a.yaml", &text)]), NOW);
        let _ = compile(&sources(&[("a.yaml", &String::from_utf8_lossy(&bytes))]), NOW);
    }

    #[test]
    fn no_edit_of_a_policy_makes_the_reader_panic(
        at in 0..EXAMPLE.len(), length in 0..40_usize,
        insert in prop_oneof![Just(String::new()), "[-{}\\[\\]:,&*!|>'\"%@#~\n\t a-z0-9é]{0,6}"],
    ) {
        let text = mutated(EXAMPLE, at, length, &insert);
        let files = sources(&[("a.yaml", &text)]);
        let (once, twice) = (compile(&files, NOW), compile(&files, NOW));
        match (once, twice) {
            (Ok(a), Ok(b)) => {
                prop_assert_eq!(a.warnings, b.warnings);
                prop_assert!(letters(&a.snapshot) == letters(&b.snapshot), "one text, two snapshots");
            }
            (Err(a), Err(b)) => {
                prop_assert!(!a.is_empty());
                for found in &a {
                    let _ = found.to_string();
                }
                prop_assert_eq!(a, b);
            }
            _ => prop_assert!(false, "one text, two answers"),
        }
    }
}
