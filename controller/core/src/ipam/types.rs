//! What callers of the allocator get to see.

use std::{fmt, sync::Arc};

use ipnet::IpNet;

use crate::{node::NodeKey, summary::PoolUse};

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

/// How a claim stands. It is remembered in every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The node owns the block.
    Owner {
        /// Owned it until this very claim, by an older node, and is a duplicate from now on.
        displaced: Option<NodeKey>,
    },
    /// An older node owns the block.
    Duplicate {
        /// That node.
        owner: NodeKey,
    },
    /// No pool has such a block.
    OutOfRange(OutOfRange),
}

/// Why a network is no block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// It lies in no pool.
    #[error("lies in no pool")]
    NoPool,
    /// It overlaps a pool, and is not exactly one of the pool's blocks.
    #[error(
        "overlaps the pool {pool:?} but is none of its blocks, which are /{node_prefix_length}"
    )]
    NotABlock {
        /// Name of the first such pool.
        pool: Arc<str>,
        /// Prefix length of its blocks.
        node_prefix_length: u8,
    },
}

/// A network that a node no longer claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The network.
    pub cidr: IpNet,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a network that a node no longer claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The oldest of the others that claim it owns it now.
    PassedTo(NodeKey),
    /// The node was not its owner, and the owner still is.
    StaysWith(NodeKey),
    /// Nobody claims it; it is not handed out before [`end_quarantine`](super::Allocator::end_quarantine).
    Quarantined,
    /// It was no block of any pool.
    OutOfRange,
}

/// Why a node gets no blocks. Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// No pool's selector matches the node's labels.
    #[error("no pool's nodeSelector matches the node's labels; add a pool or label the node")]
    NoMatchingPool,
    /// No active pool of a family that the node needs has a free block.
    #[error("no free {family} block in {}; add a pool", describe(pools))]
    PoolExhausted {
        /// The family.
        family: Family,
        /// The pools of that family that match the node, in the order of the configuration. One
        /// that still has free blocks is draining.
        pools: Vec<PoolUse>,
    },
    /// The node claims something already, and not all of it is its own; release that first.
    #[error("the node claims blocks already, and other nodes own some of them")]
    Contested,
}

fn describe(pools: &[PoolUse]) -> String {
    let each = pools.iter().map(|pool| {
        let draining = if pool.free > 0 { ", draining" } else { "" };
        format!(
            "pool {} ({} blocks: {} allocated, {} quarantined, {} reserved{draining})",
            pool.name, pool.total, pool.allocated, pool.quarantined, pool.reserved
        )
    });
    each.collect::<Vec<_>>().join(", ")
}
