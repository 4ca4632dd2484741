//! R3: the cluster's range is cut into node subnets.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use ipnet::IpNet;
use serde_json::json;
use signpost_e2e::{Cluster, wait};

use crate::support::{LIMIT, objects, routes};

/// The label that the pool `small` selects.
pub(super) const SIZE: &str = "signpost.test/size";
const BARE: u32 = 200;

/// Each node gets one subnet of the pool's prefix length, inside the pool and nobody else's: for the
/// cluster's own nodes, for two hundred more, and for a node that another pool selects.
pub(crate) async fn r03_each_node_has_a_subnet_of_its_own(cluster: &Cluster) -> Result<()> {
    let real = cluster.nodes().len();
    let pods: IpNet = "10.244.0.0/16".parse()?;
    let small: IpNet = "10.245.0.0/20".parse()?;
    check(cluster, real, pods, 24).await?;

    let bare = cluster.create_bare_nodes(BARE).await?;
    let waited = wait::until("200 more nodes to have a subnet", LIMIT, async || {
        let nodes = objects::nodes(cluster).await?;
        let without = nodes
            .iter()
            .filter(|node| objects::pod_cidrs(node).is_ok_and(|c| c.is_empty()));
        let without = without.count();
        ensure!(without == 0, "{without} of {} have none", nodes.len());
        Ok(())
    });
    waited.await?;
    check(cluster, real + bare.len(), pods, 24).await?;
    routes::settle(cluster).await?;

    objects::create_bare_node(cluster, "small-1", 1, &[(SIZE, "small")]).await?;
    objects::create_bare_node(cluster, "large-1", 2, &[(SIZE, "large")]).await?;
    for (name, pool, length) in [("small-1", small, 26), ("large-1", pods, 24)] {
        let cidrs = objects::allocated(cluster, name).await?;
        ensure!(
            cidrs.len() == 1 && pool.contains(&cidrs[0]) && cidrs[0].prefix_len() == length,
            "{name} should have a /{length} of {pool}, it has {cidrs:?}"
        );
    }

    // A sudden wish to delete most routes is held back until somebody agrees.
    objects::change_pod_network(cluster, &json!({"safety": {"maxDeletionPercent": 30}})).await?;
    let before = routes::settle(cluster).await?;
    cluster.delete_bare_nodes(&bare).await?;
    wait::until("the deletions to be held back", LIMIT, async || {
        let network = objects::pod_network(cluster).await?;
        let conditions = network["status"]["conditions"].to_string();
        ensure!(
            conditions.contains("DeletionsHeld"),
            "the conditions are {conditions}"
        );
        Ok(())
    })
    .await?;
    let held = routes::ours(cluster).await?.len();
    ensure!(
        held * 10 >= before.len() * 7,
        "of {} routes at most 30 % should go, {held} are left",
        before.len()
    );
    objects::change_pod_network(cluster, &json!({"safety": {"maxDeletionPercent": 100}})).await?;
    cluster
        .delete_bare_nodes(&["small-1".into(), "large-1".into()])
        .await?;
    let left = routes::settle(cluster).await?;
    ensure!(
        left.len() == real,
        "{real} nodes are left, and {} routes",
        left.len()
    );
    objects::status_becomes(cluster, "/pools/1/allocated", real as u64).await?;
    objects::status_becomes(cluster, "/pools/1/quarantined", 0).await
}

async fn check(cluster: &Cluster, count: usize, pool: IpNet, length: u8) -> Result<()> {
    let nodes = objects::nodes(cluster).await?;
    ensure!(
        nodes.len() == count,
        "{count} nodes expected, there are {}",
        nodes.len()
    );
    let mut seen = BTreeSet::new();
    for node in &nodes {
        let name = objects::name(node);
        let cidrs = objects::pod_cidrs(node)?;
        let [cidr] = cidrs.as_slice() else {
            bail!("{name} should have one pod CIDR, it has {cidrs:?}");
        };
        let first = node.spec.as_ref().and_then(|spec| spec.pod_cidr.clone());
        ensure!(
            first == Some(cidr.to_string()),
            "podCIDR of {name} is {first:?}, podCIDRs is [{cidr}]"
        );
        ensure!(
            cidr.prefix_len() == length,
            "{name} has {cidr}, which is no /{length}"
        );
        ensure!(
            pool.contains(cidr),
            "{name} has {cidr}, which is not inside {pool}"
        );
        ensure!(seen.insert(*cidr), "{name} has {cidr}, as another node has");
    }
    Ok(())
}
