//! The provider on a router in a fresh network namespace, with `ip` as the other party.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use signpost_core::cloud::{Blackhole, ObservedRoute, Ownership, Route, TableId};
use signpost_netlink::{Socket, VethEnd, table};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

const CONFIG: LinuxConfig = LinuxConfig {
    route_protocol: 143,
    table: table::MAIN,
};
const PATIENCE: Duration = Duration::from_secs(5);

/// A router with the networks of nodes, 192.0.2.0/24 and `2001:db8::/64`.
struct World {
    netns: Netns,
    cloud: LinuxRouter,
}

impl World {
    fn new() -> Self {
        let netns = Netns::create().unwrap();
        let mut socket = Socket::open_in(&netns).unwrap();
        let end = |name| VethEnd {
            name,
            netns: None,
            mac: None,
            mtu: None,
        };
        socket.create_veth(&end("nodes"), &end("far")).unwrap();
        let cloud = netns.run(|| LinuxRouter::open(CONFIG)).unwrap().unwrap();
        let world = Self { netns, cloud };
        world.ip("link set far up");
        world.ip("address add 192.0.2.1/24 dev nodes");
        world.ip("address add 2001:db8::1/64 dev nodes nodad");
        world
    }

    fn ip(&self, arguments: &str) -> String {
        let mut command = Command::new("ip");
        command.args(arguments.split_whitespace());
        let output = self.netns.run(move || command.output()).unwrap().unwrap();
        assert!(output.status.success(), "ip {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `ip` shows of the routes to `destination`, each line trimmed.
    fn shown(&self, destination: &str) -> Vec<String> {
        let family = if destination.contains(':') {
            "-6"
        } else {
            "-4"
        };
        let text = self.ip(&format!("{family} route show {destination}"));
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    async fn create(&self, destination: &str, next_hop: &str) -> Result<(), CloudErrorKind> {
        let change = RouteChange::Create {
            table: main(),
            route: route(destination, next_hop),
        };
        self.cloud
            .write_route(&change)
            .await
            .map_err(|error| error.kind)
    }

    async fn replace(&self, old: &ObservedRoute, next_hop: &str) -> Result<(), CloudErrorKind> {
        let route = route(&old.destination.to_string(), next_hop);
        let change = RouteChange::Replace {
            table: main(),
            old: old.clone(),
            route,
        };
        self.cloud
            .write_route(&change)
            .await
            .map_err(|error| error.kind)
    }

    async fn delete(&self, old: &ObservedRoute) -> Result<(), CloudErrorKind> {
        let change = RouteChange::Delete {
            table: main(),
            route: old.clone(),
        };
        self.cloud
            .write_route(&change)
            .await
            .map_err(|error| error.kind)
    }

    async fn list(&self) -> Vec<ObservedRoute> {
        let pools = [("10.244.0.0/16", 24), ("fd00::/48", 64)].map(|(range, prefix_len)| Range {
            cidr: range.parse().unwrap(),
            prefix_len,
        });
        let mut listings = self.cloud.list_routes(&pools).await.unwrap();
        assert_eq!(listings.len(), 1);
        assert_eq!(listings[0].table, main());
        listings.remove(0).routes.unwrap()
    }

    async fn observed(&self, destination: &str) -> ObservedRoute {
        let destination: IpNet = destination.parse().unwrap();
        let mut all = self.list().await;
        all.retain(|route| route.destination == destination);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn main() -> TableId {
    TableId("main".into())
}

fn route(destination: &str, next_hop: &str) -> Route {
    Route {
        destination: destination.parse().unwrap(),
        next_hop: NextHop::Address(next_hop.parse().unwrap()),
        node: NodeKey::new("n1", "u1"),
    }
}

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
    // Whatever its metric, a route of others is in the way.
    for (destination, foreign) in [
        ("10.244.2.0/24", "via 192.0.2.50 proto static"),
        ("10.244.3.0/24", "via 192.0.2.50 proto static metric 50"),
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
    assert!(matches!(hole.blackhole, Some(Blackhole::Other)) && hole.next_hop.is_none());

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
async fn routes_of_ours_outside_the_ranges_and_beside_foreign_ones_are_found_and_deleted() {
    let world = World::new();
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
}

#[tokio::test]
async fn nodes_out_of_reach_are_a_passing_failure_with_a_remedy() {
    let world = World::new();
    let change = RouteChange::Create {
        table: main(),
        route: route("10.244.1.0/24", "198.51.100.1"),
    };
    let error = world.cloud.write_route(&change).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient);
    assert!(
        error.detail.contains("interface in the node's network"),
        "{error}"
    );
    let elsewhere = RouteChange::Create {
        table: TableId("77".into()),
        route: route("10.244.1.0/24", "192.0.2.11"),
    };
    let error = world.cloud.write_route(&elsewhere).await.unwrap_err();
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

#[tokio::test]
async fn nodes_are_reached_by_their_internal_addresses() {
    let world = World::new();
    let query = |addresses: &[&str]| InstanceQuery {
        node: NodeKey::new("n1", "u1"),
        provider_id: None,
        internal_ips: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    let queries = [
        query(&[
            "127.0.0.1",
            "192.0.2.11",
            "192.0.2.99",
            "fe80::1",
            "::",
            "2001:db8::11",
        ]),
        query(&["fe80::1", "::1", "127.0.0.1", "0.0.0.0", "224.0.0.9"]),
    ];
    let mut answers = world.cloud.read_instances(&queries).await;
    assert_eq!(answers.len(), 2);
    let hop = |ip: &str| Some(NextHop::Address(ip.parse().unwrap()));
    let unreachable = answers.pop().unwrap().1.unwrap();
    assert!(matches!(unreachable, InstanceState::Unsupported(text) if text.contains("--node-ip")));
    let Ok(InstanceState::Found(instance)) = answers.pop().unwrap().1 else {
        panic!("not found")
    };
    assert_eq!(instance.id, Arc::from("n1"));
    assert_eq!(
        (instance.next_hop_v4, instance.next_hop_v6),
        (hop("192.0.2.11"), hop("2001:db8::11"))
    );
    assert!(instance.forwarding);
}
