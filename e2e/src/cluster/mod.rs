//! A cluster: started as options say, changed by tests, gone when it is dropped.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::binaries::Binaries;
use crate::identity;
use crate::images::Images;
use crate::keeper::{self, Keeper};
use crate::machine::Machine;
use crate::node::Node;
use crate::pki::Pki;
use crate::vpc::{Cloud, Network, Vpc};

mod nodes;
mod options;
mod start;
mod steps;

pub use nodes::is_ready;
pub use options::{ClusterOptions, PODS_V4, PODS_V6, ProxyMode, pod_network};

/// What the parts of a cluster share.
pub(crate) struct Parts {
    pub(crate) id: String,
    pub(crate) dir: PathBuf,
    pub(crate) dual_stack: bool,
    pub(crate) pod_cidrs: Vec<String>,
    pub(crate) proxy_mode: ProxyMode,
    pub(crate) binaries: Binaries,
    pub(crate) images: Images,
    pub(crate) with_signpost: bool,
    pub(crate) router_joins: bool,
    pub(crate) pki: Pki,
    pub(crate) router: Machine,
    pub(crate) cloud: Option<Cloud>,
}

/// A running cluster. All of it ends when this is dropped.
pub struct Cluster {
    pub(crate) parts: Arc<Parts>,
    external: Machine,
    nodes: RwLock<BTreeMap<String, Arc<Node>>>,
    control: Option<Arc<Node>>,
    client: kube::Client,
    kubeconfig: PathBuf,
    applied: Option<PathBuf>,
    timings: Vec<(&'static str, Duration)>,
    keeper: Arc<Keeper>,
}

impl Cluster {
    /// The cluster's id: its name and what tells it from others on this machine.
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// A client with all rights.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// A kubeconfig with all rights that works outside the cluster's namespaces too.
    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    /// Whether nodes and pods have addresses of both families.
    pub fn dual_stack(&self) -> bool {
        self.parts.dual_stack
    }

    /// The router: the wire between nodes, and the machine of the control plane.
    ///
    /// Services are `etcd`, `kube-apiserver`, `kube-controller-manager` and `kube-scheduler`.
    pub fn router(&self) -> &Machine {
        &self.parts.router
    }

    /// The node whose network is the router's: the control plane's, on which Signpost's controller runs.
    ///
    /// Fails if the cluster was started without Signpost, unless its router joins.
    pub fn control_plane_node(&self) -> Result<Arc<Node>> {
        let node = self.control.clone();
        node.context("a cluster without Signpost has no node on the router")
    }

    /// The emulated VPC that the cluster is in.
    ///
    /// Fails if it was started without [`ClusterOptions::in_vpc`].
    pub fn vpc(&self) -> Result<&Vpc> {
        match &self.parts.cloud {
            Some(Cloud::Aws(vpc)) => Ok(vpc),
            _ => bail!("the cluster is not in a VPC of AWS"),
        }
    }

    /// The emulated network of Google that the cluster is in.
    ///
    /// Fails if it was started without [`ClusterOptions::in_gcp`].
    pub fn network(&self) -> Result<&Network> {
        match &self.parts.cloud {
            Some(Cloud::Gcp(network)) => Ok(network),
            _ => bail!("the cluster is not in a network of Google"),
        }
    }

    /// Whether the cluster is in the network of an emulated cloud.
    pub fn is_in_a_cloud(&self) -> bool {
        self.parts.cloud.is_some()
    }

    /// Launches an instance that no machine stands behind, where the cluster is in a cloud; gives what its
    /// node's `spec.providerID` says.
    pub(crate) async fn launch_bare(
        &self,
        address: Ipv4Addr,
        name: &str,
    ) -> Result<Option<String>> {
        let Some(cloud) = &self.parts.cloud else {
            return Ok(None);
        };
        let instance = cloud.launch_bare(address, name).await?;
        Ok(Some(instance.provider_id()))
    }

    /// A host beyond the router, which has routes to nodes and none to pods.
    pub fn external(&self) -> &Machine {
        &self.external
    }

    /// The folder of the overlay that was applied; none without Signpost.
    pub fn applied(&self) -> Option<&Path> {
        self.applied.as_deref()
    }

    /// How long the steps of the start took, from its beginning.
    pub fn timings(&self) -> &[(&'static str, Duration)] {
        &self.timings
    }

    /// Runs kubectl with all rights and gives its output.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with_input(arguments, "").await
    }

    /// As [`kubectl`](Self::kubectl), with text for its standard input, as for `apply -f -`.
    pub async fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        identity::kubectl(&self.parts, &self.kubeconfig, arguments, input).await
    }

    /// The kubectl that fits the cluster.
    pub fn kubectl_path(&self) -> Result<String> {
        self.parts.binaries.path("kubectl")
    }

    /// Keeps the logs when the cluster ends, and says where they will be.
    pub fn keep_logs(&self) -> PathBuf {
        self.keeper.keep_logs();
        PathBuf::from(keeper::LOGS).join(self.id())
    }

    /// Ends the cluster now, and returns when nothing of it is left.
    pub fn shutdown(self) {
        drop(self);
    }

    /// Leaves the cluster running when this process ends; [`keeper::end`] ends it by its id.
    pub fn detach(self) {
        self.keeper.detach();
    }
}
