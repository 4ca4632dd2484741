use serde_json::{Value, json};
use signpost_gce::Settings;

use crate::scene::{REGION, Scene, ZONE};

#[tokio::test]
async fn routes_say_why_they_may_lead_nowhere() {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    let route = scene
        .client
        .route(&scene.network, "r", "10.1.0.0/24", &node);
    route.await.unwrap();
    assert!(scene.warnings("r").await.is_empty());
    assert!(
        scene
            .gce
            .snapshot()
            .static_routes()
            .all(|route| route.usable)
    );

    let stop = format!("{node}/stop");
    scene.client.make(&stop, &Value::Null).await.unwrap();
    assert_eq!(scene.warnings("r").await, ["NEXT_HOP_NOT_RUNNING"]);
    assert!(
        !scene
            .gce
            .snapshot()
            .static_routes()
            .any(|route| route.usable)
    );
    let start = format!("{node}/start");
    scene.client.make(&start, &Value::Null).await.unwrap();
    assert!(scene.warnings("r").await.is_empty());

    // A route outlives its instance, and leads to the next one of that name.
    scene.client.end(&node).await.unwrap();
    assert_eq!(scene.warnings("r").await, ["NEXT_HOP_INSTANCE_NOT_FOUND"]);
    assert_eq!(
        scene
            .gce
            .snapshot()
            .static_routes()
            .next()
            .unwrap()
            .instance,
        None
    );
    let again = scene.instance("node").await;
    assert!(scene.warnings("r").await.is_empty());
    let state = scene.gce.snapshot();
    let route = state.static_routes().next().unwrap();
    assert_eq!(
        (route.instance.as_ref(), route.usable),
        (Some(&again), true)
    );
}

#[tokio::test]
async fn instances_have_to_forward_and_to_be_on_the_network() {
    let scene = Scene::new().await;
    let client = &scene.client;
    let other = client.network("example", "other").await.unwrap();
    let elsewhere = client.subnetwork(&other, REGION, "elsewhere", "10.0.0.0/24");
    let elsewhere = elsewhere.await.unwrap();
    let body = json!({
        "name": "node",
        "networkInterfaces": [{"subnetwork": elsewhere, "networkIP": "10.0.0.9"}],
    });
    let instances = format!("projects/example/zones/{ZONE}/instances");
    client.make(&instances, &body).await.unwrap();
    let node = format!("{instances}/node");
    let by_name = scene.route("r", "10.1.0.0/24", ("nextHopInstance", &node));
    client.finish(&scene.begin(&by_name).await).await.unwrap();
    let codes = [
        "NEXT_HOP_CANNOT_IP_FORWARD",
        "NEXT_HOP_INSTANCE_NOT_ON_NETWORK",
    ];
    assert_eq!(scene.warnings("r").await, codes);
    // The other network's instance has this address, and this one's has not.
    let by_address = scene.route("a", "10.2.0.0/24", ("nextHopIp", "10.0.0.9"));
    client
        .finish(&scene.begin(&by_address).await)
        .await
        .unwrap();
    assert_eq!(scene.warnings("a").await, ["NEXT_HOP_ADDRESS_NOT_ASSIGNED"]);
    let v6 = scene.route("six", "2001:db8::/64", ("nextHopInstance", &node));
    client.finish(&scene.begin(&v6).await).await.unwrap();
    assert_eq!(scene.warnings("six").await, codes);
}

#[tokio::test]
async fn warnings_come_and_go_late() {
    let scene = Scene::with(Settings {
        speed: 0.0,
        warning_lag: 30.0,
        ..Settings::default()
    })
    .await;
    let node = scene.instance("node").await;
    let route = scene
        .client
        .route(&scene.network, "r", "10.1.0.0/24", &node);
    route.await.unwrap();
    let pass = async |seconds: u64| {
        scene.gce.configure(|all| all.speed = 1e4).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(seconds / 10)).await;
        scene.gce.configure(|all| all.speed = 0.0).unwrap();
    };
    pass(50).await;
    scene.client.end(&node).await.unwrap();
    assert!(scene.warnings("r").await.is_empty());
    // A route is not warned of before it was there for so long.
    let nobody = scene.route("young", "10.2.0.0/24", ("nextHopIp", "10.0.0.99"));
    let operation = scene.begin(&nobody).await;
    scene.client.finish(&operation).await.unwrap();
    assert!(scene.warnings("young").await.is_empty());
    pass(50).await;
    assert_eq!(scene.warnings("r").await, ["NEXT_HOP_INSTANCE_NOT_FOUND"]);
    let codes = scene.warnings("young").await;
    assert_eq!(codes, ["NEXT_HOP_ADDRESS_NOT_ASSIGNED"]);
}
