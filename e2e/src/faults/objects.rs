//! Objects of the API server that people delete, change and make wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

use super::routes::excuse_all;
use super::{Arena, Fault, fault, mesh};
use crate::wait::{self, LIMIT};
use crate::{blocks, metrics, objects, routes};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        pod_cidrs_set_by_hand,
        "Node objects appear whose pod CIDRs are another node's, outside every pool or no block"
    ),
    fault!(
        bare_nodes_replaced,
        "Node objects are deleted and created again under the same names, with other addresses"
    ),
    fault!(
        node_object_deleted,
        "the Node object of a living machine is deleted, and its kubelet registers anew"
    ),
    fault!(
        many_nodes_vanish,
        "most Node objects are deleted at once, and the deletion guard holds"
    ),
    fault!(
        pod_network_deleted,
        "the PodNetwork is deleted, and created again as it was"
    ),
    fault!(
        pod_network_edited,
        "the PodNetwork is edited again and again while nodes join and leave"
    ),
];

async fn pod_cidrs_set_by_hand(arena: &mut Arena) -> Result<()> {
    let victim = arena.choose_node()?;
    let theirs = objects::allocated(arena.cluster(), &victim).await?;
    let theirs = theirs.first().context("a block")?.to_string();
    let half = blocks::unused(arena.cluster()).await?.addr();
    let before = routes::ours(arena.cluster()).await?;
    let wrong = [
        (theirs.clone(), "DuplicatePodCIDR"),
        ("10.99.1.0/24".to_owned(), "PodCIDROutOfRange"),
        (format!("{half}/25"), "PodCIDROutOfRange"),
        ("fd99::/64".to_owned(), "PodCIDROutOfRange"),
    ];
    let changes = wrong
        .iter()
        .map(|(cidr, _)| json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
    let names = arena.join_changed(changes.collect()).await?;
    arena.did(format!("{theirs} of {victim} claimed by {}", names[0]));
    let cluster = arena.cluster();
    for (name, (cidr, reason)) in names.iter().zip(&wrong) {
        for said in [
            objects::node_says(cluster, name, "True", reason).await?,
            objects::told(cluster, name, reason).await?,
        ] {
            ensure!(
                said.contains(cidr.as_str()) && said.contains("delete node"),
                "{name}: {cidr} should be named with a remedy: {said}"
            );
        }
    }
    let ready = objects::network_says(cluster, "Ready", "False", "DuplicatePodCIDR").await;
    let ready = match ready {
        Ok(message) => message,
        Err(_) => objects::network_says(cluster, "Ready", "False", "PodCIDROutOfRange").await?,
    };
    ensure!(ready.contains("nodes wait"), "the PodNetwork says {ready}");
    let ours = routes::ours(cluster).await?;
    ensure!(ours == before, "routes were {before:?}, they are {ours:?}");
    arena.leave_bare(&names).await
}

async fn bare_nodes_replaced(arena: &mut Arena) -> Result<()> {
    let count = arena.choose(1..=4);
    let names = arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_millis(500)).await;
    arena.leave_bare(&names).await?;
    for name in &names {
        arena.join_again(name).await?;
    }
    arena.did(format!("{count} nodes replaced after {pause:?}"));
    // The arena sees whether the routes lead to the addresses that the objects have now.
    for name in &names {
        objects::node_says(arena.cluster(), name, "False", "SignpostRouteCreated").await?;
    }
    Ok(())
}

async fn node_object_deleted(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let before = objects::node(arena.cluster(), &name).await?;
    // With its Node object go the node's pods, and its block may be another one afterwards.
    arena.excuse(&name).await?;
    let cluster = arena.cluster();
    cluster.delete_pod(&mesh::pod_name(&name)).await?;
    cluster.delete_node_object(&name).await?;
    let machine = cluster.node(&name)?;
    machine.machine().kill("kubelet").await?;
    cluster.wait_registered(&[&name], LIMIT).await?;
    cluster.wait_ready(&[&name], LIMIT).await?;
    let after = objects::node(cluster, &name).await?;
    ensure!(
        after.metadata.uid != before.metadata.uid,
        "{name} should be another object"
    );
    let cidrs = (objects::pod_cidrs(&before)?, objects::pod_cidrs(&after)?);
    arena.did(format!("{name} had {:?}, it has {:?}", cidrs.0, cidrs.1));
    arena.back(&name).await
}

async fn many_nodes_vanish(arena: &mut Arena) -> Result<()> {
    const MANY: usize = 50;
    let joined = arena.join_bare(MANY).await?;
    for name in &joined {
        objects::node_says(arena.cluster(), name, "False", "SignpostRouteCreated").await?;
    }
    limit_deletions(arena, 30).await?;
    let all = routes::settle(arena.cluster()).await?;
    arena.leave_bare(&joined).await?;
    let cluster = arena.cluster();
    let says = objects::network_says(cluster, "RoutesSynced", "False", "DeletionsHeld").await?;
    let told = objects::told(cluster, "default", "DeletionsHeld").await?;
    for said in [&says, &told] {
        ensure!(
            said.contains("raise spec.safety.maxDeletionPercent"),
            "the remedy is missing: {said}"
        );
    }
    // What went before the guard could see that it is many is below the limit.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let left = routes::ours(cluster).await?.len();
    let least = all.len() * 7 / 10;
    ensure!(
        left >= least,
        "of {} routes at least {least} should be held, {left} are",
        all.len()
    );
    let leader = arena.leader().await?;
    let text = leader.metrics(cluster).await?;
    let held = metrics::value(&text, "signpost_deletions_held", &[]);
    ensure!(
        held.is_some_and(|held| held > 0.0),
        "the metric says {held:?} are held"
    );
    arena.did(format!("{left} of {} routes held", all.len()));
    limit_deletions(arena, 100).await
}

async fn limit_deletions(arena: &Arena, percent: u8) -> Result<()> {
    let spec = json!({"safety": {"maxDeletionPercent": percent}});
    objects::change_pod_network(arena.cluster(), &spec).await
}

async fn pod_network_deleted(arena: &mut Arena) -> Result<()> {
    let before = arena.pod_network().await?;
    let blocks = routes::ours(arena.cluster()).await?;
    excuse_all(arena).await?;
    let count = arena.choose(0..=3);
    // Some may still be under way when the network goes.
    arena.join_bare(count).await?;
    let networks = objects::pod_networks(arena.cluster());
    networks.delete("default", &DeleteParams::default()).await?;
    wait::until("the PodNetwork to be gone", LIMIT, async || {
        let object = networks.get_opt("default").await?;
        ensure!(object.is_none(), "it is still there: {object:?}");
        Ok(())
    })
    .await?;
    let left = routes::ours(arena.cluster()).await?;
    ensure!(left.is_empty(), "routes of ours are left: {left:?}");
    let pause = arena.moment(Duration::from_secs(1)).await;
    arena.did(format!("created again after {pause:?}, {count} nodes more"));
    let object = json!({
        "apiVersion": before["apiVersion"],
        "kind": before["kind"],
        "metadata": {"name": "default"},
        "spec": before["spec"],
    });
    let object: DynamicObject = serde_json::from_value(object)?;
    networks.create(&PostParams::default(), &object).await?;
    wait::until("the routes to be there again", LIMIT, async || {
        let ours = routes::ours(arena.cluster()).await?;
        let same = |(to, hop)| ours.get(to) == Some(hop);
        ensure!(blocks.iter().all(same), "{blocks:?} before, now {ours:?}");
        Ok(())
    })
    .await
}

async fn pod_network_edited(arena: &mut Arena) -> Result<()> {
    let before = arena.pod_network().await?["spec"].clone();
    let unused = blocks::unused(arena.cluster()).await?.to_string();
    let more = json!({"name": "more", "cidr": "10.246.0.0/16", "nodePrefixLength": 26});
    let mut first = more.clone();
    first["nodeSelector"] = json!({"matchLabels": {"signpost.dev/bare": "true"}});
    let edits = [
        ("a pool more", json!({"pools": [before["pools"][0], more]})),
        (
            "another pool first",
            json!({"pools": [first, before["pools"][0]]}),
        ),
        (
            "reserved",
            json!({"reservedCIDRs": [unused, "10.244.0.0/20"]}),
        ),
        ("check period", json!({"cloud": {"checkPeriod": "1s"}})),
        (
            "exempt",
            json!({"datapath": {"masquerade": {"exceptCIDRs": ["192.0.2.0/24"]}}}),
        ),
        (
            "no masquerade",
            json!({"datapath": {"masquerade": {"enabled": false}}}),
        ),
        ("mtu", json!({"datapath": {"mtu": 1400}})),
        ("no deletion", json!({"safety": {"maxDeletionPercent": 0}})),
    ];
    let mut done = BTreeSet::new();
    let mut joined = Vec::new();
    for _ in 0..6 {
        let (name, edit) = &edits[arena.choose(0..=edits.len() - 1)];
        objects::change_pod_network(arena.cluster(), edit).await?;
        done.insert(*name);
        joined.extend(arena.join_bare(2).await?);
        arena.moment(Duration::from_millis(300)).await;
        if arena.toss() {
            let leaving: Vec<String> = joined.drain(..1).collect();
            arena.leave_bare(&leaving).await?;
        }
    }
    arena.did(format!("edits: {done:?}"));
    // Nodes with blocks of the other pool have to go before it may.
    arena.leave_bare(&joined).await?;
    limit_deletions(arena, 100).await?;
    let nodes = arena.cluster().nodes().len();
    wait::until("the bare nodes' routes to go", LIMIT, async || {
        let ours = routes::ours(arena.cluster()).await?;
        ensure!(ours.len() == nodes, "{nodes} nodes, and {ours:?}");
        Ok(())
    })
    .await?;
    restore(arena, &before).await
}

/// Makes the `PodNetwork` what it was.
pub(super) async fn restore(arena: &Arena, spec: &Value) -> Result<()> {
    let networks = objects::pod_networks(arena.cluster());
    wait::until("the PodNetwork to be as before", LIMIT, async || {
        let mut object = networks.get("default").await?;
        object.data["spec"] = spec.clone();
        networks
            .replace("default", &PostParams::default(), &object)
            .await?;
        Ok(())
    })
    .await
}
