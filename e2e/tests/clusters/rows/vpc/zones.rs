//! R5, R7: pods in different subnets and zones.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use signpost_e2e::vpc::tables;
use signpost_e2e::{Cluster, Node, PodSpec, Traffic, Vpc, wait};

use crate::rows::paths::delete;
use crate::support::place::{Place, run_server};
use crate::support::{LIMIT, objects};

/// Checks of interfaces are looked at less often than tables.
const CHECKED: Duration = Duration::from_secs(90);

/// Each table has one route of each family for each node, no interface is checked, and pods in all
/// zones reach each other by their own addresses.
pub(crate) async fn r05_pods_in_two_zones_reach_each_other(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let nodes = cluster.nodes();
    let nodes = nodes.iter().take(3);
    let zones: BTreeSet<_> = nodes.clone().map(|node| node.link().zone()).collect();
    ensure!(
        zones.len() == 2,
        "the nodes should be in two zones: {zones:?}"
    );
    let routes = tables::settle(cluster, &tables::of_zones(vpc)).await?;
    for node in nodes.clone() {
        let interface = interface(node)?;
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
    let specs = nodes.map(|node| PodSpec::new(&format!("r05-{}", node.name())).on(node.name()));
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
    let interface = interface(two.node())?;
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
    let one = cluster
        .run_pod(PodSpec::new("join-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("join-two").on("node-2"))
        .await?;
    let before = tables::settle(cluster, &both).await?;
    let mut pings = Vec::new();
    for family in 0..2 {
        pings.push(Traffic::start(&one, two.addresses()[family]));
        pings.push(Traffic::start(&two, one.addresses()[family]));
    }
    let pings = try_join_all(pings).await?;

    let node = cluster.add_node("node-join").await?;
    let subnets = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let interface = interface(&node)?;
    for table in both {
        let routes = tables::routes(vpc, table)?;
        let leads = |subnet| routes.get(subnet) == Some(&interface);
        ensure!(
            subnets.len() == 2 && subnets.iter().all(leads),
            "a ready node has its routes, {subnets:?} to {interface}: {table} has {routes:?}"
        );
    }
    let late = cluster
        .run_pod(PodSpec::new("join-late").on(node.name()))
        .await?;
    for pod in [&one, &two] {
        for address in late.addresses() {
            pod.ping(*address).await?;
        }
    }
    cluster.remove_node(node.name()).await?;
    wait::until("the tables to be as before", LIMIT, async || {
        for table in both {
            let routes = tables::routes(vpc, table)?;
            ensure!(
                routes == before,
                "expected {before:?}, {table} has {routes:?}"
            );
        }
        Ok(())
    })
    .await?;
    for ping in pings {
        ping.finish().await?;
    }
    delete(cluster, &[one, two]).await
}

/// A node's primary interface.
pub(super) fn interface(node: &Node) -> Result<String> {
    let instance = node.instance().context("an instance")?;
    Ok(instance.interface.clone())
}

fn is_checked(vpc: &Vpc, id: &str) -> Result<bool> {
    let interfaces = vpc.emulator().snapshot().interfaces;
    let interface = interfaces.iter().find(|interface| interface.id == id);
    let interface = interface.with_context(|| format!("{id} is gone"))?;
    Ok(interface.source_dest_check)
}
