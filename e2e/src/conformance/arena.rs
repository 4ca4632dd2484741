//! A cluster as Kubernetes' own tests expect one.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;

use super::suite::Tests;
use super::{Family, Policy, Setup, word};
use crate::cluster::{Cluster, ClusterOptions};
use crate::images::{PAUSE, TOOLS};

/// As few as every test of networking finds enough.
pub(super) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// How long nodes may take to become ready.
const LIMIT: Duration = Duration::from_secs(90);

/// The cluster's name server, for which the tests ask.
const DNS: &str = include_str!("../../conformance/dns.yaml");
const DNS_IMAGE: &str = "registry.k8s.io/coredns/coredns:v1.14.3";
/// The image of most of the tests' pods, as `scripts/images/conformance.sh` packs it.
const AGNHOST: &str = concat!("localhost/signpost-agnhost:", env!("CARGO_PKG_VERSION"));

/// A control plane with Signpost, and no nodes yet.
pub(super) async fn start(setup: Setup) -> Result<Cluster> {
    let mut options = ClusterOptions::new("conformance").nodes(0);
    if setup.family == Family::Dual {
        options = options.dual_stack();
    }
    options.proxy_mode = setup.proxy;
    let spec = options.pod_network.as_mut();
    spec.context("a cluster with Signpost")?["datapath"]["mode"] = word(&setup.mode).into();
    Cluster::start(options).await
}

/// Adds nodes, and the name server.
pub(super) async fn prepare(cluster: &Cluster, setup: Setup, tests: &Tests) -> Result<()> {
    let server = cluster.client().apiserver_version().await?.git_version;
    ensure!(
        tests.version() == server,
        "e2e.test is of {}, the API server of {server}. Remedy: leave SIGNPOST_BINARIES unset",
        tests.version()
    );
    try_join_all(NODES.map(|name| add_node(cluster, name, setup, tests))).await?;
    cluster.wait_registered(&NODES, LIMIT).await?;
    cluster.wait_ready(&NODES, LIMIT).await?;

    cluster.load_program(DNS_IMAGE, "coredns").await?;
    cluster
        .kubectl_with_input(&["apply", "-f", "-"], DNS)
        .await?;
    let wait = "-n kube-system rollout status deployment/coredns --timeout=180s";
    let wait: Vec<&str> = wait.split(' ').collect();
    cluster.kubectl(&wait).await.map(drop)
}

/// Adds a node whose firewall is as it shall be before the agent comes, with the images and the plugin
/// for host ports.
async fn add_node(cluster: &Cluster, name: &str, setup: Setup, tests: &Tests) -> Result<()> {
    let node = cluster.boot_node(name).await?;
    if setup.forward == Policy::Drop {
        for program in ["iptables", "ip6tables"] {
            let drop = [program, "-P", "FORWARD", "DROP"];
            node.machine().run(&drop).await?;
        }
    }
    let plugins = node.path("/opt/cni/bin");
    fs::create_dir_all(&plugins)?;
    fs::copy(tests.portmap(), plugins.join("portmap"))?;
    node.import(tests.agnhost()).await?;
    for image in tests.images() {
        if let Some(ours) = stand_in(image) {
            node.name_image(ours, image).await?;
        }
    }
    cluster.join_node(name).await
}

/// Which of our images does what one of the tests' does, as far as tests of networking go.
fn stand_in(image: &str) -> Option<&'static str> {
    let path = image.strip_prefix("registry.k8s.io/")?;
    let (name, _) = path.rsplit_once(':')?;
    match name.trim_start_matches("e2e-test-images/") {
        "agnhost" | "glibc-dns-testing" => Some(AGNHOST),
        "busybox" => Some(TOOLS),
        "pause" => Some(PAUSE),
        _ => None,
    }
}
