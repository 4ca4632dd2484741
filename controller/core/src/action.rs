//! What can be done.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{
    cloud::{InstanceQuery, Range, RouteChange},
    node::NodeKey,
};

/// Something that the shell carries out, without asking why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Set `spec.podCIDR` and `spec.podCIDRs` in one write that fails with
    /// [`ApiErrorKind::Conflict`](crate::event::ApiErrorKind::Conflict) if the node has other pod CIDRs or
    /// another UID, and succeeds if it has just these.
    SetPodCidrs {
        /// The node.
        node: NodeKey,
        /// One for each family, the primary family first.
        cidrs: Vec<IpNet>,
    },
    /// Read one node anew, from the API server itself and not from a cache.
    ReadNode(NodeKey),
    /// Write the node condition `NetworkUnavailable`.
    SetNetworkStatus {
        /// The node.
        node: NodeKey,
        /// What it says.
        status: NetworkStatus,
    },
    /// Ask the cloud for instances, in as many calls as the provider needs.
    ReadInstances {
        /// Comes back in the answer.
        batch: u64,
        /// The nodes.
        queries: Vec<InstanceQuery>,
    },
    /// Make the instance forward packets that are not addressed to itself.
    EnableForwarding(InstanceQuery),
    /// List all tables. A second one is begun only if the first has been under way for long.
    ListRoutes {
        /// Comes back in the answer.
        listing: u64,
        /// What it must cover.
        ranges: Arc<[Range]>,
    },
    /// Change one route. At most one change is under way for one destination in one table.
    WriteRoute {
        /// Comes back in the answer.
        write: u64,
        /// What to do.
        change: RouteChange,
    },
    /// Tell people; at most once for each cause.
    Notify(Notice),
    /// A node's routes were read back from every table for the first time in this leadership, and
    /// it was not routed before: how long that took since the node was first seen.
    NodeRouted {
        /// The node.
        node: NodeKey,
        /// From first sight to read-back.
        took: Duration,
    },
    /// Every route of ours is gone and the object may go too.
    TeardownDone,
}

/// What the condition `NetworkUnavailable` says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkStatus {
    /// True: `NetworkUnavailable=False`.
    pub available: bool,
    /// Why.
    pub reason: Reason,
    /// For people: what is wrong and what to do.
    pub message: String,
}

/// A notice for people, which the shell turns into a Kubernetes event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub subject: Subject,
    /// The cause.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One node.
    Node(NodeKey),
    /// The `PodNetwork` object.
    Network,
    /// The `PodNetwork` object, because of something named (a destination, a table).
    Part(Arc<str>),
}

/// The causes that conditions, events and messages name. Stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The node's routes were read back from every table.
    RouteCreated,
    /// Provider `none`: pod CIDRs are allocated and routes are somebody else's work.
    PodCIDRAssigned,
    /// The node has been waiting for its routes to be written and read back for some time.
    RoutePending,
    /// No active pool that matches the node has a free block.
    PoolExhausted,
    /// No pool matches the node's labels.
    NoMatchingPool,
    /// Another, older node has the same pod CIDR.
    DuplicatePodCIDR,
    /// The node's pod CIDR is no block of any pool.
    PodCIDROutOfRange,
    /// The node has no `InternalIP` (or its instance no address) of the family.
    NoNextHop,
    /// The cloud does not know the node's instance.
    InstanceNotFound,
    /// Routes cannot lead to this kind of node.
    InstanceUnsupported,
    /// A foreign route has the block's destination.
    RouteConflict,
    /// Packets along the node's route are dropped, as the cloud says.
    RouteBlackhole,
    /// No route may lie where the pool, or the node's block, is.
    RangeBarred,
    /// The route table has 80 % of the routes that it may have.
    QuotaLow,
    /// The route table has 95 % of them.
    QuotaCritical,
    /// The route table is full.
    QuotaExceeded,
    /// The cloud denies a permission.
    CloudDenied,
    /// The cloud cannot be reached or fails.
    CloudUnavailable,
    /// The Kubernetes API denies a permission or refuses the write.
    WriteRefused,
    /// Removing so many routes at once is held back.
    DeletionsHeld,
    /// A route of ours was changed or removed by somebody else and is mended.
    DriftMended,
    /// A pool was taken out of the configuration while nodes have blocks of it.
    PoolRemoved,
    /// A route table is no longer among those that are programmed.
    TableForgotten,
    /// Somebody else writes the same node condition, again and again.
    ConditionContested,
}

impl Reason {
    /// The name in `CamelCase`, as Kubernetes shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            // What the condition of a node in service says is nobody else's word: Kubernetes' own route
            // controller says `RouteCreated`.
            Self::RouteCreated => "SignpostRouteCreated",
            Self::PodCIDRAssigned => "SignpostPodCIDRAssigned",
            Self::RoutePending => "RoutePending",
            Self::PoolExhausted => "PoolExhausted",
            Self::NoMatchingPool => "NoMatchingPool",
            Self::DuplicatePodCIDR => "DuplicatePodCIDR",
            Self::PodCIDROutOfRange => "PodCIDROutOfRange",
            Self::NoNextHop => "NoNextHop",
            Self::InstanceNotFound => "InstanceNotFound",
            Self::InstanceUnsupported => "InstanceUnsupported",
            Self::RouteConflict => "RouteConflict",
            Self::RouteBlackhole => "RouteBlackhole",
            Self::RangeBarred => "RangeBarred",
            Self::QuotaLow => "QuotaLow",
            Self::QuotaCritical => "QuotaCritical",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::CloudDenied => "CloudDenied",
            Self::CloudUnavailable => "CloudUnavailable",
            Self::WriteRefused => "WriteRefused",
            Self::DeletionsHeld => "DeletionsHeld",
            Self::DriftMended => "DriftMended",
            Self::PoolRemoved => "PoolRemoved",
            Self::TableForgotten => "TableForgotten",
            Self::ConditionContested => "ConditionContested",
        }
    }
}
