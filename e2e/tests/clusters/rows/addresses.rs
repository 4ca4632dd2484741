//! R1, R9: a pod's addresses and its wire.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use ipnet::IpNet;
use serde_json::Value;
use signpost_e2e::{Cluster, Pod, PodSpec, wait};

use super::paths::delete;
use crate::support::place::{Place, run_server, serve_on};
use crate::support::{LIMIT, objects};

pub(crate) async fn r01_every_pod_has_its_own_address_without_nat(cluster: &Cluster) -> Result<()> {
    own_address_without_nat(cluster).await
}

pub(crate) async fn r01_every_pod_has_its_own_address_without_nat_dual_stack(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    own_address_without_nat(cluster).await
}

/// A pod has the address inside that the API server tells outside; and whoever answers, a pod or a
/// node, near or far, sees the sender's own address.
async fn own_address_without_nat(cluster: &Cluster) -> Result<()> {
    let servers = [("near", "node-1"), ("beside", "node-1"), ("far", "node-2")]
        .map(|(name, node)| PodSpec::new(&format!("r01-{name}")).on(node));
    let pods = join_all(servers.into_iter().map(|spec| run_server(cluster, spec))).await;
    let pods: Vec<Pod> = pods.into_iter().collect::<Result<_>>()?;
    let families = if cluster.dual_stack() { 2 } else { 1 };
    for pod in &pods {
        let inside = addresses_inside(pod, "eth0").await?;
        let outside: BTreeSet<IpNet> = pod.addresses().iter().copied().map(IpNet::from).collect();
        ensure!(
            inside == outside,
            "{} has {inside:?} inside, and {outside:?} in its status",
            pod.name()
        );
        ensure!(
            outside.len() == families,
            "{} should have {families} addresses",
            pod.name()
        );
    }
    let all: BTreeSet<IpAddr> = pods.iter().flat_map(Pod::addresses).copied().collect();
    ensure!(
        all.len() == pods.len() * families,
        "pods share addresses: {all:?}"
    );

    let nodes = [cluster.node("node-1")?, cluster.node("node-2")?];
    for node in &nodes {
        serve_on(node.machine()).await?;
    }
    let mut places: Vec<(Place<'_>, Vec<IpAddr>)> = Vec::new();
    places.extend(
        pods.iter()
            .map(|pod| (pod.into(), pod.addresses().to_vec())),
    );
    places.extend(nodes.iter().map(|node| {
        (
            Place::from(&**node),
            node.link().node_addresses(cluster.dual_stack()),
        )
    }));
    for (client, own) in &places {
        for (server, at) in places.iter().filter(|(_, at)| at != own) {
            for (own, at) in own.iter().zip(at) {
                let what = || format!("from {} ({own}) to {} ({at})", client.name(), server.name());
                let seen = client.seen_by(*at).await.with_context(what)?;
                ensure!(seen == *own, "{}: the server saw {seen} instead", what());
            }
        }
    }
    delete(cluster, &pods).await
}

pub(crate) async fn r09_a_pod_is_wired_by_a_veth_pair_of_its_own(cluster: &Cluster) -> Result<()> {
    veth_pair(cluster).await
}

pub(crate) async fn r09_a_pod_is_wired_by_a_veth_pair_of_its_own_dual_stack(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    veth_pair(cluster).await
}

/// One end in the pod with its addresses and a default route, the other on the node with the routes
/// to them; no address of the subnet that is reserved.
async fn veth_pair(cluster: &Cluster) -> Result<()> {
    let pod = cluster.run_pod(PodSpec::new("r09").on("node-2")).await?;
    let machine = pod.node().machine();
    let inner = json(
        &pod.inspect(&["ip", "-json", "-details", "link", "show", "eth0"])
            .await?,
    )?;
    let inner = inner.get(0).context("the pod has no eth0")?;
    ensure!(
        inner["linkinfo"]["info_kind"] == "veth",
        "eth0 is no veth: {inner}"
    );
    let index = inner["link_index"]
        .as_u64()
        .context("eth0 has no other end")?;
    let links = json(&machine.run(&["ip", "-json", "-details", "link"]).await?)?;
    let links = links.as_array().context("ip lists links")?;
    let outer = links.iter().find(|link| link["ifindex"] == index);
    let outer = outer.with_context(|| format!("the node has no interface {index}: {links:?}"))?;
    ensure!(
        outer["linkinfo"]["info_kind"] == "veth",
        "the outer end is no veth: {outer}"
    );
    ensure!(
        outer["operstate"] == "UP",
        "the outer end is not up: {outer}"
    );
    ensure!(
        outer["master"].is_null(),
        "in mode ptp the outer end is in no bridge: {outer}"
    );
    ensure!(
        inner["mtu"] == outer["mtu"],
        "the ends' MTUs differ: {inner} {outer}"
    );
    let device = outer["ifname"]
        .as_str()
        .context("the outer end has a name")?;

    let subnets = objects::pod_cidrs(&objects::node(cluster, "node-2").await?)?;
    ensure!(
        subnets.len() == pod.addresses().len(),
        "{subnets:?} for {:?}",
        pod.addresses()
    );
    for (subnet, address) in subnets.iter().zip(pod.addresses()) {
        ensure!(
            subnet.contains(address),
            "{address} is not of the node's subnet {subnet}"
        );
        let first: Vec<IpAddr> = first_addresses(*subnet, 2);
        let last = (subnet.addr().is_ipv4()).then_some(subnet.broadcast());
        ensure!(
            !first.contains(address) && last != Some(*address),
            "{address} is one of the reserved addresses of {subnet}"
        );
        let (family, gateway) = if address.is_ipv4() {
            ("-4", "169.254.1.1")
        } else {
            ("-6", "fe80::1")
        };
        let routes = pod
            .inspect(&["ip", family, "-json", "route", "show", "default"])
            .await?;
        let routes = json(&routes)?;
        let one = routes.as_array().is_some_and(|routes| routes.len() == 1);
        ensure!(
            one && routes[0]["gateway"] == gateway && routes[0]["dev"] == "eth0",
            "the pod's default route should be by {gateway}: {routes}"
        );
        let lookup = ["ip", "-json", "route", "get", &address.to_string()];
        let route = json(&machine.run(&lookup).await?)?;
        ensure!(
            route[0]["dev"] == device,
            "the node's route to {address} is not by {device}: {route}"
        );
    }

    let name = pod.name().to_owned();
    cluster.delete_pod(&name).await?;
    wait::until(&format!("{device} to go with its pod"), LIMIT, async || {
        let links = machine.run(&["ip", "-brief", "link"]).await?;
        ensure!(!links.contains(&format!("{device}@")), "it is still there");
        Ok(())
    })
    .await?;
    for address in pod.addresses() {
        let routes = machine
            .run(&["ip", "route", "show", &address.to_string()])
            .await?;
        ensure!(
            routes.is_empty(),
            "the route to {address} should be gone: {routes}"
        );
    }
    Ok(())
}

/// The first addresses of a subnet, beginning with the network's own.
pub(super) fn first_addresses(subnet: IpNet, count: usize) -> Vec<IpAddr> {
    match subnet {
        IpNet::V4(net) => {
            let first = net.network().to_bits();
            (first..)
                .take(count)
                .map(|bits| IpAddr::V4(bits.into()))
                .collect()
        }
        IpNet::V6(net) => {
            let first = net.network().to_bits();
            (first..)
                .take(count)
                .map(|bits| IpAddr::V6(bits.into()))
                .collect()
        }
    }
}

/// Addresses, with their lengths, of an interface in a pod; without link-local ones.
async fn addresses_inside(pod: &Pod, interface: &str) -> Result<BTreeSet<IpNet>> {
    let shown = json(
        &pod.inspect(&["ip", "-json", "address", "show", interface])
            .await?,
    )?;
    let addresses = shown[0]["addr_info"]
        .as_array()
        .context("ip lists addresses")?;
    let global = addresses
        .iter()
        .filter(|address| address["scope"] == "global");
    global
        .map(|address| {
            let text = format!(
                "{}/{}",
                address["local"].as_str().unwrap_or(""),
                address["prefixlen"]
            );
            text.parse().with_context(|| format!("{text} in {address}"))
        })
        .collect()
}

pub(super) fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("reading ip's JSON: {text}"))
}
