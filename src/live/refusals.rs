//! Requests that were turned away before there was a decision, counted by client, route and code over stretches of time.
//!
//! What is new is told after a second; while it goes on, the stretches double up to a minute. So a flood leaves a few rows
//! and its whole count, and memory is bounded whatever is asked. It keeps nothing of a request but the first one's message.

use crate::uptime::Uptime;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How soon the first is told of, and how long a stretch becomes.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Clients and routes are the policy's, so that only a large policy has more; the rest share one name.
const MOST: usize = 256;
const OTHER: &str = "(other)";
/// A message may show what the client wrote.
const LONGEST_DETAIL: usize = 300;

/// One request that was turned away.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Empty where nobody was recognized, or the policy has no clients.
    pub client: &'a Arc<str>,
    /// Empty where it came to none.
    pub route: &'a Arc<str>,
    /// As the client was told it.
    pub code: &'static str,
    pub status: u16,
    pub detail: &'a str,
    /// What the client has as `x-request-id`.
    pub request: &'a Arc<str>,
}

/// Those of one client, route and code within a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStretch {
    /// Of the first and of the last.
    pub at: Timestamp,
    pub until: Timestamp,
    pub client: Arc<str>,
    pub route: Arc<str>,
    pub code: &'static str,
    pub status: u16,
    /// The first one's message and id.
    pub detail: String,
    pub request: Arc<str>,
    pub requests: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    client: Arc<str>,
    route: Arc<str>,
    code: &'static str,
}

#[derive(Debug)]
struct Open {
    /// `None` in a pause.
    counted: Option<RefusedStretch>,
    ends: Uptime,
    length: Duration,
}

#[derive(Debug, Default)]
pub struct Refusals {
    open: HashMap<Key, Open>,
}

impl Refusals {
    pub fn count(&mut self, refusal: Refusal<'_>, at: Timestamp, now: Uptime) {
        let mut key = Key {
            client: refusal.client.clone(),
            route: refusal.route.clone(),
            code: refusal.code,
        };
        if self.open.len() >= MOST && !self.open.contains_key(&key) {
            (key.client, key.route) = (OTHER.into(), Arc::default());
        }
        let open = self.open.entry(key).or_insert_with_key(|_| Open {
            counted: None,
            ends: now + FIRST,
            length: FIRST,
        });
        match &mut open.counted {
            Some(counted) => {
                counted.requests += 1;
                counted.until = at;
            }
            None => open.counted = Some(first(refusal, at)),
        }
    }

    /// The stretches that have ended.
    pub fn take(&mut self, now: Uptime) -> Vec<RefusedStretch> {
        self.close(|open| open.ends <= now, now)
    }

    /// All there is, before the end.
    pub fn take_all(&mut self, now: Uptime) -> Vec<RefusedStretch> {
        self.close(|_| true, now)
    }

    fn close(&mut self, is_due: impl Fn(&Open) -> bool, now: Uptime) -> Vec<RefusedStretch> {
        let mut ended = Vec::new();
        self.open.retain(|key, open| {
            if !is_due(open) {
                return true;
            }
            // A whole stretch without any: it is over, and the next one is news again.
            let Some(counted) = open.counted.take() else {
                return false;
            };
            ended.push(RefusedStretch {
                client: key.client.clone(),
                route: key.route.clone(),
                ..counted
            });
            open.length = (open.length * 2).min(LONGEST);
            open.ends = now + open.length;
            true
        });
        ended.sort_by(|a, b| (a.at, &a.client, &a.route, a.code).cmp(&(b.at, &b.client, &b.route, b.code)));
        ended
    }
}

fn first(refusal: Refusal<'_>, at: Timestamp) -> RefusedStretch {
    RefusedStretch {
        at,
        until: at,
        client: Arc::default(),
        route: Arc::default(),
        code: refusal.code,
        status: refusal.status,
        detail: refusal.detail.chars().take(LONGEST_DETAIL).collect(),
        request: refusal.request.clone(),
        requests: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(refusals: &mut Refusals, client: &str, code: &'static str, second: u64) {
        let (client, route) = (Arc::from(client), Arc::from("chat"));
        let refusal = Refusal {
            client: &client,
            route: &route,
            code,
            status: 429,
            detail: "too many",
            request: &"r1".into(),
        };
        refusals.count(refusal, wall(second), up(second));
    }

    fn wall(second: u64) -> Timestamp {
        Timestamp::from_second(second as i64).unwrap()
    }

    fn up(second: u64) -> Uptime {
        Uptime::ZERO + Duration::from_secs(second)
    }

    #[test]
    fn a_flood_of_an_hour_is_some_rows_and_its_whole_count() {
        let mut refusals = Refusals::default();
        let mut rows = Vec::new();
        for second in 0..3_600 {
            for _ in 0..100 {
                refuse(&mut refusals, "search", "rate_limit_exceeded", second);
            }
            rows.extend(refusals.take(up(second)));
        }
        rows.extend(refusals.take_all(up(3_600)));
        assert!(rows.len() < 80, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 360_000);
        assert_eq!(
            (rows[0].at, rows[0].until),
            (wall(0), wall(1)),
            "the first second is told at once"
        );
        assert!(rows.windows(2).all(|pair| pair[0].until <= pair[1].at));
    }

    #[test]
    fn each_client_route_and_code_is_counted_by_itself_and_news_after_a_pause() {
        let mut refusals = Refusals::default();
        refuse(&mut refusals, "search", "rate_limit_exceeded", 0);
        refuse(&mut refusals, "search", "model_not_found", 0);
        refuse(&mut refusals, "batch", "rate_limit_exceeded", 0);
        let rows = refusals.take(up(1));
        let told: Vec<_> = rows.iter().map(|row| (&*row.client, row.code, row.requests)).collect();
        assert_eq!(
            told,
            [
                ("batch", "rate_limit_exceeded", 1),
                ("search", "model_not_found", 1),
                ("search", "rate_limit_exceeded", 1)
            ]
        );
        assert_eq!(refusals.take(up(3)), [], "nothing came, and it is forgotten");
        refuse(&mut refusals, "search", "rate_limit_exceeded", 10);
        assert_eq!(refusals.take(up(11)).len(), 1, "told after a second again");
    }

    #[test]
    fn any_number_of_names_takes_bounded_memory_and_is_counted() {
        let mut refusals = Refusals::default();
        for number in 0..10_000 {
            refuse(&mut refusals, &format!("client-{number}"), "rate_limit_exceeded", 0);
        }
        let rows = refusals.take_all(up(1));
        assert_eq!(rows.len(), MOST + 1);
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 10_000);
        assert!(rows.iter().any(|row| &*row.client == OTHER));
    }
}
