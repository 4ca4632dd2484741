//! Routes of ours: created, replaced, deleted.

use super::*;

#[tokio::test]
async fn routes_of_both_families_are_created_listed_replaced_and_deleted() {
    let world = World::new();
    for (destination, first, second) in [
        ("10.244.1.0/24", "192.0.2.11", "192.0.2.12"),
        ("fd00:0:0:1::/64", "2001:db8::11", "2001:db8::12"),
    ] {
        world.create(destination, first).await.unwrap();
        let lines = world.shown(destination);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains(&format!("via {first} dev nodes proto 143")),
            "{lines:?}"
        );

        let observed = world.observed(destination).await;
        assert_eq!(observed.ownership, Ownership::Ours);
        assert_eq!(
            observed.next_hop,
            Some(NextHop::Address(first.parse().unwrap()))
        );
        assert_eq!(observed.blackhole, None);

        world.replace(&observed, second).await.unwrap();
        let lines = world.shown(destination);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains(&format!("via {second} ")), "{lines:?}");
        assert_eq!(
            world.delete(&observed).await,
            Err(CloudErrorKind::NotFound),
            "it changed"
        );

        world
            .delete(&world.observed(destination).await)
            .await
            .unwrap();
        assert!(world.shown(destination).is_empty());
    }
    assert_eq!(world.list().await, []);
}

#[tokio::test]
async fn creation_may_be_repeated_but_never_overwrites() {
    let world = World::new();
    world.create("10.244.1.0/24", "192.0.2.11").await.unwrap();
    world.create("10.244.1.0/24", "192.0.2.11").await.unwrap();
    assert_eq!(
        world.create("10.244.1.0/24", "192.0.2.12").await,
        Err(CloudErrorKind::AlreadyExists)
    );
    // A route of others that is not outranked is in the way.
    for (destination, foreign) in [
        ("10.244.2.0/24", "via 192.0.2.50 proto static"),
        ("fd00:0:0:2::/64", "via 2001:db8::50 proto static"),
        ("fd00:0:0:3::/64", "via 2001:db8::50 proto static metric 50"),
    ] {
        world.ip(&format!("route add {destination} {foreign}"));
        let before = world.shown(destination);
        let next_hop = if destination.contains(':') {
            "2001:db8::11"
        } else {
            "192.0.2.11"
        };
        assert_eq!(
            world.create(destination, next_hop).await,
            Err(CloudErrorKind::AlreadyExists),
            "{destination}"
        );
        assert_eq!(world.shown(destination), before);
    }
}

#[tokio::test]
async fn nodes_out_of_reach_are_a_passing_failure_with_a_remedy() {
    let world = World::new();
    let change = RouteChange::Create {
        table: main(),
        route: route("10.244.1.0/24", "198.51.100.1"),
    };
    let error = world.cloud.begin(Change::Route(&change)).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient);
    assert!(
        error.detail.contains("interface in the node's network"),
        "{error}"
    );
    let elsewhere = RouteChange::Create {
        table: TableId("77".into()),
        route: route("10.244.1.0/24", "192.0.2.11"),
    };
    let error = world
        .cloud
        .begin(Change::Route(&elsewhere))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Invalid);
}

#[tokio::test]
async fn many_simultaneous_changes_are_each_answered() {
    let world = Arc::new(World::new());
    let mut creations = JoinSet::new();
    for number in 0..200_u32 {
        let world = Arc::clone(&world);
        let destination = format!("10.244.{number}.0/24");
        creations.spawn(async move { world.create(&destination, "192.0.2.11").await });
    }
    let outcomes = creations.join_all().await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(world.list().await.len(), 200);
    assert_eq!(world.ip("route show proto 143").lines().count(), 200);
}
