//! Pools: ranges and how they are cut.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How much longer a block's prefix may be than its pool's: a pool has at most 2^20 blocks.
pub const MAX_BLOCK_BITS: u8 = 20;

/// One range of pod addresses, cut into blocks of one size.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(schema::BLOCK_INSIDE_POOL).message(Message::Expression(
        "'a block would be larger than ' + self.cidr + ': set nodePrefixLength to at least the \
         number after the slash'".into()
    )).field_path(".nodePrefixLength"),
    validation = Rule::new(schema::BLOCK_COUNT).message(Message::Expression(
        "'there would be more than 2^20 blocks in ' + self.cidr + ': set nodePrefixLength to at \
         most 20 more than the number after the slash, or choose a smaller range'".into()
    )).field_path(".nodePrefixLength"),
    validation = Rule::new(schema::BLOCK_HAS_ROOM).message(
        "a block this small has no room for a pod: set nodePrefixLength to 30 or less for IPv4, \
         126 or less for IPv6"
    ).field_path(".nodePrefixLength"),
    validation = Rule::new("self.cidr == oldSelf.cidr").message(
        "the range of a pool cannot change, since nodes hold parts of it: add a pool of another \
         name with the new range, set the state of this one to Draining, and remove it once its \
         status shows no block allocated"
    ).field_path(".cidr"),
    validation = Rule::new("self.nodePrefixLength == oldSelf.nodePrefixLength").message(
        "the block size of a pool cannot change, since nodes hold blocks of it: add a pool of \
         another name and range with the new nodePrefixLength, set the state of this one to \
         Draining, and remove it once its status shows no block allocated"
    ).field_path(".nodePrefixLength")
)]
pub struct Pool {
    /// Name of the pool in status and metrics, unique in the list: lower-case letters, digits and
    /// hyphens, at most 63.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("!format.dns1123Label().validate(self).hasValue()").message(
        "a pool name has lower-case letters, digits and hyphens, and starts and ends with a \
         letter or digit: for example zone-a"
    ))]
    pub name: String,

    /// The range in CIDR notation, IPv4 or IPv6, without host bits: for example 10.244.0.0/16 or
    /// fd00:10:244::/48. It must not overlap the addresses of nodes, services or other networks
    /// that pods talk to. It cannot change; add another pool instead.
    #[schemars(schema_with = "schema::pool_cidr")]
    pub cidr: String,

    /// Prefix length of the block that each node gets. From the prefix length of cidr to 20 more
    /// than that, and at most 30 for IPv4 and 126 for IPv6. For example, 24 gives a node 256
    /// addresses and cuts 10.244.0.0/16 into 256 blocks. It cannot change; add another pool
    /// instead.
    #[schemars(range(min = 1, max = 126))]
    pub node_prefix_length: u8,

    /// Which nodes get blocks of this pool. Default: every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<NodeSelector>,

    /// Active: blocks are handed out. Draining: no new block is handed out, and blocks that nodes
    /// hold stay routed until those nodes go; then the pool can be removed. Default: Active.
    #[serde(default)]
    pub state: PoolState,
}

/// Chooses nodes by their labels.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// Labels that a node must carry, all of them with these values, at most 16. With none, every
    /// node matches.
    #[serde(default)]
    #[schemars(schema_with = "schema::match_labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// Whether a pool hands out blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum PoolState {
    /// Blocks are handed out.
    #[default]
    Active,
    /// No new block is handed out; those that nodes hold stay routed.
    Draining,
}
