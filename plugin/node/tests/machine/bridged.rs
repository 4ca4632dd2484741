//! Pods on a bridge, of which somebody takes something away.

use std::collections::BTreeSet;
use std::path::Path;

use signpost_api::DatapathMode;
use signpost_netlink::bridged::admit;
use signpost_netlink::settings::FOLDER;
use signpost_netlink::{Mac, Netns, Socket, nftables};
use signpost_node::bridged::{Restoration, remove};
use signpost_node::hand::Hand;
use signpost_node::plan::Settings;

use crate::{claiming, run};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);
const SUBNET: &str = "10.244.1.0/24";
const GATEWAY: &str = "02:73:67:6e:62:72";

fn settings(mode: DatapathMode, subnet: &str) -> Settings {
    Settings {
        mode,
        subnets: vec![subnet.parse().unwrap()],
        node_addresses: vec!["192.0.2.10".parse().unwrap()],
        mtu: 1400,
        pods: Vec::new(),
        max_pods: None,
        exempt: None,
    }
}

/// A node and a pod that is to be behind a port of its bridge.
struct World {
    node: Netns,
    pod: Netns,
    socket: Socket,
    netfilter: nftables::Socket,
}

impl World {
    fn new() -> Self {
        let (node, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
        run(&node, "ip link set lo up");
        run(&node, "ip address add 192.0.2.10/32 dev lo");
        let socket = claiming(&node, &pod, "sgnport", MAC, &["10.244.1.5"]);
        for command in [
            "ip address add 10.244.1.5/32 dev eth0",
            "ip route add 10.244.1.1 dev eth0",
            "ip route add default via 10.244.1.1",
        ] {
            run(&pod, command);
        }
        run(
            &pod,
            &format!("ip neighbour add 10.244.1.1 lladdr {GATEWAY} dev eth0"),
        );
        let mut netfilter = nftables::Socket::open_in(&node).unwrap();
        // What the plugin has told before anything was taken away.
        admit(&mut netfilter, "sgnport", &["10.244.1.5".parse().unwrap()]).unwrap();
        Self {
            node,
            pod,
            socket,
            netfilter,
        }
    }

    fn restore(&mut self, mode: DatapathMode) -> BTreeSet<u32> {
        self.restore_with(mode, SUBNET)
    }

    fn restore_with(&mut self, mode: DatapathMode, subnet: &str) -> BTreeSet<u32> {
        let settings = settings(mode, subnet);
        let Self {
            node,
            socket,
            netfilter,
            ..
        } = self;
        let restoration = Restoration {
            socket,
            netfilter,
            hand: &mut Hand::real(),
            folder: Path::new(FOLDER),
        };
        node.run(|| restoration.run(Some(&settings)))
            .unwrap()
            .unwrap()
    }

    /// Whether the pod reaches the node.
    fn is_connected(&self) -> bool {
        let ping = || {
            std::process::Command::new("busybox")
                .args(["ping", "-q", "-c3", "-i0.2", "-W1", "192.0.2.10"])
                .stdout(std::process::Stdio::null())
                .status()
        };
        self.pod.run(ping).unwrap().unwrap().success()
    }
}

#[test]
fn what_a_pod_on_the_bridge_lacks_comes_back_whoever_took_it() {
    let mut world = World::new();
    assert!(!world.is_connected());
    for damage in [
        "true",
        "ip link del sgnbr0",
        "ip link set sgnbr0 down",
        "ip link set sgnport nomaster",
        "ip route del 10.244.1.0/24",
        "ip address del 10.244.1.1/32 dev sgnbr0",
        "ip neighbour flush dev sgnbr0 nud permanent",
        "bridge fdb del 02:00:00:00:00:07 dev sgnport master",
        "nft flush set bridge signpost ports4",
        "nft delete table bridge signpost",
        "nft add rule bridge signpost prerouting drop",
    ] {
        run(&world.node, damage);
        let port = world.socket.link_by_name("sgnport").unwrap().unwrap().index;
        // Whatever is configured for pods from now on.
        for mode in [DatapathMode::Bridge, DatapathMode::Ptp] {
            let restored = world.restore(mode);
            let bridge = world.socket.link_by_name("sgnbr0").unwrap().unwrap().index;
            assert_eq!(restored, BTreeSet::from([port, bridge]), "{damage}");
        }
        assert!(world.is_connected(), "{damage}");
        let fdb = run(&world.node, "bridge fdb show dev sgnport");
        assert!(
            fdb.contains("02:00:00:00:00:07 master sgnbr0 static"),
            "{damage}: {fdb}"
        );
        let route = run(&world.node, "ip route show proto 144");
        assert_eq!(
            route.trim(),
            "10.244.1.0/24 dev sgnbr0 scope link src 192.0.2.10",
            "{damage}"
        );
        let settings = run(
            &world.node,
            "cat /proc/sys/net/ipv6/conf/sgnbr0/disable_ipv6",
        );
        assert_eq!(settings.trim(), "1", "{damage}");
    }
}

#[test]
fn what_is_left_of_a_pod_whose_del_was_lost_goes() {
    let mut world = World::new();
    world.restore(DatapathMode::Bridge);
    run(&world.pod, "ip link del eth0");
    world.restore(DatapathMode::Bridge);
    let left = run(&world.node, "ip neighbour show dev sgnbr0");
    let table = run(&world.node, "nft list table bridge signpost");
    assert!(
        left.is_empty() && !table.contains("sgnport"),
        "{left}\n{table}"
    );
}

#[test]
fn a_node_without_pods_on_a_bridge_gets_none() {
    let mut world = World::new();
    run(&world.pod, "ip link del eth0");
    world.restore(DatapathMode::Ptp);
    assert_eq!(world.socket.link_by_name("sgnbr0").unwrap(), None);
    world.restore(DatapathMode::Bridge);
    assert!(world.socket.link_by_name("sgnbr0").unwrap().unwrap().up);
}

#[test]
fn a_dry_run_says_what_is_missing_and_the_bridge_goes_once_it_has_no_pods() {
    let mut world = World::new();
    let settings = settings(DatapathMode::Bridge, SUBNET);
    let mut on_trial = Hand::on_trial();
    let trial = Restoration {
        socket: &mut world.socket,
        netfilter: &mut world.netfilter,
        hand: &mut on_trial,
        folder: Path::new(FOLDER),
    };
    world
        .node
        .run(|| trial.run(Some(&settings)))
        .unwrap()
        .unwrap();
    assert_eq!(on_trial.take(), ["make the bridge sgnbr0"]);
    assert_eq!(world.socket.link_by_name("sgnbr0").unwrap(), None);

    world.restore(DatapathMode::Bridge);
    let mut hand = Hand::real();
    let mut gone =
        |world: &mut World| remove(&mut world.socket, &mut world.netfilter, &mut hand).unwrap();
    assert_eq!(gone(&mut world), ["sgnbr0, the bridge of pods that live"]);
    run(&world.pod, "ip link del eth0");
    let stays = gone(&mut world);
    assert!(stays[0].contains("send_redirects"), "{stays:?}");
    assert_eq!(world.socket.link_by_name("sgnbr0").unwrap(), None);
    assert_eq!(run(&world.node, "nft list tables bridge"), "");
    assert!(gone(&mut world).is_empty());
}

#[test]
fn a_subnet_that_the_node_had_before_is_left_to_others_but_for_its_pods() {
    for mode in [DatapathMode::Bridge, DatapathMode::Ptp] {
        let mut world = World::new();
        world.restore(DatapathMode::Bridge);
        let routes = |world: &mut World| {
            world.restore_with(mode, "10.244.9.0/24");
            let shown = run(&world.node, "ip route show proto 144");
            shown
                .split_whitespace()
                .filter(|word| word.starts_with("10."))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(routes(&mut world), ["10.244.1.5", "10.244.9.0/24"]);
        assert!(world.is_connected());
        assert_eq!(
            routes(&mut world),
            ["10.244.1.5", "10.244.9.0/24"],
            "it stays so"
        );
        run(&world.pod, "ip link del eth0");
        let gone = routes(&mut world);
        assert!(
            !gone.iter().any(|route| route.starts_with("10.244.1.")),
            "{gone:?}"
        );
        let gateways = run(&world.node, "ip -brief address show dev sgnbr0");
        assert!(
            !gateways.contains("10.244.1.1") && gateways.contains("10.244.9.1"),
            "{gateways}"
        );
    }
}
