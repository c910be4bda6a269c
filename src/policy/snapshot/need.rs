//! What a route asks of its models beyond what each request needs, and whether a model has it.

use super::Model;
use crate::license::{Breach, License, Territory, Use};
use std::sync::Arc;

/// What a model must have to be a candidate, whatever the request itself needs. `None` asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// 0 to 100.
    pub quality: Option<u8>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    pub json_schema: Option<bool>,
    /// Tokens, input and output together.
    pub context: Option<u64>,
    pub reasoning: Option<bool>,
    /// Data stays within these.
    pub residence: Option<Arc<[Territory]>>,
    /// All of them.
    pub labels: Option<Arc<[Arc<str>]>>,
    /// Its licences permit each.
    pub uses: Option<Arc<[Use]>>,
    /// Its licences hold in each.
    pub territories: Option<Arc<[Territory]>>,
    /// Tokens a second, as measured; [`Self::unmet`] does not know it.
    pub speed: Option<u32>,
}

impl Need {
    pub const NOTHING: Self = Self {
        quality: None,
        tools: None,
        images: None,
        json_schema: None,
        context: None,
        reasoning: None,
        residence: None,
        labels: None,
        uses: None,
        territories: None,
        speed: None,
    };

    /// What `change` names replaces what is here; the rest stays.
    #[must_use]
    pub fn changed_by(&self, change: &Self) -> Self {
        Self {
            quality: change.quality.or(self.quality),
            tools: change.tools.or(self.tools),
            images: change.images.or(self.images),
            json_schema: change.json_schema.or(self.json_schema),
            context: change.context.or(self.context),
            reasoning: change.reasoning.or(self.reasoning),
            residence: change.residence.clone().or_else(|| self.residence.clone()),
            labels: change.labels.clone().or_else(|| self.labels.clone()),
            uses: change.uses.clone().or_else(|| self.uses.clone()),
            territories: change.territories.clone().or_else(|| self.territories.clone()),
            speed: change.speed.or(self.speed),
        }
    }

    /// The first thing asked for that this model lacks. `licenses` are the policy's.
    pub fn unmet(&self, model: &Model, licenses: &[License]) -> Option<Unmet> {
        if let Some(lacks) = self.lacking(model) {
            return Some(Unmet::Capability(lacks));
        }
        if let Some(wanted) = &self.residence
            && !Territory::all_within(&model.traits.residence, wanted)
        {
            return Some(Unmet::Residence);
        }
        let labels = self.labels.iter().flat_map(|labels| labels.iter());
        if let Some(label) = labels.into_iter().find(|label| !model.traits.labels.contains(label)) {
            return Some(Unmet::Label(label.clone()));
        }
        if let Some((license, breach)) = self.unlicensed(model, licenses) {
            return Some(Unmet::License {
                license: license.name.clone(),
                breach,
            });
        }
        let context = self.context.zip(model.context).filter(|(needs, has)| has < needs);
        if let Some((needs, has)) = context {
            return Some(Unmet::Context { needs, has });
        }
        let needs = self.quality.filter(|needs| *needs > 0)?;
        let has = model.quality;
        has.is_none_or(|has| has < needs)
            .then_some(Unmet::Quality { needs, has })
    }

    fn unlicensed<'a>(&self, model: &Model, licenses: &'a [License]) -> Option<(&'a License, Breach)> {
        if self.uses.is_none() && self.territories.is_none() {
            return None;
        }
        let (uses, places) = (self.uses.as_deref(), self.territories.as_deref());
        let reaches = |license: &License| license.reaches(uses.unwrap_or_default(), places.unwrap_or_default());
        let mut of_model = model.licenses().filter_map(|id| licenses.get(id.0));
        of_model.find_map(|license| Some((license, reaches(license).err()?)))
    }

    fn lacking(&self, model: &Model) -> Option<&'static str> {
        let asked = [
            (self.tools, model.tools, "tools"),
            (self.images, model.images, "images"),
            (self.json_schema, model.json_schema, "a JSON schema"),
            (self.reasoning, model.traits.reasoning, "a request to think"),
        ];
        let mut lacking = asked
            .into_iter()
            .filter(|(asked, there, _)| *asked == Some(true) && !there);
        lacking.next().map(|(_, _, what)| what)
    }
}

/// What a model lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    Capability(&'static str),
    Residence,
    Label(Arc<str>),
    License { license: Arc<str>, breach: Breach },
    Context { needs: u64, has: u64 },
    Quality { needs: u8, has: Option<u8> },
}
