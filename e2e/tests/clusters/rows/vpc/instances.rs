//! R5, R19: instances that are replaced, have several interfaces, or are gone.

use anyhow::{Context, Result, ensure};
use signpost_e2e::vpc::tables;
use signpost_e2e::{Cluster, PodSpec, Traffic, wait};

use crate::rows::clouds::target;
use crate::rows::paths::delete;
use crate::support::{LIMIT, objects};

/// A node comes back under its name, as another instance: routes lead to that one.
pub(crate) async fn r05_an_instance_is_replaced_under_its_name(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    let one = cluster
        .run_pod(PodSpec::new("again-one").on("node-1"))
        .await?;
    let first = cluster.add_node("node-again").await?;
    tables::settle(cluster, &both).await?;
    cluster.remove_node("node-again").await?;
    // At once: nobody waits for what the old instance leaves behind.
    let second = cluster.add_node("node-again").await?;
    let (old, new) = (target(&first)?, target(&second)?);
    ensure!(old != new, "both instances have {old}");
    let routes = tables::settle(cluster, &both).await?;
    ensure!(
        routes.values().any(|target| *target == new)
            && !routes.values().any(|target| *target == old),
        "routes should lead to {new} and no longer to {old}: {routes:?}"
    );
    let pod = cluster
        .run_pod(PodSpec::new("again").on("node-again"))
        .await?;
    for address in pod.addresses() {
        one.ping(*address).await?;
    }
    delete(cluster, &[one, pod]).await?;
    cluster.remove_node("node-again").await?;
    tables::settle(cluster, &both).await.map(drop)
}

/// Of several interfaces routes lead to the primary one, whether the second was there before the node
/// or came later.
pub(crate) async fn r05_a_second_interface_gets_no_routes(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    let one = cluster
        .run_pod(PodSpec::new("second-one").on("node-1"))
        .await?;
    let node = cluster.boot_node("node-two").await?;
    let before = cluster.attach_interface("node-two").await?;
    cluster.join_node("node-two").await?;
    cluster.wait_registered(&["node-two"], LIMIT).await?;
    cluster.wait_ready(&["node-two"], LIMIT).await?;
    let later = cluster.attach_interface("node-2").await?;
    let routes = tables::settle(cluster, &both).await?;
    let primary = target(&node)?;
    ensure!(
        routes.values().filter(|target| **target == primary).count() == 2
            && !routes
                .values()
                .any(|target| [&before, &later].contains(&target)),
        "routes should lead to {primary} and neither to {before} nor to {later}: {routes:?}"
    );
    let pod = cluster
        .run_pod(PodSpec::new("second").on("node-two"))
        .await?;
    let other = cluster
        .run_pod(PodSpec::new("second-other").on("node-2"))
        .await?;
    for to in [&pod, &other] {
        for address in to.addresses() {
            one.ping(*address).await?;
        }
    }
    delete(cluster, &[one, pod, other]).await?;
    cluster.remove_node("node-two").await?;
    tables::settle(cluster, &both).await.map(drop)
}

/// A Node object stays when its instance is gone. It is told what is wrong; other nodes' pods go on,
/// and nodes that join are routed.
pub(crate) async fn r19_a_node_without_instance_disturbs_nobody(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    let one = cluster
        .run_pod(PodSpec::new("gone-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("gone-two").on("node-2"))
        .await?;
    let gone = cluster.add_node("node-gone").await?;
    tables::settle(cluster, &both).await?;
    let traffic = Traffic::start(&one, two.address()?).await?;
    cluster.terminate("node-gone").await?;

    let late = cluster.add_node("node-late").await?;
    let subnets = objects::pod_cidrs(&objects::node(cluster, late.name()).await?)?;
    let target = target(&late)?;
    for table in both {
        let routes = tables::routes(vpc, table)?;
        ensure!(
            subnets
                .iter()
                .all(|subnet| routes.get(subnet) == Some(&target)),
            "a ready node has its routes, {subnets:?} to {target}: {table} has {routes:?}"
        );
    }
    wait::until("the node to be told", 3 * LIMIT, async || {
        let node = objects::node(cluster, gone.name()).await?;
        let condition = objects::condition(&node, "NetworkUnavailable");
        let (_, reason) = condition.context("it has no condition")?;
        ensure!(reason == "InstanceNotFound", "the reason is {reason}");
        Ok(())
    })
    .await?;
    traffic.finish().await?;

    cluster.delete_node_object(gone.name()).await?;
    cluster.remove_node(late.name()).await?;
    tables::settle(cluster, &both).await?;
    delete(cluster, &[one, two]).await
}
