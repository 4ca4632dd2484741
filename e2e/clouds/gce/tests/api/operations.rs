use std::time::Duration;

use serde_json::{Value, json};
use signpost_gce::{Fault, FaultKind, Settings};

use crate::scene::{REGION, Scene, ZONE};

const GATEWAY: (&str, &str) = ("nextHopGateway", "global/gateways/default-internet-gateway");
const ID: &str = "6f8a9c1e-0000-4000-8000-00000000000a";

fn path(operation: &Value) -> String {
    let link = operation["selfLink"].as_str().unwrap();
    link.split_once("/compute/v1/").unwrap().1.to_owned()
}

#[tokio::test]
async fn waiting_ends_early_if_it_has_to() {
    let scene = Scene::with(Settings {
        operations: [60.0, 60.0],
        wait: 0.0,
        ..Settings::default()
    })
    .await;
    let operation = scene.begin(&scene.route("r", "10.1.0.0/24", GATEWAY)).await;
    let wait = format!("{}/wait", path(&operation));
    let waited = scene.client.post(&wait, &Value::Null).await.unwrap();
    assert_ne!(waited["status"], "DONE");
    // Not yet begun at first, and then under way.
    scene.gce.configure(|all| all.speed = 200.0).unwrap();
    let mut seen = vec![operation["status"].as_str().unwrap().to_owned()];
    while seen.last().unwrap() != "DONE" {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let now = scene.get(&path(&operation)).await;
        let status = now["status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }
    assert_eq!(seen, ["PENDING", "RUNNING", "DONE"]);
}

#[tokio::test]
async fn a_wait_returns_when_the_operation_is_done() {
    let scene = Scene::with(Settings {
        operations: [1000.0, 1000.0],
        wait: 1e6,
        ..Settings::default()
    })
    .await;
    let operation = scene.begin(&scene.route("r", "10.1.0.0/24", GATEWAY)).await;
    let wait = format!("{}/wait", path(&operation));
    let waiting = scene.client.post(&wait, &Value::Null);
    let faster = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        scene.gce.configure(|all| all.speed = 1e6).unwrap();
    };
    let (done, ()) = tokio::join!(waiting, faster);
    assert_eq!(done.unwrap()["status"], "DONE");
}

#[tokio::test]
async fn an_operation_can_fail_without_an_effect() {
    let scene = Scene::new().await;
    let fails = FaultKind::OperationFails {
        code: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE".to_owned(),
    };
    scene
        .gce
        .add_fault(Fault::next(1, fails, &["routes.insert"]))
        .unwrap();
    let operation = scene.begin(&scene.route("r", "10.1.0.0/24", GATEWAY)).await;
    let error = scene.client.finish(&operation).await.unwrap_err();
    assert_eq!(error.reason(), "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE");
    assert_eq!(error.status(), 400);
    let shown = scene.get(&path(&operation)).await;
    assert_eq!(shown["httpErrorStatusCode"], 400);
    assert_eq!(scene.gce.snapshot().static_routes().count(), 0);
    // An instance that could not be made is not there, and the name is free.
    scene.gce.clear_faults();
    let fails = FaultKind::OperationFails {
        code: "ZONE_RESOURCE_POOL_EXHAUSTED".to_owned(),
    };
    let rule = Fault::next(1, fails, &["instances.insert"]);
    scene.gce.add_fault(rule).unwrap();
    let made = scene
        .client
        .instance("example", ZONE, "node", &scene.subnetwork);
    assert_eq!(made.await.unwrap_err().status(), 503);
    assert!(scene.gce.snapshot().instances.is_empty());
    scene.instance("node").await;
}

#[tokio::test]
async fn an_operation_can_take_long() {
    let scene = Scene::new().await;
    let takes = FaultKind::OperationTakes { seconds: 600.0 };
    let rule = Fault::next(1, takes, &["routes.insert"]);
    scene.gce.add_fault(rule).unwrap();
    let slow = scene
        .begin(&scene.route("slow", "10.1.0.0/24", GATEWAY))
        .await;
    let quick = scene
        .begin(&scene.route("quick", "10.2.0.0/24", GATEWAY))
        .await;
    scene.client.finish(&quick).await.unwrap();
    assert_eq!(scene.names("").await, ["quick"]);
    assert_ne!(scene.get(&path(&slow)).await["status"], "DONE");
}

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    let scene = Scene::new().await;
    let route = scene.route("r", "10.1.0.0/24", GATEWAY);
    let insert = format!("projects/example/global/routes?requestId={ID}");
    let one = scene.client.post(&insert, &route).await.unwrap();
    let two = scene.client.post(&insert, &route).await.unwrap();
    assert_eq!(
        (&one["id"], &one["clientOperationId"]),
        (&two["id"], &json!(ID))
    );
    let other = scene.route("r", "10.2.0.0/24", GATEWAY);
    let error = scene.client.post(&insert, &other).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (400, "invalid"));
    // What was refused may be asked again, with another answer.
    let id = ID.replace('a', "b");
    let insert = format!("projects/example/global/routes?requestId={id}");
    assert_eq!(
        scene
            .client
            .post(&insert, &other)
            .await
            .unwrap_err()
            .status(),
        409
    );
    scene
        .client
        .end("projects/example/global/routes/r")
        .await
        .unwrap();
    scene.client.make(&insert, &other).await.unwrap();
    // Also deletions.
    let delete = format!(
        "projects/example/global/routes/r?requestId={}",
        ID.replace('a', "c")
    );
    let one = scene.client.delete(&delete).await.unwrap();
    scene.client.finish(&one).await.unwrap();
    assert_eq!(scene.client.delete(&delete).await.unwrap()["id"], one["id"]);
}

#[tokio::test]
async fn lists_of_operations_are_filtered() {
    let scene = Scene::with(Settings {
        speed: 0.0,
        ..Settings::default()
    })
    .await;
    let takes = FaultKind::OperationTakes { seconds: 600.0 };
    let rule = Fault::next(1, takes, &["routes.insert"]);
    scene.gce.add_fault(rule).unwrap();
    let operation = scene.begin(&scene.route("r", "10.1.0.0/24", GATEWAY)).await;
    let target = operation["targetLink"].as_str().unwrap();
    for (filter, count) in [
        ("status+!%3D+DONE".to_owned(), 1),
        (
            "operationType+%3D+insert+AND+status+!%3D+DONE".to_owned(),
            1,
        ),
        (format!("targetLink+%3D+%22{target}%22"), 1),
        ("targetLink+eq+.*/routes/r".to_owned(), 1),
        ("operationType+eq+delete".to_owned(), 0),
    ] {
        let path = format!("projects/example/global/operations?filter={filter}");
        let list = scene.get(&path).await;
        let items = list["items"].as_array().map_or(0, Vec::len);
        assert_eq!(items, count, "{filter}");
    }
    // Those of regions and zones have lists of their own.
    let regional = scene
        .get(&format!("projects/example/regions/{REGION}/operations"))
        .await;
    assert_eq!(regional["items"][0]["operationType"], "insert");
    assert!(
        regional["items"][0]["region"]
            .as_str()
            .unwrap()
            .ends_with(REGION)
    );
    let all = scene.get("projects/example/aggregated/operations").await;
    assert!(
        all["items"]["global"]["operations"]
            .as_array()
            .unwrap()
            .len()
            >= 2
    );
}
