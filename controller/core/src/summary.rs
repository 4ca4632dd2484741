//! What to tell people: the figures behind status, metrics and tables.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{action::Reason, cloud::TableId, node::NodeKey};

/// The engine's whole state in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `metadata.generation` of the configuration in force; 0 without one.
    pub generation: i64,
    /// In the order of the configuration.
    pub pools: Vec<PoolUse>,
    /// By table name. Empty until the first listing.
    pub tables: Vec<TableUse>,
    /// Nodes known (those that opted out not counted).
    pub nodes_total: usize,
    /// Nodes whose routes were read back from every table.
    pub nodes_routed: usize,
    /// Nodes that wait for something only people can change, by cause.
    pub problems: Vec<(Reason, usize)>,
    /// Deletions that are held back.
    pub deletions_held: usize,
    /// Nodes and routes were both read since the election.
    pub recovered: bool,
    /// The last listing failed, in the words of the cloud.
    pub cloud_error: Option<String>,
    /// Routes that should go cannot be deleted, in the words of the cloud.
    pub deletion_error: Option<String>,
}

/// Blocks of one pool by state; `total` is the sum of the others, of which a block counts for the
/// first that applies: allocated, quarantined, blocked, reserved, free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUse {
    /// Name of the pool.
    pub name: Arc<str>,
    /// All blocks.
    pub total: usize,
    /// Held by a node.
    pub allocated: usize,
    /// Held by nobody, with a route of ours still there, or not yet known to be gone.
    pub quarantined: usize,
    /// Somebody else's route, another node's overlapping pod CIDR or a barred range stands in their
    /// way.
    pub blocked: usize,
    /// Kept back by `reservedCIDRs`.
    pub reserved: usize,
    /// Can be handed out.
    pub free: usize,
    /// Why it hands out nothing, or who keeps it although it was removed: for people.
    pub problem: Option<String>,
}

/// Routes of one table by state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableUse {
    /// The table.
    pub table: TableId,
    /// Routes that should exist.
    pub desired: usize,
    /// Of those, the ones that do, with the right next hop.
    pub programmed: usize,
    /// Of those, the ones that do not, or lead elsewhere.
    pub missing: usize,
    /// Routes of ours that should not exist.
    pub stale: usize,
    /// Routes of others inside the pools.
    pub foreign: usize,
    /// Use of the quota for IPv4 routes, where it is known.
    pub v4: Option<QuotaUse>,
    /// Use of the quota for IPv6 routes, where it is known.
    pub v6: Option<QuotaUse>,
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUse {
    /// Routes of anybody that count, in the last listing.
    pub used: u32,
    /// How many there may be, as the cloud says or as was learnt from a refusal.
    pub limit: Option<u32>,
    /// How near the limit is.
    pub level: QuotaLevel,
}

/// How near the limit of a quota is. A level ends five percent points below where it begins, but
/// [`Full`](Self::Full) as soon as there is room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaLevel {
    /// Less than 80 % is used, or no limit is known.
    #[default]
    Ample,
    /// 80 % is used.
    Low,
    /// 95 % is used.
    Critical,
    /// All is used.
    Full,
}

impl QuotaLevel {
    /// Under which reason people hear of it; `None` while there is ample room.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Ample => None,
            Self::Low => Some(Reason::QuotaLow),
            Self::Critical => Some(Reason::QuotaCritical),
            Self::Full => Some(Reason::QuotaExceeded),
        }
    }
}

/// One node for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub key: NodeKey,
    /// Where it stands.
    pub phase: Phase,
    /// Its blocks.
    pub pod_cidrs: Vec<IpNet>,
    /// What it waits for.
    pub problem: Option<Reason>,
    /// From first sight to read-back, once routed.
    pub took: Option<Duration>,
}

/// The life cycle of a node's subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Seen; no block yet.
    Pending,
    /// Blocks chosen; being written to the node.
    Allocated,
    /// The node has its pod CIDRs; routes are being written or read back.
    Routing,
    /// Every table leads there.
    Routed,
    /// The node is gone; routes to it are being removed.
    Draining,
}
