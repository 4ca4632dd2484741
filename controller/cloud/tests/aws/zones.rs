//! A zone is disrupted: calls that name its instances, or none, fail as long as that lasts.

use signpost_cloud::Cloud;
use signpost_core::cloud::{CloudErrorKind, InstanceQuery, InstanceState, Ownership};

use crate::scene::{Scene, TAG, config, create, pools, query, shown};

const BLOCK: &str = "10.244.1.0/24";
const LOST: &str = "10.244.2.0/24";

/// A second subnet, in another zone than the first one, and an instance there.
async fn elsewhere(scene: &Scene) -> (String, InstanceQuery) {
    let (zone, params) = ("eu-central-1b", ("CidrBlock", "10.0.2.0/24"));
    let params = [("VpcId", &*scene.vpc), params, ("AvailabilityZone", zone)];
    let subnet = scene.ok("CreateSubnet", &params).await.text("subnetId");
    let both = [("RouteTableId", &*scene.tables[1]), ("SubnetId", &subnet)];
    scene.ok("AssociateRouteTable", &both).await;
    let params = [
        ("ImageId", "ami-12345678"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
    ];
    let launched = scene.ok("RunInstances", &params).await;
    let instance = launched.text("instanceId");
    let mut query = query(&instance);
    query.provider_id = Some(format!("aws:///{zone}/{instance}").into());
    (instance, query)
}

fn impair(scene: &Scene) {
    let zone = "eu-central-1b".to_owned();
    scene
        .ec2
        .configure(|all| all.impaired_zones = vec![zone])
        .unwrap();
}

#[tokio::test]
async fn nodes_of_other_zones_are_read_and_routed_meanwhile() {
    let scene = Scene::new().await;
    let healthy = scene.launch(1, &[]).await;
    let (_, lost) = elsewhere(&scene).await;
    impair(&scene);
    let queries = [query(&healthy[0]), lost];
    let answers = scene.cloud.read_instances(&queries).await;
    assert!(
        matches!(&answers[0].1, Ok(InstanceState::Found(_))),
        "{answers:?}"
    );
    let error = answers[1].1.clone().unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient, "{error}");
    let hop = scene.primary(&healthy[0]);
    let change = create(&scene.tables[0], BLOCK, &hop);
    assert_eq!(scene.change(&change).await, Ok(()));
    let seen = scene.shown(&scene.tables[0], BLOCK).await.unwrap();
    assert_eq!(seen.ownership, Ownership::Ours);
}

#[tokio::test]
async fn after_a_restart_no_table_is_blind_and_routes_to_nodes_are_ours() {
    let scene = Scene::new().await;
    let healthy = scene.launch(1, &[(TAG, "owned")]).await;
    let (instance, lost) = elsewhere(&scene).await;
    for (to, instance) in [(BLOCK, &healthy[0]), (LOST, &instance)] {
        let hop = scene.primary(instance);
        scene
            .by_hand("CreateRoute", &scene.tables[0], to, &hop)
            .await;
    }
    impair(&scene);
    let cloud = scene.another(config());
    let ownership = async |to| {
        let listings = cloud.list_routes(&pools()).await.unwrap();
        shown(&listings, &scene.tables[0], to).unwrap().ownership
    };
    assert_eq!(ownership(BLOCK).await, Ownership::Ours, "by its tag");
    assert_eq!(
        ownership(LOST).await,
        Ownership::Foreign,
        "nobody knows yet"
    );
    let mut changes = cloud.changes().unwrap();
    let answers = cloud.read_instances(&[lost]).await;
    assert!(answers[0].1.is_err());
    assert_eq!(changes.recv().await, Some(()), "a listing is due");
    assert_eq!(ownership(LOST).await, Ownership::Ours, "a node named it");
}
