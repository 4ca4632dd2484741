//! Route writes: which comes next, how they are begun, and what their end means.

use std::time::Duration;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{
    Due, Tables,
    cell::{OurRoute, Step},
    destination::{Destination, Want},
    failures::{self, item},
    queue::Kind,
    room::Ended,
};
use crate::{
    Action,
    cloud::{CloudError, CloudErrorKind, Route, RouteChange},
    ipam::Family,
    retry::Pace,
    turn::Turn,
};

/// Since the last failure, before a change of others is a reason to try again.
const AFTER_CHANGE: Duration = Duration::from_secs(1);

impl Tables {
    /// The change that a table needs for a destination, if it may be made.
    pub(super) fn next_change(
        &self,
        turn: &Turn,
        cidr: IpNet,
        destination: &Destination,
        index: usize,
    ) -> Option<RouteChange> {
        let table = self.all.get(index)?;
        if !table.is_writable() || !self.policy.writes {
            return None;
        }
        let ours = destination.cell(index).map_or(&[][..], |it| &it.ours);
        let delete = |route: &OurRoute| RouteChange::Delete {
            table: table.id.clone(),
            route: route.to(cidr),
        };
        if *destination.want() == Want::Remove {
            return ours
                .last()
                .filter(|_| self.may_delete(destination))
                .map(delete);
        }
        let Want::Lead(hop, node) = destination.want() else {
            return None;
        };
        if table.conflicts(cidr) {
            return None;
        }
        let first = ours.first();
        if destination
            .cell(index)
            .is_some_and(|it| it.astray.is_some())
        {
            return None;
        }
        if first.is_some_and(|first| first.points_at(hop)) {
            // Nothing is lost with the others, if it is sure that this one is there: what was shown may
            // be older than our last write, and that may have been its deletion.
            let sure = destination.cell(index).is_some_and(|it| !it.fresh);
            let others = ours[1..].last().filter(|_| sure && self.policy.deletes);
            return others.map(delete);
        }
        let route = Route {
            destination: cidr,
            next_hop: hop.clone(),
            node: node.clone(),
        };
        let id = table.id.clone();
        match first {
            // While it leads elsewhere nothing is lost with it.
            Some(old) if !turn.limits.replaces => Some(delete(old)),
            Some(old) => Some(RouteChange::Replace {
                table: id,
                old: old.to(cidr),
                route,
            }),
            None => self
                .may_create(cidr, index)
                .then_some(RouteChange::Create { table: id, route }),
        }
    }

    /// An orphan may go: all was read that could show that some node has it, and so many do not go at
    /// once that it looks like a mistake. What leads nowhere may always go.
    fn may_delete(&self, destination: &Destination) -> bool {
        self.policy.deletes && (!self.guard.held || destination.leads_nowhere())
    }

    /// A table takes a new route for the destination: routes may lie there, and there is room.
    fn may_create(&self, cidr: IpNet, index: usize) -> bool {
        let table = &self.all[index];
        table.barred_at(cidr).is_none() && table.room(Family::of(&cidr)).admits()
    }

    /// Queues what is to be done for a destination, or sets the time when it may be.
    pub(super) fn requeue(&mut self, turn: &Turn, cidr: IpNet) {
        let now = turn.now.at;
        for index in 0..self.all.len() {
            let Some(destination) = self.destinations.get(cidr) else {
                return;
            };
            let cell = destination.cell(index);
            if cell.is_some_and(|cell| cell.step != Step::Idle) {
                continue;
            }
            let Some(change) = self.next_change(turn, cidr, destination, index) else {
                continue;
            };
            if let Some(until) = cell.and_then(|cell| cell.retry.waits(now)) {
                self.timers.set(until, Due::Destination(cidr));
            } else {
                self.queue.push(Kind::of(&change), (cidr, index));
                self.destinations
                    .update(cidr, |it| it.cell_mut(index).step = Step::Queued);
            }
        }
    }

    /// Queues what is to be done for every destination.
    pub(super) fn requeue_all(&mut self, turn: &Turn) {
        let all: Vec<IpNet> = self.destinations.iter().map(|(cidr, _)| cidr).collect();
        for cidr in all {
            self.requeue(turn, cidr);
        }
    }

    pub(super) fn begin_writes(&mut self, turn: &mut Turn) {
        // What turns out to be of a more urgent kind than when it was queued is next.
        while let Some((kind, place)) = self.queue.pop(turn.limits.route_writes) {
            self.begin_write(turn, kind, place);
        }
    }

    /// Begins what is needed now, which may be less than when it was queued.
    fn begin_write(&mut self, turn: &mut Turn, kind: Kind, place: (IpNet, usize)) {
        let (cidr, index) = place;
        // What became uncertain while it waited may be queued a second time.
        let queued = |it: &&Destination| it.cell(index).is_some_and(|it| it.step == Step::Queued);
        let Some(destination) = self.destinations.get(cidr).filter(queued) else {
            return;
        };
        let change = self.next_change(turn, cidr, destination, index);
        let same_kind = change.as_ref().is_some_and(|it| Kind::of(it) == kind);
        let step = if same_kind { Step::Writing } else { Step::Idle };
        self.destinations
            .update(cidr, |it| it.cell_mut(index).step = step);
        let Some(change) = change else { return };
        if !same_kind {
            // In the line that it belongs to now.
            return self.requeue(turn, cidr);
        }
        match kind {
            Kind::Create => self.begin_filling(turn, cidr, index),
            Kind::Replace => {}
            Kind::Delete => {
                if self
                    .destinations
                    .get(cidr)
                    .is_some_and(Destination::is_orphan)
                {
                    self.guard.deleted(cidr, turn.now.at);
                }
                // Who keeps another route is routed again when that is read back.
                self.dirty.insert(cidr);
            }
        }
        let write = turn.number();
        self.queue.begin(write, change.clone());
        turn.act(Action::WriteRoute { write, change });
    }

    pub(crate) fn write_ended(
        &mut self,
        turn: &mut Turn,
        write: u64,
        result: Result<(), CloudError>,
    ) {
        let Some(change) = self.queue.end(write, turn.now) else {
            return;
        };
        let cidr = change.destination();
        if let Some(index) = self.place(change.table()) {
            match result {
                Ok(()) => self.write_succeeded(turn, &change, index),
                Err(error) => self.write_failed(turn, &change, index, &error),
            }
        }
        if Kind::of(&change) == Kind::Delete {
            self.guard.ended(cidr, turn.now.at);
            self.dirty.insert(cidr);
        }
        self.requeue(turn, cidr);
    }

    fn write_succeeded(&mut self, turn: &mut Turn, change: &RouteChange, index: usize) {
        let now = turn.now;
        let cidr = change.destination();
        let kind = Kind::of(change);
        if kind == Kind::Delete {
            self.listing.want(now.at.after(turn.limits.settle));
        } else {
            self.listing.read_back(now.at);
        }
        let wait = turn.backoff.wait(item(cidr, change.table()), Pace::Quick);
        let waited = self.all[index].room(Family::of(&cidr)).full();
        let troubled = self.destinations.update(cidr, |destination| {
            let cell = destination.cell_mut(index);
            note(&mut cell.ours, change);
            cell.proven = false;
            cell.wrote(now);
            cell.step = Step::Idle;
            let troubled = cell.failure.take().is_some();
            // What has to be written again and again is written ever more slowly.
            let first = cell.retry.failures() == 0;
            cell.retry.failed(wait, Duration::ZERO, now.at);
            if first {
                cell.retry.at_once(now.at);
            }
            troubled
        });
        // Another new route changes nothing for its node before it is read back.
        if kind != Kind::Create || troubled || waited {
            self.dirty.insert(cidr);
        }
        match kind {
            Kind::Create => self.filled(turn, cidr, index, Ended::Created),
            Kind::Replace => {}
            Kind::Delete => self.emptied(turn, cidr, index),
        }
    }

    fn write_failed(
        &mut self,
        turn: &mut Turn,
        change: &RouteChange,
        index: usize,
        error: &CloudError,
    ) {
        use CloudErrorKind as Kinds;
        let now = turn.now;
        let cidr = change.destination();
        let kind = Kind::of(change);
        let uncertain = failures::is_uncertain(error.kind);
        let trouble = self
            .destinations
            .update(cidr, |it| it.write_failed(turn, change, index, error));
        if uncertain {
            self.listing.want(now.at);
            self.listing.want(now.at.after(turn.limits.settle));
        } else if self.is_unproven(cidr, index) {
            self.listing.want(now.at);
        }
        if kind == Kind::Create {
            let how = match error.kind {
                Kinds::Unknown => Ended::Unknown,
                _ => Ended::Failed,
            };
            self.filled(turn, cidr, index, how);
        }
        if error.kind == Kinds::QuotaExceeded {
            self.refused(turn, cidr, index, error);
        }
        if kind == Kind::Delete {
            self.complaints.extend(trouble);
        }
        self.dirty.insert(cidr);
        if matches!(error.kind, Kinds::Invalid | Kinds::NotFound) {
            self.suspects.insert(cidr);
        }
    }

    /// The table has a route of ours as far as is known, and that was shown otherwise, or not yet.
    fn is_unproven(&self, cidr: IpNet, index: usize) -> bool {
        let destination = self.destinations.get(cidr);
        let cell = destination.and_then(|it| it.cell(index));
        cell.is_some_and(|cell| !cell.proven && !cell.ours.is_empty())
    }

    /// Somebody else changed routes: that may have removed what writes failed for, as when the network
    /// of a node is back.
    pub(super) fn retry_soon(&mut self, turn: &Turn) {
        let mut waiting = Vec::new();
        self.destinations.update_all(|cidr, destination| {
            if destination.retry_soon(AFTER_CHANGE) {
                waiting.push(cidr);
            }
        });
        for cidr in waiting {
            self.requeue(turn, cidr);
        }
    }
}

/// What a change that succeeded left of our routes for the destination.
fn note(ours: &mut SmallVec<[OurRoute; 1]>, change: &RouteChange) {
    if let RouteChange::Replace { old, .. } | RouteChange::Delete { route: old, .. } = change {
        let old = OurRoute::from(old);
        ours.retain(|route| *route != old);
    }
    if let RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } = change {
        let new = OurRoute {
            handle: None,
            next_hop: Some(route.next_hop.clone()),
            blackhole: None,
        };
        ours.insert(0, new);
    }
}
