use crate::scene::Scene;

#[tokio::test]
async fn destinations_are_made_canonical() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene
        .create("10.1.2.3/24", ("InstanceId", &instances[0]))
        .await;
    scene
        .create("fd00:0:0:1::5/64", ("InstanceId", &instances[0]))
        .await;
    assert_eq!(
        scene.listed_destinations().await,
        ["10.1.2.0/24", "fd00:0:0:1::/64"]
    );
    let delete = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "10.1.2.99/24"),
    ];
    scene.ok("DeleteRoute", &delete).await;
    assert_eq!(scene.listed_destinations().await, ["fd00:0:0:1::/64"]);
}

#[tokio::test]
async fn the_same_route_again_is_refused_unless_set_otherwise() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    for to in ["10.1.0.0/24", "fd00:1::/64"] {
        scene.create(to, ("InstanceId", &instances[0])).await;
        let again = scene.route(to, ("InstanceId", &instances[0]));
        let code = scene.code("CreateRoute", &again).await;
        assert_eq!(code, "RouteAlreadyExists");
    }
    let repeated = |all: &mut signpost_ec2::Settings| all.repeated_creation = true;
    scene.ec2.configure(repeated).unwrap();
    scene
        .create("10.1.0.0/24", ("InstanceId", &instances[0]))
        .await;
}

#[tokio::test]
async fn another_target_is_refused_even_where_repetitions_are_not() {
    let scene = Scene::new().await;
    let repeated = |all: &mut signpost_ec2::Settings| all.repeated_creation = true;
    scene.ec2.configure(repeated).unwrap();
    let instances = scene.launch(2).await;
    let interface = scene.primary(&instances[0]);
    for to in ["10.1.0.0/24", "fd00:1::/64"] {
        scene.create(to, ("InstanceId", &instances[0])).await;
        let version = scene.ec2.snapshot().version;
        scene.create(to, ("InstanceId", &instances[0])).await;
        scene.create(to, ("NetworkInterfaceId", &interface)).await;
        assert_eq!(
            scene.ec2.snapshot().version,
            version,
            "repeating {to} changed something"
        );
        let other = scene.route(to, ("InstanceId", &instances[1]));
        assert_eq!(
            scene.code("CreateRoute", &other).await,
            "RouteAlreadyExists"
        );
        let other = scene.primary(&instances[1]);
        let other = scene.route(to, ("NetworkInterfaceId", &other));
        assert_eq!(
            scene.code("CreateRoute", &other).await,
            "RouteAlreadyExists"
        );
    }
}

#[tokio::test]
async fn an_instance_of_several_interfaces_is_no_target() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let primary = scene.primary(&instances[0]);
    let (second, _) = scene.second(&instances[0]).await;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    assert_eq!(scene.code("CreateRoute", &route).await, "InvalidInstanceID");
    scene
        .create("10.1.0.0/24", ("NetworkInterfaceId", &primary))
        .await;
    assert_eq!(
        scene.code("ReplaceRoute", &route).await,
        "InvalidInstanceID"
    );
    scene
        .create("10.1.1.0/24", ("NetworkInterfaceId", &second))
        .await;
    let listed = scene.listed().await;
    let of: Vec<_> = listed
        .iter()
        .map(|route| route.text("networkInterfaceId"))
        .collect();
    assert_eq!(of, [primary, second]);
    assert!(
        listed
            .iter()
            .all(|route| route.text("instanceId") == instances[0])
    );
}

#[tokio::test]
async fn replacing_is_for_routes_that_exist() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[1]));
    let error = scene.client.call("ReplaceRoute", &route).await.unwrap_err();
    assert_eq!(error.code(), "InvalidParameterValue");
    assert!(
        error.to_string().contains("There is no route defined"),
        "{error}"
    );
    scene
        .create("10.1.0.0/24", ("InstanceId", &instances[0]))
        .await;
    scene.ok("ReplaceRoute", &route).await;
    assert_eq!(scene.listed().await[0].text("instanceId"), instances[1]);
}

#[tokio::test]
async fn deleting_what_is_not_there_is_refused() {
    let scene = Scene::new().await;
    let at = |to| {
        [
            ("RouteTableId", scene.table.as_str()),
            ("DestinationCidrBlock", to),
        ]
    };
    assert_eq!(
        scene.code("DeleteRoute", &at("10.1.0.0/24")).await,
        "InvalidRoute.NotFound"
    );
    assert_eq!(
        scene.code("DeleteRoute", &at("10.0.0.0/16")).await,
        "InvalidParameterValue"
    );
    let unknown = [
        ("RouteTableId", "rtb-01234567"),
        ("DestinationCidrBlock", "10.1.0.0/24"),
    ];
    assert_eq!(
        scene.code("DeleteRoute", &unknown).await,
        "InvalidRouteTableID.NotFound"
    );
}

#[tokio::test]
async fn within_the_vpc_only_a_whole_subnet_can_be_rerouted() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let target = ("InstanceId", instances[0].as_str());
    for to in ["10.0.1.0/25", "10.0.2.0/24", "10.0.0.0/17"] {
        let code = scene.code("CreateRoute", &scene.route(to, target)).await;
        assert_eq!(code, "InvalidParameterValue", "{to}");
    }
    let own = scene.route("10.0.0.0/16", target);
    assert_eq!(scene.code("CreateRoute", &own).await, "RouteAlreadyExists");
    scene.create("10.0.1.0/24", target).await;
    scene.create("10.0.0.0/15", target).await;
    assert_eq!(
        scene.listed_destinations().await,
        ["10.0.0.0/15", "10.0.1.0/24"]
    );
}

#[tokio::test]
async fn reserved_destinations_and_nonsense_are_refused() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let target = ("InstanceId", instances[0].as_str());
    for to in [
        "169.254.169.254/32",
        "fd00:ec2::254/128",
        "10.1.0.0/33",
        "10.1.0.0",
    ] {
        let code = scene.code("CreateRoute", &scene.route(to, target)).await;
        assert_eq!(code, "InvalidParameterValue", "{to}");
    }
    let wrong_family = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "fd00:1::/64"),
        target,
    ];
    assert_eq!(
        scene.code("CreateRoute", &wrong_family).await,
        "InvalidParameterValue"
    );
    let both = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "10.1.0.0/24"),
        ("DestinationIpv6CidrBlock", "fd00:1::/64"),
        target,
    ];
    assert_eq!(
        scene.code("CreateRoute", &both).await,
        "InvalidParameterCombination"
    );
}

#[tokio::test]
async fn a_route_has_exactly_one_target() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let interface = scene.primary(&instances[0]);
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    assert_eq!(
        scene.code("CreateRoute", &route[..2]).await,
        "MissingParameter"
    );
    let both = [&route[..], &[("NetworkInterfaceId", interface.as_str())]].concat();
    assert_eq!(
        scene.code("CreateRoute", &both).await,
        "InvalidParameterCombination"
    );
    let nat = scene.route("10.1.0.0/24", ("NatGatewayId", "nat-01234567"));
    assert_eq!(
        scene.code("CreateRoute", &nat).await,
        "UnsupportedOperation"
    );
}

#[tokio::test]
async fn each_family_has_its_own_quota() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let target = ("InstanceId", instances[0].as_str());
    scene
        .ec2
        .configure(|all| all.quotas.routes_per_table = 3)
        .unwrap();
    for number in 1..=3 {
        scene.create(&format!("10.{number}.0.0/24"), target).await;
        scene.create(&format!("fd00:{number}::/64"), target).await;
    }
    for to in ["10.4.0.0/24", "fd00:4::/64"] {
        let code = scene.code("CreateRoute", &scene.route(to, target)).await;
        assert_eq!(code, "RouteLimitExceeded");
    }
    // What is there already needs no room.
    scene
        .ok("ReplaceRoute", &scene.route("10.3.0.0/24", target))
        .await;
    let main = scene.ec2.snapshot().vpcs[0]
        .main_route_table
        .clone()
        .unwrap();
    let elsewhere = [
        ("RouteTableId", main.as_str()),
        ("DestinationCidrBlock", "10.4.0.0/24"),
        target,
    ];
    scene.ok("CreateRoute", &elsewhere).await;
}

#[tokio::test]
async fn routes_turn_into_blackholes_and_back() {
    let scene = Scene::new().await;
    let instances = scene.launch(3).await;
    let (second, attachment) = scene.second(&instances[0]).await;
    let stopped = scene.primary(&instances[1]);
    scene
        .create("10.1.0.0/24", ("NetworkInterfaceId", &second))
        .await;
    scene
        .create("10.2.0.0/24", ("NetworkInterfaceId", &stopped))
        .await;
    scene
        .create("10.3.0.0/24", ("InstanceId", &instances[2]))
        .await;
    let states = async || -> Vec<(String, String)> {
        let listed = scene.listed().await;
        listed
            .iter()
            .map(|route| (route.text("state"), route.text("instanceId")))
            .collect()
    };
    let active = |index: usize| ("active".to_owned(), instances[index].clone());
    let blackhole = |instance: &str| ("blackhole".to_owned(), instance.to_owned());
    assert_eq!(states().await, [active(0), active(1), active(2)]);

    scene
        .ok("DetachNetworkInterface", &[("AttachmentId", &attachment)])
        .await;
    scene
        .ok("StopInstances", &[("InstanceId.1", &instances[1])])
        .await;
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[2])])
        .await;
    let gone = [blackhole(""), blackhole(&instances[1]), blackhole("")];
    assert_eq!(states().await, gone);
    assert!(
        scene
            .ec2
            .snapshot()
            .route_tables
            .iter()
            .flat_map(|table| &table.routes)
            .all(|route| route.active == route.implicit)
    );

    let again = [
        ("NetworkInterfaceId", second.as_str()),
        ("InstanceId", instances[1].as_str()),
        ("DeviceIndex", "1"),
    ];
    scene.ok("AttachNetworkInterface", &again).await;
    scene
        .ok("StartInstances", &[("InstanceId.1", &instances[1])])
        .await;
    assert_eq!(states().await, [active(1), active(1), blackhole("")]);
}

#[tokio::test]
async fn stopped_targets_can_be_shown_as_active() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene
        .create("10.1.0.0/24", ("InstanceId", &instances[0]))
        .await;
    scene
        .ok("StopInstances", &[("InstanceId.1", &instances[0])])
        .await;
    assert_eq!(scene.listed().await[0].text("state"), "blackhole");
    scene
        .ec2
        .configure(|all| all.stopped_is_blackhole = false)
        .unwrap();
    assert_eq!(scene.listed().await[0].text("state"), "active");
}

#[tokio::test]
async fn foreign_targets_are_listed_as_such() {
    let scene = Scene::new().await;
    let gateway = scene
        .ok("CreateInternetGateway", &[])
        .await
        .text("internetGatewayId");
    let to_gateway = scene.route("0.0.0.0/0", ("GatewayId", &gateway));
    assert_eq!(
        scene.code("CreateRoute", &to_gateway).await,
        "InvalidParameterValue"
    );
    let both = [
        ("InternetGatewayId", gateway.as_str()),
        ("VpcId", scene.vpc.as_str()),
    ];
    scene.ok("AttachInternetGateway", &both).await;
    scene.ok("CreateRoute", &to_gateway).await;

    let other = scene
        .ok("CreateVpc", &[("CidrBlock", "172.16.0.0/16")])
        .await
        .text("vpcId");
    let sides = [("VpcId", scene.vpc.as_str()), ("PeerVpcId", other.as_str())];
    let peering = scene.ok("CreateVpcPeeringConnection", &sides).await;
    let peering = peering.text("vpcPeeringConnectionId");
    scene
        .create("172.16.0.0/16", ("VpcPeeringConnectionId", &peering))
        .await;
    let states = async || -> Vec<String> {
        scene
            .listed()
            .await
            .iter()
            .map(|route| route.text("state"))
            .collect()
    };
    assert_eq!(states().await, ["active", "blackhole"]);
    scene
        .ok(
            "AcceptVpcPeeringConnection",
            &[("VpcPeeringConnectionId", &peering)],
        )
        .await;
    scene.ok("DetachInternetGateway", &both).await;
    assert_eq!(states().await, ["blackhole", "active"]);
    let routes = scene.listed().await;
    assert_eq!(routes[0].text("gatewayId"), gateway);
    assert_eq!(routes[1].text("vpcPeeringConnectionId"), peering);
    assert!(
        routes
            .iter()
            .all(|route| route.text("networkInterfaceId").is_empty())
    );
}

#[tokio::test]
async fn targets_of_other_networks_are_refused() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let other = scene
        .ok("CreateVpc", &[("CidrBlock", "172.16.0.0/16")])
        .await
        .text("vpcId");
    let table = scene
        .ok("CreateRouteTable", &[("VpcId", &other)])
        .await
        .text("routeTableId");
    let interface = scene.primary(&instances[0]);
    for target in [
        ("InstanceId", &instances[0]),
        ("NetworkInterfaceId", &interface),
    ] {
        let route = [
            ("RouteTableId", table.as_str()),
            ("DestinationCidrBlock", "10.1.0.0/24"),
            (target.0, target.1.as_str()),
        ];
        assert_eq!(
            scene.code("CreateRoute", &route).await,
            "InvalidParameterValue"
        );
    }
}

#[tokio::test]
async fn unknown_and_ended_targets_are_refused() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene
        .ok("TerminateInstances", &[("InstanceId.1", &instances[0])])
        .await;
    for (name, id, code) in [
        (
            "InstanceId",
            instances[0].as_str(),
            "IncorrectInstanceState",
        ),
        ("InstanceId", "i-01234567", "InvalidInstanceID.NotFound"),
        ("InstanceId", "fargate-1", "InvalidInstanceID.Malformed"),
        (
            "NetworkInterfaceId",
            "eni-01234567",
            "InvalidNetworkInterfaceID.NotFound",
        ),
        ("GatewayId", "igw-01234567", "InvalidGatewayID.NotFound"),
        ("GatewayId", "local", "InvalidGatewayID.NotFound"),
    ] {
        let route = scene.route("10.1.0.0/24", (name, id));
        assert_eq!(scene.code("CreateRoute", &route).await, code, "{id}");
    }
}

#[tokio::test]
async fn the_local_route_can_lead_to_an_interface_and_back() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let interface = scene.primary(&instances[0]);
    let local = || {
        let state = scene.ec2.snapshot();
        let table = state
            .route_tables
            .into_iter()
            .find(|of| of.id == scene.table)
            .unwrap();
        table.routes[0].clone()
    };
    let by_interface = scene.route("10.0.0.0/16", ("NetworkInterfaceId", &interface));
    scene.ok("ReplaceRoute", &by_interface).await;
    let route = local();
    assert_eq!(
        route.target,
        signpost_ec2::TargetState::Interface(interface)
    );
    assert!(route.implicit);
    scene
        .ok(
            "ReplaceRoute",
            &scene.route("10.0.0.0/16", ("LocalTarget", "true")),
        )
        .await;
    assert_eq!(local().target, signpost_ec2::TargetState::Local);
}
