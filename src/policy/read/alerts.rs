//! Alerts as written.

use super::fields::Fields;
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Alert {
    pub place: Place,
    pub url: Option<Word>,
    pub secret: Option<Word>,
    pub format: Option<Word>,
    pub events: Option<Vec<Word>>,
    pub allow_private: Option<Word>,
}

pub(super) fn read(node: &Node, report: &mut Report) -> Alert {
    let fields = Fields::open(node, &words::ALERT, report);
    Alert {
        place: fields.place,
        url: fields.word("url", report),
        secret: fields.word("secret", report),
        format: fields.word("format", report),
        events: fields.words("events", report),
        allow_private: fields.word("allow_private", report),
    }
}
