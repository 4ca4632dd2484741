//! The bounds that the documentation of the actions and of the limits states.

use ipnet::IpNet;
use signpost_core::{Action, Time, cloud::RouteChange};

use super::Invariant;
use crate::{knowledge::GIVEN_UP, world::World};

/// After so many milliseconds without an answer a second listing may be begun.
const PATIENCE: u64 = 15_000;

/// A full table is not tried again within so many milliseconds.
const RARELY: u64 = 15_000;

impl World<'_> {
    /// An engine is about to create a route. Tables known to be full are left alone but for a rare
    /// try.
    pub(crate) fn check_room(&mut self, shell: usize, change: &RouteChange) {
        let RouteChange::Create { table, route } = change else {
            return;
        };
        let now = self.now;
        let known = &mut self.shells[shell].known;
        let v4 = known.tables.common || matches!(route.destination, IpNet::V4(_));
        let Some(tried) = known.tables.full.get_mut(&(table.clone(), v4)) else {
            return;
        };
        if tried.replace(now).is_some_and(|tried| now < tried + RARELY) {
            let what = crate::trail::change(change);
            self.broken(Invariant::Contract, || {
                format!("controller {shell}: {what} in a full table, and again")
            });
        }
    }

    /// Two listings at once are the most, and the second only when the first takes long.
    fn listing_complaint(&self, shell: usize) -> Option<String> {
        let tables = &self.shells[shell].known.tables;
        let interval = self.scenario.limits.listing_interval;
        let soon = tables
            .last_begun
            .filter(|last| self.now < Time(*last).after(interval).0);
        if let Some(last) = soon {
            return Some(format!("a listing right after the one of {last} ms"));
        }
        let waited_for = tables.asked.iter();
        let mut waited_for = waited_for.filter(|(_, it)| self.now < it.begun + GIVEN_UP);
        let young = |begun: u64| self.now < begun + PATIENCE;
        match (waited_for.next(), waited_for.next()) {
            (Some((other, asked)), None) if young(asked.begun) => {
                Some(format!("listing {other} is still under way"))
            }
            (Some(_), Some(_)) => Some("two listings are under way".into()),
            _ => None,
        }
    }

    /// An engine is about to begin something beside what is under way.
    pub(crate) fn check_bounds(&mut self, shell: usize, action: &Action) {
        let known = &self.shells[shell].known;
        let limits = &self.scenario.limits;
        let api_writes = known.cidr_writes.len() + known.status_writes.len();
        let complaint = match action {
            Action::ListRoutes { .. } => self.listing_complaint(shell),
            Action::WriteRoute { .. } if !limits.routes => Some("there are no routes here".into()),
            Action::WriteRoute { write, change } => {
                let same = known.route_writes.iter().find(|(_, other)| {
                    other.table() == change.table() && other.destination() == change.destination()
                });
                if let Some((other, _)) = same {
                    Some(format!("write {write} while {other} is under way"))
                } else if known.writes_like(change) >= limits.route_writes {
                    Some("too many route writes of a kind at once".into())
                } else if !limits.replaces && matches!(change, RouteChange::Replace { .. }) {
                    Some("no route can be led elsewhere in one step".into())
                } else if known.is_pending(change) {
                    Some(format!("write {write} beside what is carried out there"))
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
}
