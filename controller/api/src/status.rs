//! What the controller says about the network.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the controller last saw and did.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodNetworkStatus {
    /// metadata.generation of the spec that the rest of the status speaks of. If it is less than
    /// the object's, the controller has not taken up the last change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready: everything below is true and every node is routed. PoolsAvailable: every active pool
    /// has a free block. RoutesSynced: the route tables have what they should. QuotaAvailable:
    /// every route table has room for another route; its message tells early when room runs out.
    /// CloudReachable: the last listing of the route tables succeeded.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// Use of each pool, in the order of the spec; then pools that were removed from the spec while
    /// nodes have blocks of them.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pools: Vec<PoolStatus>,

    /// Routes, over all route tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<RouteCounts>,

    /// Why routes that should go cannot be removed, in the words of the cloud; absent where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_error: Option<String>,

    /// Quotas of route tables, where the cloud bounds them and their use is known.
    #[serde(default)]
    pub quotas: Vec<QuotaStatus>,

    /// Nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
}

/// Use of the quota of one route table for one address family.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaStatus {
    /// Name of the route table.
    pub table: String,
    /// IPv4 or IPv6.
    pub family: String,
    /// Routes that count, whosever they are.
    pub used: u64,
    /// How many there may be, as the cloud says or as was learnt when it refused one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Blocks of one pool. Each block counts once: for the first of allocated, quarantined, blocked,
/// reserved and free that applies.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatus {
    /// Name of the pool.
    pub name: String,
    /// All blocks of the pool: the sum of the others.
    pub total: u64,
    /// Blocks that a node holds.
    pub allocated: u64,
    /// Blocks that no node holds, but that a route of Signpost still leads to, or that are not yet
    /// known to be free of routes. They become free once the route is gone.
    pub quarantined: u64,
    /// Blocks that no node holds, and that routes of others, another node's pod CIDR or ranges in
    /// which no route may lie keep from being handed out.
    #[serde(default)]
    pub blocked: u64,
    /// Blocks kept back by reservedCIDRs.
    pub reserved: u64,
    /// Blocks that can be handed out.
    pub free: u64,
    /// Why the pool hands out nothing, or, of a pool that was removed from the spec, which nodes still
    /// have blocks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Routes, over all route tables.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteCounts {
    /// Routes that should exist.
    pub desired: u64,
    /// Of those, the ones that exist with the right next hop.
    pub programmed: u64,
    /// Of those, the ones that do not exist or lead elsewhere.
    pub missing: u64,
    /// Routes of Signpost that should not exist and are to be removed.
    pub stale: u64,
    /// Routes of others inside the pools, which are left alone; blocks that they cover are not
    /// handed out.
    pub foreign: u64,
}

/// Nodes of the cluster.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// Nodes that take part; those with the label signpost.dev/exclude do not.
    pub total: u64,
    /// Nodes whose routes were read back from every route table.
    pub routed: u64,
}

/// The types of the conditions in [`PodNetworkStatus::conditions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// All the others are true, and every node is routed.
    Ready,
    /// Every active pool has a free block.
    PoolsAvailable,
    /// The route tables have what they should.
    RoutesSynced,
    /// Every route table has room for another route.
    QuotaAvailable,
    /// The last listing of the route tables succeeded.
    CloudReachable,
}

impl ConditionType {
    /// Every type, in the order in which people want to read them.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::PoolsAvailable,
        Self::RoutesSynced,
        Self::QuotaAvailable,
        Self::CloudReachable,
    ];

    /// The name in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::PoolsAvailable => "PoolsAvailable",
            Self::RoutesSynced => "RoutesSynced",
            Self::QuotaAvailable => "QuotaAvailable",
            Self::CloudReachable => "CloudReachable",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
