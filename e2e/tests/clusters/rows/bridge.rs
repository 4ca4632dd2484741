//! R10: pods on a bridge.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use signpost_e2e::{Cluster, Node, Pod, PodSpec, wait};

use super::addresses::{first_addresses, json as parsed};
use super::paths::{delete, externals};
use super::services;
use crate::support::place::Place;
use crate::support::{LIMIT, objects};

const BRIDGE: &str = "sgnbr0";
const CONFIGURATION: &str = "/etc/cni/net.d/00-signpost.conflist";

pub(crate) async fn r10_pods_of_a_node_are_ports_of_one_bridge(cluster: &Cluster) -> Result<()> {
    bridge(cluster).await
}

pub(crate) async fn r10_pods_of_a_node_are_ports_of_one_bridge_dual_stack(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    bridge(cluster).await
}

/// The bridge has the first address of each of the node's subnets, and what a node's pods send to each other
/// goes over it. Pods from before and after, which have links of their own, are connected with those on it, and
/// Services answer.
async fn bridge(cluster: &Cluster) -> Result<()> {
    let before = cluster
        .run_pod(PodSpec::new("r10-before").on("node-1"))
        .await?;
    set_mode(cluster, "bridge").await?;
    let specs = [
        ("r10-one", "node-1"),
        ("r10-two", "node-1"),
        ("r10-far", "node-2"),
    ];
    let pods = specs.map(|(name, node)| cluster.run_pod(PodSpec::new(name).on(node)));
    let pods: Vec<Pod> = join_all(pods).await.into_iter().collect::<Result<_>>()?;
    let node = cluster.node("node-1")?;
    has_bridge(cluster, &node, &pods[..2]).await?;

    let all: Vec<&Pod> = pods.iter().chain([&before]).collect();
    connected(cluster, &all).await?;
    services::service(cluster).await?;

    set_mode(cluster, "ptp").await?;
    let after = cluster
        .run_pod(PodSpec::new("r10-after").on("node-1"))
        .await?;
    connected(cluster, &[&after, &pods[0], &pods[2]]).await?;
    delete(cluster, &[pods, vec![before, after]].concat()).await?;
    for node in cluster.nodes() {
        let what = format!("nothing to be left of pods on {}", node.name());
        wait::until(&what, LIMIT, async || {
            ensure!(ports(&node).await? == 0, "the bridge has ports");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Sets the mode, and waits until pods are wired so.
async fn set_mode(cluster: &Cluster, mode: &str) -> Result<()> {
    objects::change_pod_network(cluster, &json!({"datapath": {"mode": mode}})).await?;
    for node in cluster.nodes() {
        let what = format!("mode {mode} on {}", node.name());
        wait::until(&what, LIMIT, async || {
            let text = node.machine().run(&["cat", CONFIGURATION]).await?;
            let conflist: Value = serde_json::from_str(&text)?;
            let found = &conflist["plugins"][0]["mode"];
            ensure!(found == mode, "it is {found}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn ports(node: &Node) -> Result<usize> {
    let list = ["ip", "-brief", "link", "show", "master", BRIDGE];
    let ports = node.machine().run(&list).await.unwrap_or_default();
    Ok(ports.lines().count())
}

async fn has_bridge(cluster: &Cluster, node: &Node, pods: &[Pod]) -> Result<()> {
    ensure!(ports(node).await? == pods.len(), "each pod has a port");
    let show = ["ip", "-json", "address", "show", "dev", BRIDGE];
    let shown = parsed(&node.machine().run(&show).await?)?;
    let entries = shown[0]["addr_info"].as_array().context("its addresses")?;
    let mut own: Vec<IpAddr> = Vec::new();
    for entry in entries {
        own.push(entry["local"].as_str().context("an address")?.parse()?);
    }
    let subnets = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let gateways = subnets
        .iter()
        .filter_map(|subnet| first_addresses(*subnet, 2).pop());
    let gateways: Vec<IpAddr> = gateways.collect();
    ensure!(own == gateways, "{BRIDGE} has {own:?}, not {gateways:?}");
    for pod in pods {
        for (address, gateway) in pod.addresses().iter().zip(&gateways) {
            let get = ["ip", "-json", "route", "get", &address.to_string()];
            let route = parsed(&node.machine().run(&get).await?)?;
            ensure!(
                route[0]["dev"] == BRIDGE,
                "the node's way to {address} is not {BRIDGE}: {route}"
            );
            let family = if address.is_ipv4() { "-4" } else { "-6" };
            let default = ["ip", family, "-json", "route", "show", "default"];
            let default = parsed(&pod.inspect(&default).await?)?;
            ensure!(
                default[0]["gateway"] == gateway.to_string(),
                "the pod's default route should be by {gateway}: {default}"
            );
        }
    }
    Ok(())
}

/// All of them reach each other, their nodes, and a host outside.
async fn connected(cluster: &Cluster, pods: &[&Pod]) -> Result<()> {
    let outside = externals(cluster);
    for from in pods {
        let node = from.node().link().node_addresses(cluster.dual_stack());
        let others = pods.iter().flat_map(|pod| pod.addresses());
        let pings = others.chain(&node).chain(&outside).map(async |to| {
            let ping = Place::from(*from).ping(*to).await;
            ping.with_context(|| format!("{} to {to}", from.name()))
        });
        let pings: Result<Vec<()>> = join_all(pings).await.into_iter().collect();
        pings?;
    }
    Ok(())
}
