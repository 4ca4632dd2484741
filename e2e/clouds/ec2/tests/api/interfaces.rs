use crate::scene::Scene;

fn checks(scene: &Scene) -> Vec<bool> {
    scene
        .ec2
        .snapshot()
        .interfaces
        .iter()
        .map(|of| of.source_dest_check)
        .collect()
}

#[tokio::test]
async fn the_check_is_switched_off_for_an_interface() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let interface = scene.primary(&instances[0]);
    assert_eq!(checks(&scene), [true]);
    let by_interface = |on| {
        [
            ("NetworkInterfaceId", interface.as_str()),
            ("SourceDestCheck.Value", on),
        ]
    };
    scene
        .ok("ModifyNetworkInterfaceAttribute", &by_interface("false"))
        .await;
    assert_eq!(checks(&scene), [false]);
    let shown = [
        ("NetworkInterfaceId", interface.as_str()),
        ("Attribute", "sourceDestCheck"),
    ];
    let shown = scene.ok("DescribeNetworkInterfaceAttribute", &shown).await;
    assert_eq!(shown.text("value"), "false");
    let by_instance = [
        ("InstanceId", instances[0].as_str()),
        ("SourceDestCheck.Value", "true"),
    ];
    scene.ok("ModifyInstanceAttribute", &by_instance).await;
    assert_eq!(checks(&scene), [true]);
    let shown = [
        ("InstanceId", instances[0].as_str()),
        ("Attribute", "sourceDestCheck"),
    ];
    assert_eq!(
        scene
            .ok("DescribeInstanceAttribute", &shown)
            .await
            .text("value"),
        "true"
    );
    let none = [("InstanceId", instances[0].as_str())];
    assert_eq!(
        scene.code("ModifyInstanceAttribute", &none).await,
        "InvalidParameterCombination"
    );
    let two = [&by_interface("false")[..], &[("Description.Value", "d")]].concat();
    let code = scene.code("ModifyNetworkInterfaceAttribute", &two).await;
    assert_eq!(code, "InvalidParameterCombination");
}

#[tokio::test]
async fn of_several_interfaces_each_has_its_own_check() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene.second(&instances[0]).await;
    let by_instance = [
        ("InstanceId", instances[0].as_str()),
        ("SourceDestCheck.Value", "false"),
    ];
    assert_eq!(
        scene.code("ModifyInstanceAttribute", &by_instance).await,
        "InvalidInstanceID"
    );
    assert_eq!(checks(&scene), [true, true]);
}

#[tokio::test]
async fn attaching_and_detaching_keep_their_rules() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    let (second, attachment) = scene.second(&instances[0]).await;
    let attach = |instance: usize, index| {
        [
            ("NetworkInterfaceId", second.as_str()),
            ("InstanceId", instances[instance].as_str()),
            ("DeviceIndex", index),
        ]
    };
    let code = scene.code("AttachNetworkInterface", &attach(1, "1")).await;
    assert_eq!(code, "InvalidNetworkInterface.InUse");
    let code = scene
        .code("DeleteNetworkInterface", &attach(0, "1")[..1])
        .await;
    assert_eq!(code, "InvalidParameterValue");
    scene
        .ok("DetachNetworkInterface", &[("AttachmentId", &attachment)])
        .await;
    let again = [("AttachmentId", attachment.as_str())];
    assert_eq!(
        scene.code("DetachNetworkInterface", &again).await,
        "InvalidAttachmentID.NotFound"
    );
    let code = scene.code("AttachNetworkInterface", &attach(1, "0")).await;
    assert_eq!(code, "InvalidParameterValue");
    scene.ok("AttachNetworkInterface", &attach(1, "1")).await;
    let made = scene
        .ok("CreateNetworkInterface", &[("SubnetId", &scene.subnet)])
        .await;
    let third = made.text("networkInterfaceId");
    // m1.small counts as a small machine: three interfaces.
    let mut params = attach(1, "2");
    params[0].1 = &third;
    scene.ok("AttachNetworkInterface", &params).await;
    let made = scene
        .ok("CreateNetworkInterface", &[("SubnetId", &scene.subnet)])
        .await;
    let fourth = made.text("networkInterfaceId");
    let mut params = attach(1, "3");
    params[0].1 = &fourth;
    let code = scene.code("AttachNetworkInterface", &params).await;
    assert_eq!(code, "AttachmentLimitExceeded");
    scene
        .ok("DeleteNetworkInterface", &[("NetworkInterfaceId", &fourth)])
        .await;
}

#[tokio::test]
async fn the_primary_interface_cannot_be_detached() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let shown = scene
        .ok("DescribeInstances", &[("InstanceId.1", &instances[0])])
        .await;
    let attachment = shown.text("attachmentId");
    let detach = [("AttachmentId", attachment.as_str())];
    assert_eq!(
        scene.code("DetachNetworkInterface", &detach).await,
        "OperationNotPermitted"
    );
}

#[tokio::test]
async fn addresses_can_be_added() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let interface = scene.primary(&instances[0]);
    let more = [
        ("NetworkInterfaceId", interface.as_str()),
        ("PrivateIpAddress.1", "10.0.1.50"),
    ];
    scene.ok("AssignPrivateIpAddresses", &more).await;
    let two = [
        ("NetworkInterfaceId", interface.as_str()),
        ("SecondaryPrivateIpAddressCount", "2"),
    ];
    scene.ok("AssignPrivateIpAddresses", &two).await;
    assert_eq!(scene.ec2.snapshot().interfaces[0].addresses.len(), 4);
    let filter = [
        ("Filter.1.Name", "addresses.private-ip-address"),
        ("Filter.1.Value.1", "10.0.1.50"),
    ];
    let found = scene.ok("DescribeNetworkInterfaces", &filter).await;
    assert_eq!(found.text("instanceId"), instances[0]);
    let ipv6 = [
        ("NetworkInterfaceId", interface.as_str()),
        ("Ipv6AddressCount", "1"),
    ];
    assert_eq!(
        scene.code("AssignIpv6Addresses", &ipv6).await,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn each_network_card_counts_its_devices_apart() {
    let scene = Scene::new().await;
    let mut params = vec![
        ("ImageId".to_owned(), "ami-12345678".to_owned()),
        ("MinCount".to_owned(), "1".to_owned()),
        ("MaxCount".to_owned(), "1".to_owned()),
        ("InstanceType".to_owned(), "p5.48xlarge".to_owned()),
    ];
    // As launch templates for machines with several cards have it.
    for (number, (card, device)) in [("0", "0"), ("1", "1"), ("2", "1")].into_iter().enumerate() {
        let member = format!("NetworkInterface.{}", number + 1);
        params.push((format!("{member}.NetworkCardIndex"), card.to_owned()));
        params.push((format!("{member}.DeviceIndex"), device.to_owned()));
        params.push((format!("{member}.SubnetId"), scene.subnet.clone()));
    }
    let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (&**k, &**v)).collect();
    let launched = scene.ok("RunInstances", &params).await;
    assert_eq!(launched.texts("networkCardIndex"), ["0", "1", "2"]);
    assert_eq!(launched.texts("deviceIndex"), ["0", "1", "1"]);
}
