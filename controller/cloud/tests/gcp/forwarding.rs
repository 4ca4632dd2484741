//! IP forwarding of instances.

use serde_json::json;
use signpost_cloud::{Change, Cloud};
use signpost_core::cloud::{CloudErrorKind, InstanceState};

use crate::scene::{PROJECT, Scene, ZONE, make};

fn path(name: &str) -> String {
    format!("projects/{PROJECT}/zones/{ZONE}/instances/{name}")
}

async fn forwards(scene: &Scene, name: &str) -> bool {
    let instance = scene.client.get(&path(name)).await.unwrap();
    instance["canIpForward"] == true
}

#[tokio::test]
async fn it_is_left_off_and_told_unless_it_is_to_be_switched_on() {
    let scene = Scene::new().await;
    let node = scene.launch_as(PROJECT, ZONE, "node", false).await;
    let InstanceState::Found(instance) = scene.state(&node).await else {
        panic!("it is there");
    };
    assert!(!instance.forwarding);
    let error = make(&scene.cloud, Change::Forwarding(&node))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Invalid);
    for part in ["instance template", "enableIPForwarding", &path("node")] {
        assert!(error.detail.contains(part), "{error}");
    }
    assert!(!forwards(&scene, "node").await);
    assert_eq!(scene.log.requests("instances.update", "ok"), 0);

    let switching = scene.another(|it| it.enable_ip_forwarding = true).await;
    scene
        .gce
        .configure(|all| all.operations = [1.0, 1.0])
        .unwrap();
    let before = scene.client.get(&path("node")).await.unwrap();
    make(&switching, Change::Forwarding(&node)).await.unwrap();
    let mut after = scene.client.get(&path("node")).await.unwrap();
    assert_eq!(after["canIpForward"], true);
    assert_ne!(after["fingerprint"], before["fingerprint"]);
    // Everything else is as it was.
    after["canIpForward"] = before["canIpForward"].clone();
    after["fingerprint"] = before["fingerprint"].clone();
    assert_eq!(after, before);
    assert_eq!(after["labels"], json!({"team": "net"}));
    let update = scene
        .gce
        .calls()
        .into_iter()
        .find(|call| call.action == "instances.update");
    assert_eq!(
        update.unwrap().parameters["mostDisruptiveAllowedAction"],
        "REFRESH"
    );
}

#[tokio::test]
async fn a_template_that_was_mended_needs_no_switch() {
    let scene = Scene::new().await;
    let node = scene.launch(PROJECT, ZONE, "node").await;
    make(&scene.cloud, Change::Forwarding(&node)).await.unwrap();
    assert_eq!(scene.log.requests("instances.update", "ok"), 0);
}

#[tokio::test]
async fn a_change_of_others_meanwhile_is_not_undone() {
    let scene = Scene::new().await;
    let node = scene.launch_as(PROJECT, ZONE, "node", false).await;
    let switching = scene.another(|it| it.enable_ip_forwarding = true).await;
    switching.admit(Change::Forwarding(&node)).await.unwrap();
    let mut theirs = scene.client.get(&path("node")).await.unwrap();
    theirs["description"] = json!("changed meanwhile");
    let update = format!("{}?mostDisruptiveAllowedAction=REFRESH", path("node"));
    let update = scene.client.put(&update, &theirs).await.unwrap();
    scene.client.finish(&update).await.unwrap();
    let error = switching
        .begin(Change::Forwarding(&node))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient, "{error}");
    make(&switching, Change::Forwarding(&node)).await.unwrap();
    let now = scene.client.get(&path("node")).await.unwrap();
    assert_eq!(
        (&now["description"], &now["canIpForward"]),
        (&theirs["description"], &json!(true))
    );
}
