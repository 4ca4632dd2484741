//! R4, R7: pods on instances of different zones.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use signpost_e2e::Cluster;
use signpost_e2e::vpc::gcp::routes;

use crate::rows::clouds::{joins_and_leaves, see_each_other, target};
use crate::support::objects;

/// There is one route for each block, by instance, which says of whom it is; every instance forwards, and
/// pods in all zones reach each other by their own addresses.
pub(crate) async fn r04_each_block_has_one_route_to_its_instance(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let all = cluster.nodes();
    let nodes = &all[..3];
    let zones: BTreeSet<_> = nodes.iter().map(|node| node.link().zone()).collect();
    ensure!(
        zones.len() == 2,
        "the nodes should be in two zones: {zones:?}"
    );
    let settled = routes::settle(cluster).await?;
    for node in nodes {
        let instance = target(node)?;
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
    see_each_other(cluster, "r04", nodes).await
}

/// Pings between pods of both zones lose nothing while a node joins and leaves; a node that is ready has
/// its routes, and one that has left has none.
pub(crate) async fn r07_a_node_of_a_network_joins_and_leaves_under_traffic(
    cluster: &Cluster,
) -> Result<()> {
    let network = cluster.network()?;
    let before = routes::settle(cluster).await?;
    joins_and_leaves(cluster, &before, || Ok(vec![routes::routes(network)?])).await
}
