//! Who claims which block.

mod claims;
mod marks;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use ipnet::IpNet;
use smallvec::SmallVec;

use self::claims::Claimant;
use super::{
    bitmap::Mark,
    netmap::NetMap,
    pool::{Pool, add_usage},
    types::{AllocateError, Claim, Released},
};
use crate::{config::Config, node::NodeKey, summary::PoolUse};

/// The blocks of all pools and everybody who claims one.
///
/// Networks are compared by their network address: host bits are dropped on the way in.
///
/// A claim counts in the first pool of which it is a block, and is an obstacle to every other pool
/// that it overlaps: so what a living node has is never handed out, whole or in part, even if it
/// lies across the blocks of the pools there are now.
#[derive(Debug, Clone)]
pub struct Allocator {
    /// In the order of the configuration, then the retired ones.
    pools: Vec<Pool>,
    reserved: Vec<IpNet>,
    /// By network, who claims it, oldest first. Nobody: the block is in quarantine.
    entries: NetMap<SmallVec<[Claimant; 1]>>,
    quarantine: BTreeSet<IpNet>,
    /// Destinations of routes that are not to be allocated upon.
    routes: NetMap<()>,
    /// By node, what it claims, in the order that it did.
    nodes: HashMap<NodeKey, SmallVec<[IpNet; 1]>, BuildHasherDefault<DefaultHasher>>,
}

impl Allocator {
    /// The pools of a configuration, with nobody in them.
    pub fn new(config: &Config) -> Self {
        let mut allocator = Self {
            pools: Vec::new(),
            reserved: Vec::new(),
            entries: NetMap::default(),
            quarantine: BTreeSet::new(),
            routes: NetMap::default(),
            nodes: HashMap::default(),
        };
        allocator.reconfigure(config);
        allocator
    }

    /// Adds, changes and removes pools; claims, quarantine and obstructions stay.
    ///
    /// A pool that is removed while nodes hold blocks of it, or while such blocks are in
    /// quarantine, hands out nothing and goes when the last of them does. Pools are the same if
    /// their range and prefix length are; if these change, what overlaps a block that is still
    /// held is not handed out. How a claim stands may change either way: ask
    /// [`claim`](Self::claim) again.
    pub fn reconfigure(&mut self, config: &Config) {
        let mut before = std::mem::take(&mut self.pools);
        for wanted in &config.pools {
            let mut pool = Pool::new(wanted.clone());
            if let Some(index) = before.iter().position(|known| known.same_blocks(&pool)) {
                let known = before.remove(index);
                pool = known.configured_as(pool);
            }
            self.pools.push(pool);
        }
        for mut pool in before {
            pool.retired = true;
            self.pools.push(pool);
        }
        self.reserved = config.reserved.iter().map(IpNet::trunc).collect();
        self.rebuild();
        self.drop_idle_pools();
    }

    /// Notes that a living node has this pod CIDR. Harmless if repeated. A claim that is out of range
    /// is remembered too, and blocks that it overlaps are not handed out.
    ///
    /// Of several claimants the one that was created first owns the block (then the one with the
    /// lower UID), in whatever order they come. Reserved ranges and quarantine do not stand in the
    /// way of a claim. `created` is the node's `metadata.creationTimestamp` in seconds since 1970.
    pub fn claim(&mut self, key: &NodeKey, created: i64, cidr: IpNet) -> Claim {
        let cidr = cidr.trunc();
        let claimant = Claimant {
            created,
            key: key.clone(),
        };
        let displaced = self.add(claimant, cidr);
        let Some(home) = self.home(cidr) else {
            return Claim::OutOfRange(self.out_of_range(cidr));
        };
        if let Some(index) = self.pools[home].index_of(cidr) {
            self.pools[home].learn(created, index);
        }
        match self.owner(cidr) {
            Some(owner) if owner != key => Claim::Duplicate {
                owner: owner.clone(),
            },
            _ => Claim::Owner { displaced },
        }
    }

    /// Chooses blocks for a node and claims them in its name: for each family among the pools that
    /// match its labels one block, from the first active such pool that has a free one. The family
    /// of the first matching pool comes first. All families or none.
    ///
    /// A node that owns what it claims gets just that again.
    pub fn allocate(
        &mut self,
        key: &NodeKey,
        created: i64,
        labels: &BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<Vec<IpNet>, AllocateError> {
        let claims = self.claims(key);
        if !claims.is_empty() {
            let owns_all = claims.iter().all(|cidr| self.owner(*cidr) == Some(key));
            return owns_all
                .then(|| claims.to_vec())
                .ok_or(AllocateError::Contested);
        }
        let matching = || {
            let configured = self.pools.iter().enumerate();
            configured.filter(|(_, pool)| !pool.retired && pool.matches(labels))
        };
        let mut families = Vec::with_capacity(2);
        for (_, pool) in matching() {
            if !families.contains(&pool.family()) {
                families.push(pool.family());
            }
        }
        if families.is_empty() {
            return Err(AllocateError::NoMatchingPool);
        }
        let mut chosen = Vec::with_capacity(families.len());
        for family in families {
            let found = matching()
                .filter(|(_, pool)| pool.family() == family && pool.hands_out())
                .find_map(|(position, pool)| Some((position, pool.next_free()?)));
            let pools = || matching().filter(|(_, pool)| pool.family() == family);
            chosen.push(found.ok_or_else(|| AllocateError::PoolExhausted {
                family,
                pools: pools().map(|(_, pool)| pool.usage()).collect(),
            })?);
        }
        let mut cidrs = Vec::with_capacity(chosen.len());
        for (position, index) in chosen {
            let pool = &mut self.pools[position];
            pool.advance(index);
            let cidr = pool.block(index);
            let claimant = Claimant {
                created,
                key: key.clone(),
            };
            self.add(claimant, cidr);
            cidrs.push(cidr);
        }
        Ok(cidrs)
    }

    /// Takes back every claim of a node, in the order they were made.
    pub fn release(&mut self, key: &NodeKey) -> Vec<Released> {
        self.retain(key, &[])
    }

    /// Takes back every claim of a node except those named, for a node that turns out to have
    /// other pod CIDRs than it was given.
    pub fn retain(&mut self, key: &NodeKey, keep: &[IpNet]) -> Vec<Released> {
        let keep: Vec<IpNet> = keep.iter().map(IpNet::trunc).collect();
        let Some(claims) = self.nodes.remove(key) else {
            return Vec::new();
        };
        let (kept, dropped): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|cidr| keep.contains(cidr));
        if !kept.is_empty() {
            self.nodes.insert(key.clone(), kept.into());
        }
        let released = dropped
            .into_iter()
            .map(|cidr| Released {
                cidr,
                fate: self.remove(key, cidr),
            })
            .collect();
        self.drop_idle_pools();
        released
    }

    /// Blocks that nobody claims and that are held back until a listing shows that no route for
    /// them is left, in ascending order.
    pub fn quarantined(&self) -> impl Iterator<Item = IpNet> {
        self.quarantine.iter().copied()
    }

    /// Whether the block is one of [`quarantined`](Self::quarantined).
    pub fn is_quarantined(&self, cidr: IpNet) -> bool {
        self.quarantine.contains(&cidr.trunc())
    }

    /// No route for the block is left. Says whether it was in quarantine.
    pub fn end_quarantine(&mut self, cidr: IpNet) -> bool {
        let cidr = cidr.trunc();
        let ended = self.quarantine.remove(&cidr);
        if ended {
            self.vacate(cidr);
            self.drop_idle_pools();
        }
        ended
    }

    /// The destinations of all routes that are not to be allocated upon, in place of those named
    /// before. Naming the route of a block that a node owns changes nothing while it does.
    ///
    /// A destination that covers a whole pool and more than one block is no obstacle: every block
    /// is more specific. Any other makes all blocks that it overlaps unavailable. The cost grows
    /// with the number of destinations, not with the size of pools.
    pub fn set_obstructions(&mut self, destinations: impl IntoIterator<Item = IpNet>) {
        let wanted: BTreeSet<IpNet> = destinations.into_iter().map(|cidr| cidr.trunc()).collect();
        let gone: Vec<IpNet> = self
            .routes
            .iter()
            .map(|(cidr, ())| cidr)
            .filter(|cidr| !wanted.contains(cidr))
            .collect();
        for cidr in &gone {
            self.routes.remove(*cidr);
        }
        for cidr in gone {
            for position in 0..self.pools.len() {
                self.bar_anew(position, cidr);
            }
        }
        for cidr in wanted {
            if self.routes.get(cidr).is_none() {
                self.routes.insert(cidr, ());
                for pool in &mut self.pools {
                    if let Some(blocks) = pool.obstructed_by(cidr) {
                        pool.set(blocks, Mark::Barred);
                    }
                }
            }
        }
    }

    /// Whether a route named to [`set_obstructions`](Self::set_obstructions) keeps blocks in this
    /// network from being handed out.
    pub fn is_obstructed(&self, cidr: IpNet) -> bool {
        let cidr = cidr.trunc();
        let mut routes = self.routes.overlapping(cidr);
        routes.any(|(route, ())| {
            self.pools
                .iter()
                .any(|pool| pool.overlap(cidr).is_some() && pool.obstructed_by(route).is_some())
        })
    }

    /// The node that owns this block. `None` for what is no block of any pool.
    pub fn owner(&self, cidr: IpNet) -> Option<&NodeKey> {
        let cidr = cidr.trunc();
        let owner = self.entries.get(cidr)?.first()?;
        self.home(cidr).map(|_| &owner.key)
    }

    /// Whether any node claims just this network, be it a block or not. A route for it must not be
    /// removed.
    pub fn claimed(&self, cidr: IpNet) -> bool {
        let claimants = self.entries.get(cidr.trunc());
        claimants.is_some_and(|claimants| !claimants.is_empty())
    }

    /// The blocks that a node owns, in the order it claimed or was given them.
    pub fn blocks<'a>(&'a self, key: &'a NodeKey) -> impl Iterator<Item = IpNet> + 'a {
        let claims = self.claims(key).iter().copied();
        claims.filter(move |cidr| self.owner(*cidr) == Some(key))
    }

    /// All that a node claims, in the order it did.
    pub fn claims(&self, key: &NodeKey) -> &[IpNet] {
        self.nodes.get(key).map_or(&[], SmallVec::as_slice)
    }

    /// Name of the pool of which this is a block.
    pub fn pool_of(&self, cidr: IpNet) -> Option<&Arc<str>> {
        let home = self.home(cidr.trunc())?;
        Some(&self.pools[home].config.name)
    }

    /// How full the pools are, in the order of the configuration; then those that were removed
    /// from it and still have holders. Costs no more than there are pools.
    pub fn uses(&self) -> Vec<PoolUse> {
        let mut uses = Vec::with_capacity(self.pools.len());
        for pool in &self.pools {
            add_usage(&mut uses, pool.usage());
        }
        uses
    }
}
