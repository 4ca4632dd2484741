use crate::scene::Scene;

#[tokio::test]
async fn the_main_table_serves_subnets_that_have_none() {
    let scene = Scene::new().await;
    let used = || scene.ec2.snapshot().subnets[0].route_table.clone().unwrap();
    let main = used();
    assert_eq!(
        Some(&main),
        scene.ec2.snapshot().vpcs[0].main_route_table.as_ref()
    );
    let both = [
        ("RouteTableId", scene.table.as_str()),
        ("SubnetId", scene.subnet.as_str()),
    ];
    let association = scene
        .ok("AssociateRouteTable", &both)
        .await
        .text("associationId");
    assert_eq!(used(), scene.table);
    // Again is no error, another table is.
    let again = scene
        .ok("AssociateRouteTable", &both)
        .await
        .text("associationId");
    assert_eq!(again, association);
    let other = [
        ("RouteTableId", main.as_str()),
        ("SubnetId", scene.subnet.as_str()),
    ];
    assert_eq!(
        scene.code("AssociateRouteTable", &other).await,
        "Resource.AlreadyAssociated"
    );
    let delete = [("RouteTableId", scene.table.as_str())];
    assert_eq!(
        scene.code("DeleteRouteTable", &delete).await,
        "DependencyViolation"
    );

    let replace = [
        ("AssociationId", association.as_str()),
        ("RouteTableId", main.as_str()),
    ];
    let association = scene.ok("ReplaceRouteTableAssociation", &replace).await;
    let association = association.text("newAssociationId");
    assert_eq!(used(), main);
    assert_eq!(
        scene.code("ReplaceRouteTableAssociation", &replace).await,
        "InvalidAssociationID.NotFound"
    );
    scene
        .ok("DisassociateRouteTable", &[("AssociationId", &association)])
        .await;
    scene.ok("DeleteRouteTable", &delete).await;
    assert_eq!(
        scene.code("DeleteRouteTable", &delete).await,
        "InvalidRouteTableID.NotFound"
    );
}

#[tokio::test]
async fn another_table_can_become_the_main_one() {
    let scene = Scene::new().await;
    let main_of = async || {
        let filters = [
            ("Filter.1.Name", "association.main"),
            ("Filter.1.Value.1", "true"),
            ("Filter.2.Name", "vpc-id"),
            ("Filter.2.Value.1", scene.vpc.as_str()),
        ];
        scene.ok("DescribeRouteTables", &filters).await
    };
    let before = main_of().await;
    let association = before.text("routeTableAssociationId");
    let disassociate = [("AssociationId", association.as_str())];
    assert_eq!(
        scene.code("DisassociateRouteTable", &disassociate).await,
        "InvalidParameterValue"
    );
    let replace = [
        ("AssociationId", association.as_str()),
        ("RouteTableId", scene.table.as_str()),
    ];
    scene.ok("ReplaceRouteTableAssociation", &replace).await;
    let after = main_of().await;
    assert_eq!(after.items("routeTableSet").len(), 1);
    assert_eq!(after.text("routeTableId"), scene.table);
    assert_eq!(
        scene.ec2.snapshot().subnets[0].route_table.as_ref(),
        Some(&scene.table)
    );
}

#[tokio::test]
async fn a_new_table_has_the_routes_of_all_ranges_of_the_vpc() {
    let scene = Scene::new().await;
    let more = [("VpcId", scene.vpc.as_str()), ("CidrBlock", "10.7.0.0/16")];
    scene.ok("AssociateVpcCidrBlock", &more).await;
    let ipv6 = [
        ("VpcId", scene.vpc.as_str()),
        ("AmazonProvidedIpv6CidrBlock", "true"),
    ];
    let ipv6 = scene
        .ok("AssociateVpcCidrBlock", &ipv6)
        .await
        .text("ipv6CidrBlock");
    let table = scene.ok("CreateRouteTable", &[("VpcId", &scene.vpc)]).await;
    assert_eq!(
        table.texts("destinationCidrBlock"),
        ["10.0.0.0/16", "10.7.0.0/16"]
    );
    assert_eq!(table.texts("destinationIpv6CidrBlock"), [ipv6]);
    assert_eq!(table.texts("gatewayId"), ["local"; 3]);
    assert_eq!(table.texts("origin"), ["CreateRouteTable"; 3]);
    // The table that was there before has them too.
    let before = scene
        .ok("DescribeRouteTables", &[("RouteTableId.1", &scene.table)])
        .await;
    assert_eq!(before.items("routeSet").len(), 3);
}

#[tokio::test]
async fn tables_have_a_quota_and_repeat_for_a_client_token() {
    let scene = Scene::new().await;
    scene
        .ec2
        .configure(|all| all.quotas.tables_per_vpc = 3)
        .unwrap();
    let params = [("VpcId", scene.vpc.as_str()), ("ClientToken", "once")];
    let first = scene
        .ok("CreateRouteTable", &params)
        .await
        .text("routeTableId");
    let again = scene
        .ok("CreateRouteTable", &params)
        .await
        .text("routeTableId");
    assert_eq!(first, again);
    let differs = [&params[..], &[("DryRun", "false")]].concat();
    assert_eq!(
        scene.code("CreateRouteTable", &differs).await,
        "IdempotentParameterMismatch"
    );
    assert_eq!(
        scene.code("CreateRouteTable", &params[..1]).await,
        "RouteTableLimitExceeded"
    );
}
