//! A conversation and an answer in the one form that dialects are translated through. It knows the bytes of none of them:
//! texts are borrowed from whoever read them, and what is opaque (schemas, arguments, cache marks) stays JSON.

use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// What a conversation asks for that cannot be said in another dialect, in the words of the one that it is written in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untranslatable(pub Arc<str>);

impl Untranslatable {
    pub fn new(what: impl Into<Arc<str>>) -> Self {
        Self(what.into())
    }
}

/// A request, but for its model, its output bound and whether its answer is streamed: those are planb's to say.
#[derive(Debug, Default)]
pub struct Conversation<'a> {
    pub turns: Vec<Turn<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub choice: Option<Choice<'a>>,
    /// Tools are called one after another.
    pub one_at_a_time: bool,
    /// The JSON schema that the answer keeps to.
    pub schema: Option<Cow<'a, str>>,
    pub stop: Vec<Cow<'a, str>>,
    pub sampling: Sampling<'a>,
    pub wish: Option<Wish<'a>>,
    /// By what the application knows its user.
    pub user: Option<Cow<'a, str>>,
    /// Words of one dialect that another knows too, by their name.
    pub shared: Vec<(&'static str, &'a RawValue)>,
    /// Fields that say something and may be left out where the operator allows it.
    pub lost: Vec<&'static str>,
}

/// Numbers as they were written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampling<'a> {
    pub temperature: Option<&'a RawValue>,
    pub top_p: Option<&'a RawValue>,
    pub top_k: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}

#[derive(Debug)]
pub struct Turn<'a> {
    pub role: Role,
    pub pieces: Vec<Piece<'a>>,
}

/// A part of a turn with the mark up to which the prompt is to be cached, if it bears one.
#[derive(Debug)]
pub struct Piece<'a> {
    pub part: Part<'a>,
    pub cache: Option<&'a RawValue>,
}

#[derive(Debug)]
pub enum Part<'a> {
    Text(Cow<'a, str>),
    Image(Source<'a>),
    Document {
        source: Source<'a>,
        title: Option<Cow<'a, str>>,
    },
    /// What was thought, with the seal by which its maker knows it again.
    Thought {
        text: Cow<'a, str>,
        seal: Cow<'a, str>,
    },
    Call {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        /// A JSON object.
        arguments: Cow<'a, str>,
    },
    Result {
        id: Cow<'a, str>,
        pieces: Vec<Piece<'a>>,
    },
}

#[derive(Debug)]
pub enum Source<'a> {
    Address(Cow<'a, str>),
    /// In base64.
    Data {
        kind: Cow<'a, str>,
        base64: Cow<'a, str>,
    },
}

#[derive(Debug)]
pub struct Tool<'a> {
    pub name: Cow<'a, str>,
    pub description: Option<Cow<'a, str>>,
    /// The JSON schema of its arguments.
    pub parameters: Option<&'a RawValue>,
    pub strict: bool,
    pub cache: Option<&'a RawValue>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice<'a> {
    Auto,
    None,
    Any,
    Tool(Cow<'a, str>),
}

/// What is asked of thinking.
#[derive(Clone, Debug)]
pub enum Wish<'a> {
    Off,
    On,
    Tokens(u64),
    Effort(Effort),
    /// In the words of the dialect that is translated to.
    AsWritten(&'a RawValue),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    Low,
    Medium,
    High,
    Highest,
    Max,
}

impl Effort {
    /// By the words of all dialects.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "minimal" | "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            "xhigh" => Some(Self::Highest),
            "max" => Some(Self::Max),
            _ => None,
        }
    }

    /// The one table of tokens in which an effort is counted where only tokens are known.
    pub const fn tokens(self) -> u64 {
        match self {
            Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High | Self::Highest | Self::Max => 24_576,
        }
    }

    /// The same the other way.
    pub const fn within(tokens: u64) -> Self {
        if tokens <= Self::Low.tokens() {
            Self::Low
        } else if tokens <= Self::Medium.tokens() {
            Self::Medium
        } else {
            Self::High
        }
    }
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Began {
        id: Cow<'a, str>,
        model: Cow<'a, str>,
    },
    Text(Cow<'a, str>),
    Thought(Cow<'a, str>),
    /// The thought that ends here, and the seal by which its maker will know it again.
    Sealed {
        text: Cow<'a, str>,
        seal: Cow<'a, str>,
    },
    CallBegan {
        /// From 0, in the order of the calls.
        number: usize,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    /// More of a call's arguments, in whatever pieces of JSON the model sends them.
    CallWent {
        number: usize,
        json: Cow<'a, str>,
    },
    Ended(Stop),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Done,
    Length,
    Calls,
    Filtered,
    /// It wants to go on with a tool that its maker runs, which nobody asked for.
    Paused,
}
