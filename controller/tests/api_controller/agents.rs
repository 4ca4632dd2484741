//! What node agents are told.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use signpost_api::NodeNetwork;

use crate::{
    running::Running,
    support::{CONTROLLER, World, eventually, world},
};

fn start(world: &World) -> Running {
    Running::start(&world.control_plane.kubeconfig_for(CONTROLLER).unwrap())
}

fn maps(world: &World) -> Api<ConfigMap> {
    Api::namespaced(world.client.clone(), "signpost-system")
}

/// What the object says, if there is one.
async fn told(world: &World) -> Value {
    let object = maps(world).get_opt(NodeNetwork::CONFIG_MAP).await.unwrap();
    let data = object.and_then(|object| object.data).unwrap_or_default();
    let text = data.get(NodeNetwork::KEY).map(String::as_str);
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
}

async fn version(world: &World) -> String {
    let object = maps(world).get(NodeNetwork::CONFIG_MAP).await.unwrap();
    object.metadata.resource_version.unwrap()
}

async fn change_spec(world: &World, datapath: Value) {
    let patch = Patch::Merge(json!({"spec": {"datapath": datapath}}));
    let none = PatchParams::default();
    let changed = world.networks.patch("default", &none, &patch);
    changed.await.unwrap();
}

async fn create_network(world: &World) {
    world
        .create_network(json!({
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": "none"},
        }))
        .await;
}

async fn is_told(world: &World, what: &str, field: &str, value: Value) {
    eventually(what, 20, async || told(world).await[field] == value).await;
}

#[tokio::test]
async fn agents_are_told_once_and_again_whoever_changes_what() {
    let world = world().await;
    create_network(&world).await;
    world.add_node("a").await;
    let running = start(&world);
    let first = json!({
        "mode": "ptp", "mtu": 0, "pools": ["10.244.0.0/16"],
        "masquerade": true, "exempt": ["192.0.2.1/32"],
    });
    eventually("it is told", 20, async || told(&world).await == first).await;
    let object = maps(&world).get(NodeNetwork::CONFIG_MAP).await.unwrap();
    let owner = &object.metadata.owner_references.unwrap()[0];
    assert_eq!(world.network().await["metadata"]["uid"], owner.uid);

    // Somebody edits it, and somebody removes it.
    let edit = Patch::Merge(json!({"data": {NodeNetwork::KEY: "{}", "theirs": "stays"}}));
    let name = NodeNetwork::CONFIG_MAP;
    let none = PatchParams::default();
    maps(&world).patch(name, &none, &edit).await.unwrap();
    eventually("it is mended", 20, async || told(&world).await == first).await;
    let data = maps(&world).get(name).await.unwrap().data.unwrap();
    assert_eq!(data["theirs"], "stays");
    maps(&world)
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    eventually("it is back", 20, async || told(&world).await == first).await;

    change_spec(&world, json!({"mtu": 1400})).await;
    is_told(&world, "the MTU", "mtu", json!(1400)).await;
    let none = json!([]);
    change_spec(&world, json!({"masquerade": {"enabled": false}})).await;
    is_told(&world, "no masquerading", "exempt", none).await;

    let (status, log) = running.stop().await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn nodes_that_join_are_told_of_together_and_a_rest_is_a_rest() {
    let world = world().await;
    create_network(&world).await;
    let running = start(&world);
    is_told(&world, "no node", "exempt", json!([])).await;
    let before: u64 = written(&running).await;
    for last in 0..100 {
        let name = format!("n-{last}");
        world.add_node(&name).await;
        let addresses = json!([{"type": "InternalIP", "address": format!("192.0.2.{last}")}]);
        let patch = Patch::Merge(json!({"status": {"addresses": addresses}}));
        world
            .nodes
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
    // 0 to 63, 64 to 95, 96 to 99.
    let merged = json!(["192.0.2.0/26", "192.0.2.64/27", "192.0.2.96/30"]);
    is_told(&world, "all nodes", "exempt", merged).await;
    let writes = written(&running).await - before;
    assert!(writes <= 4, "{writes} writes for 100 nodes");

    let version_before = version(&world).await;
    let status =
        json!({"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]});
    for _ in 0..12 {
        let patch = Patch::Strategic(json!({"status": status}));
        world
            .nodes
            .patch_status("n-1", &PatchParams::default(), &patch)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(version(&world).await, version_before);
    assert_eq!(written(&running).await - before, writes);
}

/// How often the object was written.
async fn written(running: &Running) -> u64 {
    let (_, metrics) = running.get("/metrics").await;
    let line = r#"signpost_api_requests_total{action="publish_node_network",outcome="ok"} "#;
    let count = metrics.lines().find_map(|it| it.strip_prefix(line));
    count.map_or(0, |count| count.parse().unwrap())
}

/// What cannot be used, and what is being removed, changes nothing on the nodes.
#[tokio::test]
async fn agents_go_on_with_what_they_were_told_last() {
    let world = world().await;
    create_network(&world).await;
    let _running = start(&world);
    is_told(&world, "no node", "exempt", json!([])).await;
    let before = version(&world).await;
    // It stays with a finalizer that is nobody's, and another node would be told of.
    let keep = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/other"]}}));
    let none = PatchParams::default();
    world.networks.patch("default", &none, &keep).await.unwrap();
    world
        .networks
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    world.add_node("late").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(version(&world).await, before);
}
