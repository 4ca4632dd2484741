//! Instances: where routes to a node lead, and whether it forwards.

use signpost_cloud::Cloud;
use signpost_core::cloud::{CloudErrorKind, InstanceQuery, InstanceState, NextHop};
use signpost_ec2::{Fault, FaultKind, Settings};

use crate::scene::{Scene, config, enable_forwarding, query};

fn found(state: &InstanceState) -> &signpost_core::cloud::Instance {
    match state {
        InstanceState::Found(instance) => instance,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn routes_lead_to_the_primary_of_several_interfaces_for_both_families() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let second = scene
        .ok("CreateNetworkInterface", &[("SubnetId", &scene.subnet)])
        .await
        .text("networkInterfaceId");
    let params = [
        ("NetworkInterfaceId", second.as_str()),
        ("InstanceId", &instances[0]),
        ("DeviceIndex", "1"),
    ];
    scene.ok("AttachNetworkInterface", &params).await;
    let primary = NextHop::Target(scene.primary(&instances[0]).into());
    let states = scene.read(&instances).await;
    let instance = found(&states[0]);
    assert_eq!(instance.next_hop_v4.as_ref(), Some(&primary));
    assert_eq!(instance.next_hop_v6.as_ref(), Some(&primary));
    assert!(!instance.forwarding, "new interfaces are checked");
}

#[tokio::test]
async fn many_instances_are_read_in_few_calls_and_absent_ones_hide_no_other() {
    let scene = Scene::new().await;
    let mut instances = scene.launch(230, &[]).await;
    instances.push("i-00000000000000000".to_owned());
    instances.push("i-0".to_owned());
    scene.read(&instances[..1]).await;
    scene.ec2.clear_calls();
    let states = scene.read(&instances).await;
    // All, without the one that is no id, without the one that does not exist.
    assert_eq!(scene.calls("DescribeInstances"), 3);
    let (others, absent) = states.split_at(230);
    assert_eq!(absent, [InstanceState::Gone, InstanceState::Gone]);
    for state in others {
        found(state);
    }
    assert_eq!(scene.read(&instances[..230]).await.len(), 230);
    assert_eq!(scene.calls("DescribeInstances"), 4);
}

#[tokio::test]
async fn an_instance_that_a_service_manages_and_hides_is_routed_to_like_any_other() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let hidden = instances.clone();
    scene
        .ec2
        .configure(|all| all.hidden_instances = hidden)
        .unwrap();
    found(&scene.read(&instances).await[0]);
    let primary = scene.primary(&instances[0]);
    let to = "10.244.1.0/24";
    let change = crate::scene::create(&scene.tables[0], to, &primary);
    assert_eq!(scene.change(&change).await, Ok(()));
    let shown = scene.shown(&scene.tables[0], to).await.expect("its route");
    assert_eq!(shown.ownership, signpost_core::cloud::Ownership::Ours);
}

#[tokio::test]
async fn nodes_without_an_instance_are_told_apart_without_asking() {
    let scene = Scene::new().await;
    let mut fargate = query("x");
    fargate.provider_id = Some("aws:///eu-central-1a/fargate-ip-10-0-1-9".into());
    let answers = scene.cloud.read_instances(&[fargate]).await;
    let (_, Ok(InstanceState::Unsupported(why))) = &answers[0] else {
        panic!("{answers:?}");
    };
    assert!(why.contains("Fargate"), "{why}");
    assert_eq!(scene.calls("DescribeInstances"), 0);
}

#[tokio::test]
async fn stopped_and_terminated_instances_are_told_apart() {
    let scene = Scene::new().await;
    let instances = scene.launch(2, &[]).await;
    scene
        .ok("StopInstances", &[("InstanceId.1", &instances[0])])
        .await;
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[1])])
        .await;
    let states = scene.read(&instances).await;
    assert!(
        matches!(&states[0], InstanceState::Unsupported(why) if why.contains("stopped")),
        "{states:?}"
    );
    assert_eq!(states[1], InstanceState::Gone);
}

async fn switch(scene: &Scene, query: &InstanceQuery) -> Result<(), CloudErrorKind> {
    let result = enable_forwarding(&scene.cloud, query).await;
    result.map_err(|error| error.kind)
}

#[tokio::test]
async fn the_check_is_switched_off_and_read_back() {
    // Readers may see it late.
    let settings = Settings {
        propagation: 0.3,
        ..Settings::default()
    };
    let scene = Scene::with(config(), settings).await;
    let instances = scene.launch(3, &[]).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    scene.read(&instances).await;
    let queries: Vec<_> = instances.iter().map(|id| query(id)).collect();
    let switches = queries.iter().map(|query| switch(&scene, query));
    for result in futures::future::join_all(switches).await {
        assert_eq!(result, Ok(()));
    }
    for state in scene.read(&instances).await {
        assert!(found(&state).forwarding, "{state:?}");
    }
    assert_eq!(scene.calls("ModifyNetworkInterfaceAttribute"), 3);
    // Somebody switches it on again: the next read shows it.
    let params = [
        ("NetworkInterfaceId", &*scene.primary(&instances[1])),
        ("SourceDestCheck.Value", "true"),
    ];
    scene.ok("ModifyNetworkInterfaceAttribute", &params).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let states = scene.read(&instances).await;
    let forwarding: Vec<bool> = states.iter().map(|it| found(it).forwarding).collect();
    assert_eq!(forwarding, [true, false, true]);
}

#[tokio::test]
async fn a_check_that_cannot_be_switched_off_names_the_permission() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let action = "ModifyNetworkInterfaceAttribute";
    scene
        .ec2
        .add_fault(Fault::next(1, FaultKind::Unauthorized, &[action]))
        .unwrap();
    let query = query(&instances[0]);
    let error = enable_forwarding(&scene.cloud, &query).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Denied);
    assert!(
        error.detail.contains("ec2:ModifyNetworkInterfaceAttribute"),
        "{error}"
    );
}
