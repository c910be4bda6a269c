//! Models: whose, of which supply, how good, how large, at what price.

use super::Resolver;
use super::prices::Owner;
use crate::money::Ratio;
use crate::policy::read;
use crate::policy::snapshot::{Model, ProviderId, Supply};
use crate::price::Price;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn models(&mut self, written: &read::Policy) -> Vec<Model> {
        let accounts = written.providers.iter();
        let accounts: Vec<Ratio> = accounts
            .map(|provider| self.account(provider.discount.as_ref(), provider.surcharge.as_ref()))
            .collect();
        written
            .models
            .iter()
            .map(|model| self.model(model, &accounts))
            .collect()
    }

    fn model(&mut self, written: &read::Model, accounts: &[Ratio]) -> Model {
        self.check_name(&written.name, "model");
        let providers = self.names.providers.clone();
        let provider = self
            .required(written.provider.as_ref(), written.place, "provider", "a model")
            .and_then(|word| self.lookup(word, "provider", &providers));
        let supplies = Supply::ALL.map(|supply| (supply.word(), supply));
        let supply = self
            .required(written.supply.as_ref(), written.place, "supply", "a model")
            .and_then(|word| self.choose(word, "supply", &supplies, &[]));
        let upstream = written.upstream.as_ref().unwrap_or(&written.name);
        let owner = Owner {
            model: Arc::clone(&written.name.text),
            account: provider.and_then(|at| accounts.get(at)).copied().unwrap_or(Ratio::ONE),
            catalogue: Vec::new(),
        };
        let price = self.price(written.price.as_deref(), &owner);
        Model {
            name: Arc::clone(&written.name.text),
            provider: ProviderId(provider.unwrap_or(0)),
            upstream: Arc::clone(&upstream.text),
            supply: supply.unwrap_or(Supply::Local),
            quality: self.number(written.quality.as_ref(), "quality", 0, 100),
            context: self.size(written.context.as_ref()),
            max_output: self.size(written.max_output.as_ref()),
            min_output: self.size(written.min_output.as_ref()),
            price: price.or_else(|| (supply == Some(Supply::Local)).then_some(Price::FREE)),
            tools: self.truth(written.tools.as_ref(), true),
            images: self.truth(written.images.as_ref(), true),
            json_schema: self.truth(written.json_schema.as_ref(), true),
            timeouts: self.timeouts(&written.timeouts),
        }
    }
}
