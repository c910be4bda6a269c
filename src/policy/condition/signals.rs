//! The live values that state conditions read, frozen at one instant: plain values, which a daemon gathers and a policy
//! test writes down.
//!
//! A signal that is not there has no value yet: what depends on it does not hold, and neither does its opposite.

use super::signature::{Live, Subject, WEEKDAYS};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One live signal: `budget("month").used`. The name is empty for `hour` and its like.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal {
    pub live: Live,
    pub name: Arc<str>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Truth(bool),
    Number(f64),
    Text(Arc<str>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub value: Value,
    /// Nothing new has been heard for a while: this is the last value that was.
    pub stale: bool,
}

/// All signals of one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals {
    samples: HashMap<Signal, Sample>,
}

impl Signals {
    pub fn set(&mut self, live: Live, name: impl Into<Arc<str>>, value: impl Into<Value>) {
        self.put(live, name, value, false);
    }

    /// `stale` values count like fresh ones and are shown as what they are.
    pub fn put(&mut self, live: Live, name: impl Into<Arc<str>>, value: impl Into<Value>, stale: bool) {
        let (name, value) = (name.into(), value.into());
        self.samples.insert(Signal { live, name }, Sample { value, stale });
    }

    /// `hour`, `weekday` and `date` at an instant in a zone.
    pub fn set_time(&mut self, at: Timestamp, zone: &TimeZone) {
        let local = at.to_zoned_datetime(zone.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or_default();
        self.set(Live::Hour, "", f64::from(local.hour()));
        self.set(Live::Weekday, "", Value::Text(WEEKDAYS[day % WEEKDAYS.len()].into()));
        self.set(Live::Date, "", Value::Text(local.date().to_string().into()));
    }

    pub fn get(&self, signal: &Signal) -> Option<&Sample> {
        self.samples.get(signal)
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Signal, &Sample)> {
        self.samples.iter()
    }

    /// Those without fresh data, in order, as conditions write them.
    pub fn stale(&self) -> Vec<String> {
        let mut stale: Vec<&Signal> = self
            .iter()
            .filter(|(_, sample)| sample.stale)
            .map(|(of, _)| of)
            .collect();
        stale.sort();
        stale.into_iter().map(ToString::to_string).collect()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Truth(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

/// As a condition writes it.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.live.subject() {
            Subject::Hour | Subject::Weekday | Subject::Date => f.write_str(self.live.word()),
            subject => write!(f, "{}(\"{}\").{}", subject.word(), self.name, self.live.word()),
        }
    }
}

/// With its value, for people: `budget("month").used = 0.83`.
pub(super) fn reading(signal: &Signal, signals: &Signals) -> String {
    let Some(sample) = signals.get(signal) else {
        return format!("{signal} is not known yet");
    };
    let stale = if sample.stale { " (stale)" } else { "" };
    match &sample.value {
        Value::Truth(value) => format!("{signal} = {value}{stale}"),
        Value::Text(value) => format!("{signal} = \"{value}\"{stale}"),
        Value::Number(value) => {
            // Four decimals tell 0.7999 from 0.8; more says nothing.
            let shown = format!("{value:.4}");
            let shown = shown.trim_end_matches('0').trim_end_matches('.');
            format!("{signal} = {shown}{stale}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(signals: &Signals, live: Live) -> String {
        let name = "".into();
        reading(&Signal { live, name }, signals)
    }

    #[test]
    fn the_time_of_day_is_that_of_the_policys_zone() {
        let mut signals = Signals::default();
        let at: Timestamp = "2026-12-31T17:30:00Z".parse().unwrap();
        signals.set_time(at, &TimeZone::get("Asia/Shanghai").unwrap());
        assert_eq!(text(&signals, Live::Hour), "hour = 1");
        assert_eq!(text(&signals, Live::Weekday), "weekday = \"fri\"");
        assert_eq!(text(&signals, Live::Date), "date = \"2027-01-01\"");
    }

    #[test]
    fn a_value_is_shown_with_its_name_and_its_age() {
        let mut signals = Signals::default();
        signals.put(Live::ProviderErrorRate, "deepseek", 0.5, true);
        signals.set(Live::BudgetUsed, "month", 1.0);
        assert_eq!(signals.stale(), ["provider(\"deepseek\").error_rate"]);
        let of = |live, name: &str| {
            reading(
                &Signal {
                    live,
                    name: name.into(),
                },
                &signals,
            )
        };
        assert_eq!(
            of(Live::ProviderErrorRate, "deepseek"),
            "provider(\"deepseek\").error_rate = 0.5 (stale)"
        );
        assert_eq!(of(Live::BudgetUsed, "month"), "budget(\"month\").used = 1");
        assert_eq!(of(Live::BudgetUsed, "day"), "budget(\"day\").used is not known yet");
    }
}
