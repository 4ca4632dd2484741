//! What this process has written, shared between who writes and who hands over.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use signpost_core::{
    Handover, Limits,
    shell::{Effect, Ended, Place, Writes},
};

use crate::clock::now;

/// The writes of this process, over all its leaderships.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    writes: Writes,
    /// How long the cloud's reads may lag, if one was ever led for.
    settle: Option<Duration>,
}

impl Ledger {
    /// The lease was taken: `handover` is what it says of the leader before.
    pub fn elected(&self, handover: Handover) {
        self.lock().writes.elected(handover, now());
    }

    /// A session with a cloud of these limits begins; what it has to reckon with.
    pub fn lead(&self, limits: Limits) -> Handover {
        let mut inner = self.lock();
        inner.settle = Some(limits.settle);
        inner.writes.handover(limits.settle, now())
    }

    /// Something of that effect begins; it ends with the value.
    pub fn begin(&self, effect: Effect, limits: Limits) -> Begun {
        let place = match effect {
            Effect::Write(place) => Some(place),
            Effect::Read | Effect::Local => None,
        };
        if place.is_some() {
            self.lock().writes.begun();
        }
        Begun {
            ledger: self.clone(),
            place,
            limits,
            ended: Ended::InDoubt,
        }
    }

    /// Whether every write has ended, so that another session may begin.
    pub fn may_begin(&self) -> bool {
        self.lock().writes.may_begin()
    }

    /// Nobody waits for the writes that are under way any more.
    pub fn give_up(&self, limits: Limits) {
        self.lock().writes.give_up(limits, now());
    }

    /// From then on no write to the Kubernetes API can take effect any more.
    pub fn landed(&self) -> signpost_core::Time {
        self.lock().writes.landed()
    }

    /// Whether the next leader, if it begins now, has nothing to wait for.
    pub fn settled(&self) -> bool {
        let inner = self.lock();
        // Without a cloud nobody knows for how long.
        let settle = inner.settle.unwrap_or(Duration::MAX);
        inner.writes.settled(settle, now())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something under way. A write that is dropped without a word (as when its task is ended) is in
/// doubt.
#[derive(Debug)]
pub struct Begun {
    ledger: Ledger,
    /// Where it writes; `None`: nowhere.
    place: Option<Place>,
    limits: Limits,
    ended: Ended,
}

impl Begun {
    /// It ended, and it is known how unless `in_doubt`.
    pub fn end(mut self, in_doubt: bool) {
        if !in_doubt {
            self.ended = Ended::Known;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let mut inner = self.ledger.lock();
        inner.writes.ended(place, self.ended, self.limits, now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_given_back_as_settled_only_after_the_last_word_of_a_write() {
        let ledger = Ledger::default();
        assert!(!ledger.settled());
        ledger.elected(Handover::Clean);
        assert!(ledger.settled(), "nothing was written");
        let limits = Limits::LOCAL;
        assert_eq!(ledger.lead(limits), Handover::Clean);
        let write = ledger.begin(Effect::Write(Place::Api), limits);
        assert!(!ledger.settled() && !ledger.may_begin());
        write.end(false);
        assert!(ledger.settled() && ledger.may_begin());
        drop(ledger.begin(Effect::Write(Place::Api), limits));
        assert!(ledger.may_begin());
        assert!(!ledger.settled(), "its answer was never heard");
    }

    #[test]
    fn after_a_leader_that_died_a_session_without_a_cloud_settles_nothing() {
        let ledger = Ledger::default();
        ledger.elected(Handover::Unclean);
        assert!(!ledger.settled());
        assert_eq!(ledger.lead(Limits::LOCAL), Handover::Clean);
        assert!(ledger.settled());
    }
}
