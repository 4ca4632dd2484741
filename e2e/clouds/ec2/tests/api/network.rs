use crate::scene::Scene;

#[tokio::test]
async fn ranges_are_canonical_and_bounded() {
    let scene = Scene::new().await;
    let vpc = scene
        .ok("CreateVpc", &[("CidrBlock", "172.16.5.9/20")])
        .await;
    assert_eq!(vpc.text("cidrBlock"), "172.16.0.0/20");
    for (cidr, code) in [
        ("10.0.0.0/8", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("10.0.0.0", "InvalidParameterValue"),
    ] {
        assert_eq!(
            scene.code("CreateVpc", &[("CidrBlock", cidr)]).await,
            code,
            "{cidr}"
        );
    }
    for (cidr, code) in [
        ("10.0.1.0/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/20", "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.4.0/29", "InvalidSubnet.Range"),
    ] {
        let params = [("VpcId", scene.vpc.as_str()), ("CidrBlock", cidr)];
        assert_eq!(scene.code("CreateSubnet", &params).await, code, "{cidr}");
    }
    let zone = [
        ("VpcId", scene.vpc.as_str()),
        ("CidrBlock", "10.0.4.0/24"),
        ("AvailabilityZone", "eu-central-1z"),
    ];
    assert_eq!(
        scene.code("CreateSubnet", &zone).await,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn a_vpc_can_have_more_ranges_unless_a_route_leads_there() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let associate = |cidr| [("VpcId", scene.vpc.as_str()), ("CidrBlock", cidr)];
    assert_eq!(
        scene
            .code("AssociateVpcCidrBlock", &associate("10.0.7.0/24"))
            .await,
        "CidrConflict"
    );
    scene
        .create("10.1.5.0/24", ("InstanceId", &instances[0]))
        .await;
    assert_eq!(
        scene
            .code("AssociateVpcCidrBlock", &associate("10.1.0.0/16"))
            .await,
        "CidrConflict"
    );
    let added = scene
        .ok("AssociateVpcCidrBlock", &associate("10.2.0.0/16"))
        .await;
    let inside = scene.route("10.2.1.0/24", ("InstanceId", &instances[0]));
    assert_eq!(
        scene.code("CreateRoute", &inside).await,
        "InvalidParameterValue"
    );
    let association = added.text("associationId");
    scene
        .ok(
            "DisassociateVpcCidrBlock",
            &[("AssociationId", &association)],
        )
        .await;
    scene.ok("CreateRoute", &inside).await;
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let vpc = [("VpcId", scene.vpc.as_str())];
    let subnet = [("SubnetId", scene.subnet.as_str())];
    assert_eq!(scene.code("DeleteVpc", &vpc).await, "DependencyViolation");
    assert_eq!(
        scene.code("DeleteSubnet", &subnet).await,
        "DependencyViolation"
    );
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    scene.ok("DeleteSubnet", &subnet).await;
    assert_eq!(scene.code("DeleteVpc", &vpc).await, "DependencyViolation");
    scene
        .ok("DeleteRouteTable", &[("RouteTableId", &scene.table)])
        .await;
    scene.ok("DeleteVpc", &vpc).await;
    assert!(scene.ec2.snapshot().route_tables.is_empty());
}

#[tokio::test]
async fn the_region_has_zones() {
    let scene = Scene::new().await;
    let zones = scene.ok("DescribeAvailabilityZones", &[]).await;
    assert_eq!(
        zones.texts("zoneName"),
        ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    );
    assert_eq!(zones.texts("zoneId"), ["euc1-az1", "euc1-az2", "euc1-az3"]);
}

#[tokio::test]
async fn attributes_of_a_vpc_can_be_switched() {
    let scene = Scene::new().await;
    let switch = [
        ("VpcId", scene.vpc.as_str()),
        ("EnableDnsHostnames.Value", "true"),
    ];
    scene.ok("ModifyVpcAttribute", &switch).await;
    let shown = [
        ("VpcId", scene.vpc.as_str()),
        ("Attribute", "enableDnsHostnames"),
    ];
    assert_eq!(
        scene.ok("DescribeVpcAttribute", &shown).await.text("value"),
        "true"
    );
}
