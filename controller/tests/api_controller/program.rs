//! The whole program under its own service account.

use std::collections::BTreeSet;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    running::Running,
    support::{CONTROLLER, NOBODY, World, eventually, world},
};

fn start(world: &World, user: &str) -> Running {
    Running::start(&world.control_plane.kubeconfig_for(user).unwrap())
}

fn spec(provider: &str) -> Value {
    json!({
        "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
        "cloud": {"provider": provider, "checkPeriod": "1s"},
    })
}

async fn condition(world: &World, kind: &str) -> Value {
    let network = world.network().await;
    let conditions = network["status"]["conditions"].as_array().cloned();
    conditions
        .unwrap_or_default()
        .into_iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

async fn is_ready(world: &World, status: &str, reason: &str) -> bool {
    let ready = condition(world, "Ready").await;
    ready["status"] == status && ready["reason"] == reason
}

#[tokio::test]
async fn two_hundred_nodes_get_their_blocks_and_everything_is_told() {
    let world = world().await;
    world.create_network(spec("none")).await;
    let running = start(&world, CONTROLLER);
    for number in 0..200 {
        world.add_node(&format!("n-{number}")).await;
    }
    eventually("all nodes are routed", 30, async || {
        world.network().await["status"]["nodes"]["routed"] == 200
    })
    .await;
    let nodes = world.nodes.list(&ListParams::default()).await.unwrap();
    let cidrs: BTreeSet<String> = nodes
        .iter()
        .flat_map(|node| node.spec.clone().unwrap().pod_cidrs.unwrap())
        .collect();
    assert_eq!(cidrs.len(), 200);
    for node in &nodes {
        let conditions = node.status.clone().unwrap().conditions.unwrap();
        let network = conditions
            .iter()
            .find(|condition| condition.type_ == "NetworkUnavailable")
            .unwrap();
        assert_eq!(network.status, "False");
        assert_eq!(network.reason.as_deref(), Some("SignpostPodCIDRAssigned"));
    }

    eventually("it says so", 5, async || {
        is_ready(&world, "True", "AllNodesRouted").await
    })
    .await;
    let status = world.network().await["status"].clone();
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["nodes"], json!({"total": 200, "routed": 200}));
    let pool = &status["pools"][0];
    assert_eq!(pool["total"], 256);
    assert_eq!(pool["allocated"], 200);
    assert_eq!(condition(&world, "PoolsAvailable").await["status"], "True");

    let (ready, body) = running.get("/readyz").await;
    assert!(ready.contains("200") && body.contains("leads"), "{body}");
    let (_, metrics) = running.get("/metrics").await;
    for line in [
        r#"signpost_pool_blocks{pool="main",state="allocated"} 200"#,
        r#"signpost_nodes{phase="routed"} 200"#,
        "signpost_leader 1",
        r#"signpost_api_requests_total{action="set_pod_cidrs",outcome="ok"} 200"#,
        "signpost_node_routing_duration_seconds_count 200",
        "signpost_build_info{",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    let (status, log) = running.stop().await;
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("the lease is given back"), "{log}");
    assert!(!log.contains("WARN"), "{log}");
    let lease = world.leases().get("signpost-controller").await.unwrap();
    assert_eq!(lease.spec.unwrap().holder_identity.as_deref(), Some(""));
}

#[tokio::test]
async fn what_somebody_else_allocated_is_kept() {
    let world = world().await;
    world.create_network(spec("none")).await;
    world.add_node("theirs").await;
    let theirs = json!({"spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}});
    world
        .nodes
        .patch("theirs", &PatchParams::default(), &Patch::Merge(theirs))
        .await
        .unwrap();
    world.add_node("ours").await;
    let _running = start(&world, CONTROLLER);
    eventually("the other node has its block", 20, async || {
        !world.pod_cidrs("ours").await.is_empty()
    })
    .await;
    assert_eq!(world.pod_cidrs("theirs").await, ["10.244.0.0/24"]);
    assert_ne!(world.pod_cidrs("ours").await, ["10.244.0.0/24"]);
}

#[tokio::test]
async fn a_full_pool_is_told_by_event_condition_and_status() {
    let world = world().await;
    let mut spec = spec("none");
    spec["pools"][0]["cidr"] = json!("10.244.0.0/24");
    world.create_network(spec).await;
    world.add_node("a").await;
    let _running = start(&world, CONTROLLER);
    eventually("the first node has the block", 20, async || {
        !world.pod_cidrs("a").await.is_empty()
    })
    .await;
    world.add_node("b").await;
    eventually("the status says so", 10, async || {
        is_ready(&world, "False", "PoolExhausted").await
    })
    .await;
    eventually("there is an event", 10, async || {
        let events = world.events("PoolExhausted").await;
        events.iter().any(|event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            regarding.kind.as_deref() == Some("PodNetwork")
        })
    })
    .await;
}

#[tokio::test]
async fn a_missing_permission_is_named_with_its_remedy() {
    let world = world().await;
    let running = start(&world, NOBODY);
    running
        .says("may not list leases.coordination.k8s.io", 20)
        .await;
    running
        .says("may not list podnetworks.signpost.dev", 20)
        .await;
    running.says("kubectl apply -k manifests/base", 20).await;
    let (ready, _) = running.get("/readyz").await;
    assert!(ready.contains("503"), "{ready}");
    let (live, _) = running.get("/healthz").await;
    assert!(live.contains("200"), "{live}");
    let (status, _) = running.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_missing_network_is_told_and_taken_up_when_it_comes() {
    let world = world().await;
    world.add_node("a").await;
    let running = start(&world, CONTROLLER);
    running
        .says("there is no PodNetwork named default", 20)
        .await;
    assert!(world.pod_cidrs("a").await.is_empty());
    world.create_network(spec("none")).await;
    eventually("the node has its block", 20, async || {
        !world.pod_cidrs("a").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_made_is_told() {
    let world = world().await;
    let mut unknown = spec("gcp");
    unknown["cloud"]["gcp"] = json!({"clusterName": "prod"});
    world.create_network(unknown).await;
    let running = start(&world, CONTROLLER);
    let remedy = if cfg!(feature = "gcp") {
        "set spec.cloud.gcp.project and spec.cloud.gcp.network"
    } else {
        "--features gcp"
    };
    running.says(remedy, 20).await;
    eventually("the status says so", 10, async || {
        is_ready(&world, "False", "ProviderUnavailable").await
    })
    .await;
}

#[tokio::test]
async fn deleting_the_network_needs_no_help_where_there_are_no_routes() {
    let world = world().await;
    world.create_network(spec("none")).await;
    world.add_node("a").await;
    let _running = start(&world, CONTROLLER);
    eventually("the node has its block", 20, async || {
        !world.pod_cidrs("a").await.is_empty()
    })
    .await;
    world
        .networks
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    eventually("it is gone", 10, async || world.network().await.is_null()).await;
    assert_eq!(world.pod_cidrs("a").await.len(), 1);
}

/// Without nodes the routes of this machine are read and not written.
#[tokio::test]
async fn a_network_with_routes_is_kept_until_they_are_gone() {
    let world = world().await;
    let mut spec = spec("linux");
    spec["cloud"]["linux"] = json!({"table": 54321});
    world.create_network(spec).await;
    let _running = start(&world, CONTROLLER);
    eventually("it is ready", 20, async || {
        is_ready(&world, "True", "AllNodesRouted").await
    })
    .await;
    let network = world.network().await;
    assert_eq!(
        network["metadata"]["finalizers"],
        json!(["signpost.dev/routes"])
    );
    assert_eq!(
        condition(&world, "CloudReachable").await["reason"],
        "Listed"
    );
    assert_eq!(network["status"]["routes"]["desired"], 0);
    world
        .networks
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    eventually("it is gone", 10, async || world.network().await.is_null()).await;
}

#[tokio::test]
async fn a_change_of_provider_begins_anew() {
    let world = world().await;
    world.create_network(spec("none")).await;
    world.add_node("a").await;
    let running = start(&world, CONTROLLER);
    eventually("the node has its block", 20, async || {
        !world.pod_cidrs("a").await.is_empty()
    })
    .await;
    let parameters = PatchParams::default();
    for (cloud, reason) in [
        (
            json!({"provider": "gcp", "gcp": {"clusterName": "prod"}}),
            "ProviderUnavailable",
        ),
        (json!({"provider": "none", "gcp": null}), "AllNodesRouted"),
    ] {
        let change = Patch::Merge(json!({"spec": {"cloud": cloud}}));
        world
            .networks
            .patch("default", &parameters, &change)
            .await
            .unwrap();
        eventually(reason, 10, async || {
            condition(&world, "Ready").await["reason"] == reason
        })
        .await;
    }
    world.add_node("b").await;
    eventually("the next node has its block", 20, async || {
        !world.pod_cidrs("b").await.is_empty()
    })
    .await;
    let (status, log) = running.stop().await;
    assert!(status.success(), "{status}\n{log}");
}
