//! Models: whose, of which supply, how good, how large, at what price.

use super::Resolver;
use crate::policy::read;
use crate::policy::snapshot::{Model, ProviderId, Supply};
use crate::price::Price;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn models(&mut self, written: &[read::Model]) -> Vec<Model> {
        written.iter().map(|model| self.model(model)).collect()
    }

    fn model(&mut self, written: &read::Model) -> Model {
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
        let price = written.price.as_ref().and_then(|price| self.price(price));
        Model {
            name: Arc::clone(&written.name.text),
            provider: ProviderId(provider.unwrap_or(0)),
            upstream: Arc::clone(&upstream.text),
            supply: supply.unwrap_or(Supply::Local),
            quality: self.number(written.quality.as_ref(), "quality", 0, 100),
            context: self.size(written.context.as_ref()),
            max_output: self.size(written.max_output.as_ref()),
            price: price.or_else(|| (supply == Some(Supply::Local)).then_some(Price::FREE)),
            tools: self.truth(written.tools.as_ref(), true),
            images: self.truth(written.images.as_ref(), true),
            json_schema: self.truth(written.json_schema.as_ref(), true),
        }
    }

    fn price(&mut self, written: &read::Price) -> Option<Price> {
        if written.has_unread && (written.input.is_none() || written.output.is_none()) {
            return None;
        }
        let input = self.required(written.input.as_ref(), written.place, "input", "`price`");
        let output = self.required(written.output.as_ref(), written.place, "output", "`price`");
        let (input, output) = (self.rate(input), self.rate(output));
        let cache_read = self.rate(written.cache_read.as_ref());
        let input = input?;
        // An absent kind costs what the plain one does.
        Some(Price::flat(input, cache_read.unwrap_or(input), output?))
    }
}
