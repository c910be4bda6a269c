//! Models: whose, of which supply, how good, how large, at what price.

use super::prices::Owner;
use super::traits::Known;
use super::{Referent, Resolver};
use crate::catalog::Wire;
use crate::license::License;
use crate::money::Ratio;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Model, Provider, ProviderId, Supply};
use crate::price::Price;
use std::sync::Arc;

impl Resolver<'_, '_> {
    pub fn models(
        &mut self,
        written: &read::Policy,
        providers: &[Provider],
        licenses: &mut Vec<License>,
    ) -> Vec<Model> {
        let accounts = written.providers.iter();
        let accounts: Vec<Ratio> = accounts
            .map(|provider| self.account(provider.discount.as_ref(), provider.surcharge.as_ref()))
            .collect();
        written
            .models
            .iter()
            .map(|model| self.model(model, &written.providers, providers, &accounts, licenses))
            .collect()
    }

    fn model(
        &mut self,
        written: &read::Model,
        words: &[read::Provider],
        resolved: &[Provider],
        accounts: &[Ratio],
        licenses: &mut Vec<License>,
    ) -> Model {
        self.check_name(&written.name, "model");
        let provider = self
            .required(written.provider.as_ref(), written.place, "provider", "a model")
            .and_then(|word| self.lookup(word, Referent::Provider));
        let supplies = Supply::ALL.map(|supply| (supply.word(), supply));
        let upstream = written.upstream.as_ref().unwrap_or(&written.name);
        let from = provider.and_then(|at| Some((resolved.get(at)?, words.get(at)?)));
        let mut known = Known::of(from.map(|(provider, _)| provider), &upstream.text);
        let supply = written.supply.as_ref();
        let chosen = supply.and_then(|word| self.choose(word, "supply", &supplies, &[]));
        let chosen = known.supply(supply, chosen);
        if supply.is_none() && chosen.is_none() {
            self.supply_unknown(written, &upstream.text, provider.is_some());
        }
        let supply = chosen;
        let host = provider.and_then(|at| resolved.get(at));
        let owner = Owner {
            model: Arc::clone(&written.name.text),
            place: written.name.place,
            account: provider.and_then(|at| accounts.get(at)).copied().unwrap_or(Ratio::ONE),
            catalogue: host.map_or_else(Vec::new, |host| self.list_prices(&host.place, &upstream.text)),
        };
        let (context, max_output) = (
            self.size(written.context.as_ref()),
            self.size(written.max_output.as_ref()),
        );
        let price = self.price(written.price.as_deref(), &owner);
        known.priced(written.price.is_none() && price.is_some());
        let model = Model {
            name: Arc::clone(&written.name.text),
            provider: ProviderId(provider.unwrap_or(0)),
            upstream: Arc::clone(&upstream.text),
            supply: supply.unwrap_or(Supply::Local),
            quality: self.number(written.quality.as_ref(), "quality", 0, 100),
            context: known.or("context", written.context.as_ref(), context, |record| {
                Some(record.context)
            }),
            max_output: known.or("max_output", written.max_output.as_ref(), max_output, |record| {
                record.max_output
            }),
            min_output: self.size(written.min_output.as_ref()),
            price: price.or_else(|| (supply == Some(Supply::Local)).then_some(Price::FREE)),
            tools: self.ability(&mut known, "tools", written.tools.as_ref(), |record| record.tools),
            images: self.ability(&mut known, "images", written.images.as_ref(), |record| {
                Some(record.reads_images())
            }),
            json_schema: self.ability(&mut known, "json_schema", written.json_schema.as_ref(), |record| {
                record.json_schema
            }),
            timeouts: self.timeouts(&written.timeouts),
            limits: self.limits(&written.limits),
            shaping: self.shaping(&written.shaping),
            traits: self.traits(written, from, &mut known, licenses),
        };
        self.check_bound(written, host, &model);
        model
    }

    /// The Messages dialect wants an output bound with every request, also where a client gives none.
    fn check_bound(&mut self, written: &read::Model, host: Option<&Provider>, model: &Model) {
        let wire = host.map(|host| Wire::of(host.vendor, &model.upstream));
        if wire.is_none_or(Wire::is_chat) || model.max_output.is_some() || written.max_output.is_some() {
            return;
        }
        let message = format!("model `{}` needs `max_output`", shown(&written.name.text));
        self.report
            .error(written.place, "missing-key", message)
            .help("the Messages dialect wants a bound with every request: write the most that the model can answer, such as `max_output: 32k`");
    }

    fn supply_unknown(&mut self, written: &read::Model, upstream: &str, at_provider: bool) {
        let found = self
            .report
            .error(written.place, "missing-key", "a model needs `supply`");
        if at_provider {
            found.help(format!(
                "the catalogue does not know `{}` there: write `supply: licensed`, `competitor` or `local`",
                shown(upstream)
            ));
        }
    }
}
