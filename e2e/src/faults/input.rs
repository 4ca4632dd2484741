//! Objects that nobody can work with.

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use super::objects::restore;
use super::{Arena, Fault, fault};
use crate::{objects, routes};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        invalid_object_stored,
        "the PodNetwork becomes invalid while nothing checks it, and nodes join"
    ),
    fault!(
        odd_nodes,
        "nodes join that no route can lead to, or with nonsense for their instance"
    ),
];

async fn invalid_object_stored(arena: &mut Arena) -> Result<()> {
    let before = arena.pod_network().await?["spec"].clone();
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> =
        Api::all_with(arena.cluster().client(), &ApiResource::from_gvk(&kind));
    let name = "podnetworks.signpost.dev";
    let definition = definitions.get(name).await?;
    let mut versions = definition.data["spec"]["versions"].clone();
    let schema = versions[0]["schema"].clone();
    versions[0]["schema"] = json!({"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
    }});
    let change = |versions: &Value| Patch::Merge(json!({"spec": {"versions": versions}}));
    let params = PatchParams::default();
    definitions.patch(name, &params, &change(&versions)).await?;

    let mut wrong = before.clone();
    let said = match arena.choose(0..=2) {
        0 => {
            wrong["pools"][0]["cidr"] = "10.244.0.9/16".into();
            "spec.pools[0].cidr: "
        }
        1 => {
            wrong["pools"][0]["nodePrefixLength"] = 99.into();
            "spec.pools[0].nodePrefixLength: "
        }
        _ => {
            wrong["cloud"]["provider"] = "moon".into();
            "moon"
        }
    };
    arena.did(format!("stored with {said}"));
    let stored = store_wrong(arena, &wrong, said).await;
    // Whatever came of it, the next round begins as this one did.
    restore(arena, &before).await?;
    versions[0]["schema"] = schema;
    definitions.patch(name, &params, &change(&versions)).await?;
    stored
}

/// While the object is wrong, the controller says so and does nothing, and a node that joins waits.
async fn store_wrong(arena: &mut Arena, wrong: &Value, said: &str) -> Result<()> {
    let routes_before = routes::ours(arena.cluster()).await?;
    // The API server takes a moment to forget the rules.
    restore(arena, wrong).await?;
    let message = objects::network_says(arena.cluster(), "Ready", "False", "Invalid").await?;
    ensure!(message.contains(said), "{said} should be named: {message}");
    let leader = arena.leader().await?;
    let process = leader.pid()?;
    let joined = arena.join_bare(2).await?;
    let agents = arena.cluster().nodes();
    for node in &agents {
        arena.cluster().agent(node.name())?.kill().await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for name in &joined {
        let node = objects::node(arena.cluster(), name).await?;
        let cidrs = objects::pod_cidrs(&node)?;
        ensure!(cidrs.is_empty(), "{name} got {cidrs:?} meanwhile");
    }
    let ours = routes::ours(arena.cluster()).await?;
    ensure!(
        ours == routes_before,
        "the routes were {routes_before:?}, they are {ours:?}"
    );
    let now = arena.leader().await?;
    ensure!(
        now.service() == leader.service() && now.pid()? == process,
        "the controller should go on as it was"
    );
    Ok(())
}

async fn odd_nodes(arena: &mut Arena) -> Result<()> {
    let before = routes::ours(arena.cluster()).await?;
    let addresses = |list: Value| json!({"status": {"addresses": list}});
    let internal = |ip: &str| addresses(json!([{"type": "InternalIP", "address": ip}]));
    let odd = [
        (internal("fd20:0:0:99::2"), "NoNextHop", "IPv4"),
        (addresses(json!([])), "InstanceUnsupported", "--node-ip"),
        (
            addresses(json!([{"type": "ExternalIP", "address": "172.29.0.9"}])),
            "InstanceUnsupported",
            "--node-ip",
        ),
        (
            internal("203.0.113.9"),
            "CloudUnavailable",
            "interface in the node's network",
        ),
        (internal("127.0.0.1"), "InstanceUnsupported", "--node-ip"),
    ];
    let changes = odd.iter().map(|(change, ..)| change.clone()).collect();
    let names = arena.join_changed(changes).await?;
    // With this router nobody looks at it, so these become routed.
    let nonsense = [
        "nonsense",
        "aws:///",
        "gce://a/b/c/d",
        "linux://%00/\u{1F6A7}",
    ];
    let nonsense = nonsense.map(|id| json!({"spec": {"providerID": id}}));
    let usual = arena.join_changed(nonsense.to_vec()).await?;
    let cluster = arena.cluster();
    for name in &usual {
        objects::node_says(cluster, name, "False", "SignpostRouteCreated").await?;
    }
    for (name, (_, reason, remedy)) in names.iter().zip(&odd) {
        let message = objects::node_says(cluster, name, "True", reason).await?;
        ensure!(
            message.contains(remedy),
            "{name}: {remedy} should be in {message}"
        );
    }
    let ours = routes::ours(cluster).await?;
    ensure!(
        before.iter().all(|(to, hop)| ours.get(to) == Some(hop))
            && ours.len() == before.len() + usual.len(),
        "of the odd nodes none should have a route, and all others theirs: {ours:?}"
    );
    arena.leave_bare(&names).await?;
    arena.did(format!(
        "{} odd nodes and {} with odd ids",
        names.len(),
        usual.len()
    ));
    Ok(())
}
