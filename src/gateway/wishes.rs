//! What a request's own headers say of it, as far as its client may: labels (tags, use, territory) that the client's own
//! win over and that are left out where it may not, and constraints, which are refused rather than dropped.

use super::failed::{Told, bad_request};
use crate::money::{Currency, Money};
use crate::policy::snapshot::{Client, HeaderValues, Wish};
use crate::request::{Caller, Tags};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// Tags of one request's header.
const MOST_TAGS: usize = 16;

pub struct Wishes<'a> {
    headers: &'a HeaderMap,
    /// `None`: no clients, and whoever is on this machine is trusted.
    client: Option<&'a Client>,
}

impl<'a> Wishes<'a> {
    pub const fn new(headers: &'a HeaderMap, client: Option<&'a Client>) -> Self {
        Self { headers, client }
    }

    /// All but its route, which is found by what is known of the caller.
    pub fn caller(&self) -> Caller {
        let Some(client) = self.client else {
            return Caller {
                tags: self.tags(),
                purpose: self.label("x-planb-use", Wish::Use),
                territory: self.territory(),
                ..Caller::default()
            };
        };
        let mut tags = self.tags();
        for (name, value) in client.tags.iter() {
            tags.set(name.into(), value.into());
        }
        let own = |own: &Arc<str>, said: Arc<str>| if own.is_empty() { said } else { own.clone() };
        Caller {
            client: client.name.clone(),
            tags,
            purpose: own(&client.purpose, self.label("x-planb-use", Wish::Use)),
            territory: own(&client.territory, self.territory()),
            ..Caller::default()
        }
    }

    pub fn min_quality(&self) -> Result<Option<u8>, Told> {
        let Some(text) = self.constraint("x-planb-min-quality", Wish::MinQuality)? else {
            return Ok(None);
        };
        match text.parse::<u8>() {
            Ok(quality) if quality <= 100 => Ok(Some(quality)),
            _ => Err(invalid("`x-planb-min-quality` must be a whole number from 0 to 100")),
        }
    }

    /// A decimal amount in the policy's currency, with or without its code behind it. An amount in another one is refused:
    /// taken for the policy's own it would allow a multiple of what is meant.
    pub fn max_cost(&self, currency: Currency) -> Result<Option<Money>, Told> {
        let Some(text) = self.constraint("x-planb-max-cost", Wish::MaxCost)? else {
            return Ok(None);
        };
        let amount = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
        let code = text.strip_prefix(amount).unwrap_or_default();
        if !code.is_empty() && code != currency.code() {
            return Err(invalid(&format!("`x-planb-max-cost` must be an amount in {currency}")));
        }
        match Money::parse(amount.trim()) {
            Some(money) if money >= Money::ZERO => Ok(Some(money)),
            _ => Err(invalid("`x-planb-max-cost` must be an amount such as 0.05")),
        }
    }

    /// Seconds, with an optional `s` or `ms`.
    pub fn deadline(&self) -> Result<Option<Duration>, Told> {
        let Some(text) = self.constraint("x-planb-deadline", Wish::Deadline)? else {
            return Ok(None);
        };
        let (number, milliseconds) = match text.strip_suffix("ms") {
            Some(number) => (number, true),
            None => (text.strip_suffix('s').unwrap_or(text), false),
        };
        let seconds: Option<f64> = number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0);
        match seconds.map(|n| if milliseconds { n / 1000.0 } else { n }) {
            Some(seconds) if seconds <= 86_400.0 => Ok(Some(Duration::from_secs_f64(seconds))),
            _ => Err(invalid("`x-planb-deadline` must be a duration such as 30s or 1500ms")),
        }
    }

    /// An explanation names models, so that it is not for who must not see their names.
    pub fn explain(&self, hidden: bool) -> Result<bool, Told> {
        match self.constraint("x-planb-explain", Wish::Explain)? {
            Some("1") if hidden => Err(bad_request(
                "header_not_allowed",
                "`x-planb-explain` names models, which are not shown here (`expose: none`)",
            )),
            asked => Ok(asked == Some("1")),
        }
    }

    fn may(&self, wish: Wish) -> bool {
        self.client.is_none_or(|client| client.may_set(wish))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    }

    fn label(&self, name: &str, wish: Wish) -> Arc<str> {
        self.text(name).filter(|_| self.may(wish)).unwrap_or_default().into()
    }

    fn territory(&self) -> Arc<str> {
        self.label("x-planb-territory", Wish::Territory)
            .to_ascii_uppercase()
            .into()
    }

    fn constraint(&self, name: &'static str, wish: Wish) -> Result<Option<&'a str>, Told> {
        match self.text(name) {
            Some(_) if !self.may(wish) => Err(not_allowed(name)),
            text => Ok(text),
        }
    }

    /// `x-planb-tags: team=search, app=chat`; bounded, and what has no `=` is left out.
    fn tags(&self) -> Tags {
        let text = self
            .text("x-planb-tags")
            .filter(|_| self.may(Wish::Tags))
            .unwrap_or_default();
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        Tags::new(pairs.take(MOST_TAGS).map(|(name, value)| (name.trim(), value.trim())))
    }
}

/// Any header may be a criterion of a route.
impl HeaderValues for Wishes<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.text(name)
    }
}

fn invalid(message: &str) -> Told {
    bad_request("invalid_header", message)
}

fn not_allowed(name: &str) -> Told {
    bad_request("header_not_allowed", format!("this client may not send `{name}`"))
}
