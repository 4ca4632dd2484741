//! What the API server makes of the controller's patches.

use std::time::Duration;

use ipnet::IpNet;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use signpost_controller::{
    clock,
    errors::ApiFailure,
    execute::{drop_finalizer, network_status, pod_cidrs, put_finalizer},
    fence::Fence,
    network::FINALIZER,
    nodes::{NodeLite, Sightings},
};
use signpost_core::{
    NodeKey,
    action::{NetworkStatus, Reason},
    event::ApiErrorKind,
};
use tokio::sync::mpsc;

use crate::support::{CONTROLLER, World, eventually, world};

fn cidrs(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|cidr| cidr.parse().unwrap()).collect()
}

#[tokio::test]
async fn pod_cidrs_are_set_once_and_setting_the_same_again_succeeds() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    let node = world.add_node("a").await;
    let ours = cidrs(&["10.1.0.0/24", "fd00:1::/64"]);
    pod_cidrs::write(&api, &node, &ours).await.unwrap();
    assert_eq!(world.pod_cidrs("a").await, ["10.1.0.0/24", "fd00:1::/64"]);
    pod_cidrs::write(&api, &node, &ours).await.unwrap();

    for other in [
        &["10.2.0.0/24", "fd00:1::/64"][..],
        &["10.1.0.0/24"],
        &["fd00:1::/64", "10.1.0.0/24"],
    ] {
        let failure = pod_cidrs::write(&api, &node, &cidrs(other))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, ApiErrorKind::Conflict, "{other:?}: {failure}");
    }
    assert_eq!(world.pod_cidrs("a").await, ["10.1.0.0/24", "fd00:1::/64"]);
}

#[tokio::test]
async fn whoever_writes_pod_cidrs_first_wins() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    for round in 0..20 {
        let name = format!("race-{round}");
        let node = world.add_node(&name).await;
        let foreign = Patch::Merge(json!(
            {"spec": {"podCIDR": "10.9.0.0/24", "podCIDRs": ["10.9.0.0/24"]}}
        ));
        let parameters = PatchParams::default();
        let ours = cidrs(&["10.1.0.0/24"]);
        let (ours, theirs) = tokio::join!(
            pod_cidrs::write(&api, &node, &ours),
            world.nodes.patch(&name, &parameters, &foreign),
        );
        let stored = world.pod_cidrs(&name).await;
        match ours {
            Ok(()) => {
                assert!(theirs.is_err(), "both were told that they were first");
                assert_eq!(stored, ["10.1.0.0/24"]);
            }
            Err(failure) => {
                assert_eq!(failure.kind, ApiErrorKind::Conflict, "{failure}");
                assert!(theirs.is_ok());
                assert_eq!(stored, ["10.9.0.0/24"]);
            }
        }
    }
}

#[tokio::test]
async fn another_node_of_the_same_name_is_left_alone() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    let old = world.add_node("a").await;
    world
        .nodes
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    let ours = cidrs(&["10.1.0.0/24"]);
    let gone = pod_cidrs::write(&api, &old, &ours).await.unwrap_err();
    assert_eq!(gone.kind, ApiErrorKind::NotFound, "{gone}");

    world.add_node("a").await;
    let failure = pod_cidrs::write(&api, &old, &ours).await.unwrap_err();
    assert_eq!(failure.kind, ApiErrorKind::Conflict, "{failure}");
    assert!(world.pod_cidrs("a").await.is_empty());

    let failure = network_status::write(&api, &Sightings::default(), &old, &routed())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, ApiErrorKind::Conflict, "{failure}");
}

#[tokio::test]
async fn pod_cidrs_that_a_policy_refuses_are_no_conflict_and_keep_its_words() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    let node = world.add_node("refused").await;
    let words = "the network team says no";
    let nodes = ["", "nodes"];
    // Nodes of the tests that follow are let pass, also while the API server still knows of it.
    let expression = "object.metadata.name != 'refused' || !has(object.spec.podCIDR)";
    world.refuse(nodes, expression, words).await;
    let ours = cidrs(&["10.1.0.0/24"]);
    // It takes the API server a moment to know of the policy.
    eventually("the policy is in force", 20, async || {
        let body =
            Patch::Merge(json!({"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}));
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        world.nodes.patch("refused", &dry, &body).await.is_err()
    })
    .await;
    let failure = pod_cidrs::write(&api, &node, &ours).await.unwrap_err();
    assert_eq!(failure.kind, ApiErrorKind::Invalid, "{failure}");
    assert!(failure.into_error().detail.contains(words));
    assert!(world.pod_cidrs("refused").await.is_empty());
}

#[tokio::test]
async fn nothing_is_written_behind_the_fence() {
    let world = world().await;
    let (api, fence) = world.controller_api().await;
    let node = world.add_node("a").await;
    fence.set(None);
    let ours = cidrs(&["10.1.0.0/24"]);
    let failure = pod_cidrs::write(&api, &node, &ours).await.unwrap_err();
    assert!(failure.message.contains("lease"), "{failure}");
    assert!(world.pod_cidrs("a").await.is_empty());
}

/// As after a pause between the decision to write and the connection.
#[tokio::test]
async fn a_body_that_comes_to_the_connection_behind_the_fence_is_not_sent() {
    let world = world().await;
    world.add_node("a").await;
    let client = world.connect(CONTROLLER).await;
    let body = json!({"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}});
    let patch = |fence: Fence| {
        let request = http::Request::patch("/api/v1/nodes/a")
            .header("content-type", "application/merge-patch+json")
            .extension(fence)
            .body(serde_json::to_vec(&body).unwrap());
        client.request::<NodeLite>(request.unwrap())
    };
    let fence = Fence::default();
    let error = patch(fence.clone()).await.unwrap_err();
    let failure = ApiFailure::new(&error, "patch", "nodes");
    assert_eq!(failure.kind, ApiErrorKind::Transient, "{error:?}");
    assert!(world.pod_cidrs("a").await.is_empty());
    fence.set(Some(clock::now().after(Duration::from_secs(60))));
    patch(fence).await.unwrap();
    assert_eq!(world.pod_cidrs("a").await, ["10.1.0.0/24"]);
}

#[tokio::test]
async fn sixty_four_patches_at_once_take_no_longer_than_needed() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    let mut nodes = Vec::new();
    for number in 0..64 {
        nodes.push(world.add_node(&format!("n-{number}")).await);
    }
    let writes = nodes.iter().zip(0_u8..).map(|(node, number)| {
        let api = api.clone();
        let cidr = cidrs(&[&format!("10.1.{number}.0/24")]);
        async move { pod_cidrs::write(&api, node, &cidr).await }
    });
    let results = tokio::time::timeout(Duration::from_secs(3), futures::future::join_all(writes));
    for result in results.await.unwrap() {
        result.unwrap();
    }
}

fn routed() -> NetworkStatus {
    NetworkStatus {
        available: true,
        reason: Reason::RouteCreated,
        message: "routed".to_owned(),
    }
}

async fn condition(world: &World, node: &NodeKey, kind: &str) -> Option<serde_json::Value> {
    let node = world.nodes.get(&node.name).await.unwrap();
    let status = serde_json::to_value(node.status).unwrap();
    let conditions = status["conditions"].as_array()?.clone();
    conditions
        .into_iter()
        .find(|condition| condition["type"] == kind)
}

#[tokio::test]
async fn one_condition_changes_and_its_transition_time_only_with_the_status() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    let node = world.add_node("a").await;
    let kubelet = Patch::Merge(json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
        {"type": "NetworkUnavailable", "status": "True", "reason": "Old",
         "lastTransitionTime": "2020-01-01T00:00:00Z"},
    ]}}));
    world
        .nodes
        .patch_status("a", &PatchParams::default(), &kubelet)
        .await
        .unwrap();
    let sightings = Sightings::default();
    let (sender, _events) = mpsc::channel(1);
    let path = format!("/api/v1/nodes/{}", node.name);
    let get = http::Request::get(path).body(Vec::new()).unwrap();
    let seen: NodeLite = world.client.request(get).await.unwrap();
    assert!(
        sightings
            .tell(&sender, |feed| feed.watched(seen.into_node(), None))
            .await
    );

    let waiting = NetworkStatus {
        available: false,
        reason: Reason::PoolExhausted,
        message: "add a pool".to_owned(),
    };
    network_status::write(&api, &sightings, &node, &waiting)
        .await
        .unwrap();
    let ours = condition(&world, &node, "NetworkUnavailable")
        .await
        .unwrap();
    assert_eq!(ours["status"], "True");
    assert_eq!(ours["reason"], "PoolExhausted");
    assert_eq!(ours["message"], "add a pool");
    assert_eq!(ours["lastTransitionTime"], "2020-01-01T00:00:00Z");

    network_status::write(&api, &sightings, &node, &routed())
        .await
        .unwrap();
    let ours = condition(&world, &node, "NetworkUnavailable")
        .await
        .unwrap();
    assert_eq!(ours["status"], "False");
    assert_ne!(ours["lastTransitionTime"], "2020-01-01T00:00:00Z");
    let kubelets = condition(&world, &node, "Ready").await.unwrap();
    assert_eq!(kubelets["lastTransitionTime"], "2020-01-01T00:00:00Z");
}

#[tokio::test]
async fn the_finalizer_comes_and_goes_beside_those_of_others() {
    let world = world().await;
    let (api, _) = world.controller_api().await;
    world
        .create_network(json!({
            "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
            "cloud": {"provider": "none"},
        }))
        .await;
    let others = Patch::Merge(json!({"metadata": {"finalizers": ["example.com/other"]}}));
    let object = world
        .networks
        .patch("default", &PatchParams::default(), &others)
        .await
        .unwrap();
    let version = object.metadata.resource_version.unwrap();
    let before = ["example.com/other".to_owned()];
    put_finalizer(&api, &before, &version).await.unwrap();
    let finalizers = |object: serde_json::Value| object["metadata"]["finalizers"].clone();
    assert_eq!(
        finalizers(world.network().await),
        json!(["example.com/other", FINALIZER])
    );
    let stale = put_finalizer(&api, &[], &version).await.unwrap_err();
    assert_eq!(stale.kind, ApiErrorKind::Conflict, "{stale}");

    drop_finalizer(&api).await.unwrap();
    assert_eq!(
        finalizers(world.network().await),
        json!(["example.com/other", FINALIZER]),
        "this one is not being deleted"
    );
    world
        .networks
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    drop_finalizer(&api).await.unwrap();
    assert_eq!(
        finalizers(world.network().await),
        json!(["example.com/other"])
    );
}
