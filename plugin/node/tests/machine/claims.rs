//! Routes to pods that somebody takes away.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use signpost_netlink::{Mac, Netns, Socket};
use signpost_node::claims::{RouteChanges, restore};
use signpost_node::hand::Hand;

use crate::{claiming, run};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

/// A node with two addresses and a pod that claims one of each family.
struct World {
    node: Netns,
    _pod: Netns,
    socket: Socket,
    changes: RouteChanges,
}

impl World {
    fn new(claims: &[&str]) -> Self {
        let (node, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
        for command in [
            "ip link set lo up",
            "ip address add 192.0.2.99/32 dev lo",
            "ip address add 192.0.2.10/32 dev lo",
            "ip address add 2001:db8::10/128 dev lo",
        ] {
            run(&node, command);
        }
        let socket = claiming(&node, &pod, "wire", MAC, claims);
        let changes = node.run(RouteChanges::follow).unwrap().unwrap();
        Self {
            node,
            _pod: pod,
            socket,
            changes,
        }
    }

    fn restore(&mut self, node_addresses: &[&str]) -> Vec<String> {
        self.restore_beside(&BTreeSet::new(), node_addresses)
    }

    fn restore_beside(&mut self, ports: &BTreeSet<u32>, node_addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<IpAddr> = node_addresses
            .iter()
            .map(|it| it.parse().unwrap())
            .collect();
        restore(
            &mut self.socket,
            Some(&addresses),
            &self.changes,
            ports,
            &mut Hand::real(),
        )
        .unwrap()
    }

    fn routes(&self) -> Vec<String> {
        let mut routes = Vec::new();
        for family in ["-4", "-6"] {
            let shown = run(&self.node, &format!("ip {family} route show proto 144"));
            routes.extend(shown.lines().map(|line| line.trim().to_owned()));
        }
        routes
    }

    /// Whether the agent would be woken.
    fn is_told(&mut self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let limit = Duration::from_secs(1);
        runtime
            .block_on(async { tokio::time::timeout(limit, self.changes.changed()).await })
            .is_ok()
    }
}

#[test]
fn routes_of_pods_are_restored_from_their_claims_within_a_second() {
    let mut world = World::new(&["10.244.1.5", "fd00:1::5"]);
    let from = ["192.0.2.10", "2001:db8::10"];
    assert_eq!(world.restore(&from), [""; 0]);
    let routes = world.routes();
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(
        routes[0].contains("10.244.1.5") && routes[0].contains("src 192.0.2.10"),
        "{routes:?}"
    );
    assert!(
        routes[1].contains("fd00:1::5") && routes[1].contains("src 2001:db8::10"),
        "{routes:?}"
    );
    for takes_away in [
        "ip link set wire down",
        "ip route flush table main",
        "ip -6 route flush proto 144",
        "ip route del 10.244.1.5",
        // With it goes whatever is sent from it.
        "ip address del 192.0.2.10/32 dev lo",
    ] {
        while world.is_told() {}
        run(&world.node, takes_away);
        assert!(world.is_told(), "{takes_away}");
        world.restore(&[]);
        run(&world.node, "ip link set wire up");
        run(&world.node, "ip address replace 192.0.2.10/32 dev lo");
        world.restore(&from);
        assert_eq!(world.routes(), routes, "{takes_away}");
        let neighbours = run(&world.node, "ip neighbour show dev wire");
        for address in ["10.244.1.5", "fd00:1::5"] {
            let entry = format!("{address} lladdr {MAC}");
            assert!(neighbours.contains(&entry), "{takes_away}: {neighbours}");
        }
    }
}

#[test]
fn an_interface_that_is_set_up_again_is_told_of() {
    let mut world = World::new(&["10.244.1.5"]);
    run(&world.node, "ip link set wire down");
    while world.is_told() {}
    run(&world.node, "ip link set wire up");
    assert!(world.is_told());
}

#[test]
fn what_a_version_before_wired_is_claimed() {
    let mut world = World::new(&[]);
    run(&world.node, "ip link set wire alias unknown");
    run(&world.node, "ip route add 10.244.1.5/32 dev wire proto 144");
    run(
        &world.node,
        "ip -6 route add fd00:1::5/128 dev wire proto 144",
    );
    assert_eq!(world.restore(&[]), [""; 0]);
    for address in ["10.244.1.5", "fd00:1::5"] {
        let shown = run(&world.node, &format!("ip -brief link show {address}"));
        assert!(shown.starts_with("wire"), "{shown}");
    }
}

#[test]
fn what_cannot_be_as_planned_is_said_and_made_as_good_as_can_be() {
    let mut world = World::new(&["10.244.1.5", "10.244.1.6"]);
    run(&world.node, "ip route add 10.244.1.6/32 dev lo");
    for _ in 0..2 {
        let warnings = world.restore(&["198.51.100.1"]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("this machine has not"), "{warnings:?}");
        assert!(warnings[1].contains("10.244.1.6") && warnings[1].contains("somebody else"));
        let routes = world.routes();
        assert!(
            routes.len() == 1 && routes[0].contains("10.244.1.5"),
            "{routes:?}"
        );
    }
}

#[test]
fn interfaces_of_others_are_left_alone() {
    let mut world = World::new(&["10.244.1.5"]);
    run(&world.node, "ip link set wire alias unknown");
    assert_eq!(world.restore(&[]), [""; 0]);
    assert_eq!(world.routes(), [""; 0]);
}

#[test]
fn a_port_of_the_bridge_has_no_routes_of_its_own() {
    let mut world = World::new(&["10.244.1.5"]);
    world.restore(&["192.0.2.10"]);
    assert_eq!(world.routes().len(), 1);
    let port = world.socket.link_by_name("wire").unwrap().unwrap().index;
    world.restore_beside(&BTreeSet::from([port]), &["192.0.2.10"]);
    assert_eq!(world.routes(), [""; 0]);
}
