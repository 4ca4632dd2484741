//! What others have in the table: left alone, told of, kept clear of.

use super::*;

#[tokio::test]
async fn foreign_routes_are_reported_in_the_ranges_and_left_alone() {
    let world = World::new();
    world.ip("route add 10.244.7.0/24 via 192.0.2.50 proto static");
    world.ip("route add blackhole 10.244.8.0/24 proto static");
    world.ip("route add 10.9.0.0/24 via 192.0.2.50 proto static");
    let listed = world.list().await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let foreign = world.observed("10.244.7.0/24").await;
    assert_eq!(foreign.ownership, Ownership::Foreign);
    assert_eq!(
        foreign.next_hop,
        Some(NextHop::Address("192.0.2.50".parse().unwrap()))
    );
    let hole = world.observed("10.244.8.0/24").await;
    assert!(hole.blackhole == Some(Blackhole::Other) && hole.next_hop.is_none());

    // Even a caller that takes them for ours cannot touch them.
    let mistaken = ObservedRoute {
        ownership: Ownership::Ours,
        ..foreign
    };
    assert_eq!(world.delete(&mistaken).await, Err(CloudErrorKind::NotFound));
    assert_eq!(
        world.replace(&mistaken, "192.0.2.11").await,
        Err(CloudErrorKind::NotFound)
    );
    assert!(world.shown("10.244.7.0/24")[0].contains("via 192.0.2.50"));
}

#[tokio::test]
async fn routes_of_ours_outside_the_ranges_are_nobodys_and_those_beside_foreign_ones_are_deleted() {
    let world = World::new();
    // Another cluster on this router, with the same protocol number.
    world.ip("route add 10.9.0.0/24 via 192.0.2.11 proto 143");
    world.ip("route add 10.244.7.0/24 via 192.0.2.11 proto 143");
    world.ip("route add 10.244.7.0/24 via 192.0.2.50 proto static metric 50");
    world.ip("route add blackhole 10.244.9.0/24 proto 143");
    for route in world.list().await {
        if route.ownership == Ownership::Ours {
            world.delete(&route).await.unwrap();
        }
    }
    let left = world.list().await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(world.shown("10.244.7.0/24")[0].contains("via 192.0.2.50"));
    assert_eq!(world.shown("10.9.0.0/24").len(), 1, "the other cluster's");
}

#[tokio::test]
async fn a_route_of_others_that_ours_outranks_stays_beside_it() {
    let world = World::new();
    for (destination, foreign, next_hop) in [
        ("10.244.3.0/24", "192.0.2.50", "192.0.2.11"),
        ("fd00:0:0:4::/64", "2001:db8::50", "2001:db8::11"),
    ] {
        world.ip(&format!(
            "route add {destination} via {foreign} proto static metric 2000"
        ));
        let seen = world.observed(destination).await;
        assert_eq!(seen.ownership, Ownership::Outranked, "{destination}");
        world.create(destination, next_hop).await.unwrap();
        world.create(destination, next_hop).await.unwrap();
        assert_eq!(world.shown(destination).len(), 2);
        let host = destination.replace("0/24", "9").replace("/64", "9");
        let way = world.ip(&format!("route get {host}"));
        assert!(way.contains(&format!("via {next_hop} ")), "{way}");
        assert_eq!(world.delete(&seen).await, Err(CloudErrorKind::NotFound));
    }
}

#[tokio::test]
async fn connected_networks_and_own_addresses_in_a_range_are_barred() {
    let world = World::new();
    let barred = async |range: &str| {
        let range = Range {
            cidr: range.parse().unwrap(),
            prefix_len: 28,
        };
        let listings = world.cloud.list_routes(&[range]).await.unwrap();
        listings[0].barred.clone()
    };
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    // In a larger range, around a smaller one, elsewhere.
    let inside = barred("192.0.0.0/16").await;
    assert!(inside.contains(&net("192.0.2.0/24")), "{inside:?}");
    assert!(inside.contains(&net("192.0.2.1/32")), "{inside:?}");
    assert_eq!(barred("192.0.2.128/25").await, [net("192.0.2.0/24")]);
    assert_eq!(barred("10.244.0.0/16").await, []);
    // As a node's route to a pod.
    world.ip("route add 10.244.1.7/32 dev nodes");
    assert_eq!(barred("10.244.0.0/16").await, []);
}

#[tokio::test]
async fn changes_of_others_are_told_and_own_ones_are_not() {
    let world = World::new();
    let mut changes = world.cloud.changes().unwrap();
    // Setting the links up has been told as well.
    while timeout(Duration::from_millis(300), changes.recv())
        .await
        .is_ok()
    {}
    world.create("10.244.1.0/24", "192.0.2.11").await.unwrap();
    world
        .create("fd00:0:0:1::/64", "2001:db8::11")
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_millis(300), changes.recv())
            .await
            .is_err(),
        "own changes"
    );
    for command in [
        "route del 10.244.1.0/24",
        "-6 route del fd00:0:0:1::/64",
        "route add 10.244.2.0/24 via 192.0.2.50",
        "link set nodes down",
    ] {
        world.ip(command);
        assert_eq!(
            timeout(PATIENCE, changes.recv()).await,
            Ok(Some(())),
            "{command}"
        );
        while timeout(Duration::from_millis(100), changes.recv())
            .await
            .is_ok()
        {}
    }
}
