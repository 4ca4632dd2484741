//! Whether what is orphaned may be deleted.

use super::{Due, Tables, destination::Destination, guard::Demand};
use crate::{
    action::{Reason, Subject},
    ids::NodeId,
    turn::Turn,
};

impl Tables {
    /// Decides whether orphans may be deleted.
    pub(super) fn review_deletions(&mut self, turn: &mut Turn) {
        let now = turn.now.at;
        let until = self.guard.age(now);
        let orphans = self.destinations.tally().orphans;
        let demand = self.demand_for_deletions(orphans);
        let blind = self.guard.blind_until(now);
        let allowed = match blind {
            Some(_) => demand.allowed_at_first(),
            None => demand.allowed(),
        };
        let guarded = self.policy.deletes && !self.policy.teardown;
        let hold = guarded && demand.wanted > allowed;
        let before = std::mem::replace(&mut self.guard.held, hold);
        self.begins_to_hold |= hold && !before;
        if hold {
            for at in [until, blind].into_iter().flatten() {
                self.timers.set(at, Due::Guard);
            }
        }
        if hold && demand.wanted > demand.allowed() {
            if !self.guard.told {
                self.guard.told = true;
                turn.notify(Subject::Network, Reason::DeletionsHeld, message(demand));
            }
        } else {
            self.guard.told = false;
        }
        if before && !hold {
            self.requeue_all(turn);
        }
    }

    fn demand_for_deletions(&self, orphans: usize) -> Demand {
        let mut demand = Demand {
            total: self.destinations.tally().live,
            wanted: orphans,
            percent: self.policy.max_deletion_percent,
        };
        if orphans > 0 {
            for cidr in self.guard.lately() {
                let destination = self.destinations.get(cidr);
                let left = destination.is_some_and(Destination::has_ours);
                let counted = destination.is_some_and(Destination::is_orphan);
                demand.total += usize::from(!left);
                demand.wanted += usize::from(!counted);
            }
        }
        demand
    }

    /// Whether deletions began to be held back since this was last asked.
    pub(crate) fn begins_to_hold(&mut self) -> bool {
        std::mem::take(&mut self.begins_to_hold)
    }

    /// The nodes to which orphans that are held back were to lead: if the instance is gone too, nothing
    /// can be lost with them.
    pub(crate) fn held_owners(&self) -> Vec<NodeId> {
        if !self.guard.held {
            return Vec::new();
        }
        let orphans = self.destinations.iter().filter(|(_, it)| it.is_orphan());
        orphans.filter_map(|(_, it)| it.owner()).collect()
    }
}

fn message(demand: Demand) -> String {
    let Demand {
        total,
        wanted,
        percent,
    } = demand;
    format!(
        "{wanted} of {total} node routes would be removed at once, more than \
         safety.maxDeletionPercent ({percent} %) allows. If that is intended, raise \
         spec.safety.maxDeletionPercent to 100 until they are gone."
    )
}
