//! May a model be used at all: has it retired, does its licence permit this use now?

use super::{Question, Reason};
use crate::license::{Ask, Breach, License};
use crate::policy::snapshot::{LicenseId, Model, Retirement, Snapshot};

/// What the policy and the calendar have against a model for one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Barred<'a> {
    pub(super) retired: Option<Retirement>,
    pub(super) license: Option<(&'a License, Breach)>,
    /// The policy's.
    pub(super) licenses: &'a [License],
}

impl<'a> Barred<'a> {
    pub(super) fn of(
        snapshot: &'a Snapshot,
        model: &Model,
        question: &Question<'_>,
        crowded: impl Fn(LicenseId) -> Option<u64>,
    ) -> Self {
        let caller = &question.needs.caller;
        let ask = Ask {
            purpose: &caller.purpose,
            territory: &caller.territory,
        };
        let mut licenses = model
            .licenses()
            .filter_map(|id| Some((id, snapshot.licenses.get(id.0)?)));
        let breach = |id, license: &License| {
            license.permits(ask, question.at).err().or_else(|| {
                let max = license.users?.max?;
                let counted = crowded(id)?;
                Some(Breach::NewUser { counted, max })
            })
        };
        Self {
            licenses: &snapshot.licenses,
            retired: model.traits.retires.filter(|retirement| retirement.at <= question.at),
            license: licenses.find_map(|(id, license)| Some((license, breach(id, license)?))),
        }
    }

    pub(super) fn retired(&self) -> Result<(), Reason> {
        match self.retired {
            Some(retirement) => Err(Reason::Retired { day: retirement.day }),
            None => Ok(()),
        }
    }

    pub(super) fn licensed(&self) -> Result<(), Reason> {
        match self.license {
            Some((license, breach)) => Err(Reason::License {
                license: license.name.clone(),
                breach,
            }),
            None => Ok(()),
        }
    }

    /// What another request might have permitted.
    pub(super) fn licensed_as_asked(&self) -> Result<(), Reason> {
        match self.license {
            Some((_, breach)) if breach.is_of_request() => self.licensed(),
            _ => Ok(()),
        }
    }
}
