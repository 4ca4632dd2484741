//! What has to hold when a cluster is at rest: all that can be asked tells the same story.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

use super::{Arena, machines};
use crate::metrics;
use crate::objects;
use crate::routes::{self, Routes};
use crate::{Cluster, is_ready, wait};

/// How long a cluster may take to come to rest when a fault is over.
const LIMIT: Duration = Duration::from_secs(60);
/// More kinds of errors than this are not kinds.
const MOST_CATEGORIES: usize = 40;

/// Waits until everything tells the same story.
pub(super) async fn come_to_rest(arena: &Arena) -> Result<()> {
    wait::until("the cluster to be at rest", LIMIT, async || {
        look(arena).await
    })
    .await
}

/// Waits until the nodes that there are now have pod CIDRs and the routes to them, whoever has seen to
/// it; says nothing about what is told of it.
pub(super) async fn routed(cluster: &Cluster) -> Result<()> {
    wait::until("all nodes to be routed", LIMIT, async || {
        for node in objects::nodes(cluster).await? {
            available(&node)?;
        }
        let (seen, expected) = (
            routes::ours(cluster).await?,
            routes::desired(cluster).await?,
        );
        ensure!(
            seen == expected,
            "expected {expected:?}, the table has {seen:?}"
        );
        Ok(())
    })
    .await
}

async fn look(arena: &Arena) -> Result<()> {
    let cluster = arena.cluster();
    let nodes = objects::nodes(cluster).await?;
    let network = arena.pod_network().await?;
    let pools = pools(&network)?;

    let mut taken: Vec<(IpNet, &str)> = Vec::new();
    for node in &nodes {
        let name = objects::name(node);
        available(node)?;
        if cluster.node(name).is_ok() {
            ensure!(is_ready(node), "{name} is not ready");
        }
        for cidr in objects::pod_cidrs(node)? {
            ensure!(
                pools.iter().any(|pool| pool.contains(&cidr)),
                "{cidr} of {name} is in no pool"
            );
            let overlap = taken.iter().find(|(other, _)| overlap(other, &cidr));
            if let Some((other, owner)) = overlap {
                anyhow::bail!("{cidr} of {name} overlaps {other} of {owner}");
            }
            taken.push((cidr, name));
        }
    }

    machines::look(arena, &nodes).await?;
    let desired = routes::desired(cluster).await?;
    let ours = routes::ours(cluster).await?;
    ensure!(
        ours == desired,
        "the routes should be {desired:?}, they are {ours:?}"
    );
    // What leads to machines must be their own addresses, whatever the objects say.
    for node in cluster.nodes() {
        let hop = IpAddr::V4(node.link().node_v4());
        let name = node.name();
        ensure!(
            ours.values().any(|seen| *seen == hop),
            "no route leads to {name}"
        );
    }
    let foreign = routes::of_protocol(cluster.router(), "static").await?;
    ensure!(
        foreign == arena.foreign,
        "the foreign routes should be {:?}, they are {foreign:?}",
        arena.foreign
    );

    let counts = Counts {
        nodes: nodes.len(),
        routes: ours.len(),
        foreign: inside(&foreign, &pools),
    };
    status(&network, &counts)?;
    leader_metrics(arena, &counts).await
}

/// What is counted in the API server's objects and in the kernel.
struct Counts {
    nodes: usize,
    routes: usize,
    foreign: usize,
}

fn available(node: &Node) -> Result<()> {
    let seen = objects::condition(node, "NetworkUnavailable");
    ensure!(
        seen.as_ref().is_some_and(|(status, _)| status == "False"),
        "NetworkUnavailable of {} should be False, it is {seen:?}",
        objects::name(node)
    );
    Ok(())
}

fn pools(network: &Value) -> Result<Vec<IpNet>> {
    let pools = network["spec"]["pools"].as_array();
    let cidrs = pools.into_iter().flatten().map(|pool| {
        let cidr = pool["cidr"].as_str().context("a pool has a cidr")?;
        Ok(cidr.parse()?)
    });
    cidrs.collect()
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

fn inside(routes: &Routes, pools: &[IpNet]) -> usize {
    let inside = routes
        .keys()
        .filter(|route| pools.iter().any(|pool| overlap(pool, route)));
    inside.count()
}

fn status(network: &Value, counts: &Counts) -> Result<()> {
    let status = &network["status"];
    let expected = [
        ("/nodes/total", counts.nodes),
        ("/nodes/routed", counts.nodes),
        ("/routes/desired", counts.routes),
        ("/routes/programmed", counts.routes),
        ("/routes/missing", 0),
        ("/routes/stale", 0),
        ("/routes/foreign", counts.foreign),
    ];
    for (pointer, expected) in expected {
        let seen = status.pointer(pointer).and_then(Value::as_u64);
        ensure!(
            seen == Some(u64::try_from(expected)?),
            "status{pointer} should be {expected}, it is {seen:?}"
        );
    }
    ensure!(
        status["observedGeneration"] == network["metadata"]["generation"],
        "the status is about generation {} of {}",
        status["observedGeneration"],
        network["metadata"]["generation"]
    );
    let pools = status["pools"].as_array().context("pools in the status")?;
    let sum = |field: &str| pools.iter().filter_map(|pool| pool[field].as_u64()).sum();
    let blocks: [u64; 3] = ["allocated", "quarantined", "blocked"].map(sum);
    // A block to which somebody else's route leads is nobody's.
    let expected = [counts.routes.try_into()?, 0, counts.foreign.try_into()?];
    ensure!(
        blocks == expected,
        "blocks allocated, in quarantine and blocked should be {expected:?}, the status has {blocks:?}"
    );
    for condition in status["conditions"].as_array().into_iter().flatten() {
        ensure!(
            condition["status"] == "True",
            "a condition of the PodNetwork: {condition}"
        );
    }
    Ok(())
}

async fn leader_metrics(arena: &Arena, counts: &Counts) -> Result<()> {
    let leader = arena.holder().await?;
    for replica in arena.replicas() {
        let text = replica.metrics(arena.cluster()).await?;
        let leads = replica.service() == leader.service();
        let says = metrics::value(&text, "signpost_leader", &[]);
        ensure!(
            says == Some(f64::from(u8::from(leads))),
            "{} holds the lease, and {} says signpost_leader {says:?}",
            leader.service(),
            replica.service()
        );
        let categories = text
            .lines()
            .filter(|line| line.starts_with("signpost_errors_total{"));
        ensure!(
            categories.count() <= MOST_CATEGORIES,
            "signpost_errors_total has too many series:\n{text}"
        );
        if leads {
            leader_counts(&text, counts).with_context(|| leader.service().to_owned())?;
        }
    }
    Ok(())
}

fn leader_counts(text: &str, counts: &Counts) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let [nodes, routes, foreign] =
        [counts.nodes, counts.routes, counts.foreign].map(|count| count as f64);
    for (name, labels, expected) in [
        ("signpost_deletions_held", &[][..], 0.0),
        ("signpost_nodes", &[], nodes),
        ("signpost_nodes", &["phase=\"routed\""], nodes),
        ("signpost_routes", &["state=\"programmed\""], routes),
        ("signpost_routes", &["state=\"missing\""], 0.0),
        ("signpost_routes", &["state=\"stale\""], 0.0),
        ("signpost_routes", &["state=\"foreign\""], foreign),
    ] {
        let seen = metrics::value(text, name, labels);
        ensure!(
            seen.is_some_and(|seen| (seen - expected).abs() < 0.5),
            "{name}{labels:?} should be {expected}, it is {seen:?}"
        );
    }
    Ok(())
}
