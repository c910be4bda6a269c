//! Where a condition's values come from: a request's model and caller, or the live signals.

use super::facts::{ModelFacts, MoreFacts};
use super::signals::{Signals, Value};
use super::signature::Of;
use super::tree::{Fact, World};
use crate::request::Caller;
use std::sync::Arc;

/// A request's half of the values, or only its model's.
pub(super) struct Request<'a> {
    model: &'a ModelFacts,
    caller: Option<&'a Caller>,
}

impl<'a> Request<'a> {
    pub const fn of(model: &'a ModelFacts) -> Self {
        Self { model, caller: None }
    }

    pub const fn by(model: &'a ModelFacts, caller: &'a Caller) -> Self {
        Self {
            model,
            caller: Some(caller),
        }
    }

    fn more(&self) -> Option<&'a MoreFacts> {
        self.model.more.as_ref()
    }
}

impl World for Request<'_> {
    fn truth(&self, _: &Fact) -> Option<bool> {
        None
    }

    /// What a model does not have is no value, which is known.
    fn number(&self, fact: &Fact) -> Option<f64> {
        let Fact::Of(of) = fact else { return None };
        let more = self.more()?;
        match of {
            Of::ModelQuality => Some(more.quality.map_or(f64::NAN, f64::from)),
            Of::ModelContext => Some(more.context.map_or(f64::NAN, |tokens| tokens as f64)),
            _ => None,
        }
    }

    fn text(&self, fact: &Fact) -> Option<&str> {
        let of = match fact {
            Fact::Tag(name) => return self.caller.map(|caller| caller.tags.get(name)),
            Fact::Of(of) => of,
            Fact::Live(_) => return None,
        };
        match of {
            Of::ModelName => Some(&self.model.name),
            Of::ModelProvider => Some(&self.model.provider),
            Of::ModelSupply => Some(self.model.supply),
            Of::ModelLicense => self.more().map(|more| more.license.as_ref()),
            Of::ModelDomain => self.more().map(|more| more.domain.as_ref()),
            Of::ModelVendor => self.more().map(|more| more.vendor),
            Of::Client => self.caller.map(|caller| caller.client.as_ref()),
            Of::Use => self.caller.map(|caller| caller.purpose.as_ref()),
            Of::Territory => self.caller.map(|caller| caller.territory.as_ref()),
            Of::Route => self.caller.map(|caller| caller.route.as_ref()),
            _ => None,
        }
    }

    fn texts(&self, fact: &Fact) -> Option<&[Arc<str>]> {
        match fact {
            Fact::Of(Of::ModelResidence) => self.more().map(|more| more.residence.as_slice()),
            Fact::Of(Of::ModelLabels) => self.more().map(|more| more.labels.as_slice()),
            _ => None,
        }
    }
}

impl Signals {
    fn value(&self, fact: &Fact) -> Option<&Value> {
        let Fact::Live(signal) = fact else { return None };
        self.get(signal).map(|sample| &sample.value)
    }
}

impl World for Signals {
    fn truth(&self, fact: &Fact) -> Option<bool> {
        match self.value(fact) {
            Some(Value::Truth(value)) => Some(*value),
            _ => None,
        }
    }

    fn number(&self, fact: &Fact) -> Option<f64> {
        match self.value(fact) {
            Some(Value::Number(value)) => Some(*value),
            _ => None,
        }
    }

    fn text(&self, fact: &Fact) -> Option<&str> {
        match self.value(fact) {
            Some(Value::Text(value)) => Some(value),
            _ => None,
        }
    }

    fn texts(&self, _: &Fact) -> Option<&[Arc<str>]> {
        None
    }
}
