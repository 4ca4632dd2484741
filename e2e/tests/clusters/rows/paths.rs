//! R2: the five paths of a packet that a pod sends.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use futures::future::join_all;
use signpost_e2e::addresses::{EXTERNAL_V4, EXTERNAL_V6};
use signpost_e2e::{Cluster, Pod, PodSpec};

use crate::support::place::Place;

pub(crate) async fn r02_five_paths(cluster: &Cluster) -> Result<()> {
    five_paths(cluster, "r02").await
}

/// The same ten times two: each path in both families.
pub(crate) async fn r02_five_paths_dual_stack(cluster: &Cluster) -> Result<()> {
    ensure!(cluster.dual_stack());
    five_paths(cluster, "r02").await
}

/// The same in a VPC: between its zones too.
pub(crate) async fn r02_five_paths_in_a_vpc(cluster: &Cluster) -> Result<()> {
    cluster.vpc()?;
    five_paths(cluster, "r02").await
}

/// The same in a network of Google.
pub(crate) async fn r02_five_paths_in_a_network_of_google(cluster: &Cluster) -> Result<()> {
    cluster.network()?;
    five_paths(cluster, "r02").await
}

/// From a pod on each node: to its own node, to each other node, to a pod on the same node, to a pod
/// on each other node, and to a host beyond the router that knows no way back to pods.
async fn five_paths(cluster: &Cluster, prefix: &str) -> Result<()> {
    let nodes = cluster.nodes();
    let names: Vec<&str> = nodes.iter().take(3).map(|node| node.name()).collect();
    let pods = run_pods(cluster, prefix, &names).await?;
    let externals = externals(cluster);
    for pod in pods.iter().flat_map(Pod::addresses) {
        let route = cluster
            .external()
            .run(&["ip", "route", "get", &pod.to_string()])
            .await;
        ensure!(
            route.is_err(),
            "the external host should have no route to {pod}: {route:?}"
        );
    }

    let mut pings = Vec::new();
    for pod in pods.iter().step_by(2) {
        let place = Place::from(pod);
        for node in &nodes {
            let path = if node.name() == pod.node().name() {
                "its own node"
            } else {
                "another node"
            };
            let addresses = node.link().node_addresses(cluster.dual_stack());
            pings.extend(addresses.into_iter().map(|to| (place, path, to)));
        }
        for other in pods.iter().filter(|other| other.name() != pod.name()) {
            let same = other.node().name() == pod.node().name();
            let path = if same {
                "a pod on its node"
            } else {
                "a pod on another node"
            };
            pings.extend(other.addresses().iter().map(|to| (place, path, *to)));
        }
        pings.extend(externals.iter().map(|to| (place, "an external host", *to)));
    }
    let families = if cluster.dual_stack() { 2 } else { 1 };
    // From one pod on each node: to all nodes, to all other pods, and to one external host.
    let expected = names.len() * (nodes.len() + pods.len() - 1 + 1) * families;
    ensure!(
        pings.len() == expected,
        "{} paths to try, not {expected}",
        pings.len()
    );
    let results = join_all(pings.iter().map(async |(from, path, to)| {
        let result = from.ping(*to).await;
        result.with_context(|| format!("{} does not reach {path}, {to}", from.name()))
    }));
    let failures: Vec<String> = results
        .await
        .into_iter()
        .filter_map(Result::err)
        .map(|e| format!("{e:#}"))
        .collect();
    if !failures.is_empty() {
        bail!(
            "{} of {expected} paths fail:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
    delete(cluster, &pods).await
}

/// Addresses of the external host, of the cluster's families.
pub(super) fn externals(cluster: &Cluster) -> Vec<IpAddr> {
    let v6 = cluster.dual_stack().then_some(IpAddr::V6(EXTERNAL_V6));
    std::iter::once(IpAddr::V4(EXTERNAL_V4)).chain(v6).collect()
}

/// Runs two pods on each node, named by the prefix; a node's two are beside each other.
async fn run_pods(cluster: &Cluster, prefix: &str, nodes: &[&str]) -> Result<Vec<Pod>> {
    let specs = nodes.iter().flat_map(|node| {
        ["a", "b"].map(|letter| PodSpec::new(&format!("{prefix}-{letter}-{node}")).on(node))
    });
    let pods = join_all(specs.map(|spec| cluster.run_pod(spec))).await;
    pods.into_iter().collect()
}

/// Deletes pods, all at once.
pub(super) async fn delete(cluster: &Cluster, pods: &[Pod]) -> Result<()> {
    let deletions = join_all(pods.iter().map(|pod| cluster.delete_pod(pod.name()))).await;
    deletions.into_iter().collect()
}
