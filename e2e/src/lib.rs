//! Real Kubernetes clusters on one machine, and the tests and demo that run on them.
//!
//! Nothing here is a stand-in: etcd, API server, scheduler, kubelets, containerd and runc are the
//! real ones, pods are real pods, and packets go through the kernel's own routing. Only machines are
//! sets of namespaces:
//!
//! ```text
//!   external host                       router                          node-1
//!  +--------------+          +---------------------------+          +---------------------------+
//!  | 192.0.2.2    | 192.0.2.1| etcd  API server          |172.30.1.1| 172.30.1.2 (InternalIP)   |
//!  | routes to    +----------+ controller manager (no    +----------+ containerd  kubelet       |
//!  | nodes, none  |          | node IPAM)  scheduler     |          | kube-proxy  signpost-node |
//!  | to pods      |          | kubelet: the controller   |          | pods, by signpost-cni     |
//!  +--------------+          |                           |          +---------------------------+
//!                            | routes to pods: only what |172.30.2.1+---------------------------+
//!                            | Signpost programs here    +----------+ node-2: 172.30.2.2   …    |
//!                            +-------------+-------------+          +---------------------------+
//!                                          | 127.0.0.1:PORT of the host, for kubectl and tests
//! ```
//!
//! The router is also the wire. Every node hangs on a point-to-point link of its own, so no layer-2
//! neighbour can hide a missing route, and the router drops a packet that comes from where its table
//! does not lead (reverse path filter; for IPv6 an nftables rule that does the same). It has no
//! default route.
//!
//! Or the router is the network of an emulated cloud: see [`vpc`].
//!
//! Signpost runs as users install it: images in the nodes, an overlay of `manifests/` applied, one object
//! created. The router's namespaces are a node of the cluster too, `control-plane`, on which the
//! controller's pod is. It bears the label `signpost.dev/exclude`: otherwise Signpost leaves it alone.
//!
//! Everything in the host's own namespaces carries the cluster's id, and all of it vanishes with the
//! process that started the cluster, however that ends: see [`keeper`].
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use signpost_e2e::{Cluster, ClusterOptions, PodSpec};
//!
//! let cluster = Cluster::start(ClusterOptions::new("example")).await?;
//! let a = cluster.run_pod(PodSpec::new("a").on("node-1")).await?;
//! let b = cluster.run_pod(PodSpec::new("b").on("node-2")).await?;
//! a.ping(b.address()?).await?;
//! # Ok(()) }
//! ```

use std::path::Path;

pub mod addresses;
mod audit;
mod binaries;
pub mod blocks;
mod cgroups;
mod cluster;
pub mod conformance;
mod control_plane;
pub mod demo;
mod diagnostics;
pub mod faults;
pub mod identity;
pub mod images;
mod install;
pub mod keeper;
mod machine;
pub mod metrics;
mod node;
pub mod objects;
mod pki;
mod pods;
mod policy;
mod programs;
mod relay;
pub mod routes;
mod topology;
mod traffic;
pub mod upstream;
pub mod vpc;
pub mod wait;

pub use audit::Access;
pub use binaries::{Binaries, built, own_binary};
pub use cluster::{Cluster, ClusterOptions, PODS_V4, PODS_V6, ProxyMode, is_ready, pod_network};
pub use install::Overlay;
pub use machine::{Machine, Service, ServiceStatus};
pub use node::Node;
pub use pods::{Pod, PodSpec};
pub use programs::Program;
pub use rustix::process::Signal;
pub use topology::NODE_DEVICE;
pub use traffic::{Lap, Traffic};
pub use vpc::{GcpOptions, Network, Vpc, VpcOptions};

/// First argument of the process that cleans up after a cluster.
const KEEPER_ROLE: &str = "cluster-keeper";
/// First argument of process 1 of a machine.
const MACHINE_ROLE: &str = "machine-init";
/// First argument of a relay of connections.
const RELAY_ROLE: &str = "relay";

/// Takes over if this process was started as a part of a cluster, and does not return then.
///
/// Every program that starts clusters calls this first, before it has threads: the processes that
/// keep a cluster are this same program again.
pub fn run_hidden_role() {
    let arguments: Vec<String> = std::env::args().collect();
    let result = match arguments.get(1..) {
        Some([role, dir]) if role == KEEPER_ROLE => keeper::main(Path::new(dir)),
        Some([role, spec]) if role == MACHINE_ROLE => machine::init::main(Path::new(spec)),
        Some([role, spec]) if role == RELAY_ROLE => relay::main(Path::new(spec)),
        _ => return,
    };
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Ends this process's clusters, and then the process, on Ctrl-C or SIGTERM.
///
/// Without it they end all the same, but the shell's prompt is back before they are gone.
pub fn end_on_signals(runtime: &tokio::runtime::Runtime) {
    runtime.spawn(async {
        let Ok(mut terminate) =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        else {
            return;
        };
        let code = tokio::select! {
            _ = tokio::signal::ctrl_c() => 130,
            _ = terminate.recv() => 143,
        };
        eprintln!("\ncleaning up");
        keeper::end_all();
        std::process::exit(code);
    });
}
