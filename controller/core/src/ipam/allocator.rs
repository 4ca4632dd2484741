//! Who claims which block.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;

use super::types::{AllocateError, Claim, OutOfRange, Released};
use crate::{config::Config, node::NodeKey, summary::PoolUse};

/// The blocks of all pools and everybody who claims one.
///
/// Networks are compared by their network address: host bits are dropped on the way in.
#[derive(Debug, Clone)]
pub struct Allocator {}

impl Allocator {
    /// The pools of a configuration, with nobody in them.
    pub fn new(config: &Config) -> Self {
        let _ = config;
        Self {}
    }

    /// Adds, changes and removes pools; claims, quarantine and obstructions stay.
    ///
    /// A pool that is removed while nodes hold blocks of it, or while such blocks are in
    /// quarantine, hands out nothing and goes when the last of them does. Pools are the same if
    /// their range and prefix length are; if these change, what overlaps a block that is still
    /// held is not handed out. How a claim stands may change either way: ask
    /// [`claim`](Self::claim) again.
    pub fn reconfigure(&mut self, config: &Config) {
        let _ = config;
    }

    /// Notes that a living node has this pod CIDR. Harmless if repeated.
    ///
    /// Of several claimants the one that was created first owns the block (then the one with the
    /// lower UID), in whatever order they come. Reserved ranges and quarantine do not stand in the
    /// way of a claim. `created` is the node's `metadata.creationTimestamp` in seconds since 1970.
    pub fn claim(&mut self, key: &NodeKey, created: i64, cidr: IpNet) -> Claim {
        let _ = (key, created, cidr);
        Claim::OutOfRange(OutOfRange::NoPool)
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
        let _ = (key, created, labels);
        Err(AllocateError::NoMatchingPool)
    }

    /// Takes back every claim of a node, in the order they were made.
    pub fn release(&mut self, key: &NodeKey) -> Vec<Released> {
        self.retain(key, &[])
    }

    /// Takes back every claim of a node except those named, for a node that turns out to have
    /// other pod CIDRs than it was given.
    pub fn retain(&mut self, key: &NodeKey, keep: &[IpNet]) -> Vec<Released> {
        let _ = (key, keep);
        Vec::new()
    }

    /// Blocks that nobody claims and that are held back until a listing shows that no route for
    /// them is left, in ascending order.
    pub fn quarantined(&self) -> impl Iterator<Item = IpNet> {
        std::iter::empty()
    }

    /// Whether the block is one of [`quarantined`](Self::quarantined).
    pub fn is_quarantined(&self, cidr: IpNet) -> bool {
        let _ = cidr;
        false
    }

    /// No route for the block is left. Says whether it was in quarantine.
    pub fn end_quarantine(&mut self, cidr: IpNet) -> bool {
        let _ = cidr;
        false
    }

    /// The destinations of all routes that are not to be allocated upon, in place of those named
    /// before. Naming the route of a block that a node owns changes nothing while it does.
    ///
    /// A destination that covers a whole pool and more than one block is no obstacle: every block
    /// is more specific. Any other makes all blocks that it overlaps unavailable. The cost grows
    /// with the number of destinations, not with the size of pools.
    pub fn set_obstructions(&mut self, destinations: impl IntoIterator<Item = IpNet>) {
        drop(destinations.into_iter().collect::<Vec<_>>());
    }

    /// Whether a route named to [`set_obstructions`](Self::set_obstructions) keeps blocks in this
    /// network from being handed out.
    pub fn is_obstructed(&self, cidr: IpNet) -> bool {
        let _ = cidr;
        false
    }

    /// The node that owns this block. `None` for what is no block of any pool.
    pub fn owner(&self, cidr: IpNet) -> Option<&NodeKey> {
        let _ = cidr;
        None
    }

    /// Whether any node claims just this network, be it a block or not. A route for it must not be
    /// removed.
    pub fn claimed(&self, cidr: IpNet) -> bool {
        let _ = cidr;
        false
    }

    /// The blocks that a node owns, in the order it claimed or was given them.
    pub fn blocks(&self, key: &NodeKey) -> impl Iterator<Item = IpNet> {
        let _ = key;
        std::iter::empty()
    }

    /// All that a node claims, in the order it did.
    pub fn claims(&self, key: &NodeKey) -> &[IpNet] {
        let _ = key;
        &[]
    }

    /// Name of the pool of which this is a block.
    pub fn pool_of(&self, cidr: IpNet) -> Option<&Arc<str>> {
        let _ = cidr;
        None
    }

    /// How full the pools are, in the order of the configuration; then those that were removed
    /// from it and still have holders. Costs no more than there are pools.
    pub fn uses(&self) -> Vec<PoolUse> {
        Vec::new()
    }
}
