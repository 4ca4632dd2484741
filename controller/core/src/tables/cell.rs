//! One destination in one table.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::{
    Time,
    cloud::{Blackhole, NextHop, ObservedRoute, Ownership},
    ids::Stamp,
    retry::Retry,
    turn::Trouble,
};

/// A route of ours for a destination in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OurRoute {
    pub(super) handle: Option<Arc<str>>,
    pub(super) next_hop: Option<NextHop>,
    pub(super) blackhole: Option<Blackhole>,
}

/// One destination in one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// Our routes, as last listed or written. More than one is too many: the first is the one to
    /// keep.
    pub(super) ours: SmallVec<[OurRoute; 1]>,
    /// A listing showed then that somebody else led them elsewhere. Nothing is changed for that before
    /// the instance was read again: it may be another one by now, and whoever changed them may know.
    pub(super) astray: Option<Stamp>,
    /// A listing that was begun after our last write showed it so.
    pub(super) proven: bool,
    /// It was read back as its owner wants it, since that owns it.
    pub(super) served: bool,
    pub(super) step: Step,
    /// When our last write ended.
    pub(super) written: Option<Stamp>,
    /// No listing was begun so long after that that it has to show it.
    pub(super) fresh: bool,
    /// Writes since all was as it should be.
    pub(super) retry: Retry,
    /// How writes failed since then.
    pub(super) failure: Option<Box<Failure>>,
}

/// How writes for one destination in one table failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// When the last one did.
    pub(super) at: Time,
    /// What people are to know of it.
    pub(super) trouble: Option<Trouble>,
    /// It failed for a cause that may pass whenever others change routes.
    pub(super) may_pass: bool,
    /// Since when something may be there that listings do not show yet: a write ended without an
    /// answer, or a route "already exists", which may be our own or that of the leader before.
    pub(super) unseen: Option<Stamp>,
    /// A listing that had to show it did not: what exists already is hidden from us.
    pub(super) hidden: bool,
}

/// What is under way for a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    #[default]
    Idle,
    /// A write waits for its turn.
    Queued,
    /// A write is in flight.
    Writing,
    /// The last write left it uncertain what is there; a listing will tell.
    Uncertain,
    /// The cloud carries out somebody's change, as the last listing showed.
    Pending,
}

impl Cell {
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.failure.as_ref()?.trouble.as_ref()
    }

    pub(super) fn unseen(&self) -> Option<Stamp> {
        self.failure.as_ref()?.unseen
    }

    /// A listing that was answered at `now` showed these of our routes. They should lead to `hop`.
    pub(super) fn show(
        &mut self,
        seen: SmallVec<[OurRoute; 1]>,
        hop: Option<&NextHop>,
        now: Stamp,
    ) {
        if !is_same(&self.ours, &seen) {
            let right = |it: &OurRoute| hop.is_some_and(|hop| it.points_at(hop));
            self.astray = (!seen.iter().all(right)).then_some(now);
        }
        self.ours = seen;
    }

    /// What is known of the instance was read in a reading begun at `told`. Returns since when routes lead
    /// elsewhere, if that may be since what it says.
    pub(super) fn vouch(&mut self, hop: &NextHop, told: Stamp) -> Option<Stamp> {
        let since = self.astray?;
        let right = self.ours.iter().all(|it| it.points_at(hop));
        let known = right || told.shows(since, Duration::ZERO);
        self.astray = self.astray.filter(|_| !known);
        self.astray
    }

    /// Something else is desired: how earlier writes failed says nothing of the next. Whether one of
    /// them took effect is as unknown as before.
    pub(super) fn desire_changed(&mut self) {
        self.retry.reset();
        if let Some(failure) = self.failure.take() {
            let unseen = failure.unseen;
            self.failure = unseen.map(|_| {
                Box::new(Failure {
                    unseen,
                    ..Failure::default()
                })
            });
        }
    }

    /// A write of ours ended that may have happened.
    pub(super) fn wrote(&mut self, now: Stamp) {
        self.written = Some(now);
        self.fresh = true;
    }

    /// A write is in flight, or it is not known what one made of it.
    pub(super) fn in_doubt(&self) -> bool {
        matches!(self.step, Step::Writing | Step::Uncertain | Step::Pending)
    }

    /// A write of ours was under way when a listing was begun, or is.
    pub(super) fn overlaps(&self, begun: Stamp) -> bool {
        let after = |end: Stamp| !begun.shows(end, Duration::ZERO);
        self.step == Step::Writing || self.written.is_some_and(after)
    }

    /// The write failed for a cause that others may just have removed.
    pub(super) fn may_pass(&self) -> bool {
        self.step == Step::Idle && self.failure.as_ref().is_some_and(|it| it.may_pass)
    }

    pub(super) fn certain(&mut self) {
        if matches!(self.step, Step::Uncertain | Step::Pending) {
            self.step = Step::Idle;
        }
    }
}

pub(super) fn is_same(known: &[OurRoute], seen: &[OurRoute]) -> bool {
    let same = |(known, seen): (&OurRoute, &OurRoute)| {
        known.next_hop == seen.next_hop && known.blackhole == seen.blackhole
    };
    known.len() == seen.len() && known.iter().zip(seen).all(same)
}

impl OurRoute {
    /// It leads there, be it that packets are dropped on the way.
    pub(super) fn points_at(&self, hop: &NextHop) -> bool {
        self.next_hop.as_ref() == Some(hop)
    }

    /// It leads there, and packets arrive.
    pub(super) fn works_for(&self, hop: &NextHop) -> bool {
        self.points_at(hop) && self.blackhole.is_none()
    }

    /// It was observed just so.
    pub(super) fn is(&self, observed: &ObservedRoute) -> bool {
        self.next_hop == observed.next_hop
            && self.blackhole == observed.blackhole
            && self.handle == observed.handle
    }

    /// The same with its destination.
    pub(super) fn to(&self, destination: IpNet) -> ObservedRoute {
        ObservedRoute {
            destination,
            next_hop: self.next_hop.clone(),
            ownership: Ownership::Ours,
            blackhole: self.blackhole,
            handle: self.handle.clone(),
        }
    }
}

impl From<&ObservedRoute> for OurRoute {
    fn from(route: &ObservedRoute) -> Self {
        Self {
            handle: route.handle.clone(),
            next_hop: route.next_hop.clone(),
            blackhole: route.blackhole,
        }
    }
}
