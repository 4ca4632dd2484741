use crate::scene::Scene;

/// What lists an interface says: its status, and that of its attachment.
async fn listed(scene: &Scene, interface: &str) -> (String, String) {
    let id = [("NetworkInterfaceId.1", interface)];
    let listed = scene.ok("DescribeNetworkInterfaces", &id).await;
    let own = listed.items("networkInterfaceSet");
    let attachment = own[0].texts("status");
    (
        attachment[0].clone(),
        attachment.get(1).cloned().unwrap_or_default(),
    )
}

/// The same, as its instance lists it.
async fn listed_by(scene: &Scene, instance: &str, interface: &str) -> Option<Vec<String>> {
    let id = [("InstanceId.1", instance)];
    let listed = scene.ok("DescribeInstances", &id).await;
    let mut own = listed.items("networkInterfaceSet").into_iter();
    let own = own.find(|it| it.text("networkInterfaceId") == interface)?;
    Some(own.texts("status"))
}

/// Transitions take a while, and time stands still.
fn stand_still(scene: &Scene) {
    let still = |all: &mut signpost_ec2::Settings| (all.transition, all.speed) = (30.0, 0.0);
    scene.ec2.configure(still).unwrap();
}

/// Lets one thing happen by itself.
async fn pass(scene: &Scene) {
    let version = scene.ec2.snapshot().version;
    scene.ec2.configure(|all| all.speed = 1e5).unwrap();
    scene.ec2.changed(version).await;
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
}

/// How many interfaces and how many instances a filter finds.
async fn found(scene: &Scene, name: &str, value: &str) -> (usize, usize) {
    let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
    let interfaces = scene.ok("DescribeNetworkInterfaces", &filter).await;
    let of_instance = format!("network-interface.{name}");
    let filter = [
        ("Filter.1.Name", &*of_instance),
        ("Filter.1.Value.1", value),
    ];
    let instances = scene.ok("DescribeInstances", &filter).await;
    let count = |answer: &signpost_ec2::Answer, list| answer.items(list).len();
    (
        count(&interfaces, "networkInterfaceSet"),
        count(&instances, "reservationSet"),
    )
}

#[tokio::test]
async fn an_interface_is_attached_and_detached_after_a_while() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let primary = scene.primary(&instances[0]);
    stand_still(&scene);
    let (second, attachment) = scene.second(&instances[0]).await;
    let now = async || {
        let seen = listed(&scene, &second).await;
        (seen, listed_by(&scene, &instances[0], &second).await)
    };
    let shown = |status: &str, attachment: &str| {
        let seen = (status.to_owned(), attachment.to_owned());
        let both = vec![status.to_owned(), attachment.to_owned()];
        (seen, (!attachment.is_empty()).then_some(both))
    };
    assert_eq!(now().await, shown("in-use", "attaching"));
    pass(&scene).await;
    assert_eq!(now().await, shown("in-use", "attached"));
    assert_eq!(found(&scene, "attachment.status", "attached").await, (2, 1));
    let detach = [("AttachmentId", attachment.as_str())];
    scene.ok("DetachNetworkInterface", &detach).await;
    assert_eq!(now().await, shown("in-use", "detaching"));
    assert_eq!(
        found(&scene, "attachment.status", "detaching").await,
        (1, 1)
    );
    assert_eq!(found(&scene, "status", "in-use").await, (2, 1));
    pass(&scene).await;
    assert_eq!(now().await, shown("available", ""));
    assert_eq!(found(&scene, "status", "in-use").await, (1, 1));
    assert_eq!(found(&scene, "status", "available").await, (1, 0));
    assert_eq!(listed(&scene, &primary).await.1, "attached");
}

#[tokio::test]
async fn an_interface_on_its_way_is_in_use() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    stand_still(&scene);
    let (second, attachment) = scene.second(&instances[0]).await;
    let elsewhere = [
        ("NetworkInterfaceId", second.as_str()),
        ("InstanceId", &instances[1]),
        ("DeviceIndex", "1"),
    ];
    let detach = [("AttachmentId", attachment.as_str())];
    let refusals = async || {
        [
            scene.code("AttachNetworkInterface", &elsewhere).await,
            scene.code("DetachNetworkInterface", &detach).await,
            scene.code("DeleteNetworkInterface", &elsewhere[..1]).await,
        ]
    };
    let expected = [
        "InvalidNetworkInterface.InUse",
        "IncorrectState",
        "InvalidParameterValue",
    ];
    assert_eq!(refusals().await, expected);
    pass(&scene).await;
    scene.ok("DetachNetworkInterface", &detach).await;
    assert_eq!(refusals().await, expected);
    let other = [("SubnetId", scene.subnet.as_str())];
    let other = scene.ok("CreateNetworkInterface", &other).await;
    let other = other.text("networkInterfaceId");
    let same_index = [
        ("NetworkInterfaceId", other.as_str()),
        ("InstanceId", &instances[0]),
        ("DeviceIndex", "1"),
    ];
    let code = scene.code("AttachNetworkInterface", &same_index).await;
    assert_eq!(code, "InvalidParameterValue", "the index is not free yet");
    pass(&scene).await;
    scene.ok("AttachNetworkInterface", &elsewhere).await;
    scene.ok("AttachNetworkInterface", &same_index).await;
    assert_eq!(
        scene.code("DetachNetworkInterface", &detach).await,
        "InvalidAttachmentID.NotFound"
    );
}

#[tokio::test]
async fn a_route_is_active_until_its_interface_is_detached() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    stand_still(&scene);
    let (second, attachment) = scene.second(&instances[0]).await;
    let to = ("NetworkInterfaceId", second.as_str());
    scene.create("10.1.0.0/24", to).await;
    let shown = async || {
        let route = scene.listed().await.remove(0);
        (route.text("state"), route.text("instanceId"))
    };
    let active = ("active".to_owned(), instances[0].clone());
    assert_eq!(shown().await, active, "while it is being attached");
    pass(&scene).await;
    let detach = [("AttachmentId", attachment.as_str())];
    scene.ok("DetachNetworkInterface", &detach).await;
    assert_eq!(shown().await, active, "while it is being detached");
    pass(&scene).await;
    assert_eq!(shown().await, ("blackhole".to_owned(), String::new()));
}

#[tokio::test]
async fn a_launched_instance_gets_its_interface_with_its_start() {
    let scene = Scene::new().await;
    stand_still(&scene);
    let instances = scene.launch(1).await;
    let primary = scene.primary(&instances[0]);
    let now = async || listed(&scene, &primary).await;
    let in_use = |status: &str| ("in-use".to_owned(), status.to_owned());
    assert_eq!(now().await, in_use("attaching"));
    pass(&scene).await;
    assert_eq!(scene.ec2.snapshot().instances[0].state, "running");
    assert_eq!(now().await, in_use("attached"));
    // Stopped and started again it keeps it.
    let id = [("InstanceId.1", instances[0].as_str())];
    for action in ["StopInstances", "StartInstances"] {
        scene.ok(action, &id).await;
        assert_eq!(now().await, in_use("attached"), "{action}");
        pass(&scene).await;
    }
    // One that never ran has it as well.
    let other = scene.launch(1).await;
    let primary = scene.primary(&other[0]);
    scene
        .ok("StopInstances", &[("InstanceId.1", &other[0])])
        .await;
    pass(&scene).await;
    assert_eq!(listed(&scene, &primary).await, in_use("attached"));
}

#[tokio::test]
async fn an_interface_that_is_being_detached_when_its_instance_ends_is_free_once() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    let (second, attachment) = scene.second(&instances[0]).await;
    stand_still(&scene);
    let end = [("InstanceId.1", instances[0].as_str())];
    scene.ok("TerminateInstances", &end).await;
    // The instance ends long before.
    scene.ec2.configure(|all| all.transition = 1e6).unwrap();
    let detach = [("AttachmentId", attachment.as_str())];
    scene.ok("DetachNetworkInterface", &detach).await;
    pass(&scene).await;
    assert_eq!(listed(&scene, &second).await.0, "available");
    scene.ec2.configure(|all| all.transition = 0.0).unwrap();
    let again = [
        ("NetworkInterfaceId", second.as_str()),
        ("InstanceId", &instances[1]),
        ("DeviceIndex", "1"),
    ];
    scene.ok("AttachNetworkInterface", &again).await;
    scene.ec2.configure(|all| all.speed = 1e9).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(listed(&scene, &second).await.1, "attached");
}
