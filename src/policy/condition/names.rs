//! The policy's names, against which a condition is checked.

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
}
