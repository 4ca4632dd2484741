//! R5, R7: pods in different subnets and zones.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signpost_e2e::vpc::tables;
use signpost_e2e::{Cluster, PodSpec, Vpc, wait};

use crate::rows::clouds::{joins_and_leaves, see_each_other, target};
use crate::rows::paths::delete;

/// Checks of interfaces are looked at less often than tables.
const CHECKED: Duration = Duration::from_secs(90);

/// Each table has one route of each family for each node, no interface is checked, and pods in all
/// zones reach each other by their own addresses.
pub(crate) async fn r05_pods_in_two_zones_reach_each_other(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let all = cluster.nodes();
    let nodes = &all[..3];
    let zones: BTreeSet<_> = nodes.iter().map(|node| node.link().zone()).collect();
    ensure!(
        zones.len() == 2,
        "the nodes should be in two zones: {zones:?}"
    );
    let routes = tables::settle(cluster, &tables::of_zones(vpc)).await?;
    for node in nodes {
        let interface = target(node)?;
        let own = routes.values().filter(|target| **target == interface);
        ensure!(
            own.count() == 2,
            "{} should have a route of each family: {routes:?}",
            node.name()
        );
        ensure!(
            !is_checked(vpc, &interface)?,
            "the check of {} should be off",
            node.name()
        );
    }
    see_each_other(cluster, "r05", nodes).await
}

/// With the source/destination check on, a node's pods are cut off; that lasts until it is noticed.
pub(crate) async fn r05_a_check_turned_on_again_is_turned_off(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let one = cluster
        .run_pod(PodSpec::new("check-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("check-two").on("node-2"))
        .await?;
    one.ping(two.address()?).await?;
    let interface = target(two.node())?;
    let on = [
        ("NetworkInterfaceId", &*interface),
        ("SourceDestCheck.Value", "true"),
    ];
    // Without a controller, so that it is not faster than the ping.
    cluster.controller()?.stop().await?;
    vpc.call("ModifyNetworkInterfaceAttribute", &on).await?;
    ensure!(
        one.ping(two.address()?).await.is_err(),
        "with the check on the pods should be apart"
    );
    cluster.controller()?.start().await?;
    let turned_off = async || {
        wait::until("the check to be off", CHECKED, async || {
            ensure!(!is_checked(vpc, &interface)?, "it is on");
            Ok(())
        })
        .await?;
        vpc.settled().await?;
        one.ping(two.address()?).await
    };
    turned_off().await.context("after a start")?;
    vpc.call("ModifyNetworkInterfaceAttribute", &on).await?;
    turned_off().await.context("while the controller runs")?;
    delete(cluster, &[one, two]).await
}

/// Pings between pods of both zones lose nothing while a node joins and leaves; a node that is ready
/// has its routes in both tables, and one that has left has none.
pub(crate) async fn r07_a_node_of_a_vpc_joins_and_leaves_under_traffic(
    cluster: &Cluster,
) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    let before = tables::settle(cluster, &both).await?;
    joins_and_leaves(cluster, &before, || {
        both.iter()
            .map(|table| tables::routes(vpc, table))
            .collect()
    })
    .await
}

fn is_checked(vpc: &Vpc, id: &str) -> Result<bool> {
    let interfaces = vpc.emulator().snapshot().interfaces;
    let interface = interfaces.iter().find(|interface| interface.id == id);
    let interface = interface.with_context(|| format!("{id} is gone"))?;
    Ok(interface.source_dest_check)
}
