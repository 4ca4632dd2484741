//! An emulated cloud's network as the wire between nodes.
//!
//! The control plane is an emulator of the cloud's API, which listens on the router. The data plane is the
//! router's kernel, which follows the emulator's true state within milliseconds, whatever the API's
//! readers see of it yet.
//!
//! | question | file |
//! |---|---|
//! | how does the network of each cloud behave | [`aws`], [`gcp`] |
//! | what is the kernel to do | `plan` |
//! | how is the kernel told | `kernel` |
//! | when is it told | `fabric` |
//! | where does all of it run | `place` |

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokio::sync::watch;

use crate::addresses::Link;
use crate::install::Overlay;
use crate::machine::Machine;

pub mod aws;
mod fabric;
pub mod gcp;
mod kernel;
mod place;
mod plan;

pub use aws::{Vpc, VpcOptions, tables};
pub use gcp::{GcpOptions, Network};

/// The name of every cluster: in the tag `kubernetes.io/cluster/NAME` or in its routes.
pub const CLUSTER_NAME: &str = "e2e";

/// How long the kernel may take to follow the emulator: many times what it does take.
const LIMIT: Duration = Duration::from_secs(10);

/// What kind of network a cluster is in.
#[derive(Clone, Debug)]
pub enum CloudOptions {
    /// A VPC of AWS.
    Aws(VpcOptions),
    /// A VPC network of Google Cloud.
    Gcp(GcpOptions),
}

/// The network that a cluster is in.
pub(crate) enum Cloud {
    Aws(Vpc),
    Gcp(Network),
}

/// An instance, as a node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id at AWS, `i-…`, its name at Google.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// What routes to it lead to: at AWS its primary network interface, `eni-…`, at Google itself,
    /// `projects/P/zones/Z/instances/N`.
    pub interface: String,
    provider_id: String,
}

impl Instance {
    /// What a node's `spec.providerID` says about it.
    pub fn provider_id(&self) -> String {
        self.provider_id.clone()
    }
}

impl Cloud {
    /// Starts the emulator on the router, and builds what nodes are launched into.
    pub(crate) async fn start(
        router: &Machine,
        search_path: &str,
        dual_stack: bool,
        options: CloudOptions,
    ) -> Result<Self> {
        let setup = fabric::Setup {
            dual_stack,
            search_path: search_path.to_owned(),
        };
        Ok(match options {
            CloudOptions::Aws(options) => Self::Aws(Vpc::start(router, setup, options).await?),
            CloudOptions::Gcp(options) => Self::Gcp(Network::start(router, setup, options).await?),
        })
    }

    /// Launches the instance of a link's node, whose name Google wants to know.
    pub(crate) async fn launch(&self, link: Link, name: &str) -> Result<Instance> {
        match self {
            Self::Aws(vpc) => vpc.launch(link).await,
            Self::Gcp(network) => network.launch(link, name).await,
        }
    }

    /// Launches an instance that no machine stands behind, with an address of the range of bare nodes,
    /// and one of IPv6 if the cluster has both families.
    pub(crate) async fn launch_bare(&self, address: Ipv4Addr, name: &str) -> Result<Instance> {
        match self {
            Self::Aws(vpc) => vpc.launch_bare(address).await,
            Self::Gcp(network) => network.launch_bare(address, name).await,
        }
    }

    /// Terminates an instance: packets to it are lost.
    pub(crate) async fn terminate(&self, instance: &Instance) -> Result<()> {
        match self {
            Self::Aws(vpc) => vpc.terminate(instance).await,
            Self::Gcp(network) => network.terminate(instance).await,
        }
    }

    /// Completes the `spec` of a `PodNetwork` so that it means this network.
    pub(crate) fn complete(&self, spec: &mut Value) {
        match self {
            Self::Aws(vpc) => vpc.complete(spec),
            Self::Gcp(network) => network.complete(spec),
        }
    }

    /// What has to be in a program's environment so that it finds the emulator, and nothing else.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Aws(vpc) => vpc.environment().into(),
            Self::Gcp(_) => Network::environment().into(),
        }
    }

    pub(crate) fn overlay(&self) -> Overlay {
        match self {
            Self::Aws(_) => Overlay::Aws,
            Self::Gcp(_) => Overlay::Gcp,
        }
    }
}

/// Waits until the router's kernel follows a version of the emulator's state.
async fn settled(mut followed: watch::Receiver<u64>, version: u64) -> Result<()> {
    let reached = followed.wait_for(|followed| *followed >= version);
    let reached = tokio::time::timeout(LIMIT, reached).await;
    reached
        .map_err(|_| anyhow!("the router's kernel does not follow the network after {LIMIT:?}"))?
        .context("the network's fabric has ended, its error stands above")?;
    Ok(())
}
