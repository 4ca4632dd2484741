//! Nodes are routed only where what they send follows a table that is programmed.

use signpost_cloud::{
    Cloud,
    aws::{AwsConfig, TableChoice},
};
use signpost_core::cloud::{CloudErrorKind, InstanceState};

use crate::scene::{Scene, TAG, config, pools, read};

fn refusal(state: &InstanceState) -> &str {
    match state {
        InstanceState::Unsupported(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_subnet_without_a_programmed_table_is_told_with_the_tag_to_set() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let associations = || {
        let state = scene.ec2.snapshot();
        let main = state.vpcs.iter().find(|it| it.id == scene.vpc).unwrap();
        main.main_route_table.clone().unwrap()
    };
    let main = associations();
    // Its own table loses the tag.
    let untagged = scene.table(&[]).await;
    associate(&scene, &untagged).await;
    let states = scene.read(&instances).await;
    let why = refusal(&states[0]);
    for part in [&*scene.subnet, &untagged, TAG] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
    let tag = [
        ("ResourceId.1", untagged.as_str()),
        ("Tag.1.Key", TAG),
        ("Tag.1.Value", "shared"),
    ];
    scene.ok("CreateTags", &tag).await;
    // The provider has read the tables a moment ago.
    scene.list().await;
    let states = scene.read(&instances).await;
    assert!(matches!(states[0], InstanceState::Found(_)), "{states:?}");

    // Without a table of its own it follows the main one, which nobody tagged.
    let cloud = scene.another(AwsConfig {
        tables: TableChoice::Ids(vec![scene.tables[0].clone()]),
        ..config()
    });
    let states = read(&cloud, &instances).await;
    let why = refusal(&states[0]);
    assert!(why.contains("spec.cloud.aws.routeTableIDs"), "{why}");
    disassociate(&scene, &untagged).await;
    let states = read(&scene.another(config()), &instances).await;
    let why = refusal(&states[0]);
    for part in ["main table", &main] {
        assert!(why.contains(part), "{part} is not in {why}");
    }
}

/// Gives the subnet another table.
async fn associate(scene: &Scene, table: &str) {
    disassociate(scene, &scene.tables[0]).await;
    let both = [("RouteTableId", table), ("SubnetId", &scene.subnet)];
    scene.ok("AssociateRouteTable", &both).await;
}

async fn disassociate(scene: &Scene, table: &str) {
    let filter = [
        ("Filter.1.Name", "route-table-id"),
        ("Filter.1.Value.1", table),
    ];
    let found = scene.ok("DescribeRouteTables", &filter).await;
    let association = found.text("routeTableAssociationId");
    let params = [("AssociationId", association.as_str())];
    scene.ok("DisassociateRouteTable", &params).await;
}

#[tokio::test]
async fn a_gateways_table_is_left_out_and_named_where_it_is_chosen_by_id() {
    let scene = Scene::new().await;
    let edge = scene.table(&[(TAG, "owned")]).await;
    let gateway = scene.ok("CreateInternetGateway", &[]).await;
    let gateway = gateway.text("internetGatewayId");
    let attach = [("InternetGatewayId", &*gateway), ("VpcId", &scene.vpc)];
    scene.ok("AttachInternetGateway", &attach).await;
    let both = [("RouteTableId", &*edge), ("GatewayId", &gateway)];
    scene.ok("AssociateRouteTable", &both).await;
    let listed = scene.list().await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|it| *it.table.0 != *edge));

    let cloud = scene.another(AwsConfig {
        tables: TableChoice::Ids(vec![edge.clone(), scene.tables[0].clone()]),
        ..config()
    });
    for listing in cloud.list_routes(&pools()).await.unwrap() {
        if *listing.table.0 == *edge {
            let error = listing.routes.unwrap_err();
            assert_eq!(error.kind, CloudErrorKind::Invalid);
            assert!(error.detail.contains(&gateway), "{error}");
        } else {
            assert!(listing.routes.is_ok());
        }
    }
}
