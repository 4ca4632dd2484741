//! What is rare in EC2, and matters when it happens.

use signpost_ec2::{OtherTarget, TargetState};

use crate::scene::Scene;

#[tokio::test]
async fn in_a_disruption_only_calls_that_name_instances_of_other_zones_work() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    let zone = scene.ec2.snapshot().instances[0].zone.clone();
    let other = scene
        .ok("DescribeAvailabilityZones", &[])
        .await
        .texts("zoneName")
        .into_iter()
        .find(|other| *other != zone)
        .unwrap();
    let named = [("InstanceId.1", instances[0].as_str())];
    let filtered = [
        ("Filter.1.Name", "instance-id"),
        ("Filter.1.Value.1", instances[0].as_str()),
    ];
    let impair = |zone: &str| {
        let zone = zone.to_owned();
        scene
            .ec2
            .configure(|all| all.impaired_zones = vec![zone])
            .unwrap();
    };
    impair(&zone);
    for call in [&named[..], &filtered, &[]] {
        assert_eq!(scene.code("DescribeInstances", call).await, "Unavailable");
    }
    impair(&other);
    assert_eq!(
        scene.code("DescribeInstances", &filtered).await,
        "Unavailable"
    );
    let found = scene.ok("DescribeInstances", &named).await;
    assert_eq!(found.texts("instanceId").len(), 1);
    scene.ok("DescribeNetworkInterfaces", &[]).await;
}

#[tokio::test]
async fn hidden_managed_resources_are_shown_to_who_asks_for_them() {
    let scene = Scene::new().await;
    let instances = scene.launch(2).await;
    let hidden = instances[0].clone();
    scene
        .ec2
        .configure(|all| all.hidden_instances = vec![hidden.clone()])
        .unwrap();
    let named = ("InstanceId.1", hidden.as_str());
    let managed = ("IncludeManagedResources", "true");
    for (calls, expected) in [(&[][..], 1), (&[managed], 2), (&[managed, named], 1)] {
        let found = scene.ok("DescribeInstances", calls).await;
        assert_eq!(found.texts("instanceId").len(), expected, "{calls:?}");
    }
    let unknown = scene.code("DescribeInstances", &[named]).await;
    assert_eq!(unknown, "InvalidInstanceID.NotFound");
    for (calls, expected) in [(&[][..], 1), (&[managed], 2)] {
        let found = scene.ok("DescribeNetworkInterfaces", calls).await;
        assert_eq!(
            found.texts("networkInterfaceId").len(),
            expected,
            "{calls:?}"
        );
    }
}

#[tokio::test]
async fn a_propagated_route_stands_beside_a_created_one_which_wins() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let to = "10.1.0.0/24";
    scene.ec2.propagate(&scene.table, to.parse().unwrap());
    let truth = || {
        let state = scene.ec2.snapshot();
        let table = state
            .route_tables
            .into_iter()
            .find(|it| it.id == scene.table);
        let routes = table.unwrap().routes.into_iter();
        let routes = routes.filter(|it| it.destination == to.parse().unwrap());
        routes.map(|it| it.target).collect::<Vec<_>>()
    };
    assert!(matches!(truth()[..], [TargetState::Gateway(_)]));
    scene.create(to, ("InstanceId", &instances[0])).await;
    assert!(matches!(truth()[..], [TargetState::Interface(_)]));
    let listed = scene.ok("DescribeRouteTables", &[]).await;
    let origins = listed.texts("origin");
    for origin in ["CreateRoute", "EnableVgwRoutePropagation"] {
        assert!(origins.iter().any(|it| it == origin), "{origins:?}");
    }
}

#[tokio::test]
async fn a_gateways_table_takes_no_routes_outside_the_vpc() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let gateway = scene.ok("CreateInternetGateway", &[]).await;
    let gateway = gateway.text("internetGatewayId");
    let table = ("RouteTableId", scene.table.as_str());
    let at = ("GatewayId", gateway.as_str());
    let early = scene.code("AssociateRouteTable", &[table, at]).await;
    assert_eq!(early, "InvalidParameterValue", "it is not attached");
    let attach = [("InternetGatewayId", &*gateway), ("VpcId", &scene.vpc)];
    scene.ok("AttachInternetGateway", &attach).await;
    scene.ok("AssociateRouteTable", &[table, at]).await;
    let listed = scene.ok("DescribeRouteTables", &[]).await;
    assert!(listed.texts("gatewayId").contains(&gateway));
    let route = scene.route("198.51.100.0/24", ("InstanceId", &instances[0]));
    let code = scene.code("CreateRoute", &route).await;
    assert_eq!(code, "InvalidParameterValue");
}

#[tokio::test]
async fn pages_can_be_short_and_empty_with_a_token() {
    let scene = Scene::new().await;
    scene.launch(7).await;
    scene.ec2.configure(|all| all.short_pages = true).unwrap();
    let mut sizes = Vec::new();
    let mut token = String::new();
    loop {
        let page = [("MaxResults", "6"), ("NextToken", &token)];
        let count = if token.is_empty() { 1 } else { 2 };
        let page = scene.ok("DescribeInstances", &page[..count]).await;
        sizes.push(page.texts("instanceId").len());
        match page.texts("nextToken").pop() {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(sizes, [0, 3, 3, 1]);
}

#[tokio::test]
async fn writes_can_be_behind_too() {
    let scene = Scene::new().await;
    let frozen = |all: &mut signpost_ec2::Settings| {
        all.propagation = 60.0;
        all.speed = 0.0;
        all.late_writes = true;
    };
    scene.ec2.configure(frozen).unwrap();
    let subnet = [("SubnetId", scene.subnet.as_str())];
    let fresh = scene.ok("CreateNetworkInterface", &subnet).await;
    let fresh = fresh.text("networkInterfaceId");
    let route = scene.route("10.1.0.0/24", ("NetworkInterfaceId", &fresh));
    let code = scene.code("CreateRoute", &route).await;
    assert_eq!(code, "InvalidNetworkInterfaceID.NotFound");
}

#[tokio::test]
async fn targets_of_other_kinds_are_named_by_their_own_members() {
    let scene = Scene::new().await;
    for (index, target) in OtherTarget::ALL.into_iter().enumerate() {
        let to = format!("10.{index}.0.0/16");
        scene.ec2.lead_to(&scene.table, to.parse().unwrap(), target);
    }
    let listed = scene.ok("DescribeRouteTables", &[]).await;
    for (member, id) in [
        ("natGatewayId", "nat-"),
        ("transitGatewayId", "tgw-"),
        ("gatewayId", "vpce-"),
        ("egressOnlyInternetGatewayId", "eigw-"),
        ("coreNetworkArn", "arn:"),
    ] {
        let found = listed.texts(member);
        assert!(
            found.iter().any(|it| it.starts_with(id)),
            "{member}: {found:?}"
        );
    }
    let key = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "10.0.0.0/16"),
    ];
    scene.ok("DeleteRoute", &key).await;
    let listed = scene.ok("DescribeRouteTables", &[]).await;
    assert_eq!(listed.texts("natGatewayId"), [""; 0]);
}
