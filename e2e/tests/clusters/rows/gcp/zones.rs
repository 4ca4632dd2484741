//! R4, R7: pods on instances of different zones.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::Value;
use signpost_e2e::vpc::gcp::routes;
use signpost_e2e::{Cluster, Node, PodSpec, Traffic, wait};

use crate::rows::paths::delete;
use crate::support::place::{Place, run_server};
use crate::support::{LIMIT, objects};

/// There is one route for each block, by instance, which says of whom it is; every instance forwards, and
/// pods in all zones reach each other by their own addresses.
pub(crate) async fn r04_each_block_has_one_route_to_its_instance(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let nodes = cluster.nodes();
    let nodes = nodes.iter().take(3);
    let zones: BTreeSet<_> = nodes.clone().map(|node| node.link().zone()).collect();
    ensure!(
        zones.len() == 2,
        "the nodes should be in two zones: {zones:?}"
    );
    let settled = routes::settle(cluster).await?;
    for node in nodes.clone() {
        let instance = instance(node)?;
        let own = settled.values().filter(|target| **target == instance);
        ensure!(
            own.count() == 2,
            "{} should have a route of each family: {settled:?}",
            node.name()
        );
        let state = network.emulator().snapshot().instances;
        let state = state.into_iter().find(|it| it.path == instance);
        ensure!(
            state.context("an instance")?.can_ip_forward,
            "{} should forward",
            node.name()
        );
    }
    for route in routes::own(network) {
        let said: Value = serde_json::from_str(&route.description)?;
        let name = said["node"].as_str().unwrap_or_default();
        let node = objects::node(cluster, name).await?;
        ensure!(
            node.metadata.uid.as_deref() == said["uid"].as_str(),
            "{} names another life of {name}: {said}",
            route.name
        );
        ensure!(
            objects::pod_cidrs(&node)?.contains(&route.destination),
            "{} is for no block of {name}",
            route.name
        );
        ensure!(route.usable && route.priority == 1000, "{route:?}");
    }
    let specs = nodes.map(|node| PodSpec::new(&format!("r04-{}", node.name())).on(node.name()));
    let pods = try_join_all(specs.map(|spec| run_server(cluster, spec))).await?;
    for from in &pods {
        for to in pods.iter().filter(|to| to.name() != from.name()) {
            for (own, address) in from.addresses().iter().zip(to.addresses()) {
                let seen = Place::from(from).seen_by(*address).await?;
                ensure!(
                    seen == *own,
                    "{} should see {own} and sees {seen}",
                    to.name()
                );
            }
        }
    }
    delete(cluster, &pods).await
}

/// Pings between pods of both zones lose nothing while a node joins and leaves; a node that is ready has
/// its routes, and one that has left has none.
pub(crate) async fn r07_a_node_of_a_network_joins_and_leaves_under_traffic(
    cluster: &Cluster,
) -> Result<()> {
    let network = cluster.network()?;
    let one = cluster
        .run_pod(PodSpec::new("join-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("join-two").on("node-2"))
        .await?;
    let before = routes::settle(cluster).await?;
    let mut pings = Vec::new();
    for family in 0..2 {
        pings.push(Traffic::start(&one, two.addresses()[family]));
        pings.push(Traffic::start(&two, one.addresses()[family]));
    }
    let pings = try_join_all(pings).await?;

    let node = cluster.add_node("node-join").await?;
    let subnets = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let instance = instance(&node)?;
    let now = routes::routes(network)?;
    ensure!(
        subnets.len() == 2 && subnets.iter().all(|it| now.get(it) == Some(&instance)),
        "a ready node has its routes, {subnets:?} to {instance}: {now:?}"
    );
    let late = cluster
        .run_pod(PodSpec::new("join-late").on(node.name()))
        .await?;
    for pod in [&one, &two] {
        for address in late.addresses() {
            pod.ping(*address).await?;
        }
    }
    cluster.remove_node(node.name()).await?;
    wait::until("the routes to be as before", LIMIT, async || {
        let routes = routes::routes(network)?;
        ensure!(
            routes == before,
            "expected {before:?}, there are {routes:?}"
        );
        Ok(())
    })
    .await?;
    for ping in pings {
        ping.finish().await?;
    }
    delete(cluster, &[one, two]).await
}

/// The path of a node's instance.
pub(super) fn instance(node: &Node) -> Result<String> {
    let instance = node.instance().context("an instance")?;
    Ok(instance.interface.clone())
}
