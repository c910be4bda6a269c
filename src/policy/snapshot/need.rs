//! What a route asks of its models beyond what each request needs, and whether a model has it.

use super::Model;

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
}

impl Need {
    pub const NOTHING: Self = Self {
        quality: None,
        tools: None,
        images: None,
        json_schema: None,
        context: None,
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
        }
    }

    /// The first thing asked for that this model lacks.
    pub fn unmet(&self, model: &Model) -> Option<Unmet> {
        if let Some(lacks) = self.lacking(model) {
            return Some(Unmet::Capability(lacks));
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

    fn lacking(&self, model: &Model) -> Option<&'static str> {
        let asked = [
            (self.tools, model.tools, "tools"),
            (self.images, model.images, "images"),
            (self.json_schema, model.json_schema, "a JSON schema"),
        ];
        let mut lacking = asked
            .into_iter()
            .filter(|(asked, there, _)| *asked == Some(true) && !there);
        lacking.next().map(|(_, _, what)| what)
    }
}

/// What a model lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    Capability(&'static str),
    Context { needs: u64, has: u64 },
    Quality { needs: u8, has: Option<u8> },
}
