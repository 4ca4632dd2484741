use serde_json::{Value, json};
use signpost_gce::Settings;

use crate::scene::{REGION, Scene, ZONE};

const ZONAL: &str = "projects/example/zones/europe-west3-a/instances";

#[tokio::test]
async fn addresses_are_given_out_and_asked_for() {
    let scene = Scene::new().await;
    let body = |name: &str, interface: Value| {
        let mut interface = interface;
        interface["subnetwork"] = scene.subnetwork.as_str().into();
        json!({"name": name, "networkInterfaces": [interface]})
    };
    scene.instance("one").await;
    scene.instance("two").await;
    let nine = body("nine", json!({"networkIP": "10.0.0.9"}));
    scene.client.make(ZONAL, &nine).await.unwrap();
    let state = scene.gce.snapshot();
    let of = |name: &str| {
        let instance = state.instances.iter().find(|of| of.name == name).unwrap();
        instance.interfaces[0].address.unwrap().to_string()
    };
    assert_eq!(
        ["nine", "one", "two"].map(of),
        ["10.0.0.9", "10.0.0.2", "10.0.0.3"]
    );
    for (interface, reason) in [
        (
            json!({"networkIP": "10.0.0.9"}),
            "resourceInUseByAnotherResource",
        ),
        (json!({"networkIP": "10.0.1.9"}), "invalid"),
        (json!({"network": "global/networks/other"}), "invalid"),
        (json!({"stackType": "IPV4_IPV6"}), "invalid"),
    ] {
        let body = body("bad", interface);
        let error = scene.client.post(ZONAL, &body).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{body}");
    }
    let elsewhere = ZONAL.replace(ZONE, "us-east1-b");
    let error = scene.client.post(&elsewhere, &body("far", json!({}))).await;
    assert_eq!(error.unwrap_err().reason(), "invalid");
}

#[tokio::test]
async fn two_families_and_aliases_are_in_the_snapshot() {
    let scene = Scene::new().await;
    let client = &scene.client;
    let network =
        json!({"name": "dual", "autoCreateSubnetworks": false, "enableUlaInternalIpv6": true});
    client
        .make("projects/example/global/networks", &network)
        .await
        .unwrap();
    let subnetwork = json!({
        "name": "dual",
        "network": "global/networks/dual",
        "ipCidrRange": "10.0.0.0/24",
        "stackType": "IPV4_IPV6",
        "ipv6AccessType": "INTERNAL",
        "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.64.0.0/16"}],
    });
    let regional = format!("projects/example/regions/{REGION}/subnetworks");
    client.make(&regional, &subnetwork).await.unwrap();
    for name in ["one", "two"] {
        let instance = json!({"name": name, "tags": {"items": ["node"]}, "networkInterfaces": [{
            "subnetwork": format!("regions/{REGION}/subnetworks/dual"),
            "stackType": "IPV4_IPV6",
            "aliasIpRanges": [{"ipCidrRange": "/24", "subnetworkRangeName": "pods"}],
        }]});
        client.make(ZONAL, &instance).await.unwrap();
    }
    let state = scene.gce.snapshot();
    let dual = state
        .subnetworks
        .iter()
        .find(|of| of.path.ends_with("/dual"))
        .unwrap();
    assert_eq!(dual.secondary[0].1.to_string(), "10.64.0.0/16");
    let prefix = dual.ipv6.unwrap();
    let aliases: Vec<String> = state
        .instances
        .iter()
        .map(|of| of.interfaces[0].aliases[0].to_string())
        .collect();
    assert_eq!(aliases, ["10.64.0.0/24", "10.64.1.0/24"]);
    for instance in &state.instances {
        let ipv6 = instance.interfaces[0].ipv6.unwrap();
        assert!(prefix.contains(&std::net::IpAddr::from(ipv6)));
        assert_eq!(instance.tags, ["node"]);
    }
    // Each range has a route of its own.
    let local = state
        .routes
        .iter()
        .filter(|of| of.network.ends_with("/dual"));
    assert_eq!(local.count(), 4);
}

#[tokio::test]
async fn an_update_replaces_the_whole_instance() {
    let scene = Scene::new().await;
    let instance = json!({
        "name": "node",
        "networkInterfaces": [{"subnetwork": scene.subnetwork}],
        "futureField": {"kept": true},
    });
    scene.client.make(ZONAL, &instance).await.unwrap();
    let path = format!("{ZONAL}/node");
    let mut whole = scene.get(&path).await;
    assert_eq!(whole["futureField"]["kept"], true);
    whole["canIpForward"] = true.into();
    let refresh = format!("{path}?mostDisruptiveAllowedAction=REFRESH");
    let mut stale = whole.clone();
    stale["fingerprint"] = "AAAAAAAAAAA=".into();
    let error = scene.client.put(&refresh, &stale).await.unwrap_err();
    assert_eq!((error.status(), error.reason()), (412, "conditionNotMet"));
    let nothing = format!("{path}?mostDisruptiveAllowedAction=NO_EFFECT");
    assert_eq!(
        scene
            .client
            .put(&nothing, &whole)
            .await
            .unwrap_err()
            .status(),
        400
    );
    // What other methods change, or nobody, stays as it is.
    let mut asked = whole.clone();
    asked["status"] = "TERMINATED".into();
    asked["id"] = "1".into();
    asked["networkInterfaces"] = json!([]);
    let operation = scene.client.put(&refresh, &asked).await.unwrap();
    let done = scene.client.finish(&operation).await.unwrap();
    assert_eq!(done["operationType"], "update");
    let after = scene.get(&path).await;
    assert_eq!(after["canIpForward"], true);
    assert_eq!(after["futureField"]["kept"], true);
    assert_eq!(after["networkInterfaces"], whole["networkInterfaces"]);
    assert_eq!(after["id"], whole["id"]);
    assert_eq!(after["status"], "RUNNING");
    assert_ne!(after["fingerprint"], whole["fingerprint"]);
    // Another machine needs more than a refresh.
    let mut larger = after.clone();
    larger["machineType"] = format!("zones/{ZONE}/machineTypes/e2-standard-8").into();
    assert_eq!(
        scene
            .client
            .put(&refresh, &larger)
            .await
            .unwrap_err()
            .status(),
        400
    );
}

#[tokio::test]
async fn an_instance_is_in_a_status_while_things_happen() {
    let scene = Scene::with(Settings {
        operations: [60.0, 60.0],
        speed: 0.0,
        ..Settings::default()
    })
    .await;
    let body = json!({"name": "node", "networkInterfaces": [{"subnetwork": scene.subnetwork}]});
    let operation = scene.client.post(ZONAL, &body).await.unwrap();
    let path = format!("{ZONAL}/node");
    let status = async || scene.get(&path).await["status"].clone();
    let finish = async |operation: Value| {
        scene.gce.configure(|all| all.speed = 1e5).unwrap();
        scene.client.finish(&operation).await.unwrap();
        scene.gce.configure(|all| all.speed = 0.0).unwrap();
    };
    assert_eq!(status().await, "PROVISIONING");
    let error = scene.client.delete(&path).await.unwrap_err();
    assert_eq!(error.reason(), "resourceNotReady");
    finish(operation).await;
    assert_eq!(status().await, "RUNNING");
    let stop = format!("{path}/stop");
    let operation = scene.client.post(&stop, &Value::Null).await.unwrap();
    assert_eq!(status().await, "STOPPING");
    finish(operation).await;
    assert_eq!(status().await, "TERMINATED");
    let operation = scene.client.delete(&path).await.unwrap();
    assert_eq!(status().await, "STOPPING");
    finish(operation).await;
    assert_eq!(scene.client.get(&path).await.unwrap_err().status(), 404);
}

#[tokio::test]
async fn a_network_is_shared_with_its_service_projects() {
    let scene = Scene::new().await;
    let client = &scene.client;
    let node = client.instance("service", ZONE, "node", &scene.subnetwork);
    let node = node.await.unwrap();
    let stranger = client.instance("stranger", ZONE, "node", &scene.subnetwork);
    assert_eq!(stranger.await.unwrap_err().reason(), "invalid");
    // The route is the host's, and an instance of another project is named by its address only.
    let by_name = scene.route("r", "10.1.0.0/24", ("nextHopInstance", &node));
    assert_eq!(scene.refusal(&by_name).await, (400, "invalid".to_owned()));
    let of_service = client
        .post("projects/service/global/routes", &by_name)
        .await;
    assert_eq!(of_service.unwrap_err().reason(), "invalid");
    let by_address = scene.route("r", "10.1.0.0/24", ("nextHopIp", "10.0.0.2"));
    client
        .finish(&scene.begin(&by_address).await)
        .await
        .unwrap();
    assert!(scene.warnings("r").await.is_empty());
    let state = scene.gce.snapshot();
    let route = state.static_routes().next().unwrap();
    assert_eq!((route.instance.as_ref(), route.usable), (Some(&node), true));
    // A network in use stays.
    let error = client.delete(&scene.network).await.unwrap_err();
    assert_eq!(error.reason(), "resourceInUseByAnotherResource");
    let host = client.get("projects/service/getXpnHost").await.unwrap();
    assert_eq!(
        (&host["name"], &host["xpnProjectStatus"]),
        (&json!("example"), &json!("HOST"))
    );
}
