use serde_json::json;
use signpost_gce::Settings;

use crate::scene::{REGION, Scene};

#[tokio::test]
async fn ranges_of_a_network_do_not_overlap() {
    let scene = Scene::new().await;
    let client = &scene.client;
    // Its subnetworks have to go first.
    let error = client.delete(&scene.network).await.unwrap_err();
    assert_eq!(error.reason(), "resourceInUseByAnotherResource");
    for range in ["10.0.0.0/25", "10.0.0.0/16", "10.0.0.1/24", "10.0.0"] {
        let error = client
            .subnetwork(&scene.network, REGION, "more", range)
            .await;
        assert_eq!(error.unwrap_err().reason(), "invalid", "{range}");
    }
    // Nor do they hide routes.
    let gateway = ("nextHopGateway", "global/gateways/default-internet-gateway");
    let route = scene.route("r", "10.1.0.0/24", gateway);
    client.finish(&scene.begin(&route).await).await.unwrap();
    let error = client
        .subnetwork(&scene.network, REGION, "more", "10.1.0.0/16")
        .await;
    assert_eq!(error.unwrap_err().reason(), "invalid");
    client
        .subnetwork(&scene.network, REGION, "more", "10.2.0.0/16")
        .await
        .unwrap();
    let error = client.delete(&scene.network).await.unwrap_err();
    assert_eq!(error.reason(), "resourceInUseByAnotherResource");
}

#[tokio::test]
async fn what_is_being_made_is_not_ready() {
    let scene = Scene::with(Settings {
        operations: [60.0, 60.0],
        ..Settings::default()
    })
    .await;
    let network = json!({"name": "new", "autoCreateSubnetworks": false});
    let networks = "projects/example/global/networks";
    let operation = scene.client.post(networks, &network).await.unwrap();
    let early = scene.client.subnetwork(
        "projects/example/global/networks/new",
        REGION,
        "s",
        "10.0.0.0/24",
    );
    assert_eq!(early.await.unwrap_err().reason(), "resourceNotReady");
    let error = scene.client.post(networks, &network).await.unwrap_err();
    assert_eq!(error.reason(), "alreadyExists");
    scene.gce.configure(|all| all.speed = 1e5).unwrap();
    scene.client.finish(&operation).await.unwrap();
}

#[tokio::test]
async fn a_network_in_auto_mode_keeps_its_range() {
    let scene = Scene::new().await;
    let networks = "projects/example/global/networks";
    let auto = json!({"name": "auto", "autoCreateSubnetworks": true});
    scene.client.make(networks, &auto).await.unwrap();
    let mut route = scene.route("r", "10.200.0.0/24", ("nextHopIp", "10.156.0.2"));
    route["network"] = "global/networks/auto".into();
    assert_eq!(scene.refusal(&route).await, (400, "invalid".to_owned()));
    route["destRange"] = "10.1.0.0/24".into();
    scene
        .client
        .finish(&scene.begin(&route).await)
        .await
        .unwrap();
    scene
        .client
        .end("projects/example/global/routes/r")
        .await
        .unwrap();
    scene
        .client
        .end("projects/example/global/networks/auto")
        .await
        .unwrap();
    let state = scene.gce.snapshot();
    assert_eq!((state.networks.len(), state.subnetworks.len()), (1, 1));
    let legacy = json!({"name": "legacy"});
    assert_eq!(
        scene
            .client
            .post(networks, &legacy)
            .await
            .unwrap_err()
            .status(),
        400
    );
}
