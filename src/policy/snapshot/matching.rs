//! Which route takes a request: every criterion of its `match` holds, and no route before it takes it.
//!
//! Names are found by an index, so that a policy of many routes costs no more than one of few.

use super::{Route, RouteId};
use crate::license::Use;
use crate::request::Requirements;
use std::collections::HashMap;
use std::sync::Arc;

/// A text in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Arc<str>);

impl Pattern {
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Iterative so that no pattern can make it exponential.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == Some(&name[n]) {
                (p, n) = (p + 1, n + 1);
            } else if let Some((at, from)) = star {
                (p, n, star) = (at + 1, from + 1, Some((at, from + 1)));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

/// The criteria of a route's `match`. What is empty or `None` takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Names besides the route's own, which always counts.
    pub models: Vec<Pattern>,
    pub dialects: Vec<Arc<str>>,
    /// Each tag must have one of its texts.
    pub tags: Vec<(Arc<str>, Vec<Pattern>)>,
    pub clients: Vec<Arc<str>>,
    /// Names in lower case; each header must be there with one of its texts.
    pub headers: Vec<(Arc<str>, Vec<Pattern>)>,
    /// Estimated input tokens: more than this …
    pub above: Option<u64>,
    /// … and at most this.
    pub up_to: Option<u64>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    /// What the answer is for.
    pub uses: Vec<Use>,
}

/// A criterion that a request did not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion<'a> {
    Dialect,
    Tag(&'a str),
    Client,
    Header(&'a str),
    Size,
    Tools,
    Images,
    Use,
}

impl Criterion<'_> {
    /// The same for whoever asks: without the names that a policy keeps to itself.
    pub fn told(&self, of: &Match) -> String {
        match self {
            Self::Client => "which is for other clients".to_owned(),
            Self::Tag(_) => "which asks for another tag".to_owned(),
            Self::Header(_) => "which asks for another header".to_owned(),
            Self::Dialect | Self::Size | Self::Tools | Self::Images | Self::Use => self.wanted(of),
        }
    }

    /// What the route asks for, for its operators: `which asks for the tag `team` to be `search``.
    pub fn wanted(&self, of: &Match) -> String {
        let words = |texts: &[Arc<str>]| {
            texts
                .iter()
                .map(|text| format!("`{text}`"))
                .collect::<Vec<_>>()
                .join(" or ")
        };
        let among = |list: &[(Arc<str>, Vec<Pattern>)], name: &str| {
            let patterns = list.iter().find(|(known, _)| known.as_ref() == name);
            let texts = patterns.map(|(_, patterns)| patterns.iter().map(|one| one.0.clone()).collect::<Vec<_>>());
            words(&texts.unwrap_or_default())
        };
        match self {
            Self::Dialect => format!("which speaks {}", words(&of.dialects)),
            Self::Client => format!("which is for the client {}", words(&of.clients)),
            Self::Tag(name) => format!("which asks for the tag `{name}` to be {}", among(&of.tags, name)),
            Self::Header(name) => format!("which asks for the header `{name}` to be {}", among(&of.headers, name)),
            Self::Size => match (of.above, of.up_to) {
                (Some(above), Some(most)) => format!("which takes prompts above {above} and up to {most} tokens"),
                (Some(above), None) => format!("which takes prompts above {above} tokens"),
                (None, most) => format!("which takes prompts up to {} tokens", most.unwrap_or(u64::MAX)),
            },
            Self::Tools if of.tools == Some(true) => "which takes requests with tools only".to_owned(),
            Self::Tools => "which takes requests without tools only".to_owned(),
            Self::Images if of.images == Some(true) => "which takes requests with images only".to_owned(),
            Self::Images => "which takes requests without images only".to_owned(),
            Self::Use => {
                let uses: Vec<&str> = of.uses.iter().map(|one| one.word()).collect();
                format!("which is for {} use", uses.join(" or "))
            }
        }
    }
}

/// The headers of a request, by name in lower case.
pub trait HeaderValues {
    fn value(&self, name: &str) -> Option<&str>;
}

/// No headers at all.
impl HeaderValues for () {
    fn value(&self, _: &str) -> Option<&str> {
        None
    }
}

/// What a route is found by.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The request's `model`.
    pub model: &'a str,
    /// `chat`, …
    pub dialect: &'a str,
    pub needs: &'a Requirements,
    pub headers: &'a dyn HeaderValues,
    /// The routes that are there for the client; `None`: all.
    pub routes: Option<&'a [RouteId]>,
}

/// No route takes the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched<'a> {
    /// No route has that name.
    Name,
    /// The first route of that name, and what of its `match` does not hold.
    Close(RouteId, Criterion<'a>),
}

impl Match {
    /// Its criteria besides the name.
    pub fn criteria(&self) -> impl Iterator<Item = Criterion<'_>> {
        let some = |there: bool, criterion| there.then_some(criterion);
        let fixed = [
            some(!self.dialects.is_empty(), Criterion::Dialect),
            some(!self.clients.is_empty(), Criterion::Client),
            some(self.above.is_some() || self.up_to.is_some(), Criterion::Size),
            some(self.tools.is_some(), Criterion::Tools),
            some(self.images.is_some(), Criterion::Images),
            some(!self.uses.is_empty(), Criterion::Use),
        ];
        let tags = self.tags.iter().map(|(name, _)| Criterion::Tag(name));
        let headers = self.headers.iter().map(|(name, _)| Criterion::Header(name));
        fixed.into_iter().flatten().chain(tags).chain(headers)
    }

    /// The first criterion besides the name that does not hold.
    pub fn unmet(&self, asked: &Asked<'_>) -> Option<Criterion<'_>> {
        let needs = asked.needs;
        let among = |patterns: &[Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
        let outside = |list: &[Arc<str>], text: &str| !list.is_empty() && list.iter().all(|one| one.as_ref() != text);
        if outside(&self.dialects, asked.dialect) {
            return Some(Criterion::Dialect);
        }
        if outside(&self.clients, &needs.caller.client) {
            return Some(Criterion::Client);
        }
        let mut tags = self.tags.iter();
        if let Some((name, _)) = tags.find(|(name, texts)| !among(texts, needs.caller.tags.get(name))) {
            return Some(Criterion::Tag(name));
        }
        let there = |name: &str, texts: &[Pattern]| asked.headers.value(name).is_some_and(|text| among(texts, text));
        if let Some((name, _)) = self.headers.iter().find(|(name, texts)| !there(name, texts)) {
            return Some(Criterion::Header(name));
        }
        if self.above.is_some_and(|above| needs.input <= above) || self.up_to.is_some_and(|most| needs.input > most) {
            return Some(Criterion::Size);
        }
        if self.tools.is_some_and(|tools| tools != needs.tools) {
            return Some(Criterion::Tools);
        }
        if self.images.is_some_and(|images| images != needs.images) {
            return Some(Criterion::Images);
        }
        let purpose = Use::parse(&needs.caller.purpose).unwrap_or(Use::UNSAID);
        (!self.uses.is_empty() && !self.uses.contains(&purpose)).then_some(Criterion::Use)
    }
}

/// Finds routes by name.
#[derive(Clone, Debug, Default)]
pub struct RouteIndex {
    /// Own names and literal names in `match`, in file order.
    literal: HashMap<Arc<str>, Vec<RouteId>>,
    /// Patterns in `match`, in file order.
    patterns: Vec<Wild>,
}

/// A pattern of a route. A policy may have hundreds, and a name passes all of them: what comes before the first star is
/// compared first, as one number.
#[derive(Clone, Debug)]
struct Wild {
    /// The pattern's first bytes, and which of a name's they are compared to.
    head: u64,
    mask: u64,
    pattern: Pattern,
    route: RouteId,
}

impl Wild {
    fn new(pattern: &Pattern, route: RouteId) -> Self {
        let fixed = pattern.0.split('*').next().unwrap_or_default().len().min(8);
        let mask = u64::MAX.checked_shr(64 - 8 * fixed as u32).unwrap_or(0);
        Self {
            head: head(&pattern.0) & mask,
            mask,
            pattern: pattern.clone(),
            route,
        }
    }

    fn matches(&self, head: u64, name: &str) -> bool {
        head & self.mask == self.head && self.pattern.matches(name)
    }
}

/// The first eight bytes, the first of them lowest; zero where there are none.
fn head(text: &str) -> u64 {
    let bytes = text.bytes().take(8);
    bytes.rev().fold(0, |head, byte| head << 8 | u64::from(byte))
}

impl RouteIndex {
    pub fn new(routes: &[Route]) -> Self {
        let mut index = Self::default();
        for (at, route) in routes.iter().enumerate() {
            let literal = route.matches.models.iter().filter(|name| name.is_literal());
            for name in literal.map(|name| &name.0).chain([&route.name]) {
                let known = index.literal.entry(Arc::clone(name)).or_default();
                if !known.contains(&RouteId(at)) {
                    known.push(RouteId(at));
                }
            }
            let patterns = route.matches.models.iter().filter(|name| !name.is_literal());
            index
                .patterns
                .extend(patterns.map(|pattern| Wild::new(pattern, RouteId(at))));
        }
        index
    }

    /// The routes that a name may mean, in file order.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = RouteId> + 'a {
        let literal = self.literal.get(name).map_or(&[][..], Vec::as_slice);
        let first = head(name);
        let met = self.patterns.iter().filter(move |wild| wild.matches(first, name));
        let mut literal = literal.iter().copied().peekable();
        let mut patterns = met.map(|wild| wild.route).peekable();
        std::iter::from_fn(move || {
            let both = [literal.peek().copied(), patterns.peek().copied()];
            let next = both.into_iter().flatten().min()?;
            while literal.next_if_eq(&next).is_some() {}
            while patterns.next_if_eq(&next).is_some() {}
            Some(next)
        })
    }

    /// The first route that takes the request.
    pub fn find<'a>(&self, routes: &'a [Route], asked: &Asked<'_>) -> Result<RouteId, Unmatched<'a>> {
        let mut close = Unmatched::Name;
        for id in self.named(asked.model) {
            let there = asked.routes.is_none_or(|there| there.contains(&id));
            let Some(route) = routes.get(id.0).filter(|_| there) else {
                continue;
            };
            match route.matches.unmet(asked) {
                None => return Ok(id),
                Some(criterion) if close == Unmatched::Name => close = Unmatched::Close(id, criterion),
                Some(_) => {}
            }
        }
        Err(close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::snapshot::{ModelId, OnDisconnect, Terms, Timeouts};
    use crate::request::{Caller, Tags};

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| Pattern(pattern.into()).matches(name);
        assert!(matches("gpt-*", "gpt-6"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "aXXbYYbc"));
        assert!(!matches("a*b*c", "aXXbYY"));
        assert!(!matches("chat", "chatty"));
        assert!(!matches("gpt-*", "my-gpt-6"));
    }

    fn route(name: &str, models: &[&str], matches: Match) -> Route {
        Route {
            name: name.into(),
            matches: Match {
                models: models.iter().map(|name| Pattern((*name).into())).collect(),
                ..matches
            },
            terms: Terms::direct(ModelId(0)),
            timeouts: Timeouts::default(),
            limits: crate::policy::snapshot::Limits::default(),
            money_wait: None,
            shaping: crate::policy::snapshot::Shaping::default(),
            heartbeat: None,
            on_disconnect: OnDisconnect::Cancel,
            exposes: true,
            mirror: None,
        }
    }

    fn needs() -> Requirements {
        let caller = Caller {
            client: "search".into(),
            tags: Tags::new([("team", "ads")]),
            ..Caller::default()
        };
        Requirements {
            caller: Arc::new(caller),
            input: 8_000,
            ..Requirements::default()
        }
    }

    struct Env(&'static str);

    impl HeaderValues for Env {
        fn value(&self, name: &str) -> Option<&str> {
            (name == "x-env").then_some(self.0)
        }
    }

    fn found(routes: &[Route], model: &str) -> Result<usize, String> {
        let asked = Asked {
            model,
            dialect: "chat",
            needs: &needs(),
            headers: &Env("canary-2"),
            routes: None,
        };
        let found = RouteIndex::new(routes).find(routes, &asked);
        found.map(|id| id.0).map_err(|close| format!("{close:?}"))
    }

    #[test]
    fn the_first_route_in_file_order_serves_whether_named_or_matched_by_pattern() {
        let routes = [
            route("a", &["gpt-5", "claude-*"], Match::default()),
            route("b", &["gpt-*"], Match::default()),
            route("gpt-6", &[], Match::default()),
        ];
        assert_eq!(found(&routes, "gpt-5"), Ok(0));
        assert_eq!(found(&routes, "gpt-6"), Ok(1), "a pattern before a route's own name");
        assert_eq!(found(&routes, "claude-x"), Ok(0));
        assert_eq!(found(&routes, "b"), Ok(1));
        assert_eq!(found(&routes, "qwen"), Err("Name".to_owned()));
    }

    #[test]
    fn a_route_whose_criteria_do_not_hold_leaves_the_request_to_the_next_of_its_name() {
        let large = Match {
            above: Some(8_000),
            ..Match::default()
        };
        let small = Match {
            up_to: Some(8_000),
            ..Match::default()
        };
        let routes = [route("large", &["chat"], large), route("small", &["chat"], small)];
        assert_eq!(found(&routes, "chat"), Ok(1), "`above` is exclusive and `up_to` is not");
        assert_eq!(
            found(&routes, "large"),
            Err("Close(RouteId(0), Size)".to_owned()),
            "its own name asks for its own criteria"
        );
    }

    #[test]
    fn each_criterion_is_asked() {
        let pattern = |text: &str| vec![Pattern(text.into())];
        let none = Match::default;
        let table = [
            (
                Match {
                    dialects: vec!["chat".into()],
                    ..none()
                },
                Match {
                    dialects: vec!["messages".into()],
                    ..none()
                },
            ),
            (
                Match {
                    clients: vec!["search".into()],
                    ..none()
                },
                Match {
                    clients: vec!["other".into()],
                    ..none()
                },
            ),
            (
                Match {
                    tags: vec![("team".into(), pattern("a*"))],
                    ..none()
                },
                Match {
                    tags: vec![("app".into(), pattern("a*"))],
                    ..none()
                },
            ),
            (
                Match {
                    headers: vec![("x-env".into(), pattern("canary*"))],
                    ..none()
                },
                Match {
                    headers: vec![("x-other".into(), pattern("*"))],
                    ..none()
                },
            ),
            (
                Match {
                    above: Some(7_999),
                    ..none()
                },
                Match {
                    above: Some(8_000),
                    ..none()
                },
            ),
            (
                Match {
                    up_to: Some(8_000),
                    ..none()
                },
                Match {
                    up_to: Some(7_999),
                    ..none()
                },
            ),
            (
                Match {
                    tools: Some(false),
                    ..none()
                },
                Match {
                    tools: Some(true),
                    ..none()
                },
            ),
            (
                Match {
                    images: Some(false),
                    ..none()
                },
                Match {
                    images: Some(true),
                    ..none()
                },
            ),
        ];
        for (holds, fails) in table {
            assert_eq!(found(&[route("r", &[], holds.clone())], "r"), Ok(0), "{holds:?}");
            assert!(found(&[route("r", &[], fails.clone())], "r").is_err(), "{fails:?}");
        }
    }
}
