//! The custom resource `PodNetwork` (`signpost.dev/v1alpha1`): what people wish for the pod
//! network of a cluster, and what the controller says about it.
//!
//! The API server refuses bad objects by the rules in the schema, so that a mistake is seen by who
//! makes it. Readers turn the strings of a spec into typed values with [`PodNetworkSpec::parse`],
//! which checks the same again: an object can be older than the rules.

#![expect(
    clippy::doc_markdown,
    reason = "field comments are shown by kubectl as plain text"
)]
// `KubeSchema` repeats each struct, `pub` included, inside a function.
#![expect(unreachable_pub, reason = "in code that a derive generates")]

mod cloud;
mod condition;
mod crd;
mod datapath;
mod node_network;
mod parse;
mod pod_network;
mod pool;
mod safety;
mod schema;
mod status;

pub use cloud::{AwsCloud, AwsRates, CallRate, Cloud, GcpCloud, LinuxCloud, Provider};
pub use condition::IN_SERVICE_REASONS;
pub use crd::{CRD_NAME, crd, crd_yaml};
pub use datapath::{Datapath, DatapathMode, Masquerade};
pub use node_network::NodeNetwork;
pub use parse::{Invalid, InvalidSpec, ParsedPool, ParsedSpec};
pub use pod_network::{NAME, PodNetwork, PodNetworkSpec};
pub use pool::{MAX_BLOCK_BITS, NodeSelector, Pool, PoolState};
pub use safety::Safety;
pub use status::{
    ConditionType, NodeCounts, PodNetworkStatus, PoolStatus, QuotaStatus, RouteCounts,
};
