//! What is known of one vendor's words: the shape of a table.

use super::Class;

pub(super) type Words = &'static [(&'static str, Class)];

/// Free text that counts, but only with this status and, where given, this code.
pub(super) struct Phrase {
    pub status: u16,
    pub code: Option<&'static str>,
    /// In lower case.
    pub text: &'static str,
    pub class: Class,
}

pub(super) struct Table {
    pub codes: Words,
    pub kinds: Words,
    pub phrases: &'static [Phrase],
    /// Codes whose cooldown covers the model and not the whole credential.
    pub one_model: &'static [&'static str],
    /// Codes and types after which it is unknown whether the answer was produced and billed.
    pub bill_unknown: &'static [&'static str],
}

pub(super) const NOTHING: Table = Table {
    codes: &[],
    kinds: &[],
    phrases: &[],
    one_model: &[],
    bill_unknown: &[],
};
