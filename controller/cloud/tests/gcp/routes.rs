//! One route for each block, to an instance.

use serde_json::json;
use signpost_cloud::Change;
use signpost_core::cloud::{Blackhole, InstanceState, NextHop, Ownership};

use crate::scene::{NETWORK, PROJECT, SERVICE, Scene, ZONE, create, delete, hop, listing, make};

const OTHER_ZONE: &str = "europe-west3-b";

#[tokio::test]
async fn a_route_is_made_seen_and_removed_in_both_families() {
    let scene = Scene::new().await;
    let node = scene.launch(PROJECT, ZONE, "node").await;
    let InstanceState::Found(instance) = scene.state(&node).await else {
        panic!("it is there");
    };
    assert!(instance.forwarding);
    for (block, next_hop) in [
        ("10.244.1.0/24", instance.next_hop_v4.unwrap()),
        ("fd00:10:244:1::/64", instance.next_hop_v6.unwrap()),
    ] {
        assert_eq!(next_hop, hop(ZONE, "node"));
        scene.make(&create(block, next_hop.clone())).await.unwrap();
        let seen = scene.routes().await;
        let [seen] = &*seen else {
            panic!("{seen:?}");
        };
        assert_eq!(seen.destination.to_string(), block);
        assert_eq!(seen.next_hop.as_ref(), Some(&next_hop));
        assert_eq!(seen.ownership, Ownership::Ours);
        assert_eq!(seen.blackhole, None);
        let there = scene.only_route().await;
        let said: serde_json::Value =
            serde_json::from_str(there["description"].as_str().unwrap()).unwrap();
        assert_eq!(said["cluster"], "blue");
        assert_eq!(
            (&said["node"], &said["uid"]),
            (&json!("node"), &json!("uid"))
        );
        scene.make(&delete(seen)).await.unwrap();
        assert_eq!(scene.routes().await, []);
    }
    assert_eq!(scene.log.requests("routes.insert", "ok"), 2);
    assert_eq!(scene.log.requests("routes.delete", "ok"), 2);
}

#[tokio::test]
async fn of_instances_with_one_name_each_zone_has_its_own() {
    let scene = Scene::new().await;
    for (zone, block) in [(ZONE, "10.244.1.0/24"), (OTHER_ZONE, "10.244.2.0/24")] {
        let node = scene.launch(PROJECT, zone, "twin").await;
        let InstanceState::Found(instance) = scene.state(&node).await else {
            panic!("it is there");
        };
        scene
            .make(&create(block, instance.next_hop_v4.unwrap()))
            .await
            .unwrap();
    }
    let mut seen = scene.routes().await;
    seen.sort_by_key(|route| route.destination);
    let hops: Vec<_> = seen
        .into_iter()
        .map(|route| route.next_hop.unwrap())
        .collect();
    assert_eq!(hops, [hop(ZONE, "twin"), hop(OTHER_ZONE, "twin")]);
}

#[tokio::test]
async fn an_instance_made_again_under_its_name_needs_no_other_route() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    scene
        .make(&create("10.244.1.0/24", hop(ZONE, "node")))
        .await
        .unwrap();
    let path = format!("projects/{PROJECT}/zones/{ZONE}/instances/node");
    scene.client.end(&path).await.unwrap();
    let lost = &scene.routes().await[0];
    assert_eq!(lost.blackhole, Some(Blackhole::TargetGone));
    assert_eq!(lost.next_hop, Some(hop(ZONE, "node")));
    let node = scene.launch(PROJECT, ZONE, "node").await;
    assert!(matches!(scene.state(&node).await, InstanceState::Found(_)));
    let back = &scene.routes().await[0];
    assert_eq!(
        (back.blackhole, back.next_hop.clone()),
        (None, Some(hop(ZONE, "node")))
    );
}

#[tokio::test]
async fn instances_of_service_projects_are_led_to_by_address() {
    let scene = Scene::new().await;
    let node = scene.launch(SERVICE, ZONE, "node").await;
    let InstanceState::Found(instance) = scene.state(&node).await else {
        panic!("it is there");
    };
    for (block, next_hop) in [
        ("10.244.1.0/24", instance.next_hop_v4.unwrap()),
        ("fd00:10:244:1::/64", instance.next_hop_v6.unwrap()),
    ] {
        assert!(matches!(next_hop, NextHop::Address(_)), "{next_hop}");
        scene.make(&create(block, next_hop.clone())).await.unwrap();
        let seen = scene.routes().await;
        let seen = seen
            .iter()
            .find(|it| it.destination.to_string() == block)
            .unwrap();
        assert_eq!(seen.next_hop, Some(next_hop));
        assert_eq!((seen.ownership, seen.blackhole), (Ownership::Ours, None));
    }
}

#[tokio::test]
async fn clusters_whose_names_share_a_prefix_leave_each_other_alone() {
    let scene = Scene::new().await;
    let green = scene
        .another(|it| it.cluster_name = "blue-green".into())
        .await;
    scene.launch(PROJECT, ZONE, "node").await;
    let theirs = create("10.244.1.0/24", hop(ZONE, "node"));
    make(&green, Change::Route(&theirs)).await.unwrap();
    let seen = &scene.routes().await[0];
    assert_eq!(seen.ownership, Ownership::Foreign);
    let refused = scene.make(&delete(seen)).await.unwrap_err();
    assert!(refused.detail.contains("somebody else's"), "{refused}");
    assert_eq!(
        listing(&green).await.routes.unwrap()[0].ownership,
        Ownership::Ours
    );
}

#[tokio::test]
async fn foreign_routes_and_ranges_of_subnets_are_shown_as_what_they_are() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    let node = format!("projects/{PROJECT}/zones/{ZONE}/instances/node");
    let client = &scene.client;
    client
        .route(NETWORK, "by-hand", "10.244.7.0/24", &node)
        .await
        .unwrap();
    client
        .route(NETWORK, "outside", "10.99.0.0/16", &node)
        .await
        .unwrap();
    let subnet = client.subnetwork(NETWORK, "europe-west3", "within", "10.244.128.0/20");
    subnet.await.unwrap();
    let listing = scene.listing().await;
    let routes = listing.routes.unwrap();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].ownership, Ownership::Foreign);
    assert_eq!(routes[0].handle.as_deref(), Some("by-hand"));
    let barred: Vec<String> = listing.barred.iter().map(ToString::to_string).collect();
    assert_eq!(barred, ["10.244.128.0/20"]);
    let usage = listing.usage;
    assert!(usage.common);
    // The two by hand, and the default route of the network.
    assert_eq!(usage.v4.unwrap().used, 3);

    let refused = scene
        .make(&create("10.244.129.0/24", hop(ZONE, "node")))
        .await;
    assert!(refused.is_err(), "inside a subnet");
}

#[tokio::test]
async fn pages_that_are_short_or_empty_hide_nothing() {
    let scene = Scene::new().await;
    scene.launch(PROJECT, ZONE, "node").await;
    for number in 0..7 {
        let block = format!("10.244.{number}.0/24");
        scene
            .make(&create(&block, hop(ZONE, "node")))
            .await
            .unwrap();
    }
    scene.gce.configure(|all| all.short_pages = true).unwrap();
    assert_eq!(scene.routes().await.len(), 7);
}
