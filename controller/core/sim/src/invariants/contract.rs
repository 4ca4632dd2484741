//! The bounds that the documentation of the actions and of the limits states.

use std::collections::BTreeSet;

use ipnet::IpNet;
use signpost_core::{
    Action,
    cloud::{Ownership, RouteChange},
};

use super::Invariant;
use crate::{queue::Sender, world::World};

/// Deletions that are at most so many milliseconds apart count together.
const GUARDED: u64 = 30_000;

/// A full table is not tried again within so many milliseconds.
const RARELY: u64 = 15_000;

impl World<'_> {
    /// An engine is about to create a route. Tables known to be full are left alone but for a rare
    /// try.
    pub(crate) fn check_room(&mut self, shell: usize, change: &RouteChange) {
        let RouteChange::Create { table, route } = change else {
            return;
        };
        let v4 = matches!(route.destination, IpNet::V4(_));
        let now = self.now;
        let known = &mut self.shells[shell].known;
        let Some(tried) = known.full.get_mut(&(table.clone(), v4)) else {
            return;
        };
        if tried.replace(now).is_some_and(|tried| now < tried + RARELY) {
            let what = crate::trail::change(change);
            self.broken(Invariant::Contract, || {
                format!("controller {shell}: {what} in a full table, and again")
            });
        }
    }

    /// An engine is about to begin something beside what is under way.
    pub(crate) fn check_bounds(&mut self, shell: usize, action: &Action) {
        let known = &self.shells[shell].known;
        let limits = &self.scenario.limits;
        let api_writes = known.cidr_writes.len() + known.status_writes.len();
        let complaint = match action {
            Action::ListRoutes { .. } => known
                .listing
                .map(|(other, _)| format!("listing {other} is still under way")),
            Action::WriteRoute { .. } if !limits.routes => Some("there are no routes here".into()),
            Action::WriteRoute { write, change } => {
                let same = known.route_writes.iter().find(|(_, other)| {
                    other.table() == change.table() && other.destination() == change.destination()
                });
                if let Some((other, _)) = same {
                    Some(format!("write {write} while {other} is under way"))
                } else if known.route_writes.len() >= limits.route_writes {
                    Some("too many route writes at once".into())
                } else {
                    None
                }
            }
            Action::SetPodCidrs { node, cidrs } if cidrs.is_empty() => {
                Some(format!("no pod CIDRs for {node}"))
            }
            Action::SetPodCidrs { .. } | Action::SetNetworkStatus { .. } => (api_writes
                >= limits.api_writes)
                .then(|| "too many writes to the Kubernetes API at once".into()),
            _ => None,
        };
        if let Some(complaint) = complaint {
            self.broken(Invariant::Contract, || {
                format!("controller {shell}: {complaint}")
            });
        }
    }

    /// A route was deleted. Deletions beyond the share that may vanish at once are held back.
    pub(crate) fn check_guard(&mut self, from: Sender, change: &RouteChange) {
        let RouteChange::Delete { route, .. } = change else {
            return;
        };
        let place = &self.shells[from.shell];
        let known = &place.known;
        let config = known.config.as_ref();
        let lost = route.next_hop.as_ref();
        let lost =
            route.blackhole.is_some() || lost.is_some_and(|hop| self.cloud.leads_nowhere(hop));
        let teardown = config.is_none_or(|config| config.teardown);
        let percent = config.map_or(0, |config| config.max_deletion_percent);
        let earlier = place.life != from.life || from.sent <= known.guarded_since;
        let table = self.cloud.tables.get(change.table());
        let left = table.and_then(|table| table.routes.get(&route.destination));
        let doubled = left.is_some_and(|held| held.ours);
        if lost || teardown || earlier || doubled {
            return;
        }
        let now = self.now;
        let known = &mut self.shells[from.shell].known;
        let deleted = &mut known.deleted;
        deleted.retain(|(at, destination)| now < at + GUARDED && *destination != route.destination);
        deleted.push((now, route.destination));
        let deleted = known.deleted.iter().map(|(_, destination)| *destination);
        let listed = known.tables.values().flatten();
        let listed = listed.flat_map(|seen| seen.routes.iter());
        let ours = listed.filter(|route| route.ownership == Ownership::Ours);
        let ours = ours.map(|route| route.destination);
        let written = known.written.keys().map(|(_, destination)| *destination);
        let all: BTreeSet<IpNet> = ours.chain(deleted).chain(written).collect();
        // A block that was deleted and is in use again counts twice.
        let (count, all) = (known.deleted.len(), all.len() + known.deleted.len());
        let allowed = (all * usize::from(percent) / 100).max(2);
        if count > allowed {
            self.broken(Invariant::Contract, || {
                format!("{count} of {all} destinations deleted although {percent} % may be")
            });
        }
    }
}
