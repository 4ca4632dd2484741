//! The status among others who write it.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    running::Running,
    support::{CONTROLLER, World, eventually, world},
};

async fn condition(world: &World, kind: &str) -> Value {
    let network = world.network().await;
    let conditions = network["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    conditions
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

async fn edit(world: &World, status: Value) {
    let (patch, none) = (
        Patch::Merge(json!({"status": status})),
        PatchParams::default(),
    );
    let edited = world.networks.patch_status("default", &none, &patch);
    edited.await.unwrap();
}

#[tokio::test]
async fn conditions_of_others_stay_and_ours_are_repaired() {
    let world = world().await;
    world
        .create_network(json!({
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": "none"},
        }))
        .await;
    let theirs = json!({
        "type": "Audited", "status": "True", "reason": "Seen", "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    });
    edit(&world, json!({"conditions": [theirs]})).await;
    let _running = Running::start(&world.control_plane.kubeconfig_for(CONTROLLER).unwrap());
    eventually("it is ready", 20, async || {
        condition(&world, "Ready").await["status"] == "True"
    })
    .await;
    assert_eq!(condition(&world, "Audited").await, theirs);

    // The whole list, as a merge patch does, and a figure.
    edit(
        &world,
        json!({"conditions": [theirs], "nodes": {"total": 9}}),
    )
    .await;
    eventually("what is ours is back", 20, async || {
        let ready = condition(&world, "Ready").await["status"] == "True";
        ready && world.network().await["status"]["nodes"]["total"] == 0
    })
    .await;
    assert_eq!(condition(&world, "Audited").await, theirs);

    let version = world.network().await["metadata"]["resourceVersion"].clone();
    tokio::time::sleep(Duration::from_secs(12)).await;
    let now = world.network().await["metadata"]["resourceVersion"].clone();
    assert_eq!(now, version, "nothing happened, and it was written");
}

#[tokio::test]
async fn figures_that_are_not_said_any_more_go() {
    let world = world().await;
    let spec = |provider: &str| {
        json!({
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": provider, "linux": null},
        })
    };
    let mut linux = spec("linux");
    linux["cloud"]["linux"] = json!({"table": 54321});
    world.create_network(linux).await;
    let _running = Running::start(&world.control_plane.kubeconfig_for(CONTROLLER).unwrap());
    eventually("routes are counted", 20, async || {
        world.network().await["status"]["routes"]["desired"] == 0
    })
    .await;
    let change = Patch::Merge(json!({"spec": spec("none")}));
    let none = PatchParams::default();
    world
        .networks
        .patch("default", &none, &change)
        .await
        .unwrap();
    eventually("provider none counts no routes", 20, async || {
        let status = world.network().await["status"].clone();
        status["routes"].is_null() && condition(&world, "Ready").await["status"] == "True"
    })
    .await;
}

#[tokio::test]
async fn a_finalizer_that_is_refused_is_told_once_and_tried_again() {
    let world = world().await;
    let words = "no finalizers here";
    let networks = ["signpost.dev", "podnetworks"];
    let expression = "!has(object.metadata.finalizers)";
    world.refuse(networks, expression, words).await;
    world
        .create_network(json!({
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": "linux", "linux": {"table": 54321}},
        }))
        .await;
    // It takes the API server a moment to know of the policy.
    eventually("the policy is in force", 20, async || {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/other"]}}));
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        world.networks.patch("default", &dry, &patch).await.is_err()
    })
    .await;
    let running = Running::start(&world.control_plane.kubeconfig_for(CONTROLLER).unwrap());
    eventually("the status says so", 20, async || {
        let ready = condition(&world, "Ready").await;
        let message = ready["message"].as_str().unwrap_or_default();
        ready["reason"] == "NotKept" && message.contains(words)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(running.log().matches(words).count(), 1);
    world.refuse_nothing().await;
    eventually("it is kept and ready", 30, async || {
        let ready = condition(&world, "Ready").await["status"] == "True";
        ready && !world.network().await["metadata"]["finalizers"].is_null()
    })
    .await;
}
