//! The object itself.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{Cloud, Datapath, PodNetworkStatus, Pool, Safety, schema};

/// The only name that a `PodNetwork` may have.
pub const NAME: &str = "default";

/// What the pod network of this cluster should be.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "signpost.dev",
    version = "v1alpha1",
    kind = "PodNetwork",
    plural = "podnetworks",
    shortname = "pn",
    status = "PodNetworkStatus",
    derive = "PartialEq",
    doc = "The pod network of this cluster: the ranges that pods get their addresses from, the \
           cloud whose route tables lead to the nodes, and how packets travel on a node. There is \
           one, named default.",
    validation = Rule::new("self.metadata.name == 'default'").message(
        "a cluster has one PodNetwork, and its name is default: change metadata.name to default"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether every node is routed and nothing needs attention",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        description = "Why it is ready or not, in one word",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(
        name = "Provider",
        type_ = "string",
        description = "Where the routes are",
        json_path = ".spec.cloud.provider"
    ),
    printcolumn(
        name = "Nodes",
        type_ = "integer",
        description = "Nodes that take part",
        json_path = ".status.nodes.total"
    ),
    printcolumn(
        name = "Routed",
        type_ = "integer",
        description = "Nodes whose routes were read back from every table",
        json_path = ".status.nodes.routed"
    ),
    printcolumn(
        name = "Routes",
        type_ = "integer",
        description = "Routes that should exist",
        json_path = ".status.routes.desired"
    ),
    printcolumn(
        name = "Programmed",
        type_ = "integer",
        description = "Routes that exist with the right next hop",
        json_path = ".status.routes.programmed"
    ),
    printcolumn(
        name = "Foreign",
        type_ = "integer",
        description = "Routes of others inside the pools, which are left alone",
        json_path = ".status.routes.foreign"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Missing",
        type_ = "integer",
        description = "Routes that do not exist yet or lead elsewhere",
        json_path = ".status.routes.missing",
        priority = 1
    ),
    printcolumn(
        name = "Stale",
        type_ = "integer",
        description = "Routes of Signpost that are to be removed",
        json_path = ".status.routes.stale",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        description = "Why it is ready or not, in words",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PodNetworkSpec {
    /// The ranges that pods get their addresses from, at least one and at most 64. Each is cut
    /// into blocks, and a node gets one block of each address family: from the first pool in this
    /// list that matches the node, is active and has a free block. The family of the first pool
    /// that matches is the node's primary one. Ranges must not overlap.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new(schema::POOLS_DO_NOT_OVERLAP).message(
            "pools overlap: give each pool a range that lies outside every other pool's range"
        )
    )]
    pub pools: Vec<Pool>,

    /// Ranges in CIDR notation from which no block is handed out, at most 64, such as the range of
    /// the services or addresses in use elsewhere. A block that only touches such a range is kept
    /// back too. Blocks that nodes hold already stay theirs. A range may lie outside the pools.
    /// Default: none.
    #[serde(default, rename = "reservedCIDRs")]
    #[schemars(schema_with = "schema::cidr_list")]
    pub reserved_cidrs: Vec<String>,

    /// Where routes are programmed, and how often they are checked.
    pub cloud: Cloud,

    /// How packets travel on a node.
    #[serde(default)]
    pub datapath: Datapath,

    /// What is held back until somebody has looked at it.
    #[serde(default)]
    pub safety: Safety,
}
