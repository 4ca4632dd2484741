//! Who has which network.

mod allocate;
mod coverage;
mod figures;
mod marks;

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use smallvec::{SmallVec, smallvec};

use super::{
    netmap::NetMap,
    pool::{Coverage, Pool},
    types::{Claim, Claimant, Fate},
};
use crate::{
    config::Config,
    ids::{NodeId, Stamp},
    node::NodeKey,
};

/// The blocks of all pools, and every network that a node claims or claimed.
///
/// Networks are compared by their network address: host bits are dropped on the way in.
///
/// A claim counts in the first pool of which it is a block, and stands in the way of every block of
/// other pools that it overlaps: so what a living node has is never handed out, whole or in part, even
/// if it lies across the blocks of the pools there are now. The exception are oversized claims that
/// are no block of any pool (`Pool::is_oversized`).
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// In the order of the configuration, then the removed ones.
    pools: Vec<Pool>,
    reserved: Vec<IpNet>,
    entries: NetMap<Entry>,
    /// The networks of `entries` that nobody claims.
    quarantined: BTreeSet<IpNet>,
    /// The networks of `entries` that are no block of any pool.
    outside: BTreeSet<IpNet>,
    /// Destinations of others' routes.
    foreign: NetMap<()>,
    /// Ranges in which no route of ours may lie.
    barred: NetMap<()>,
    /// Nodes' own addresses. Several nodes may say that they have one.
    addresses: BTreeSet<(IpAddr, NodeKey)>,
}

/// What is known of one network.
#[derive(Debug, Clone)]
enum Entry {
    /// Claimed, by the oldest first.
    Held(SmallVec<[Claimant; 1]>),
    /// Claimed no more; routes may be left.
    Quarantined {
        /// When the last claim ended, or a route of ours was found that nobody claims.
        since: Stamp,
    },
}

impl Ledger {
    /// Adds, changes and removes pools. Claims and quarantines stay, and count anew.
    ///
    /// A pool that is removed while nodes have blocks of it, or while such blocks are in quarantine,
    /// hands out nothing and goes when the last of them does. Pools are the same if their range and
    /// prefix length are. `coverage` says since when, and how long after that, a listing has to be begun
    /// before new pools hand out blocks.
    pub(crate) fn reconfigure(&mut self, config: &Config, coverage: (Stamp, std::time::Duration)) {
        let (since, settle) = coverage;
        let mut before = std::mem::take(&mut self.pools);
        for wanted in &config.pools {
            let mut pool = Pool::new(wanted.clone(), Coverage::After(since, settle));
            if let Some(index) = before.iter().position(|known| known.same_blocks(&pool)) {
                let known = before.remove(index);
                pool = known.configured_as(pool);
            }
            self.pools.push(pool);
        }
        for mut pool in before {
            pool.removed = true;
            self.pools.push(pool);
        }
        self.reserved = config.reserved.iter().map(IpNet::trunc).collect();
        self.count_entries();
        self.drop_idle_pools();
        self.mark_all();
    }

    /// Notes that a living node has this pod CIDR. Harmless if repeated. A claim that is out of range
    /// is remembered too.
    ///
    /// Of several claimants the one that was created first owns the block (then the one with the
    /// lower UID), in whatever order they come. Reserved ranges and quarantine do not stand in the
    /// way of a claim.
    pub(crate) fn claim(&mut self, claimant: Claimant, cidr: IpNet) -> Claim {
        let cidr = cidr.trunc();
        let id = claimant.id;
        let before = self.owner_of_entry(cidr).map(|owner| owner.id);
        let created = claimant.created;
        self.enter(claimant, cidr);
        let Some(home) = self.home(cidr) else {
            return Claim::OutOfRange;
        };
        if let Some(index) = self.pools[home].index_of(cidr) {
            self.pools[home].learn(created, index);
        }
        match self.owner_of_entry(cidr) {
            Some(owner) if owner.id != id => Claim::Duplicate { owner: owner.id },
            _ => Claim::Owner {
                before: before.filter(|before| *before != id),
            },
        }
    }

    fn enter(&mut self, claimant: Claimant, cidr: IpNet) {
        match self.entries.get_mut(cidr) {
            Some(Entry::Held(claimants)) => {
                if claimants.iter().any(|known| known.id == claimant.id) {
                    return;
                }
                let place = claimants.partition_point(|known| known.precedes(&claimant));
                claimants.insert(place, claimant);
                return;
            }
            Some(entry) => {
                *entry = Entry::Held(smallvec![claimant]);
                self.quarantined.remove(&cidr);
            }
            None => self.add(cidr, Entry::Held(smallvec![claimant])),
        }
        self.mark(cidr);
    }

    /// Takes back the claim of a node: it is gone, or turned out to have other pod CIDRs than were
    /// chosen for it.
    pub(crate) fn release(&mut self, id: NodeId, cidr: IpNet, now: Stamp) -> Fate {
        let cidr = cidr.trunc();
        let Some(Entry::Held(claimants)) = self.entries.get_mut(cidr) else {
            return Fate::Unclaimed;
        };
        let before = claimants.len();
        claimants.retain(|claimant| claimant.id != id);
        if claimants.len() == before {
            return Fate::Unclaimed;
        }
        if let Some(next) = claimants.first() {
            return Fate::Has(next.id);
        }
        self.set_quarantined(cidr, now);
        Fate::Quarantined
    }

    /// A route of ours was found for a network that nobody claims. Harmless if it is known.
    pub(crate) fn orphaned(&mut self, cidr: IpNet, now: Stamp) {
        let cidr = cidr.trunc();
        if self.entries.get(cidr).is_none() {
            self.add(cidr, Entry::Quarantined { since: now });
            self.quarantined.insert(cidr);
            self.mark(cidr);
        }
    }

    fn set_quarantined(&mut self, cidr: IpNet, since: Stamp) {
        if let Some(entry) = self.entries.get_mut(cidr) {
            *entry = Entry::Quarantined { since };
            self.quarantined.insert(cidr);
            self.mark(cidr);
        }
    }

    /// No route for a network in quarantine is left, in any table. Says whether it was in quarantine.
    pub(crate) fn free(&mut self, cidr: IpNet) -> bool {
        let cidr = cidr.trunc();
        let ended = self.quarantined.remove(&cidr);
        if ended {
            self.entries.remove(cidr);
            self.outside.remove(&cidr);
            if let Some(home) = self.home(cidr) {
                self.pools[home].entries -= 1;
            }
            self.mark(cidr);
            self.drop_idle_pools();
        }
        ended
    }

    fn add(&mut self, cidr: IpNet, entry: Entry) {
        self.entries.insert(cidr, entry);
        match self.home(cidr) {
            Some(home) => self.pools[home].entries += 1,
            None => {
                self.outside.insert(cidr);
            }
        }
    }

    /// Lets go of pools that were removed, of which nobody has, or had, a block, and in which a listing
    /// has found no orphaned route.
    fn drop_idle_pools(&mut self) {
        self.pools
            .retain(|pool| !pool.removed || pool.entries > 0 || pool.coverage != Coverage::Covered);
    }

    /// Position of the pool of which this is a block.
    fn home(&self, cidr: IpNet) -> Option<usize> {
        self.pools
            .iter()
            .position(|pool| pool.index_of(cidr).is_some())
    }

    fn owner_of_entry(&self, cidr: IpNet) -> Option<&Claimant> {
        match self.entries.get(cidr)? {
            Entry::Held(claimants) => claimants.first(),
            Entry::Quarantined { .. } => None,
        }
    }

    /// The node that owns this block. `None` for what is no block of any pool.
    pub(crate) fn owner(&self, cidr: IpNet) -> Option<&Claimant> {
        let cidr = cidr.trunc();
        self.home(cidr)?;
        self.owner_of_entry(cidr)
    }

    /// The number of the node that owns this block.
    pub(crate) fn owner_id(&self, cidr: IpNet) -> Option<NodeId> {
        self.owner(cidr).map(|owner| owner.id)
    }

    /// Whether any node claims just this network, be it a block or not. A route for it must not be
    /// removed.
    pub(crate) fn is_claimed(&self, cidr: IpNet) -> bool {
        self.owner_of_entry(cidr.trunc()).is_some()
    }

    /// Whether the network is a block of a pool and only this node claims it.
    pub(crate) fn is_undisputed(&self, id: NodeId, cidr: IpNet) -> bool {
        let cidr = cidr.trunc();
        self.home(cidr).is_some()
            && matches!(self.entries.get(cidr), Some(Entry::Held(claimants))
                if claimants.len() == 1 && claimants[0].id == id)
    }

    /// The networks in quarantine, in ascending order.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = IpNet> {
        self.quarantined.iter().copied()
    }

    /// Since when nobody claims a network in quarantine.
    pub(crate) fn released(&self, cidr: IpNet) -> Option<Stamp> {
        match self.entries.get(cidr.trunc())? {
            Entry::Quarantined { since } => Some(*since),
            Entry::Held(_) => None,
        }
    }

    /// The living node whose block a network lies in, and that block.
    pub(crate) fn owner_around(&self, cidr: IpNet) -> Option<(&Claimant, IpNet)> {
        let around = self.entries.overlapping(cidr.trunc());
        let mut held = around.filter(|(block, _)| block.contains(&cidr));
        held.find_map(|(block, _)| Some((self.owner(block)?, block)))
    }
}
