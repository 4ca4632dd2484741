//! What holds in every cloud: pods reach each other by their own addresses, and nodes come and go.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ipnet::IpNet;
use signpost_e2e::{Cluster, Node, PodSpec, Traffic, wait};

use super::paths::delete;
use crate::support::place::{Place, run_server};
use crate::support::{LIMIT, objects};

/// What routes of a table lead to, by destination.
type Routes = BTreeMap<IpNet, String>;

/// What routes to a node lead to.
pub(super) fn target(node: &Node) -> Result<String> {
    let instance = node.instance().context("an instance")?;
    Ok(instance.interface.clone())
}

/// A pod on each of these nodes is seen by all others under its own addresses. Pods' names begin with
/// `prefix`.
pub(super) async fn see_each_other(
    cluster: &Cluster,
    prefix: &str,
    nodes: &[Arc<Node>],
) -> Result<()> {
    let specs = nodes
        .iter()
        .map(|node| PodSpec::new(&format!("{prefix}-{}", node.name())).on(node.name()));
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

/// Pings between pods of two nodes lose nothing while a node joins and leaves; a node that is ready has its
/// routes in each of the tables, whose routes are `before` when it has left.
pub(super) async fn joins_and_leaves(
    cluster: &Cluster,
    before: &Routes,
    tables: impl Fn() -> Result<Vec<Routes>>,
) -> Result<()> {
    let one = cluster
        .run_pod(PodSpec::new("join-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("join-two").on("node-2"))
        .await?;
    let mut pings = Vec::new();
    for family in 0..2 {
        pings.push(Traffic::start(&one, two.addresses()[family]));
        pings.push(Traffic::start(&two, one.addresses()[family]));
    }
    let pings = try_join_all(pings).await?;

    let node = cluster.add_node("node-join").await?;
    let subnets = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let target = target(&node)?;
    for routes in tables()? {
        let leads = |subnet| routes.get(subnet) == Some(&target);
        ensure!(
            subnets.len() == 2 && subnets.iter().all(leads),
            "a ready node has its routes, {subnets:?} to {target}: {routes:?}"
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
    wait::until("the routes to be as before", LIMIT, async || {
        for routes in tables()? {
            ensure!(
                routes == *before,
                "expected {before:?}, there are {routes:?}"
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
