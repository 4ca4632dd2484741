//! Who stands in line for a block.

use ipnet::IpNet;
use smallvec::smallvec;

use super::Allocator;
use crate::{
    ipam::{bitmap::Mark, types::Fate},
    node::NodeKey,
};

/// A node that has a network among its pod CIDRs.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub(super) created: i64,
    pub(super) key: NodeKey,
}

impl Claimant {
    /// Whether it owns what both claim.
    fn precedes(&self, other: &Self) -> bool {
        let this = (self.created, &self.key.uid, &self.key.name);
        this < (other.created, &other.key.uid, &other.key.name)
    }
}

impl Allocator {
    /// Enters a claim. Returns who owned the block and does not any more.
    pub(super) fn add(&mut self, claimant: Claimant, cidr: IpNet) -> Option<NodeKey> {
        let Some(claimants) = self.entries.get_mut(cidr) else {
            self.note_claim(&claimant.key, cidr);
            self.entries.insert(cidr, smallvec![claimant]);
            self.occupy(cidr, true);
            return None;
        };
        if claimants.iter().any(|known| known.key == claimant.key) {
            return None;
        }
        let place = claimants.partition_point(|known| known.precedes(&claimant));
        let displaced = claimants.first().filter(|_| place == 0);
        let displaced = displaced.map(|owner| owner.key.clone());
        let key = claimant.key.clone();
        claimants.insert(place, claimant);
        self.note_claim(&key, cidr);
        if self.quarantine.remove(&cidr) {
            self.occupy(cidr, false);
        }
        displaced
    }

    fn note_claim(&mut self, key: &NodeKey, cidr: IpNet) {
        match self.nodes.get_mut(key) {
            Some(claims) => claims.push(cidr),
            None => {
                self.nodes.insert(key.clone(), smallvec![cidr]);
            }
        }
    }

    /// Takes out a claim that the node's own list has no more.
    pub(super) fn remove(&mut self, key: &NodeKey, cidr: IpNet) -> Fate {
        let home = self.home(cidr);
        let Some(claimants) = self.entries.get_mut(cidr) else {
            return Fate::OutOfRange;
        };
        let owned = claimants.first().is_some_and(|first| first.key == *key);
        claimants.retain(|claimant| claimant.key != *key);
        let next = claimants.first().map(|claimant| claimant.key.clone());
        match (home, next) {
            (Some(_), Some(next)) if owned => Fate::PassedTo(next),
            (Some(_), Some(next)) => Fate::StaysWith(next),
            (Some(home), None) => {
                self.quarantine.insert(cidr);
                let pool = &mut self.pools[home];
                if let Some(index) = pool.index_of(cidr) {
                    pool.set(index..=index, Mark::Barred);
                    pool.unset(index..=index, Mark::Held);
                }
                Fate::Quarantined
            }
            (None, Some(_)) => Fate::OutOfRange,
            (None, None) => {
                self.vacate(cidr);
                Fate::OutOfRange
            }
        }
    }
}
