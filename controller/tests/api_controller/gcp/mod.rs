//! The whole program with provider gcp: a real API server, an emulator of Compute Engine, and nodes that
//! are nothing but objects. Credentials, project and network come from the metadata server.

mod network;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use signpost_gce::{Fault, FaultKind, Settings};

use self::network::{Network, PROJECT, add_nodes, routed, spec, wanted};
use crate::support::{eventually, world};

#[tokio::test]
async fn gcp_nodes_are_routed_and_each_route_costs_one_call_and_a_little() {
    let world = world().await;
    let network = Network::new().await;
    let instances = network.launch(40).await;
    network.slow(1.0);
    network.gce.clear_calls();
    add_nodes(&world, &instances).await;
    world.create_network(spec("30s", &network)).await;
    let running = network.start(&world);
    routed(&world, 40).await;
    assert_eq!(network.routes(), wanted(&world, &instances).await);
    let calls = network.calls();
    println!("calls: {calls:?}");
    assert_eq!(calls["routes.insert"], 40, "{calls:?}");
    let others = calls.values().sum::<usize>() - 40;
    assert!(others <= 30, "{calls:?}");

    let (_, metrics) = running.get("/metrics").await;
    for line in [
        r#"signpost_cloud_requests_total{action="routes.insert",outcome="ok"} 40"#,
        r#"signpost_nodes{phase="routed"} 40"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let (status, log) = running.stop().await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn gcp_a_changed_priority_is_followed_route_by_route_and_teardown_leaves_nothing() {
    let world = world().await;
    let network = Network::new().await;
    let instances = network.launch(4).await;
    add_nodes(&world, &instances).await;
    world.create_network(spec("1s", &network)).await;
    let running = network.start(&world);
    routed(&world, 4).await;
    let before = network.routes();
    let change = json!({"spec": {"cloud": {"gcp": {"priority": 700, "tags": ["nodes"]}}}});
    let change = Patch::Merge(change);
    let parameters = PatchParams::default();
    let changed = world.networks.patch("default", &parameters, &change);
    changed.await.unwrap();
    eventually("all routes have it", 60, async || {
        let state = network.gce.snapshot();
        let mut own = state.static_routes();
        network.routes() == before && own.all(|it| it.priority == 700 && it.tags == ["nodes"])
    })
    .await;
    routed(&world, 4).await;

    let parameters = DeleteParams::default();
    world.networks.delete("default", &parameters).await.unwrap();
    eventually("the object is gone", 60, async || {
        world.network().await.is_null()
    })
    .await;
    assert!(network.routes().is_empty());
    assert!(running.stop().await.0.success());
}

#[tokio::test]
async fn gcp_faults_of_every_kind_delay_and_double_nothing() {
    let world = world().await;
    let network = Network::new().await;
    let instances = network.launch(15).await;
    let settings = Settings {
        operations: [0.2, 3.0],
        propagation: 0.5,
        short_pages: true,
        error_info: true,
        latency: 0.02,
        ..Settings::default()
    };
    network.gce.configure(|all| *all = settings).unwrap();
    for (kind, probability) in [
        (FaultKind::Error503, 0.1),
        (FaultKind::Busy, 0.1),
        (FaultKind::LostAfterCommit, 0.15),
        (FaultKind::ResetBefore, 0.1),
        (
            FaultKind::OperationFails {
                code: "RESOURCE_NOT_READY".to_owned(),
            },
            0.1,
        ),
    ] {
        let fault = Fault {
            probability,
            count: Some(12),
            ..Fault::always(kind, &["routes.*", "globalOperations.*"])
        };
        network.gce.add_fault(fault).unwrap();
    }
    add_nodes(&world, &instances).await;
    world.create_network(spec("5s", &network)).await;
    let _running = network.start(&world);
    eventually("all nodes are routed", 180, async || {
        world.network().await["status"]["nodes"]["routed"] == 15
    })
    .await;
    assert_eq!(network.routes(), wanted(&world, &instances).await);
    let state = network.gce.snapshot();
    assert_eq!(state.static_routes().count(), 15, "one for each block");
}

#[tokio::test]
async fn gcp_a_missing_permission_is_named_in_the_status() {
    let world = world().await;
    let network = Network::new().await;
    let instances = network.launch(1).await;
    let role: Vec<&str> = include_str!("../../../../manifests/gcp/role-network.yaml")
        .lines()
        .chain(include_str!("../../../../manifests/gcp/role-nodes.yaml").lines())
        .filter_map(|line| line.strip_prefix("  - "))
        .filter(|permission| *permission != "compute.networks.updatePolicy")
        .collect();
    network.permit(&role);
    add_nodes(&world, &instances).await;
    world.create_network(spec("1s", &network)).await;
    let _running = network.start(&world);
    eventually("the node says which, and where", 60, async || {
        let node = world.nodes.get(&instances[0].0).await.unwrap();
        let conditions = node.status.unwrap().conditions.unwrap_or_default();
        conditions.iter().any(|condition| {
            let message = condition.message.as_deref().unwrap_or_default();
            condition.reason.as_deref() == Some("CloudDenied")
                && message.contains("compute.networks.updatePolicy")
                && message.contains("role-network.yaml")
        })
    })
    .await;
}

#[tokio::test]
async fn gcp_an_instance_that_does_not_forward_says_what_to_do() {
    let world = world().await;
    let network = Network::new().await;
    let instances = network.launch_as(1, false).await;
    add_nodes(&world, &instances).await;
    world.create_network(spec("1s", &network)).await;
    let _running = network.start(&world);
    eventually("the node says so", 60, async || {
        let node = world.nodes.get(&instances[0].0).await.unwrap();
        let conditions = node.status.unwrap().conditions.unwrap_or_default();
        conditions.iter().any(|condition| {
            let message = condition.message.as_deref().unwrap_or_default();
            condition.type_ == "NetworkUnavailable" && message.contains("enableIPForwarding")
        })
    })
    .await;
    let on = json!({"spec": {"cloud": {"gcp": {"enableIPForwarding": true}}}});
    let patch = Patch::Merge(on);
    let parameters = PatchParams::default();
    let changed = world.networks.patch("default", &parameters, &patch);
    changed.await.unwrap();
    routed(&world, 1).await;
    let state = network.gce.snapshot();
    let instance = state.instances.iter().find(|it| it.name == instances[0].0);
    assert!(instance.unwrap().can_ip_forward);
    assert_eq!(instance.unwrap().project, PROJECT);
}
