//! The `Lease` object, as the program writes and reads it.

use std::{sync::Arc, time::Duration};

use signpost_core::{
    event::{ApiError, ApiErrorKind},
    lease::{Past, Record, Terms},
};

use super::{Api, refused};

/// The object as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    uid: Arc<str>,
    /// Empty: nobody.
    pub(crate) holder: Arc<str>,
    duration: Duration,
    pub(crate) version: u64,
    /// `None`: nobody ever held it.
    transitions: Option<u32>,
    /// The mark that everything had settled, with the transitions at that time.
    settled: Option<u32>,
}

impl Lease {
    /// Nobody ever held it; the manifests come with it.
    pub(super) fn unused(version: u64) -> Self {
        Self {
            uid: "shipped".into(),
            version,
            ..Self::default()
        }
    }

    /// What decides of it.
    fn record(&self, store: Option<u64>) -> Record {
        Record {
            uid: self.uid.clone(),
            holder: (!self.holder.is_empty()).then(|| self.holder.clone()),
            duration: self.duration,
            version: self.version.to_string().into(),
            store,
            past: match (self.transitions, self.settled) {
                (None, _) => Past::Unused,
                (Some(transitions), Some(settled)) if settled == transitions => Past::Settled,
                _ => Past::Unsettled,
            },
        }
    }

    /// The same with that holder. `transition`: it was somebody else before.
    pub(crate) fn held(&self, holder: Arc<str>, terms: Terms, transition: bool) -> Self {
        let transitions = if transition {
            Some(self.transitions.map_or(0, |count| count + 1))
        } else {
            self.transitions
        };
        Self {
            holder,
            duration: terms.duration,
            transitions,
            settled: None,
            ..self.clone()
        }
    }

    /// The same, given back. `settled`: whoever leads next has nothing to wait for.
    pub(crate) fn released(&self, settled: bool) -> Self {
        Self {
            holder: "".into(),
            settled: if settled {
                Some(self.transitions.unwrap_or_default())
            } else {
                self.settled
            },
            ..self.clone()
        }
    }
}

/// What a look at the lease found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) lease: Option<Lease>,
    /// The version of the store; `None` if it is what a write of one's own left.
    pub(crate) store: Option<u64>,
}

impl Found {
    pub(crate) fn record(&self) -> Option<Record> {
        let lease = self.lease.as_ref();
        lease.map(|lease| lease.record(self.store))
    }
}

impl Api {
    /// The lease and the version of the store.
    pub(super) fn look(&self) -> Found {
        Found {
            lease: self.lease.clone(),
            store: Some(self.version),
        }
    }

    /// Writes the lease if it still has that version (`None`: if it does not exist).
    pub(crate) fn write_lease(
        &mut self,
        over: Option<u64>,
        lease: &Lease,
        now: u64,
    ) -> Result<Lease, ApiError> {
        match (&self.lease, over) {
            (None, Some(_)) => return Err(refused(ApiErrorKind::NotFound)),
            (Some(there), over) if over != Some(there.version) => {
                return Err(refused(ApiErrorKind::Conflict));
            }
            _ => {}
        }
        let version = self.next_version();
        let mut lease = lease.clone();
        lease.version = version;
        if over.is_none() {
            self.lease_created = now;
            lease.uid = format!("created-{version}").into();
        }
        self.lease = Some(lease.clone());
        self.lease_put_back = false;
        Ok(lease)
    }

    /// Who holds the lease as the record says.
    pub(crate) fn holder(&self) -> Option<&Arc<str>> {
        let holder = self.lease.as_ref().map(|lease| &lease.holder);
        holder.filter(|holder| !holder.is_empty())
    }
}
