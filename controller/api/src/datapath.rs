//! How packets travel on a node.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How packets travel on a node. Changes apply to pods started afterwards; those of masquerade
/// apply at once.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Datapath {
    /// ptp: each pod has a link of its own to the node, and the node has a route to each pod. bridge:
    /// the links of a node's pods are ports of one bridge, sgnbr0, which has the first address of
    /// each of the node's subnets, and the node has a route to it. In both a pod sends everything
    /// to the node. Default: ptp.
    #[serde(default)]
    pub mode: DatapathMode,

    /// Largest packet on a pod's link, in bytes: 0, or 1280 to 65535. 0 means the smallest MTU of
    /// all next hops of the node's default routes. Default: 0.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == 0 || self >= 1280").message(
        "IPv6 does not work below 1280 bytes: set mtu to 1280 or more, or to 0 for the node's own"
    ))]
    pub mtu: u16,

    /// Which packets of pods leave the node with the node's address instead of the pod's.
    #[serde(default)]
    pub masquerade: Masquerade,
}

/// How a pod is connected to its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatapathMode {
    /// A link for each pod, and a route on the node for each of its addresses.
    #[default]
    Ptp,
    /// A bridge that the links of all pods are ports of.
    Bridge,
}

/// Which packets of pods leave the node with the node's address instead of the pod's.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Masquerade {
    /// Whether packets from a pod to an address outside the pod network get the node's address,
    /// so that answers find the way back. Switch it off where pod addresses are routed
    /// everywhere. Default: true.
    #[serde(default = "default_enabled")]
    pub enabled: bool,

    /// Destinations in CIDR notation that see the pod's own address although they lie outside the
    /// pod network, at most 64. The pools are always exempt, and so are the nodes' own addresses:
    /// list their range here where there are thousands, and nobody has to be told of each that
    /// joins. Default: none.
    #[serde(default, rename = "exceptCIDRs")]
    #[schemars(schema_with = "schema::cidr_list")]
    pub except_cidrs: Vec<String>,
}

impl Default for Masquerade {
    fn default() -> Self {
        Self {
            enabled: default_enabled(),
            except_cidrs: Vec::new(),
        }
    }
}

fn default_enabled() -> bool {
    true
}
