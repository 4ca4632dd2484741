//! What is known of a node, trimmed to what decides.

use std::{collections::BTreeMap, fmt, net::IpAddr, ops::Deref, sync::Arc};

use ipnet::IpNet;

/// One life of a node: a node deleted and created again under the same name has another UID.
///
/// Copies share one place in memory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(Arc<NodeNames>);

/// What tells a node from all others. Read through a [`NodeKey`].
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNames {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
}

impl NodeKey {
    /// The node of that `metadata.name` and `metadata.uid`.
    pub fn new(name: impl Into<Arc<str>>, uid: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(NodeNames {
            name: name.into(),
            uid: uid.into(),
        }))
    }
}

impl Deref for NodeKey {
    type Target = NodeNames;

    fn deref(&self) -> &NodeNames {
        &self.0
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A node as the API server showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name and UID.
    pub key: NodeKey,
    /// `metadata.creationTimestamp` in seconds since 1970: of two nodes that claim one block, the
    /// older has it.
    pub created: i64,
    /// The labels (all, or those that pool selectors name).
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// `spec.providerID`.
    pub provider_id: Option<Arc<str>>,
    /// Addresses of type `InternalIP`, in the order given.
    pub internal_ips: Vec<IpAddr>,
    /// `spec.podCIDRs`; once set they never change.
    pub pod_cidrs: Vec<IpNet>,
    /// The condition `NetworkUnavailable`.
    pub network: NetworkCondition,
    /// The node opted out by the label `signpost.dev/exclude`: it gets nothing.
    pub excluded: bool,
    /// The cloud-controller-manager has yet to give it its labels, addresses and `spec.providerID`:
    /// it has the taint `node.cloudprovider.kubernetes.io/uninitialized`.
    pub uninitialized: bool,
}

#[cfg(test)]
impl Node {
    /// One of which nothing is known but that it is there.
    pub(crate) fn bare(key: NodeKey) -> Self {
        Self {
            key,
            created: 0,
            labels: BTreeMap::new(),
            provider_id: None,
            internal_ips: Vec::new(),
            pod_cidrs: Vec::new(),
            network: NetworkCondition::Unknown,
            excluded: false,
            uninitialized: false,
        }
    }
}

/// The node condition `NetworkUnavailable`, read the way people mean it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum NetworkCondition {
    /// The condition is absent or `Unknown`.
    #[default]
    Unknown,
    /// `NetworkUnavailable=False` for a reason of ours: pods there can be reached.
    Available,
    /// `NetworkUnavailable=False` for somebody else's reason, such as `CalicoIsUp`: what it says is not
    /// about our routes.
    Foreign,
    /// `NetworkUnavailable=True`.
    Unavailable,
}

impl NetworkCondition {
    /// Kubernetes lets pods onto the node, whoever said that it may.
    pub fn is_in_service(self) -> bool {
        matches!(self, Self::Available | Self::Foreign)
    }
}
