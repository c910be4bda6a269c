//! Licences: a record of the catalogue where `base` names one, each clause replaced by what the policy says.

use super::Resolver;
use super::dates::date;
use super::units::{NO_COMMA, decimal_comma};
use crate::catalog;
use crate::license::{
    Count, Duty, DutyKind, Fee, License, Per, Revenue, Service, Term, Territory, TerritoryOf, Use, Uses,
};
use crate::money::{Currency, Money};
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read;
use crate::policy::snapshot::LicenseId;
use crate::policy::source::Word;
use jiff::{SignedDuration, ToSpan};
use std::sync::Arc;

/// In the place of a duty's words.
const DONE: &str = "done";

impl Resolver<'_, '_> {
    pub fn licenses(&mut self, written: &[read::License]) -> Vec<License> {
        written.iter().map(|license| self.license(license)).collect()
    }

    /// The licence that a model names: one of the policy's, or one of the catalogue's, which then joins them.
    pub fn license_named(&mut self, word: &Word, licenses: &mut Vec<License>) -> Option<LicenseId> {
        if word.broken {
            return None;
        }
        let found = known_license(&word.text, licenses);
        if found.is_none() {
            let message = format!("no licence is called `{}`", shown(&word.text));
            let own = licenses.iter().map(|license| license.name.to_string());
            let known: Vec<String> = own
                .chain(catalog::licenses().iter().map(|record| record.id.to_owned()))
                .collect();
            let help = suggestion(&word.text, known.iter().map(String::as_str));
            self.report.error(word.place, "unknown-name", message).maybe_help(help);
        }
        found
    }

    fn license(&mut self, written: &read::License) -> License {
        self.check_name(&written.name, "licence");
        let base = written.base.as_ref().and_then(|word| self.base_terms(word));
        let mut license = base.unwrap_or_else(|| License::open(Arc::from("")));
        license.name = Arc::clone(&written.name.text);
        self.read_reach(written, &mut license);
        license.starts = self.instant(written.starts.as_ref());
        license.term = self.term(written);
        for (count, words) in [
            (&mut license.users, &written.users),
            (&mut license.seats, &written.seats),
            (&mut license.gpus, &written.gpus),
        ] {
            if let Some(words) = words {
                *count = Some(self.count(words, count.unwrap_or_default()));
            }
        }
        if let Some(words) = &written.revenue {
            license.revenue = self.revenue(words, license.revenue.take());
        }
        license.service = self.service_clause(written, license.service);
        for (kind, word) in [
            (DutyKind::Display, &written.display),
            (DutyKind::Notice, &written.notice),
            (DutyKind::Outputs, &written.outputs),
        ] {
            set_duty(&mut license.duties, kind, word.as_ref());
        }
        license.fee = written.fee.as_ref().and_then(|word| self.fee(word));
        license
    }

    fn base_terms(&mut self, word: &Word) -> Option<License> {
        if word.broken {
            return None;
        }
        let found = catalog::license(&word.text);
        if found.is_none() {
            let message = format!("the catalogue has no licence `{}`", shown(&word.text));
            let help = suggestion(&word.text, catalog::licenses().iter().map(|record| record.id));
            self.report.error(word.place, "unknown-name", message).maybe_help(help);
        }
        found.map(catalog::LicenseRecord::terms)
    }

    /// For what and where.
    fn read_reach(&mut self, written: &read::License, license: &mut License) {
        if let Some(words) = &written.uses {
            license.uses = Uses::of(self.uses(words));
        }
        if let Some(words) = &written.territories {
            license.territories = self.territories(words);
        }
        if let Some(words) = &written.except_territories {
            license.except_territories = self.territories(words);
        }
        if let Some(word) = &written.territory_of {
            let known = [("use", TerritoryOf::Use), ("licensee", TerritoryOf::Licensee)];
            license.territory_of = self
                .choose(word, "territory_of", &known, &[])
                .unwrap_or(license.territory_of);
        }
        license.domicile = written.domicile.as_ref().and_then(|word| self.place_named(word));
    }

    pub fn uses(&mut self, words: &[Word]) -> Vec<Use> {
        let known = Use::ALL.map(|one| (one.word(), one));
        words
            .iter()
            .filter_map(|word| self.choose(word, "use", &known, &[]))
            .collect()
    }

    pub fn territories(&mut self, words: &[Word]) -> Vec<Territory> {
        words.iter().filter_map(|word| self.place_named(word)).collect()
    }

    fn place_named(&mut self, word: &Word) -> Option<Territory> {
        if word.broken {
            return None;
        }
        let found = Territory::parse(&word.text).filter(|_| word.text.len() == 2);
        if found.is_none() {
            let message = format!("`{}` is no territory", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("write a country's two letters, `CN`, `DE`, `US`, or `EU`");
        }
        found
    }

    fn term(&mut self, written: &read::License) -> Option<Term> {
        let warn = self.span(written.warn.as_ref()).unwrap_or(defaults::LICENSE_WARN);
        let word = written.expires.as_ref();
        let end = self.end(word)?;
        let zone = self.zone.clone();
        let last_day = match word.and_then(|word| date(&word.text)) {
            Some(day) => day,
            None => (end - 1.nanosecond()).to_zoned_datetime(zone).date(),
        };
        Some(Term {
            last_day,
            end,
            warn: SignedDuration::try_from(warn).unwrap_or(SignedDuration::MAX),
        })
    }

    fn count(&mut self, written: &read::Count, base: Count) -> Count {
        Count {
            max: self.size(written.max.as_ref()).or(base.max),
            declared: self.size(written.declared.as_ref()).or(base.declared),
            as_of: self.day(written.as_of.as_ref()).or(base.as_of),
        }
    }

    fn revenue(&mut self, written: &read::Revenue, base: Option<Revenue>) -> Option<Revenue> {
        let max = written.max.as_ref().and_then(|word| self.licence_amount(word));
        let declared = written.declared.as_ref().and_then(|word| self.licence_amount(word));
        let per = [Per::Month, Per::Year].map(|per| (per.word(), per));
        let per = written
            .per
            .as_ref()
            .and_then(|word| self.choose(word, "per", &per, &[]));
        let only = written
            .only
            .as_ref()
            .and_then(|word| self.choose(word, "only (the one word is `service`)", &[("service", ())], &[]));
        let currency = max
            .map(|(_, currency)| currency)
            .or(base.as_ref().map(|base| base.currency))
            .or(declared.map(|(_, currency)| currency))?;
        if let (Some((_, other)), Some(word)) = (declared, &written.declared)
            && other != currency
        {
            let message = format!("{other} here, and the licence counts in {currency}");
            self.report
                .error(word.place, "mixed-currencies", message)
                .help(format!("declare the revenue in {currency}"));
        }
        Some(Revenue {
            max: max.map(|(max, _)| max).or(base.as_ref().and_then(|base| base.max)),
            currency,
            per: per.or(base.as_ref().map(|base| base.per)).unwrap_or(Per::Year),
            declared: declared.map(|(declared, _)| declared),
            as_of: self.day(written.as_of.as_ref()),
            only_service: only.is_some() || base.is_some_and(|base| base.only_service),
        })
    }

    /// A licence's figures are in its own currency, whatever the policy's is.
    fn licence_amount(&mut self, word: &Word) -> Option<(Money, Currency)> {
        if word.broken {
            return None;
        }
        let found = amount(&word.text);
        if found.is_none() {
            let message = format!("`{}` is no amount of money", shown(&word.text));
            let help = match decimal_comma(&word.text) {
                true => NO_COMMA,
                false => "amounts are written `20000000 USD`",
            };
            self.report.error(word.place, "bad-value", message).help(help);
        }
        found
    }

    fn service_clause(&mut self, written: &read::License, base: Service) -> Service {
        let known = [("allowed", true), ("forbidden", false)];
        let allowed = written
            .service
            .as_ref()
            .and_then(|word| self.choose(word, "service", &known, &[]));
        Service {
            allowed: allowed.unwrap_or(base.allowed),
            offered: self.truth(written.offered.as_ref(), false),
        }
    }

    fn fee(&mut self, word: &Word) -> Option<Fee> {
        if word.broken {
            return None;
        }
        let found = word.text.rsplit_once('/').and_then(|(text, per)| {
            let (amount, currency) = amount(text)?;
            let per = Per::parse(per.trim())?;
            Some(Fee { amount, currency, per })
        });
        if found.is_none() {
            let message = format!("`{}` is no fee", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("fees are written `2000 USD/month` or `24000 USD/year`");
        }
        found
    }
}

/// A licence of this name, the catalogue's being added where the policy has none.
pub(super) fn known_license(name: &str, licenses: &mut Vec<License>) -> Option<LicenseId> {
    if let Some(at) = licenses.iter().position(|license| *license.name == *name) {
        return Some(LicenseId(at));
    }
    licenses.push(catalog::license(name)?.terms());
    Some(LicenseId(licenses.len() - 1))
}

fn set_duty(duties: &mut Vec<Duty>, kind: DutyKind, word: Option<&Word>) {
    let Some(word) = word.filter(|word| !word.broken) else {
        return;
    };
    duties.retain(|duty| duty.kind != kind);
    if *word.text != *DONE {
        duties.push(Duty {
            kind,
            text: Arc::clone(&word.text),
            above: None,
        });
    }
}

/// `20000000 USD`
fn amount(text: &str) -> Option<(Money, Currency)> {
    let (amount, currency) = text.trim().rsplit_once(' ')?;
    let amount = Money::parse(amount).filter(|amount| *amount >= Money::ZERO)?;
    Some((amount, Currency::parse(currency)?))
}
