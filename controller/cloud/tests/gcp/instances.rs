//! Instances of nodes.

use signpost_cloud::Cloud;
use signpost_core::cloud::{CloudErrorKind, InstanceState};
use signpost_gce::{Fault, FaultKind};

use crate::scene::{PROJECT, Scene, ZONE, query};

#[tokio::test]
async fn few_are_asked_for_by_name_and_many_with_their_zone() {
    let scene = Scene::new().await;
    let mut nodes = Vec::new();
    for number in 0..20 {
        let zone = if number % 2 == 0 {
            ZONE
        } else {
            "europe-west3-b"
        };
        nodes.push(scene.launch(PROJECT, zone, &format!("node-{number}")).await);
    }
    let few = scene.cloud.read_instances(&nodes[..4]).await;
    assert_eq!(few.len(), 4);
    assert_eq!(scene.log.requests("instances.get", "ok"), 4);
    assert_eq!(scene.log.requests("instances.list", "ok"), 0);

    // One that does not exist is said to be gone only by name.
    nodes.push(query(PROJECT, ZONE, "gone"));
    let many = scene.cloud.read_instances(&nodes).await;
    assert_eq!(many.len(), 21);
    for (node, state) in many {
        match state.unwrap() {
            InstanceState::Found(instance) => assert!(instance.id.ends_with(&*node.name)),
            state => assert_eq!((&*node.name, state), ("gone", InstanceState::Gone)),
        }
    }
    assert_eq!(scene.log.requests("instances.list", "ok"), 2);
    assert_eq!(scene.log.requests("instances.get", "not_found"), 1);
}

#[tokio::test]
async fn a_zone_that_cannot_be_read_is_its_own_nodes_problem() {
    let scene = Scene::new().await;
    let here = scene.launch(PROJECT, ZONE, "here").await;
    let there = scene.launch(PROJECT, "europe-west3-b", "there").await;
    let mut fault = Fault::always(FaultKind::Error503, &["instances.get"]);
    fault
        .parameters
        .insert("zone".into(), "europe-west3-b".into());
    scene.gce.add_fault(fault).unwrap();
    let mut answers = scene.cloud.read_instances(&[here.clone(), there]).await;
    answers.sort_by_key(|(node, _)| node.name.clone());
    assert!(
        matches!(answers[0].1, Ok(InstanceState::Found(_))),
        "{answers:?}"
    );
    let error = answers[1].1.as_ref().unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient);
}

#[tokio::test]
async fn what_cannot_be_led_to_says_why() {
    let scene = Scene::new().await;
    let node = scene.launch(PROJECT, ZONE, "node").await;
    let stop = format!("projects/{PROJECT}/zones/{ZONE}/instances/node/stop");
    let stopped = scene.client.post(&stop, &serde_json::Value::Null);
    scene.client.finish(&stopped.await.unwrap()).await.unwrap();
    let InstanceState::Unsupported(why) = scene.state(&node).await else {
        panic!("it is stopped");
    };
    assert!(
        why.contains("TERMINATED") && why.contains("start it"),
        "{why}"
    );

    let network = scene.client.network(PROJECT, "other").await.unwrap();
    let subnet = scene
        .client
        .subnetwork(&network, "europe-west3", "other", "10.9.0.0/24");
    let subnet = subnet.await.unwrap();
    scene
        .client
        .instance(PROJECT, ZONE, "stranger", &subnet)
        .await
        .unwrap();
    let state = scene.state(&query(PROJECT, ZONE, "stranger")).await;
    let InstanceState::Unsupported(why) = state else {
        panic!("{state:?}");
    };
    assert!(
        why.contains("other") && why.contains("spec.cloud.gcp.network"),
        "{why}"
    );
}
