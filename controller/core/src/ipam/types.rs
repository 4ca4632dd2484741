//! What callers of the ledger get to see.

use std::fmt;

use ipnet::IpNet;

use crate::{ids::NodeId, node::NodeKey, summary::PoolUse};

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of a network.
    pub fn of(cidr: &IpNet) -> Self {
        match cidr {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// A node that has a network among its pod CIDRs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimant {
    pub(crate) id: NodeId,
    /// `metadata.creationTimestamp` in seconds since 1970.
    pub(crate) created: i64,
    pub(crate) key: NodeKey,
}

impl Claimant {
    /// Whether it owns what both claim: the older does, of two of one second the one with the lower
    /// UID.
    pub(super) fn precedes(&self, other: &Self) -> bool {
        let this = (self.created, &self.key.uid, &self.key.name);
        this < (other.created, &other.key.uid, &other.key.name)
    }
}

/// How a claim stands. It is remembered in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The node owns the block.
    Owner {
        /// Owned it until this very claim, or claimed it as well.
        before: Option<NodeId>,
    },
    /// An older node owns the block.
    Duplicate {
        /// That node.
        owner: NodeId,
    },
    /// No pool has such a block.
    OutOfRange,
}

/// What became of a network that a node no longer claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The oldest of those that still claim it has it now, or had it all the time.
    Has(NodeId),
    /// Nobody claims it: it is not handed out, nor forgotten, before a listing shows that no route
    /// for it is left.
    Quarantined,
    /// The node did not claim it.
    Unclaimed,
}

/// Why a node gets no blocks. Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AllocateError {
    /// No pool's selector matches the node's labels.
    #[error("no pool's nodeSelector matches the node's labels; add a pool or label the node")]
    NoMatchingPool,
    /// A pool that the node could use was not looked into yet; a listing is on its way.
    #[error("the route tables have yet to be read for the {0} pools that match the node")]
    NotCovered(Family),
    /// No active pool of a family that the node needs has a free block.
    #[error("no free {family} block in {}; add a pool", describe(pools))]
    PoolExhausted {
        /// The family.
        family: Family,
        /// The pools of that family that match the node, in the order of the configuration.
        pools: Vec<PoolUse>,
    },
}

fn describe(pools: &[PoolUse]) -> String {
    let each = pools.iter().map(|pool| {
        let problem = pool.problem.as_deref();
        let problem = problem.map_or(String::new(), |problem| format!("; {problem}"));
        format!(
            "pool {} ({} blocks: {} allocated, {} quarantined, {} blocked, {} reserved{problem})",
            pool.name, pool.total, pool.allocated, pool.quarantined, pool.blocked, pool.reserved
        )
    });
    each.collect::<Vec<_>>().join(", ")
}
