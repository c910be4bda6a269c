//! What a model is, from the policy and, where that is silent, from the catalogue.

use super::licenses::known_license;
use super::{Referent, Resolver};
use crate::catalog::{self, Kind, ModelRecord, SupplyRecord, ThinkingSwitch, always_thinks};
use crate::license::License;
use crate::policy::read;
use crate::policy::snapshot::{LicenseId, Listed, ModelId, Provider, Retirement, Supply, Traits};
use crate::policy::source::Word;
use jiff::civil::Date;
use std::sync::Arc;

/// In the place of a date: it stays, whatever the catalogue says.
const STAYS: &str = "never";

/// Takes from a record what the policy does not name, and remembers what that was.
pub(super) struct Known {
    pub record: Option<&'static ModelRecord>,
    brings: Vec<&'static str>,
}

impl Known {
    pub fn of(provider: Option<&Provider>, upstream: &str) -> Self {
        Self {
            record: provider.and_then(|provider| catalog::find(&provider.place, upstream)),
            brings: Vec::new(),
        }
    }

    /// `written` where there is one; what was written and not understood is not replaced.
    pub fn or<T>(
        &mut self,
        key: &'static str,
        word: Option<&Word>,
        written: Option<T>,
        listed: impl FnOnce(&'static ModelRecord) -> Option<T>,
    ) -> Option<T> {
        if word.is_some() {
            return written;
        }
        let found = self.record.and_then(listed);
        if found.is_some() {
            self.brings.push(key);
        }
        found
    }

    pub fn supply(&mut self, word: Option<&Word>, written: Option<Supply>) -> Option<Supply> {
        self.or("supply", word, written, |record| {
            Some(match record.supply {
                SupplyRecord::Licensed => Supply::Licensed,
                SupplyRecord::Competitor => Supply::Competitor,
                SupplyRecord::Local => Supply::Local,
            })
        })
    }

    /// The price is the catalogue's.
    pub fn priced(&mut self, listed: bool) {
        self.brings.extend(listed.then_some("price"));
    }

    fn listed(&mut self) -> Option<Listed> {
        let record = self.record?;
        Some(Listed {
            id: record.id,
            brings: std::mem::take(&mut self.brings),
            as_of: catalog::as_of(),
            unsure: &record.unsure,
            free: record.free.as_ref(),
        })
    }
}

impl Resolver<'_, '_> {
    /// Whether it can do that: as written, as listed, else yes.
    pub fn ability(
        &mut self,
        known: &mut Known,
        key: &'static str,
        word: Option<&Word>,
        listed: impl FnOnce(&'static ModelRecord) -> Option<bool>,
    ) -> bool {
        let written = word.map(|word| self.truth(Some(word), true));
        known.or(key, word, written, listed).unwrap_or(true)
    }

    /// `from` is the provider as written, whose words hold for all of its models.
    pub fn traits(
        &mut self,
        written: &read::Model,
        from: Option<(&Provider, &read::Provider)>,
        known: &mut Known,
        licenses: &mut Vec<License>,
    ) -> Traits {
        let (reasoning, audio) = (written.reasoning.as_ref(), written.audio.as_ref());
        let license = written
            .license
            .as_ref()
            .or_else(|| from.and_then(|(_, words)| words.license.as_ref()));
        let retires = written.retires.as_ref();
        let retirement = retires.and_then(|word| self.retirement(word));
        let successor = written
            .successor
            .as_ref()
            .and_then(|word| self.successor(word, written));
        let space = written.space.as_ref().map(|word| Arc::clone(&word.text));
        let upstream = written.upstream.as_ref().unwrap_or(&written.name);
        let record = from.and_then(|(provider, _)| catalog::find(&provider.place, &upstream.text));
        let vendor = from.map(|(provider, _)| provider.vendor);
        let mut traits = Traits {
            thinking_switch: vendor.and_then(|vendor| ThinkingSwitch::of(vendor, &upstream.text, record)),
            always_thinks: vendor.is_some_and(|vendor| always_thinks(vendor, &upstream.text, record)),
            reasoning: self.ability(known, "reasoning", reasoning, |record| Some(record.reasoning.supported)),
            audio: self.ability(known, "audio", audio, |record| Some(record.reads_audio())),
            disabled: self.truth(written.disabled.as_ref(), false),
            license: self.terms_of(known, "license", license, licenses, |record| Some(record.license)),
            weights_license: self.terms_of(
                known,
                "weights_license",
                written.weights_license.as_ref(),
                licenses,
                |record| record.weights_license,
            ),
            retires: known.or("retires", retires, retirement, |record| {
                record.retires.and_then(|day| self.begins(day))
            }),
            successor,
            space: known.or("space", written.space.as_ref(), space, |record| {
                (record.kind == Kind::Embedding).then(|| Arc::from(record.name))
            }),
            domain: self.domain(written, from),
            residence: self.residence(written, from),
            labels: labels(written, from.map(|(_, words)| words)),
            listed: None,
        };
        traits.listed = known.listed();
        traits
    }

    fn terms_of(
        &mut self,
        known: &mut Known,
        key: &'static str,
        word: Option<&Word>,
        licenses: &mut Vec<License>,
        listed: impl FnOnce(&'static ModelRecord) -> Option<&'static str>,
    ) -> Option<LicenseId> {
        let written = word.and_then(|word| self.license_named(word, licenses));
        known.or(key, word, written, |record| known_license(listed(record)?, licenses))
    }

    fn retirement(&mut self, word: &Word) -> Option<Retirement> {
        if *word.text == *STAYS {
            return None;
        }
        let at = self.instant(Some(word))?;
        Some(Retirement {
            day: at.to_zoned_datetime(self.zone.clone()).date(),
            at,
        })
    }

    fn begins(&self, day: Date) -> Option<Retirement> {
        let at = day.to_zoned_datetime(self.zone.clone()).ok()?.timestamp();
        Some(Retirement { day, at })
    }

    fn successor(&mut self, word: &Word, written: &read::Model) -> Option<ModelId> {
        if word.text == written.name.text {
            self.report
                .error(word.place, "bad-value", "a model cannot be its own successor");
            return None;
        }
        self.lookup(word, Referent::Model).map(ModelId)
    }

    /// Whose trouble it shares: the account, which is known by its key, else the endpoint.
    fn domain(&self, written: &read::Model, from: Option<(&Provider, &read::Provider)>) -> Arc<str> {
        let own = written.domain.as_ref();
        let word = own.or_else(|| from.and_then(|(_, words)| words.domain.as_ref()));
        match (word, from) {
            (Some(word), _) => Arc::clone(&word.text),
            (None, Some((provider, _))) => match provider.keys.first() {
                Some(key) => key.credential.label().into(),
                None => Arc::clone(&provider.base_url),
            },
            (None, None) => Arc::from(""),
        }
    }

    fn residence(
        &mut self,
        written: &read::Model,
        from: Option<(&Provider, &read::Provider)>,
    ) -> Vec<crate::license::Territory> {
        let of_provider = || from.and_then(|(_, words)| words.residence.as_ref());
        match (written.residence.as_ref().or_else(of_provider), from) {
            (Some(words), _) => self.territories(words),
            (None, Some((provider, _))) => {
                let place = provider.place.residence;
                place.and_then(crate::license::Territory::parse).into_iter().collect()
            }
            (None, None) => Vec::new(),
        }
    }
}

/// Those of its provider and its own.
fn labels(written: &read::Model, provider: Option<&read::Provider>) -> Vec<Arc<str>> {
    let of_provider = provider.and_then(|words| words.labels.as_ref());
    let mut labels: Vec<Arc<str>> = of_provider
        .into_iter()
        .chain(written.labels.as_ref())
        .flatten()
        .map(|word| Arc::clone(&word.text))
        .collect();
    labels.sort();
    labels.dedup();
    labels
}
