//! The one table of what conditions may read: names, types, and words for people. The checker and the reference use it.

/// Which values stand before a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `when`, `until`: live signals.
    State,
    /// `only`, `avoid`, `covers`: a model and who asks.
    Selector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Number,
    Text,
}

impl Type {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bool => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }
}

/// What a signal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `budget("NAME")`
    Budget,
    /// `provider("NAME")`
    Provider,
    /// `model`
    Model,
    /// `tag`, whose fields are the policy's own.
    Tag,
    /// `client`, without a field.
    Client,
    /// `use`, without a field.
    Use,
}

impl Subject {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Tag => "tag",
            Self::Client => "client",
            Self::Use => "use",
        }
    }

    /// Takes a name in brackets.
    pub const fn is_named(self) -> bool {
        matches!(self, Self::Budget | Self::Provider)
    }
}

/// One value that a condition may read.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub environment: Environment,
    pub subject: Subject,
    /// `*`: any name.
    pub field: Option<&'static str>,
    pub kind: Type,
    pub unit: &'static str,
    pub example: &'static str,
    pub meaning: &'static str,
}

const fn signal(
    environment: Environment,
    subject: Subject,
    field: Option<&'static str>,
    kind: Type,
    words: [&'static str; 3],
) -> Signature {
    let [unit, example, meaning] = words;
    Signature {
        environment,
        subject,
        field,
        kind,
        unit,
        example,
        meaning,
    }
}

use Environment::{Selector, State};

pub const SIGNATURES: [Signature; 9] = [
    signal(
        State,
        Subject::Budget,
        Some("used"),
        Type::Number,
        [
            "share of the limit",
            "budget(\"month\").used > 0.8",
            "What is posted and held, over the limit; of a budget with `each`, its fullest key. Under a hard budget it never reaches 1.",
        ],
    ),
    signal(
        State,
        Subject::Budget,
        Some("exhausted"),
        Type::Bool,
        [
            "true or false",
            "budget(\"month\").exhausted",
            "Less is left than a usual request may cost. Stays so to the period's end, or until the limit is raised.",
        ],
    ),
    signal(
        State,
        Subject::Provider,
        Some("up"),
        Type::Bool,
        [
            "true or false",
            "!provider(\"qwen\").up",
            "The provider answers: it has its key, and no breaker of it is open.",
        ],
    ),
    signal(
        Selector,
        Subject::Model,
        Some("name"),
        Type::Text,
        [
            "a model's name",
            "model.name == \"tiny\"",
            "The model's name in this policy.",
        ],
    ),
    signal(
        Selector,
        Subject::Model,
        Some("provider"),
        Type::Text,
        [
            "a provider's name",
            "model.provider == \"qwen\"",
            "The name of the model's provider in this policy.",
        ],
    ),
    signal(
        Selector,
        Subject::Model,
        Some("supply"),
        Type::Text,
        [
            "`licensed`, `competitor`, `local`",
            "model.supply != \"local\"",
            "The kind of dependence that the model is.",
        ],
    ),
    signal(
        Selector,
        Subject::Tag,
        Some("*"),
        Type::Text,
        [
            "text",
            "tag.team == \"search\"",
            "A tag of the request; the empty text where it has none of that name.",
        ],
    ),
    signal(
        Selector,
        Subject::Client,
        None,
        Type::Text,
        [
            "a client's name",
            "client == \"search\"",
            "Who asks; the empty text without clients.",
        ],
    ),
    signal(
        Selector,
        Subject::Use,
        None,
        Type::Text,
        [
            "`commercial`, `internal`, `research`",
            "use != \"research\"",
            "What the answer is for; the empty text where nobody said.",
        ],
    ),
];

/// Signals of the product that this version does not do: subject and field.
pub(super) const LATER: [(&str, &str); 23] = [
    ("budget", "remaining"),
    ("budget", "forecast"),
    ("budget", "burn"),
    ("provider", "error_rate"),
    ("provider", "first_token_p95"),
    ("provider", "quota_left"),
    ("provider", "balance"),
    ("provider", "cooling"),
    ("model", "unit_cost"),
    ("model", "price_change"),
    ("model", "quality"),
    ("model", "context"),
    ("model", "license"),
    ("model", "domain"),
    ("model", "residence"),
    ("license", "days_left"),
    ("license", "seats"),
    ("license", "users"),
    ("hour", ""),
    ("weekday", ""),
    ("date", ""),
    ("territory", ""),
    ("route", ""),
];

/// The values of `use`.
pub(super) const USES: [&str; 3] = ["commercial", "internal", "research"];
