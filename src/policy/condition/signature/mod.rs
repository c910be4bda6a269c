//! The one table of what conditions may read: names, types, units, and words for people.
//!
//! The checker, the reference and the schema use it; that each value is live is for those who freeze the signals.

mod selector;
mod state;

use selector::SELECTOR;
use state::STATE;

/// Which values stand before a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `when`, `until`, `warm_when`: live signals.
    State,
    /// `only`, `avoid`, `covers`, a selector in `try`: a model and who asks.
    Selector,
}

impl Environment {
    pub const fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Selector => "selector",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Number,
    Text,
    /// A list of texts.
    Texts,
}

impl Type {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bool => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Texts => "a list of texts",
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
    /// `model("NAME")` in state conditions, `model` in selectors.
    Model,
    /// `license("NAME")`
    License,
    /// `tag`, whose fields are the policy's own.
    Tag,
    /// The rest stand without a field.
    Hour,
    Weekday,
    Date,
    Client,
    Use,
    Territory,
    Route,
}

impl Subject {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::License => "license",
            Self::Tag => "tag",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Date => "date",
            Self::Client => "client",
            Self::Use => "use",
            Self::Territory => "territory",
            Self::Route => "route",
        }
    }

    /// Takes a name in brackets.
    pub const fn is_named(self, environment: Environment) -> bool {
        match self {
            Self::Budget | Self::Provider | Self::License => true,
            Self::Model => matches!(environment, Environment::State),
            _ => false,
        }
    }
}

/// A live value, of one thing where it is of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Live {
    BudgetUsed,
    BudgetRemaining,
    BudgetForecast,
    BudgetBurn,
    BudgetExhausted,
    ProviderUp,
    ProviderCooling,
    ProviderErrorRate,
    ProviderFirstToken,
    ProviderQuotaLeft,
    ProviderBalance,
    ModelUnitCost,
    ModelPriceChange,
    LicenseDaysLeft,
    LicenseSeats,
    LicenseUsers,
    Hour,
    Weekday,
    Date,
}

/// What a selector reads of the model, or of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    ModelName,
    ModelProvider,
    ModelVendor,
    ModelSupply,
    ModelQuality,
    ModelContext,
    ModelLicense,
    ModelDomain,
    ModelResidence,
    ModelLabels,
    Tag,
    Client,
    Use,
    Territory,
    Route,
}

/// Where a signal's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Live(Live),
    Request(Of),
}

/// One value that a condition may read.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub environment: Environment,
    pub subject: Subject,
    /// `*`: any name.
    pub field: Option<&'static str>,
    pub source: Source,
    pub kind: Type,
    pub unit: &'static str,
    pub example: &'static str,
    pub meaning: &'static str,
}

impl Signature {
    /// As a condition writes it: `budget("NAME").used`, `model.labels`, `tag.NAME`, `hour`.
    pub fn spelled(&self) -> String {
        let subject = self.subject.word();
        let named = if self.subject.is_named(self.environment) {
            "(\"NAME\")"
        } else {
            ""
        };
        match self.field {
            Some(field) => format!("{subject}{named}.{}", field.replace('*', "NAME")),
            None => format!("{subject}{named}"),
        }
    }

    const fn new(
        environment: Environment,
        subject: Subject,
        source: Source,
        kind: Type,
        words: [&'static str; 3],
    ) -> Self {
        let [unit, example, meaning] = words;
        Self {
            environment,
            subject,
            field: None,
            source,
            kind,
            unit,
            example,
            meaning,
        }
    }

    const fn field(self, field: &'static str) -> Self {
        Self {
            field: Some(field),
            ..self
        }
    }
}

impl Live {
    /// The field's word, or the signal's own where it has none.
    pub fn word(self) -> &'static str {
        let row = self.row();
        row.map_or("", |row| row.field.unwrap_or(row.subject.word()))
    }

    pub fn subject(self) -> Subject {
        self.row().map_or(Subject::Hour, |row| row.subject)
    }

    fn row(self) -> Option<&'static Signature> {
        STATE.iter().find(|row| row.source == Source::Live(self))
    }
}

const COUNT: usize = STATE.len() + SELECTOR.len();

/// Every signal: first those of state conditions, then those of selectors.
pub static SIGNATURES: [Signature; COUNT] = joined();

const fn joined() -> [Signature; COUNT] {
    let mut all = [STATE[0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = if at < STATE.len() {
            STATE[at]
        } else {
            SELECTOR[at - STATE.len()]
        };
        at += 1;
    }
    all
}

/// The values of `use`.
pub(super) const USES: [&str; 3] = ["commercial", "internal", "research"];

/// The values of `weekday`, Monday first.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
