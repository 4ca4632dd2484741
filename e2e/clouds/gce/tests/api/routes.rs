use serde_json::{Value, json};
use signpost_gce::{NextHop, Settings};

use crate::scene::{Scene, ZONE};

#[tokio::test]
async fn a_route_is_there_when_its_operation_is_done() {
    let scene = Scene::with(Settings {
        operations: [10.0, 10.0],
        speed: 0.0,
        ..Settings::default()
    })
    .await;
    let gateway = "global/gateways/default-internet-gateway";
    let route = scene.route("r", "10.1.0.0/24", ("nextHopGateway", gateway));
    let operation = scene.begin(&route).await;
    assert_eq!(operation["operationType"], "insert");
    assert_ne!(operation["status"], "DONE");
    assert_eq!(operation["progress"], 0);
    let target = operation["targetLink"].as_str().unwrap();
    let base = format!("{}/compute/v1/", scene.gce.url());
    assert_eq!(target, format!("{base}projects/example/global/routes/r"));
    // Neither shown nor free, and not to be deleted.
    let path = "projects/example/global/routes/r";
    let error = scene.client.get(path).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (404, "notFound"));
    assert!(scene.names("").await.is_empty());
    assert_eq!(
        scene.refusal(&route).await,
        (409, "alreadyExists".to_owned())
    );
    let error = scene.client.delete(path).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (400, "resourceNotReady"));

    scene.gce.configure(|all| all.speed = 1e4).unwrap();
    let done = scene.client.finish(&operation).await.unwrap();
    assert_eq!(
        (&done["status"], &done["progress"]),
        (&json!("DONE"), &json!(100))
    );
    assert_eq!(done["id"], operation["id"]);
    let shown = scene.get(path).await;
    assert_eq!(shown["network"], format!("{base}{}", scene.network));
    assert_eq!(shown["selfLink"], operation["targetLink"]);
    assert_eq!(shown["id"], operation["targetId"]);
    assert_eq!(scene.names("").await, ["r"]);
    assert_eq!(
        scene.refusal(&route).await,
        (409, "alreadyExists".to_owned())
    );
}

#[tokio::test]
async fn a_route_stays_until_its_deletion_is_done() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let path = scene
        .client
        .route(&scene.network, "r", "10.1.0.0/24", &node)
        .await
        .unwrap();
    let slow = |all: &mut Settings| (all.operations, all.speed) = ([10.0, 10.0], 0.0);
    scene.gce.configure(slow).unwrap();
    let operation = scene.client.delete(&path).await.unwrap();
    assert_eq!(scene.names("").await, ["r"]);
    let error = scene.client.delete(&path).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (400, "resourceNotReady"));
    scene
        .gce
        .configure(|all| all.repeated_deletion = true)
        .unwrap();
    scene.client.delete(&path).await.unwrap();
    scene.gce.configure(|all| all.speed = 1e4).unwrap();
    scene.client.finish(&operation).await.unwrap();
    assert!(scene.names("").await.is_empty());
    assert_eq!(scene.client.delete(&path).await.unwrap_err().status(), 404);
}

#[tokio::test]
async fn what_a_route_cannot_be_is_refused() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let hop = ("nextHopInstance", node.as_str());
    let of = |change: Value| {
        let mut route = scene.route("r", "10.1.0.0/24", hop);
        for (name, value) in change.as_object().unwrap() {
            route[name] = value.clone();
        }
        route
    };
    for (change, status, reason) in [
        (json!({"name": "R"}), 400, "invalid"),
        (json!({"name": null}), 400, "required"),
        (json!({"destRange": null}), 400, "required"),
        (json!({"network": null}), 400, "required"),
        (json!({"network": "net"}), 400, "invalid"),
        (json!({"network": "global/networks/other"}), 404, "notFound"),
        (
            json!({"network": "projects/service/global/networks/net"}),
            400,
            "invalid",
        ),
        (json!({"destRange": "10.1.0.1/24"}), 400, "invalid"),
        (json!({"destRange": "10.1.0.0"}), 400, "invalid"),
        (json!({"priority": 65536}), 400, "invalid"),
        (json!({"priority": -1}), 400, "invalid"),
        // In the subnetwork's range, or exactly it.
        (json!({"destRange": "10.0.0.0/24"}), 400, "invalid"),
        (json!({"destRange": "10.0.0.128/32"}), 400, "invalid"),
        (json!({"nextHopIp": "10.0.0.2"}), 400, "invalid"),
        (json!({"nextHopInstance": null}), 400, "invalid"),
        (
            json!({"nextHopInstance": null, "nextHopIp": "10.9.0.2"}),
            400,
            "invalid",
        ),
        (
            json!({"nextHopInstance": null, "nextHopIp": "::1"}),
            400,
            "invalid",
        ),
        (
            json!({"nextHopInstance": format!("zones/{ZONE}/instances/other")}),
            404,
            "notFound",
        ),
        (
            json!({"nextHopInstance": format!("projects/service/zones/{ZONE}/instances/x")}),
            400,
            "invalid",
        ),
        (json!({"nextHops": "x"}), 400, "badRequest"),
    ] {
        let refusal = scene.refusal(&of(change.clone())).await;
        assert_eq!(refusal, (status, reason.to_owned()), "{change}");
    }
    // What contains the subnetwork is no problem.
    let wide = of(json!({"destRange": "10.0.0.0/8"}));
    scene
        .client
        .finish(&scene.begin(&wide).await)
        .await
        .unwrap();
}

#[tokio::test]
async fn only_names_are_unique() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let other = scene.instance("other").await;
    for (name, to) in [("one", &node), ("two", &other)] {
        let route = scene.client.route(&scene.network, name, "10.1.0.0/24", to);
        route.await.unwrap();
    }
    let state = scene.gce.snapshot();
    let hops: Vec<_> = state.static_routes().map(|of| &of.next_hop).collect();
    assert_eq!(hops, [&NextHop::Instance(node), &NextHop::Instance(other)]);
    assert!(state.static_routes().all(|route| route.usable));
}

#[tokio::test]
async fn each_subnetwork_and_the_internet_have_routes() {
    let scene = Scene::new().await;
    let list = scene.get("projects/example/global/routes").await;
    let routes = list["items"].as_array().unwrap();
    let of = |to: &str| {
        routes
            .iter()
            .find(|route| route["destRange"] == to)
            .unwrap()
    };
    let base = format!("{}/compute/v1/", scene.gce.url());
    let local = of("10.0.0.0/24");
    assert_eq!(local["nextHopNetwork"], format!("{base}{}", scene.network));
    assert_eq!(local["priority"], 0);
    let internet = of("0.0.0.0/0");
    let gateway = "projects/example/global/gateways/default-internet-gateway";
    assert_eq!(internet["nextHopGateway"], format!("{base}{gateway}"));
    let name = local["name"].as_str().unwrap();
    let path = format!("projects/example/global/routes/{name}");
    assert_eq!(scene.client.delete(&path).await.unwrap_err().status(), 400);
    // They go with what they came with.
    scene.client.end(&scene.subnetwork).await.unwrap();
    assert_eq!(scene.client.get(&path).await.unwrap_err().status(), 404);
    scene.client.end(&scene.network).await.unwrap();
    assert_eq!(scene.gce.snapshot().routes, []);
}
