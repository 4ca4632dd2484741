use crate::scene::{IMAGE, Scene};

#[tokio::test]
async fn an_instance_can_have_two_interfaces_from_the_start() {
    let scene = Scene::new().await;
    let other = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.0.2.0/24")];
    let other = scene.ok("CreateSubnet", &other).await.text("subnetId");
    let params = [
        IMAGE,
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("InstanceType", "t3.medium"),
        ("NetworkInterface.1.DeviceIndex", "1"),
        ("NetworkInterface.1.SubnetId", other.as_str()),
        ("NetworkInterface.2.DeviceIndex", "0"),
        ("NetworkInterface.2.SubnetId", scene.subnet.as_str()),
        ("NetworkInterface.2.PrivateIpAddress", "10.0.1.77"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "node"),
        ("TagSpecification.2.ResourceType", "network-interface"),
        ("TagSpecification.2.Tag.1.Key", "of"),
        ("TagSpecification.2.Tag.1.Value", "node"),
    ];
    let answer = scene.ok("RunInstances", &params).await;
    assert_eq!(answer.text("privateIpAddress"), "10.0.1.77");
    let state = scene.ec2.snapshot();
    let instance = &state.instances[0];
    assert_eq!(instance.tags["Name"], "node");
    let subnets: Vec<&str> = instance
        .interfaces
        .iter()
        .map(|id| {
            state
                .interfaces
                .iter()
                .find(|of| of.id == *id)
                .unwrap()
                .subnet
                .as_str()
        })
        .collect();
    assert_eq!(subnets, [scene.subnet.as_str(), other.as_str()]);
    let tagged = [("Filter.1.Name", "tag:of"), ("Filter.1.Value.1", "node")];
    let tagged = scene.ok("DescribeNetworkInterfaces", &tagged).await;
    assert_eq!(tagged.items("networkInterfaceSet").len(), 2);
}

#[tokio::test]
async fn addresses_of_both_families_are_given_and_taken() {
    let scene = Scene::new().await;
    let ipv6 = [
        ("VpcId", scene.vpc.as_str()),
        ("Ipv6CidrBlock", "2001:db8:1::/56"),
        ("Ipv6Pool", "ipv6pool-ec2-1"),
    ];
    scene.ok("AssociateVpcCidrBlock", &ipv6).await;
    let ipv6 = [
        ("SubnetId", scene.subnet.as_str()),
        ("Ipv6CidrBlock", "2001:db8:1:7::/64"),
    ];
    scene.ok("AssociateSubnetCidrBlock", &ipv6).await;
    let run = |ipv4, ipv6| {
        [
            IMAGE,
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("SubnetId", scene.subnet.as_str()),
            ("PrivateIpAddress", ipv4),
            ("Ipv6Address.1.Ipv6Address", ipv6),
        ]
    };
    let answer = scene
        .ok("RunInstances", &run("10.0.1.9", "2001:db8:1:7::9"))
        .await;
    let id = answer.text("instanceId");
    assert_eq!(answer.text("ipv6Address"), "2001:db8:1:7::9");
    let version = scene.ec2.snapshot().interfaces.len();
    for (ipv4, ipv6, code) in [
        ("10.0.1.9", "2001:db8:1:7::a", "InvalidIPAddress.InUse"),
        ("10.0.1.10", "2001:db8:1:7::9", "InvalidIPAddress.InUse"),
        ("10.0.1.3", "2001:db8:1:7::a", "InvalidParameterValue"),
        ("10.0.1.255", "2001:db8:1:7::a", "InvalidParameterValue"),
        ("10.0.2.9", "2001:db8:1:7::a", "InvalidParameterValue"),
        ("10.0.1.10", "2001:db8:1:8::a", "InvalidParameterValue"),
    ] {
        assert_eq!(
            scene.code("RunInstances", &run(ipv4, ipv6)).await,
            code,
            "{ipv4} {ipv6}"
        );
    }
    assert_eq!(
        scene.ec2.snapshot().interfaces.len(),
        version,
        "a refused launch left something"
    );
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &id)])
        .await;
    scene
        .ok("RunInstances", &run("10.0.1.9", "2001:db8:1:7::9"))
        .await;
}

#[tokio::test]
async fn a_full_subnet_launches_nothing_or_what_fits() {
    let scene = Scene::new().await;
    let small = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.0.3.0/28")];
    let small = scene.ok("CreateSubnet", &small).await;
    assert_eq!(small.text("availableIpAddressCount"), "11");
    let small = small.text("subnetId");
    let run = |least, most| {
        [
            IMAGE,
            ("MinCount", least),
            ("MaxCount", most),
            ("SubnetId", small.as_str()),
        ]
    };
    let code = scene.code("RunInstances", &run("12", "12")).await;
    assert_eq!(code, "InsufficientFreeAddressesInSubnet");
    assert!(scene.ec2.snapshot().instances.is_empty());
    let ids = scene
        .ok("RunInstances", &run("1", "12"))
        .await
        .texts("instanceId");
    assert_eq!(ids.len(), 11);
}

#[tokio::test]
async fn instances_end_with_their_interfaces() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let (second, _) = scene.second(&instances[0]).await;
    let ended = scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert_eq!(ended.texts("name"), ["shutting-down", "running"]);
    // The one that was attached later stays.
    let state = scene.ec2.snapshot();
    assert_eq!(state.instances[0].state, "terminated");
    let left: Vec<_> = state
        .interfaces
        .iter()
        .map(|of| (&of.id, &of.instance))
        .collect();
    assert_eq!(left, [(&second, &None)]);
    let shown = scene
        .ok("DescribeInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert!(shown.items("networkInterfaceSet").is_empty());
    assert_eq!(shown.text("vpcId"), "");
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert_eq!(
        scene
            .code("StartInstances", &[("InstanceId.1", &instances[0])])
            .await,
        "IncorrectInstanceState"
    );
}

#[tokio::test]
async fn terminated_instances_are_forgotten_after_an_hour() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    let version = scene.ec2.snapshot().version;
    scene.ec2.configure(|all| all.speed = 1e6).unwrap();
    while !scene.ec2.changed(version).await.instances.is_empty() {
        tokio::task::yield_now().await;
    }
    let code = scene
        .code("DescribeInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert_eq!(code, "InvalidInstanceID.NotFound");
}

#[tokio::test]
async fn states_take_their_time_on_the_emulators_clock() {
    let scene = Scene::new().await;
    scene
        .ec2
        .configure(|all| (all.transition, all.speed) = (30.0, 0.0))
        .unwrap();
    let instances = scene.launch(1).await;
    let state = || scene.ec2.snapshot().instances[0].state.clone();
    assert_eq!(state(), "pending");
    let version = scene.ec2.snapshot().version;
    scene.ec2.configure(|all| all.speed = 1e5).unwrap();
    scene.ec2.changed(version).await;
    assert_eq!(state(), "running");
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
    scene
        .ok("StopInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert_eq!(state(), "stopping");
}

#[tokio::test]
async fn launching_again_with_a_token_is_the_same_launch() {
    let scene = Scene::new().await;
    let run = [
        IMAGE,
        ("MinCount", "2"),
        ("MaxCount", "2"),
        ("SubnetId", scene.subnet.as_str()),
        ("ClientToken", "t"),
    ];
    let first = scene.ok("RunInstances", &run).await.texts("instanceId");
    assert_eq!(
        scene.ok("RunInstances", &run).await.texts("instanceId"),
        first
    );
    assert_eq!(scene.ec2.snapshot().instances.len(), 2);
}

#[tokio::test]
async fn impossible_launches_are_refused() {
    let scene = Scene::new().await;
    let subnet = ("SubnetId", scene.subnet.as_str());
    let (one, most) = (("MinCount", "1"), ("MaxCount", "1"));
    for (params, code) in [
        (vec![IMAGE, one, most], "VPCIdNotSpecified"),
        (vec![IMAGE, one, subnet], "MissingParameter"),
        (vec![one, most, subnet], "MissingParameter"),
        (
            vec![IMAGE, ("MinCount", "2"), most, subnet],
            "InvalidParameterValue",
        ),
        (
            vec![("ImageId", "image"), one, most, subnet],
            "InvalidAMIID.Malformed",
        ),
        (
            vec![IMAGE, one, most, ("SubnetId", "subnet-01234567")],
            "InvalidSubnetID.NotFound",
        ),
        (
            vec![
                IMAGE,
                one,
                most,
                subnet,
                ("SecurityGroupId.1", "sg-01234567"),
            ],
            "InvalidGroup.NotFound",
        ),
        (
            vec![
                IMAGE,
                one,
                most,
                subnet,
                ("NetworkInterface.1.DeviceIndex", "0"),
            ],
            "InvalidParameterCombination",
        ),
        (
            vec![
                IMAGE,
                one,
                most,
                ("NetworkInterface.1.DeviceIndex", "1"),
                ("NetworkInterface.1.SubnetId", scene.subnet.as_str()),
            ],
            "InvalidParameterValue",
        ),
        (
            vec![
                IMAGE,
                one,
                most,
                subnet,
                ("Placement.AvailabilityZone", "eu-central-1b"),
            ],
            "InvalidParameterValue",
        ),
    ] {
        assert_eq!(
            scene.code("RunInstances", &params).await,
            code,
            "{params:?}"
        );
    }
    assert!(scene.ec2.snapshot().interfaces.is_empty());
}
