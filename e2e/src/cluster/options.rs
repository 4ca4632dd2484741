//! What kind of cluster to start.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::vpc::{CloudOptions, GcpOptions, VpcOptions};

/// Pods' range unless a test chooses another.
pub const PODS_V4: &str = "10.244.0.0/16";
/// As [`PODS_V4`], in a dual-stack cluster.
pub const PODS_V6: &str = "fd44::/48";

/// How kube-proxy leads to services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProxyMode {
    /// By rules of iptables.
    Iptables,
    /// By a table of nftables.
    Nftables,
}

/// What kind of cluster to start; begin with [`ClusterOptions::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Name: part of the cluster's id, by which its folders and cgroups are found. At most 20
    /// lower-case letters, digits and dashes.
    pub name: String,
    /// How many nodes it starts with, named `node-1` and so on; at most 254.
    pub nodes: u8,
    /// Whether nodes, pods and services have IPv6 addresses too.
    pub dual_stack: bool,
    /// Ranges of the pods' addresses: what kube-proxy takes for local traffic.
    pub pod_cidrs: Vec<String>,
    /// kube-proxy's mode.
    pub proxy_mode: ProxyMode,
    /// The `spec` of the `PodNetwork` to create; none for a cluster without Signpost, whose nodes
    /// register but do not become ready.
    pub pod_network: Option<Value>,
    /// Whether the router's machine joins as a node, `control-plane`, as that of kubeadm does; else it is a
    /// node only to run Signpost's controller.
    pub router_joins: bool,
    /// In the network of an emulated cloud rather than behind a router whose kernel has all routes.
    pub cloud: Option<CloudOptions>,
}

impl ClusterOptions {
    /// Three IPv4 nodes with Signpost, and a /24 of [`PODS_V4`] for each.
    pub fn new(name: &str) -> Self {
        let spec = pod_network(&[("pods", PODS_V4, 24)]);
        Self {
            name: name.to_owned(),
            nodes: 3,
            dual_stack: false,
            pod_cidrs: vec![PODS_V4.to_owned()],
            proxy_mode: ProxyMode::Iptables,
            pod_network: Some(spec),
            router_joins: false,
            cloud: None,
        }
    }

    /// As many nodes as given.
    #[must_use]
    pub fn nodes(mut self, nodes: u8) -> Self {
        self.nodes = nodes;
        self
    }

    /// IPv4 and IPv6: a /24 of [`PODS_V4`] and a /64 of [`PODS_V6`] for each node.
    #[must_use]
    pub fn dual_stack(mut self) -> Self {
        self.dual_stack = true;
        self.pod_cidrs = vec![PODS_V4.to_owned(), PODS_V6.to_owned()];
        self.pod_network = Some(pod_network(&[
            ("pods", PODS_V4, 24),
            ("pods-v6", PODS_V6, 64),
        ]));
        self
    }

    /// With the router as a node: to install Signpost on a cluster as kubeadm makes one.
    #[must_use]
    pub fn router_joins(mut self) -> Self {
        self.router_joins = true;
        self
    }

    /// In an emulated AWS VPC, with the route tables of its two zones as the wire: see
    /// [`vpc`](crate::vpc). The `PodNetwork` gets a section for it.
    #[must_use]
    pub fn in_vpc(mut self, options: VpcOptions) -> Self {
        self.cloud = Some(CloudOptions::Aws(options));
        self
    }

    /// In an emulated VPC network of Google Cloud, with its routes as the wire: see
    /// [`vpc`](crate::vpc). The `PodNetwork` gets a section for it.
    #[must_use]
    pub fn in_gcp(mut self, options: GcpOptions) -> Self {
        self.cloud = Some(CloudOptions::Gcp(options));
        self
    }

    /// With this `PodNetwork` spec.
    #[must_use]
    pub fn pod_network(mut self, spec: Value) -> Self {
        self.pod_network = Some(spec);
        self
    }

    /// Kubernetes alone: neither controller nor agents are started.
    #[must_use]
    pub fn without_signpost(mut self) -> Self {
        self.pod_network = None;
        self
    }
}

/// A `PodNetwork` spec with these pools (name, range, node prefix length), routes by the router's
/// kernel, and masquerading.
pub fn pod_network(pools: &[(&str, &str, u8)]) -> Value {
    let pools: Vec<Value> = pools
        .iter()
        .map(|(name, cidr, length)| json!({"name": name, "cidr": cidr, "nodePrefixLength": length}))
        .collect();
    json!({
        "pools": pools,
        "cloud": {"provider": "linux"},
        "datapath": {"mode": "ptp", "masquerade": {"enabled": true}},
    })
}
