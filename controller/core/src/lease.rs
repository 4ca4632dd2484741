//! Who may write: leader election by one `Lease` object, without trusting anybody's wall clock.
//!
//! A candidate takes over only after it has seen the record unchanged for the record's whole
//! duration on its own clock. The holder counts from the moment *before* it sent the renewal that
//! succeeded, which is earlier than anybody saw it, and stops writing a margin before that span
//! ends. The margin covers writes that are under way: they carry a time limit that is not longer.
//! The write of the record itself is a compare-and-swap on its resource version.

use std::{sync::Arc, time::Duration};

use crate::Time;

/// Spans of an election. `renew_every < deadline < duration` must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a record must stand unchanged before others take over. Whole seconds.
    pub duration: Duration,
    /// How long after a renewal the holder may still begin writes. A write under way then must end
    /// before `duration` has passed.
    pub deadline: Duration,
    /// How often the holder renews.
    pub renew_every: Duration,
    /// How often others look.
    pub look_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            renew_every: Duration::from_secs(3),
            look_every: Duration::from_secs(2),
        }
    }
}

impl Terms {
    /// The longest that a write may take: what lies between the deadline and the record's end.
    pub fn longest_write(&self) -> Duration {
        self.duration.saturating_sub(self.deadline)
    }
}

/// The `Lease` object as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `spec.holderIdentity`; `None` or empty means released.
    pub holder: Option<Arc<str>>,
    /// `spec.leaseDurationSeconds`.
    pub duration: Duration,
    /// `metadata.resourceVersion`: another value means that the record was written anew.
    pub version: Arc<str>,
}

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
    },
    /// Somebody else holds it: read again at that time.
    Wait(Time),
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
    /// When a record was last seen.
    looked: Option<Time>,
    /// The object is absent.
    absent: Option<Absence>,
    /// The number of the last version seen.
    newest: u64,
    /// The object went back to an older version: until then somebody may hold it by a lost one.
    set_back: Option<Time>,
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
            looked: None,
            absent: None,
            newest: 0,
            set_back: None,
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
    /// between two looks escapes every candidate; deleting leases is not how leaders are changed.) The manifests come with an unheld object,
    /// so that a first start does not wait.
    ///
    /// A version older than one seen before means that the store was set back to an earlier state, such
    /// as from a snapshot of etcd. What the record says was true once; whoever held the lease since may
    /// not know yet. So nobody takes it, and its holder leaves it, for its whole duration. What was
    /// watched is to be read anew by then. Whoever could not renew for so long that others may have
    /// taken over cannot tell whether the record, though it is its own, was set back: it waits too.
    /// (Versions can be compared: see "Resource versions" in
    /// Kubernetes' API concepts.)
    pub fn decide(&mut self, record: Option<Record>, now: Time) -> Step {
        let Some(record) = record else {
            return self.decide_absent(now);
        };
        self.absent = None;
        let ours = record.holder.as_ref() == Some(&self.identity);
        // What happened between two looks that are far apart nobody knows.
        let far = |last| now.since(last) > record.duration / 2;
        let trusted = !ours || !self.looked.is_none_or(far);
        let since = match &self.seen {
            Some((seen, since)) if trusted && *seen == record => *since,
            _ => now,
        };
        self.looked = Some(now);
        let undisputed = |renewed: Time| now < renewed.after(record.duration);
        let undisputed = self.renewed.is_some_and(undisputed);
        let holder = record.holder.clone().filter(|holder| !holder.is_empty());
        let version = record.version.clone();
        let expires = since.after(record.duration);
        self.compare(&record, now);
        self.seen = Some((record, since));
        if let Some(until) = self.set_back.filter(|until| now < *until) {
            return Step::Wait(until.min(now.after(self.terms.look_every)));
        }
        self.set_back = None;
        match holder {
            Some(_) if ours && (undisputed || now >= expires) => Step::Take {
                version,
                transition: false,
            },
            Some(_) if now < expires => Step::Wait(expires.min(now.after(self.terms.look_every))),
            Some(_) | None => Step::Take {
                version,
                transition: true,
            },
        }
    }

    /// Notices a record that is older than one seen before.
    fn compare(&mut self, record: &Record, now: Time) {
        let Ok(number) = record.version.parse::<u64>() else {
            return;
        };
        if number < self.newest {
            let duration = record.duration.max(self.terms.duration);
            self.set_back = Some(now.after(duration));
        }
        self.newest = number;
    }

    /// Whether the last record was, within its duration, found to be older than one seen before.
    pub fn was_set_back(&self) -> bool {
        self.set_back.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, version: &str) -> Record {
        Record {
            holder: Some(holder.into()),
            duration: Duration::from_secs(15),
            version: version.into(),
        }
    }

    /// Another one led in between, and the store was set back to before that.
    #[test]
    fn who_could_not_renew_for_long_does_not_trust_its_own_record() {
        let mut election = Election::new("a", Terms::default());
        election.decide(Some(record("", "1")), Time(0));
        election.renewed(Time(0));
        let ours = || Some(record("a", "2"));
        let take = Step::Take {
            version: "2".into(),
            transition: false,
        };
        assert_eq!(election.decide(ours(), Time(14_000)), take);
        let back = 40_000;
        for now in (back..back + 15_000).step_by(2_000) {
            assert!(matches!(election.decide(ours(), Time(now)), Step::Wait(_)));
        }
        assert_eq!(election.decide(ours(), Time(back + 15_000)), take);
    }

    #[test]
    fn creates_what_stays_absent() {
        let mut election = Election::new("a", Terms::default());
        assert_eq!(election.decide(None, Time(0)), Step::Wait(Time(2_000)));
        for now in (2_000..=14_000).step_by(2_000) {
            assert!(matches!(election.decide(None, Time(now)), Step::Wait(_)));
        }
        assert_eq!(
            election.decide(None, Time(14_999)),
            Step::Wait(Time(15_000))
        );
        assert_eq!(election.decide(None, Time(15_000)), Step::Create);
        assert!(!election.may_write(Time(15_000)));
    }

    #[test]
    fn a_deleted_record_may_have_been_renewed_after_the_last_look() {
        let mut election = Election::new("b", Terms::default());
        election.decide(Some(record("a", "1")), Time(0));
        assert_eq!(
            election.decide(None, Time(14_000)),
            Step::Wait(Time(16_000))
        );
        for now in (16_000..=28_000).step_by(2_000) {
            assert!(matches!(election.decide(None, Time(now)), Step::Wait(_)));
        }
        assert_eq!(election.decide(None, Time(29_000)), Step::Create);
    }

    #[test]
    fn an_absent_record_may_have_been_there_while_nobody_looked() {
        let mut election = Election::new("b", Terms::default());
        election.decide(None, Time(0));
        assert_eq!(
            election.decide(None, Time(20_000)),
            Step::Wait(Time(22_000))
        );
    }

    #[test]
    fn the_holder_creates_a_deleted_record_at_once() {
        let mut election = Election::new("a", Terms::default());
        election.renewed(Time(0));
        assert_eq!(election.decide(None, Time(3_000)), Step::Create);
    }

    #[test]
    fn takes_over_only_after_the_record_stood_still_for_its_duration() {
        let mut election = Election::new("b", Terms::default());
        assert_eq!(
            election.decide(Some(record("a", "1")), Time(0)),
            Step::Wait(Time(2_000))
        );
        assert_eq!(
            election.decide(Some(record("a", "2")), Time(14_000)),
            Step::Wait(Time(16_000))
        );
        assert_eq!(
            election.decide(Some(record("a", "2")), Time(28_900)),
            Step::Wait(Time(29_000))
        );
        let take = Step::Take {
            version: "2".into(),
            transition: true,
        };
        assert_eq!(election.decide(Some(record("a", "2")), Time(29_000)), take);
    }

    #[test]
    fn takes_a_released_lease_at_once() {
        let mut election = Election::new("b", Terms::default());
        let take = Step::Take {
            version: "7".into(),
            transition: true,
        };
        assert_eq!(election.decide(Some(record("", "7")), Time(5)), take);
    }

    /// As after etcd was restored from a snapshot.
    #[test]
    fn a_record_that_went_back_tells_nobody_who_holds_it() {
        for holder in ["b", "", "c"] {
            let mut election = Election::new("b", Terms::default());
            election.renewed(Time(0));
            election.decide(Some(record("a", "9")), Time(5_000));
            election.lost();
            let old = || Some(record(holder, "4"));
            // The leader may have renewed a record that is lost just before, and write until it knows.
            for now in (6_000..21_000).step_by(1_000) {
                let step = election.decide(old(), Time(now));
                assert!(matches!(step, Step::Wait(_)), "{holder:?}, {now}: {step:?}");
            }
            let step = election.decide(old(), Time(21_000));
            assert!(matches!(step, Step::Take { .. }), "{holder:?}: {step:?}");
        }
    }

    #[test]
    fn the_holder_too_waits_when_its_record_went_back() {
        let mut election = Election::new("a", Terms::default());
        election.decide(Some(record("a", "9")), Time(0));
        election.renewed(Time(0));
        let step = election.decide(Some(record("a", "10")), Time(3_000));
        assert!(matches!(step, Step::Take { .. }), "{step:?}");
        assert!(!election.was_set_back());
        let step = election.decide(Some(record("a", "8")), Time(4_000));
        assert!(matches!(step, Step::Wait(_)), "{step:?}");
        assert!(election.was_set_back());
    }

    #[test]
    fn versions_that_are_no_numbers_do_not_go_back() {
        let mut election = Election::new("b", Terms::default());
        election.renewed(Time(0));
        election.decide(Some(record("b", "y")), Time(0));
        let step = election.decide(Some(record("b", "x")), Time(1_000));
        assert!(matches!(step, Step::Take { .. }), "{step:?}");
    }

    #[test]
    fn may_write_until_the_deadline_after_the_renewal_was_begun() {
        let mut election = Election::new("a", Terms::default());
        election.renewed(Time(1_000));
        assert!(election.may_write(Time(10_999)));
        assert!(!election.may_write(Time(11_000)));
        election.lost();
        assert!(!election.may_write(Time(1_001)));
    }

    #[test]
    fn the_holder_stops_before_anybody_can_take_over() {
        let mut holder = Election::new("a", Terms::default());
        let mut other = Election::new("b", Terms::default());
        holder.renewed(Time(100));
        // The other sees the renewal at the earliest when it was begun.
        other.decide(Some(record("a", "1")), Time(100));
        let taken = (100..40_000).map(Time).find(|now| {
            matches!(
                other.decide(Some(record("a", "1")), *now),
                Step::Take { .. }
            )
        });
        let fence = holder.fence().expect("just renewed");
        assert_eq!(taken, Some(fence.after(Terms::default().longest_write())));
    }
}
