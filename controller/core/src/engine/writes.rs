//! Route writes: how they are begun and what their end means.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Engine, clock::Stamp};
use crate::{
    Action,
    action::Reason,
    backoff::{Pace, hash},
    cloud::{CloudError, CloudErrorKind, RouteChange, TableId},
    routes::{Destination, Ended, OurRoute, Step, Trouble},
};

/// Failures in a row after which an uncertain outcome is told to people.
const TELL_AFTER: u8 = 3;

/// Failures in a row, several seconds of them, after which an error that might pass is taken for one
/// that waits for people.
const LASTS_AFTER: u8 = 6;

/// Since the last failure, before a change of others is a reason to try again.
const AFTER_CHANGE: Duration = Duration::from_secs(1);

/// Writes that wait and writes that are in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct Writes {
    pub(super) ready: VecDeque<(IpNet, usize)>,
    flights: BTreeMap<u64, RouteChange>,
    /// When the last write of all ended.
    pub(super) last_end: Option<Stamp>,
}

impl Writes {
    pub(super) fn none_in_flight(&self) -> bool {
        self.flights.is_empty()
    }
}

impl Engine {
    pub(super) fn begin_route_writes(&mut self) {
        while self.writes.flights.len() < self.limits.route_writes {
            let Some((cidr, table)) = self.writes.ready.pop_front() else {
                return;
            };
            // What became uncertain while it waited may be queued a second time.
            let queued = |it: &&Destination| {
                let cell = it.cell(table);
                cell.is_some_and(|cell| cell.step == Step::Queued)
            };
            let Some(destination) = self.routes.get(cidr).filter(queued) else {
                continue;
            };
            let change = self.next_change(cidr, destination, table);
            self.routes.update(cidr, |destination| {
                let cell = destination.cell_mut(table);
                if change.is_some() {
                    cell.step = Step::Writing;
                    cell.attempts = cell.attempts.saturating_add(1);
                } else {
                    cell.step = Step::Idle;
                }
            });
            if let Some(change) = change {
                if matches!(change, RouteChange::Create { .. }) {
                    self.begin_filling(cidr, table);
                }
                if matches!(change, RouteChange::Delete { .. }) {
                    if self.counts_for_guard(cidr) {
                        self.guard.deleted(cidr, self.now.at);
                    }
                    // Who keeps another route is routed again when that is read back.
                    self.mark_involved(cidr);
                }
                let write = self.number();
                self.writes.flights.insert(write, change.clone());
                self.actions.push(Action::WriteRoute { write, change });
            }
        }
    }

    pub(super) fn route_written(&mut self, write: u64, result: Result<(), CloudError>) {
        let Some(change) = self.writes.flights.remove(&write) else {
            return;
        };
        self.writes.last_end = Some(self.now);
        let Some(table) = self.routes.table(change.table()) else {
            return;
        };
        let cidr = change.destination();
        match result {
            Ok(()) => self.write_succeeded(&change, table),
            Err(error) => self.write_failed(&change, table, &error),
        }
        if matches!(change, RouteChange::Delete { .. }) {
            self.guard.ended(cidr, self.now.at);
        }
        self.mark_involved(cidr);
        self.consider(cidr);
    }

    /// Has the nodes judged that a destination is, or was, for.
    pub(super) fn mark_involved(&mut self, cidr: IpNet) {
        if let Some(destination) = self.routes.get(cidr) {
            for id in destination.owner.into_iter().chain(destination.former) {
                self.nodes.mark(id);
            }
        }
    }

    fn write_succeeded(&mut self, change: &RouteChange, table: usize) {
        let now = self.now;
        let cidr = change.destination();
        if matches!(change, RouteChange::Delete { .. }) {
            self.listing.want(now.at.after(self.limits.settle));
        } else {
            self.listing.read_back(now.at);
        }
        let item = item(cidr, change.table());
        let backoff = self.backoff;
        self.routes.update(cidr, |destination| {
            destination.changed = now;
            let cell = destination.cell_mut(table);
            note(&mut cell.ours, change);
            cell.proven = false;
            cell.written = Some(now);
            cell.step = Step::Idle;
            cell.trouble = None;
            // What has to be written again and again is written ever more slowly.
            let again = cell.attempts.saturating_sub(1);
            cell.not_before = match again {
                0 => now.at,
                _ => now.at.after(backoff.delay(item, again, Pace::Quick)),
            };
        });
        match change {
            RouteChange::Create { .. } => self.filled(cidr, table, Ended::Created),
            RouteChange::Replace { .. } => {}
            RouteChange::Delete { .. } => self.emptied(cidr, table),
        }
    }

    fn write_failed(&mut self, change: &RouteChange, table: usize, error: &CloudError) {
        use CloudErrorKind as Kind;
        let now = self.now;
        let cidr = change.destination();
        let uncertain = matches!(
            error.kind,
            Kind::AlreadyExists | Kind::NotFound | Kind::Unknown
        );
        let attempts = self.routes.get(cidr).and_then(|it| it.cell(table));
        let persists = attempts.is_some_and(|cell| cell.attempts >= TELL_AFTER);
        let lasts = attempts.is_some_and(|cell| cell.attempts >= LASTS_AFTER);
        let pace = match error.kind {
            Kind::Denied | Kind::Invalid => Pace::Slow,
            // Something stands there that listings do not show.
            Kind::AlreadyExists if persists => Pace::Slow,
            _ => Pace::Quick,
        };
        let item = item(cidr, change.table());
        let backoff = self.backoff;
        self.routes.update(cidr, |destination| {
            destination.changed = now;
            let cell = destination.cell_mut(table);
            cell.proven = false;
            cell.written = Some(now);
            cell.step = if uncertain {
                Step::Uncertain
            } else {
                Step::Idle
            };
            if error.kind == Kind::Throttled {
                cell.attempts = cell.attempts.saturating_add(2);
            }
            let wait = backoff.delay(item, cell.attempts, pace);
            let wait = wait.max(error.retry_after.unwrap_or_default());
            cell.not_before = now.at.after(wait);
            if error.kind == Kind::QuotaExceeded && matches!(change, RouteChange::Create { .. }) {
                // It waits for room in the table, not for itself: room goes to the oldest node.
                cell.attempts = cell.attempts.saturating_sub(1);
                cell.not_before = now.at;
            }
            cell.may_be_hastened = error.kind == Kind::Transient && error.retry_after.is_none();
            if !uncertain || persists {
                let mut trouble = describe(change, error);
                trouble.lasting |= lasts && error.kind == Kind::Transient;
                cell.trouble = Some(Box::new(trouble));
            }
        });
        if uncertain {
            self.listing.want(now.at);
        }
        if matches!(change, RouteChange::Create { .. }) {
            let unknown = error.kind == Kind::Unknown;
            let how = if unknown {
                Ended::Unknown
            } else {
                Ended::Failed
            };
            self.filled(cidr, table, how);
        }
        if error.kind == Kind::QuotaExceeded {
            self.refused(cidr, table, error);
        }
        let owner = self.routes.get(cidr).and_then(|it| it.owner);
        if let (Kind::Invalid | Kind::NotFound, Some(owner)) = (error.kind, owner) {
            self.want_instance(owner);
        }
    }

    /// Somebody else changed routes: that may have removed what writes failed for, as when the network
    /// of a node is back.
    pub(super) fn hasten(&mut self) {
        let waiting = self.routes.iter().filter(|(_, it)| it.may_be_hastened());
        let waiting: Vec<IpNet> = waiting.map(|(cidr, _)| cidr).collect();
        for cidr in waiting {
            self.routes
                .update(cidr, |destination| destination.hasten(AFTER_CHANGE));
            self.consider(cidr);
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

fn item(cidr: IpNet, table: &TableId) -> u64 {
    let address = match cidr {
        IpNet::V4(net) => net.network().to_bits().into(),
        IpNet::V6(net) => net.network().to_bits(),
    };
    hash(
        address
            .to_be_bytes()
            .into_iter()
            .chain([cidr.prefix_len()])
            .chain(table.0.bytes()),
    )
}

fn describe(change: &RouteChange, error: &CloudError) -> Trouble {
    use CloudErrorKind as Kind;
    let (reason, lasting) = match error.kind {
        Kind::QuotaExceeded => (Reason::QuotaExceeded, true),
        Kind::Denied => (Reason::CloudDenied, true),
        Kind::Invalid => (Reason::CloudUnavailable, true),
        Kind::AlreadyExists => (Reason::RouteConflict, true),
        Kind::NotFound | Kind::Throttled | Kind::Transient | Kind::Unknown => {
            (Reason::CloudUnavailable, false)
        }
    };
    let verb = match change {
        RouteChange::Create { .. } => "creating",
        RouteChange::Replace { .. } => "replacing",
        RouteChange::Delete { .. } => "deleting",
    };
    Trouble {
        reason,
        message: format!(
            "{verb} the route for {} in table {} failed: {error}",
            change.destination(),
            change.table()
        ),
        lasting,
    }
}
