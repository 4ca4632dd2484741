use std::time::Duration;

use signpost_ec2::{Fault, FaultKind, Settings};

use crate::scene::Scene;

/// A clock that stands still lets a test see a moment in which writes have not spread.
fn frozen() -> Settings {
    Settings {
        propagation: 60.0,
        speed: 0.0,
        ..Settings::default()
    }
}

#[tokio::test]
async fn readers_see_writes_later_and_writers_at_once() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let target = ("InstanceId", instances[0].as_str());
    scene.ec2.configure(|all| *all = frozen()).unwrap();
    scene.create("10.1.0.0/24", target).await;
    assert!(scene.listed().await.is_empty());
    // The truth decides about the next write, and about packets.
    let again = scene.route("10.1.0.0/24", target);
    assert_eq!(
        scene.code("CreateRoute", &again).await,
        "RouteAlreadyExists"
    );
    let interface = scene.primary(&instances[0]);
    let truth = scene.ec2.snapshot();
    let table = truth
        .route_tables
        .iter()
        .find(|of| of.id == scene.table)
        .unwrap();
    assert!(
        table.routes.iter().any(|route| {
            route.target == signpost_ec2::TargetState::Interface(interface.clone())
        })
    );
    scene.ec2.configure(|all| all.speed = 1e4).unwrap();
    while scene.listed().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
    let delete = [
        ("RouteTableId", scene.table.as_str()),
        ("DestinationCidrBlock", "10.1.0.0/24"),
    ];
    scene.ok("DeleteRoute", &delete).await;
    assert_eq!(scene.listed().await.len(), 1);
    assert_eq!(
        scene.code("DeleteRoute", &delete).await,
        "InvalidRoute.NotFound"
    );
}

#[tokio::test]
async fn a_fresh_table_can_be_used_before_it_is_listed() {
    let scene = Scene::with(frozen()).await;
    let fresh = scene
        .ok("CreateRouteTable", &[("VpcId", &scene.vpc)])
        .await
        .text("routeTableId");
    let code = scene
        .code("DescribeRouteTables", &[("RouteTableId.1", &fresh)])
        .await;
    assert_eq!(code, "InvalidRouteTableID.NotFound");
    let both = [
        ("RouteTableId", fresh.as_str()),
        ("SubnetId", scene.subnet.as_str()),
    ];
    scene.ok("AssociateRouteTable", &both).await;
    let seen = scene.ok("DescribeRouteTables", &[]).await;
    assert_eq!(seen.items("routeTableSet").len(), 2);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world() {
    let (one, two) = (Scene::new().await, Scene::new().await);
    assert_eq!((&one.vpc, &one.table), (&two.vpc, &two.table));
    assert_eq!(one.launch(3).await, two.launch(3).await);
}

#[tokio::test]
async fn a_listing_can_go_back_behind_an_earlier_one() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene.ec2.configure(|all| all.speed = 1000.0).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
    scene
        .create("10.1.0.0/24", ("InstanceId", &instances[0]))
        .await;
    assert_eq!(scene.listed().await.len(), 1);
    let stale = FaultKind::Stale { seconds: 5.0 };
    scene
        .ec2
        .add_fault(Fault::next(1, stale, &["DescribeRouteTables"]))
        .unwrap();
    assert_eq!(scene.listed().await.len(), 0);
    assert_eq!(scene.listed().await.len(), 1);
    scene.ec2.configure(|all| all.staleness = 1.0).unwrap();
    assert_eq!(scene.listed().await.len(), 0);
    // A write goes by the truth.
    let again = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    assert_eq!(
        scene.code("CreateRoute", &again).await,
        "RouteAlreadyExists"
    );
}
