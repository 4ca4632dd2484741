//! Route writes that wait, and those in flight.

use std::collections::{BTreeMap, VecDeque};

use ipnet::IpNet;

use crate::{cloud::RouteChange, ids::Stamp};

/// Kinds of writes, the most urgent first: a node that joins waits for creations, one in service for
/// replacements, and nobody for deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Replace,
    Delete,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Create, Self::Replace, Self::Delete];

    pub(super) fn of(change: &RouteChange) -> Self {
        match change {
            RouteChange::Create { .. } => Self::Create,
            RouteChange::Replace { .. } => Self::Replace,
            RouteChange::Delete { .. } => Self::Delete,
        }
    }
}

/// A destination in a table, named by its place.
pub(super) type Place = (IpNet, usize);

/// Writes of all kinds. Each kind has its own slots, so that none waits for a rate limit of another.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    ready: [VecDeque<Place>; 3],
    flights: BTreeMap<u64, RouteChange>,
    in_flight: [usize; 3],
    /// When the last write of all ended.
    pub(super) last_end: Stamp,
}

impl Queue {
    pub(super) fn push(&mut self, kind: Kind, place: Place) {
        self.ready[kind as usize].push_back(place);
    }

    /// The most urgent that may begin.
    pub(super) fn pop(&mut self, slots: usize) -> Option<(Kind, Place)> {
        let mut free = Kind::ALL
            .into_iter()
            .filter(|kind| self.in_flight[*kind as usize] < slots);
        free.find_map(|kind| Some((kind, self.ready[kind as usize].pop_front()?)))
    }

    pub(super) fn none_waits(&self) -> bool {
        self.ready.iter().all(VecDeque::is_empty)
    }

    pub(super) fn begin(&mut self, write: u64, change: RouteChange) {
        self.in_flight[Kind::of(&change) as usize] += 1;
        self.flights.insert(write, change);
    }

    pub(super) fn end(&mut self, write: u64, now: Stamp) -> Option<RouteChange> {
        let change = self.flights.remove(&write)?;
        self.in_flight[Kind::of(&change) as usize] -= 1;
        self.last_end = now;
        Some(change)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn none_in_flight(&self) -> bool {
        self.flights.is_empty()
    }
}
