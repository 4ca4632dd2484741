//! What the engine is told to do, and within which bounds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::cloud::Range;

/// The wishes of the `PodNetwork` object, already validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `metadata.generation` of the object that this was read from.
    pub generation: i64,
    /// In order of preference. A node gets one block of each family that any pool matching it has.
    /// The family of the first matching pool comes first in `podCIDRs`.
    pub pools: Vec<PoolConfig>,
    /// Ranges from which nothing is handed out. Blocks that nodes already hold there stay theirs.
    pub reserved: Vec<IpNet>,
    /// How often the route tables are listed to notice drift; five times as often for a while after
    /// drift was seen.
    pub check_period: Duration,
    /// The share of our routes, in percent, that may vanish at once without being held back.
    pub max_deletion_percent: u8,
    /// The object is being deleted: remove every route of ours, allocate nothing.
    pub teardown: bool,
}

/// One range that is cut into blocks of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Unique among the pools.
    pub name: Arc<str>,
    /// The range; no host bits set.
    pub cidr: IpNet,
    /// Prefix length of each block; at least the range's own, at most 20 bits longer.
    pub node_prefix_length: u8,
    /// Labels a node must carry, all of them. Empty matches every node.
    pub node_selector: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether new blocks are handed out.
    pub state: PoolState,
}

impl PoolConfig {
    /// As listings have to cover it.
    pub fn range(&self) -> Range {
        Range {
            cidr: self.cidr.trunc(),
            prefix_len: self.node_prefix_length,
        }
    }
}

/// Whether a pool hands out new blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolState {
    /// Hands out blocks.
    Active,
    /// Hands out nothing; blocks that nodes hold stay routed.
    Draining,
}

/// What the cloud provider can do and promises. Fixed while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// False for provider `none`: pod CIDRs are allocated, and nobody's routes are touched.
    pub routes: bool,
    /// False where instances need no switch to forward foreign addresses.
    pub forwarding: bool,
    /// Whether a route is led elsewhere in one step. Where it is not, it is removed and made anew.
    pub replaces: bool,
    /// Longest time until a write that was sent (answered or not) shows in every listing that
    /// starts later: as done, or as [pending](crate::cloud::TableListing::pending). Zero where reads
    /// and writes are consistent, as in a kernel's table.
    pub settle: Duration,
    /// Shortest time between the starts of two listings.
    pub listing_interval: Duration,
    /// The same while many writes wait or are under way, each of which will want another listing.
    pub bulk_listing_interval: Duration,
    /// Route writes of each kind (create, replace, delete) in flight at once.
    pub route_writes: usize,
    /// Writes to the Kubernetes API in flight at once.
    pub api_writes: usize,
    /// Longest time after the answer to a write to the Kubernetes API was given up until that write
    /// can no longer take effect. Follows from the lease's terms.
    pub api_settle: Duration,
}

/// How the leadership before this one ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Handover {
    /// There was none, or its last write had ended and settled (see [`Limits::settle`]) when it gave
    /// its lease back: what is read shows all that it did.
    Clean,
    /// Nobody knows: writes of its may still be under way or not show yet.
    #[default]
    Unclean,
}

impl Limits {
    /// Bounds for a table that is local, consistent and cheap to read.
    pub const LOCAL: Self = Self {
        routes: true,
        forwarding: false,
        replaces: true,
        settle: Duration::ZERO,
        listing_interval: Duration::from_millis(50),
        bulk_listing_interval: Duration::from_millis(50),
        route_writes: 64,
        api_writes: 64,
        api_settle: Duration::from_secs(5),
    };
}
