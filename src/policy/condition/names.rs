//! The policy's names, against which a condition is checked.

use super::ModelFacts;
use crate::license::License;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct Names {
    pub providers: Vec<Arc<str>>,
    pub models: Vec<Arc<str>>,
    pub clients: Vec<Arc<str>>,
    pub routes: Vec<Arc<str>>,
    /// With whether it is enforced hard.
    pub budgets: Vec<(Arc<str>, bool)>,
    /// What the providers' `vendor` says.
    pub vendors: Vec<Arc<str>>,
    pub licenses: Vec<Arc<str>>,
    /// Of the models.
    pub domains: Vec<Arc<str>>,
    pub residences: Vec<Arc<str>>,
    pub labels: Vec<Arc<str>>,
}

impl Names {
    /// What is known once the models are: the catalogue names licences, domains and residences too.
    pub fn know(&mut self, models: &[ModelFacts], licenses: &[License]) {
        self.licenses = licenses.iter().map(|license| license.name.clone()).collect();
        for more in models.iter().filter_map(|model| model.more.as_ref()) {
            self.domains.push(more.domain.clone());
            self.residences.extend(more.residence.iter().cloned());
            self.labels.extend(more.labels.iter().cloned());
        }
    }
}
