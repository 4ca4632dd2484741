//! The contract of the deletion guard: `maxDeletionPercent`.

use std::collections::BTreeSet;

use ipnet::IpNet;
use signpost_core::cloud::RouteChange;

use super::Invariant;
use crate::{queue::Sender, world::World};

/// Deletions that were sent at most so many milliseconds apart count together; one whose answer was
/// lost may happen later.
const WINDOW: u64 = 60_000;

/// So many may go in the first minute of a leadership, and whatever the share is.
const FEW: usize = 2;

impl World<'_> {
    /// A route was deleted. Deletions beyond the share that may vanish at once are held back.
    pub(crate) fn check_guard(&mut self, from: Sender, change: &RouteChange) {
        let RouteChange::Delete { route, .. } = change else {
            return;
        };
        let place = &self.shells[from.shell];
        let known = &place.known;
        let config = known.config.as_ref();
        let hop = route.next_hop.as_ref();
        let lost =
            route.blackhole.is_some() || hop.is_some_and(|hop| self.cloud.leads_nowhere(hop));
        let teardown = config.is_none_or(|config| config.teardown);
        let percent = config.map_or(0, |config| config.max_deletion_percent);
        let now_leads = place.leads() && (place.life, place.term) == (from.life, from.term);
        let earlier = !now_leads || from.sent <= known.guarded_since;
        // That is no orphan's, whatever has become of the node since.
        let place = (change.table().clone(), route.destination);
        let of_node = known.deleted_of_node.contains(&place);
        let table = self.cloud.tables.get(change.table());
        let left = table.and_then(|table| table.routes.get(&route.destination));
        let doubled = left.is_some_and(|held| held.ours);
        if lost || of_node || teardown || earlier || doubled || from.late {
            return;
        }
        let now = self.now;
        let young = now < known.since + WINDOW;
        let known = &mut self.shells[from.shell].known;
        let deleted = &mut known.deleted;
        let sent = from.sent;
        deleted.retain(|(at, destination)| sent < at + WINDOW && *destination != route.destination);
        deleted.push((sent, route.destination));
        let deleted = known.deleted.iter().map(|(_, destination)| *destination);
        let written = known.written.keys().map(|(_, destination)| *destination);
        let all: BTreeSet<IpNet> = known.tables.ours().chain(deleted).chain(written).collect();
        let (count, all) = (known.deleted.len(), all.len());
        let share = (all * usize::from(percent) / 100).max(FEW);
        let allowed = match percent {
            0 => 0,
            100 => all,
            _ if young => FEW.min(all.saturating_sub(1)),
            _ => share.min(all.saturating_sub(1)),
        };
        if count > allowed {
            self.broken(Invariant::Contract, || {
                format!("{count} of {all} destinations deleted although {percent} % may be")
            });
        }
    }
}
