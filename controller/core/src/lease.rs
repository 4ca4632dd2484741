//! Who may write: leader election by one `Lease` object, without trusting anybody's wall clock.
//!
//! A candidate takes over only after it has seen the record unchanged for the record's whole
//! duration on its own clock. The holder counts from the moment *before* it sent the renewal that
//! succeeded, which is earlier than anybody saw it, and stops writing a margin before that span
//! ends. The margin covers writes that are under way: they carry a time limit that is not longer.
//! The write of the record itself is a compare-and-swap on its resource version.
//!
//! A record counts only as long as it is the one that everybody sees. Where it was set back (etcd was
//! restored from a snapshot), or its object replaced by another one, somebody may hold the lease by
//! what is gone, so nobody takes it for a whole duration.

mod record;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use crate::{Handover, Time};
pub use record::{Past, Record, Terms};

/// What a candidate does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Create the object with ourselves as holder; it fails if somebody else does so first.
    Create,
    /// Write ourselves as holder over this version; it fails if the object has another one.
    Take {
        /// The version that must still stand.
        version: Arc<str>,
        /// The holder was somebody else, so `leaseTransitions` grows.
        transition: bool,
        /// What is known of those who led since we did: `Clean` if nobody, or if all that they wrote
        /// has ended and settled.
        handover: Handover,
    },
    /// Somebody else holds it: read again at that time.
    Wait(Time),
}

/// Why a record is not to be believed for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The store was set back to an earlier state.
    SetBack,
    /// The object was replaced by another one.
    Replaced,
}

/// Looks at an object that was absent each time.
#[derive(Debug, Clone, Copy)]
struct Absence {
    /// The last look.
    last: Time,
    /// From then on nobody can hold it any more.
    unheld: Time,
}

/// One candidate's view of the election.
#[derive(Debug, Clone)]
pub struct Election {
    identity: Arc<str>,
    terms: Terms,
    /// The last record seen and when it was first seen so.
    seen: Option<(Record, Time)>,
    /// `metadata.uid` of the last record seen, also after it was absent.
    uid: Option<Arc<str>>,
    /// When a record was last seen.
    looked: Option<Time>,
    /// The object is absent.
    absent: Option<Absence>,
    /// The number of the last version seen.
    newest: u64,
    /// The newest version of the store that is known.
    store: u64,
    /// Until then somebody may hold the lease by a record that is lost.
    doubt: Option<(Doubt, Time)>,
    /// When the renewal that succeeded last was begun; `None` since it was lost.
    held_since: Option<Time>,
    /// The same, whatever came after.
    renewed: Option<Time>,
}

impl Election {
    /// A candidate that has seen nothing yet. `identity` must be unique to this process.
    pub fn new(identity: impl Into<Arc<str>>, terms: Terms) -> Self {
        Self {
            identity: identity.into(),
            terms,
            seen: None,
            uid: None,
            looked: None,
            absent: None,
            newest: 0,
            store: 0,
            doubt: None,
            held_since: None,
            renewed: None,
        }
    }

    /// The spans in force.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Decides on the object just read (`None`: it does not exist).
    ///
    /// An absent object may have been deleted under a holder that does not know yet, so it is
    /// created only once that holder must have stopped. (A lease that is created and deleted again
    /// between two looks escapes every candidate; deleting leases is not how leaders are changed.)
    /// The manifests come with an unheld object, so that a first start does not wait. The same object,
    /// put in the place of one that somebody holds (`kubectl replace --force`), is told by its UID, and by
    /// whoever did not see the first one by what the leaders left elsewhere ([`Past::Replaced`]).
    ///
    /// A version older than one seen before means that the store was set back to an earlier state, such
    /// as from a snapshot of etcd. What the record says was true once; whoever held the lease since may
    /// not know yet. So nobody takes it, and its holder leaves it, for its whole duration. What was
    /// watched is to be read anew by then. Whoever could not look for half the duration cannot tell
    /// whether a record that is as it was, be it its own, was set back to that: it waits as if it had
    /// seen it for the first time.
    /// (Versions can be compared: see "Resource versions" in Kubernetes' API concepts. A record that
    /// is set back to just what it was at the last look shows by the version of the store, unless
    /// snapshot, renewal and restore all fall between two looks that are closer than that. Who looks
    /// for the first time after a restore knows nothing of it.)
    pub fn decide(&mut self, record: Option<Record>, now: Time) -> Step {
        let Some(record) = record else {
            return self.decide_absent(now);
        };
        let ours = record.holder.as_ref() == Some(&self.identity);
        // What happened between two looks that are far apart nobody knows.
        let duration = record.duration.max(self.terms.duration);
        let far = |last| now.since(last) > duration / 2;
        let trusted = !self.looked.is_none_or(far);
        let same = self.seen.as_ref().filter(|(seen, _)| seen.is(&record));
        let since = same.filter(|_| trusted).map_or(now, |(_, since)| *since);
        let new = same.is_none();
        self.looked = Some(now);
        if new {
            // Whoever wrote it waited for the end of the doubt too.
            self.doubt = self.doubt.filter(|(_, until)| now < *until);
        }
        self.notice_set_back(&record, now);
        self.notice_replaced(&record, ours, now);
        let step = self.decide_seen(&record, ours, since, now);
        self.seen = Some((record, since));
        step
    }

    fn decide_seen(&mut self, record: &Record, ours: bool, since: Time, now: Time) -> Step {
        let wait = |until: Time| Step::Wait(until.min(now.after(self.terms.look_every)));
        if let Some((_, until)) = self.doubt.filter(|(_, until)| now < *until) {
            return wait(until);
        }
        // Once the doubt is over the lease can be taken, but what was written meanwhile is unknown.
        let doubted = self.doubt.is_some();
        let take = |transition, clean| Step::Take {
            version: record.version.clone(),
            transition,
            handover: if clean && !doubted {
                Handover::Clean
            } else {
                Handover::Unclean
            },
        };
        let undisputed = |renewed: Time| now < renewed.after(record.duration);
        let undisputed = self.renewed.is_some_and(undisputed);
        let expires = since.after(record.duration);
        if record.is_held() {
            if ours && undisputed {
                return take(false, true);
            }
            if now < expires {
                return wait(expires);
            }
            return take(!ours, false);
        }
        match record.past {
            Past::Unused | Past::Settled => take(true, true),
            Past::Unsettled => take(true, false),
            Past::Replaced => {
                let unheld = since.after(record.duration.max(self.terms.duration));
                if now < unheld {
                    wait(unheld)
                } else {
                    take(true, false)
                }
            }
        }
    }

    /// Notices a record, or a store, that is older than one seen before.
    fn notice_set_back(&mut self, record: &Record, now: Time) {
        let number = record.version.parse::<u64>().ok();
        let older = number.is_some_and(|number| number < self.newest)
            || record.store.is_some_and(|store| store < self.store);
        if older {
            self.doubt(Doubt::SetBack, record, now);
            self.store = 0;
        }
        self.newest = number.unwrap_or(self.newest);
        let known = [record.store, number].into_iter().flatten();
        self.store = known.fold(self.store, u64::max);
    }

    /// Notices an object that was put in the place of another one, unless we did so ourselves.
    fn notice_replaced(&mut self, record: &Record, ours: bool, now: Time) {
        let absent = self.absent.take();
        let before = self.uid.replace(Arc::clone(&record.uid));
        if ours {
            return;
        }
        if before.is_some_and(|before| before != record.uid) {
            self.doubt(Doubt::Replaced, record, now);
        } else if let Some(absence) = absent {
            // Whoever held what was deleted may do so until then.
            let until = self
                .doubt
                .map_or(absence.unheld, |(_, until)| until.max(absence.unheld));
            self.doubt = Some((Doubt::Replaced, until));
        }
    }

    fn doubt(&mut self, doubt: Doubt, record: &Record, now: Time) {
        let before = self.seen.as_ref().map(|(seen, _)| seen.duration);
        let duration = record.duration.max(self.terms.duration);
        let until = now.after(duration.max(before.unwrap_or_default()));
        self.doubt = Some((doubt, until));
    }

    /// Why the last record was not believed, if it was not.
    pub fn doubted(&self) -> Option<Doubt> {
        self.doubt.map(|(doubt, _)| doubt)
    }

    fn decide_absent(&mut self, now: Time) -> Step {
        // The last record seen says nothing: it may have been written anew, by its holder or by
        // another one, between that look and the deletion.
        let last = self.seen.take();
        let duration = last.map_or(Duration::ZERO, |(record, _)| record.duration);
        let unheld = now.after(duration.max(self.terms.duration));
        // After a longer gap it may have been there in between.
        let gap = self.terms.look_every * 2;
        let before = self.absent.filter(|absence| now.since(absence.last) <= gap);
        let unheld = before.map_or(unheld, |absence| absence.unheld);
        self.absent = Some(Absence { last: now, unheld });
        if self.may_write(now) || now >= unheld {
            Step::Create
        } else {
            Step::Wait(unheld.min(now.after(self.terms.look_every)))
        }
    }

    /// A write of ourselves that was begun at `begun` succeeded.
    pub fn renewed(&mut self, begun: Time) {
        self.held_since = Some(begun);
        self.renewed = Some(begun);
        self.doubt = None;
    }

    /// The lease was released, or somebody else was seen to hold it.
    pub fn lost(&mut self) {
        self.held_since = None;
    }

    /// Until when writes may begin; `None` while we hold nothing.
    pub fn fence(&self) -> Option<Time> {
        self.held_since
            .map(|since| since.after(self.terms.deadline))
    }

    /// Whether a write may begin.
    pub fn may_write(&self, now: Time) -> bool {
        self.fence().is_some_and(|fence| now < fence)
    }
}
