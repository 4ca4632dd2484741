//! The name of a route is taken, an answer is lost, a route is another one than was meant.

use serde_json::json;
use signpost_cloud::{Change, Cloud, Progress};
use signpost_core::cloud::{CloudErrorKind, Ownership};
use signpost_gce::{Fault, FaultKind, Settings};

use crate::scene::{NETWORK, PROJECT, Scene, ZONE, create, delete, hop, make};

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .gce
        .configure(|all| all.operations = [1.0, 1.0])
        .unwrap();
    let lost = Fault::next(1, FaultKind::LostAfterCommit, &["routes.insert"]);
    scene.gce.add_fault(lost).unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    let error = scene.make(&change).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Unknown);
    // The same operation answers, so that nothing is made twice and nothing refused.
    scene.make(&change).await.unwrap();
    let calls = scene.gce.calls();
    let mut ids = calls
        .iter()
        .filter(|call| call.action == "routes.insert")
        .map(|call| &call.parameters["requestId"]);
    let (first, second) = (ids.next().unwrap(), ids.next().unwrap());
    assert_eq!(first, second);
    assert_eq!(scene.routes().await.len(), 1);
    // A new attempt is a new one.
    let error = scene
        .make(&create("10.244.1.0/24", hop(ZONE, "other")))
        .await;
    assert_eq!(error.unwrap_err().kind, CloudErrorKind::AlreadyExists);
    let calls = scene.gce.calls();
    let newest = calls
        .iter()
        .rfind(|call| call.action == "routes.insert")
        .unwrap();
    assert_ne!(&newest.parameters["requestId"], first);
}

#[tokio::test]
async fn a_route_that_is_there_as_wanted_is_made() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    scene.make(&change).await.unwrap();
    // A leader that knows nothing of the first attempt.
    let successor = scene.another(|_| ()).await;
    let change = Change::Route(&change);
    successor.admit(change).await.unwrap();
    assert_eq!(successor.begin(change).await.unwrap(), Progress::Done);
    assert_eq!(scene.routes().await.len(), 1);
}

#[tokio::test]
async fn a_route_of_ours_that_is_otherwise_is_shown_so_that_it_is_made_anew() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene.launch(PROJECT, ZONE, "other").await;
    scene
        .make(&create("10.244.1.0/24", hop(ZONE, "node")))
        .await
        .unwrap();
    let elsewhere = create("10.244.1.0/24", hop(ZONE, "other"));
    let error = scene.make(&elsewhere).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::AlreadyExists);
    // The priority was changed in the object.
    let changed = scene.another(|it| it.priority = 900).await;
    let wanted = create("10.244.1.0/24", hop(ZONE, "node"));
    let error = make(&changed, Change::Route(&wanted)).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::AlreadyExists);
    let seen = crate::scene::listing(&changed)
        .await
        .routes
        .unwrap()
        .remove(0);
    assert_eq!((seen.ownership, &seen.next_hop), (Ownership::Ours, &None));
    make(&changed, Change::Route(&delete(&seen))).await.unwrap();
    make(&changed, Change::Route(&wanted)).await.unwrap();
    assert_eq!(scene.only_route().await["priority"], 900);
}

#[tokio::test]
async fn a_name_that_somebody_else_has_taken_is_told() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    scene.make(&change).await.unwrap();
    let mut theirs = scene.only_route().await;
    let name = theirs["name"].as_str().unwrap().to_owned();
    scene.make(&delete(&scene.routes().await[0])).await.unwrap();
    theirs["destRange"] = json!("192.168.0.0/16");
    theirs["description"] = json!("by hand");
    let routes = format!("projects/{PROJECT}/global/routes");
    for computed in [
        "id",
        "kind",
        "selfLink",
        "creationTimestamp",
        "routeStatus",
        "warnings",
    ] {
        theirs.as_object_mut().unwrap().remove(computed);
    }
    theirs["network"] = json!(NETWORK);
    scene.client.make(&routes, &theirs).await.unwrap();
    let error = scene.make(&change).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::AlreadyExists);
    assert!(
        error.detail.contains(&name) && error.detail.contains("remove that"),
        "{error}"
    );
}

#[tokio::test]
async fn a_second_insertion_while_the_first_is_under_way_waits() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .gce
        .configure(|all| {
            *all = Settings {
                operations: [2.0, 2.0],
                ..Settings::default()
            }
        })
        .unwrap();
    let change = create("10.244.1.0/24", hop(ZONE, "node"));
    scene.cloud.admit(Change::Route(&change)).await.unwrap();
    scene.cloud.begin(Change::Route(&change)).await.unwrap();
    let successor = scene.another(|_| ()).await;
    let error = make(&successor, Change::Route(&change)).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn only_the_route_that_was_meant_is_removed() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .make(&create("10.244.1.0/24", hop(ZONE, "node")))
        .await
        .unwrap();
    let mut meant = scene.routes().await.remove(0);
    meant.next_hop = Some(hop(ZONE, "other"));
    let error = scene.make(&delete(&meant)).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    assert!(error.detail.contains("leads elsewhere now"), "{error}");
    let there = scene.routes().await.remove(0);
    scene.make(&delete(&there)).await.unwrap();
    let error = scene.make(&delete(&there)).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::NotFound);
    assert!(error.detail.contains("is gone"), "{error}");
}

#[tokio::test]
async fn a_route_that_no_listing_has_shown_yet_is_removed() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .make(&create("10.244.1.0/24", hop(ZONE, "node")))
        .await
        .unwrap();
    let mut made = scene.routes().await.remove(0);
    made.handle = None;
    scene.make(&delete(&made)).await.unwrap();
    assert_eq!(scene.routes().await, []);
}

#[tokio::test]
async fn one_write_is_one_attempt() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .make(&create("10.244.1.0/24", hop(ZONE, "node")))
        .await
        .unwrap();
    let seen = scene.routes().await.remove(0);
    for method in ["routes.insert", "routes.delete"] {
        scene.gce.clear_calls();
        scene
            .gce
            .add_fault(Fault::next(1, FaultKind::Error503, &[method]))
            .unwrap();
        let change = match method {
            "routes.insert" => create("10.244.2.0/24", hop(ZONE, "node")),
            _ => delete(&seen),
        };
        let error = scene.make(&change).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Unknown, "{error}");
        let calls = scene.gce.calls();
        assert_eq!(calls.iter().filter(|call| call.action == method).count(), 1);
    }
}
