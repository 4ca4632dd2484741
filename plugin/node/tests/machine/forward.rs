//! Forwarding through FORWARD chains that drop.

use std::collections::BTreeSet;
use std::process::Command;

use signpost_netlink::{Netns, nftables};
use signpost_node::{forward, iptables_legacy};

use crate::{World, nets, run};

fn ensure(node: &Netns, pods: &[&str]) -> BTreeSet<String> {
    let mut socket = nftables::Socket::open_in(node).unwrap();
    forward::ensure(&mut socket, &nets(pods)).unwrap()
}

fn ensure_legacy(node: &Netns, pods: &[&str]) {
    let pods = nets(pods);
    node.run(|| iptables_legacy::ensure(&pods))
        .unwrap()
        .unwrap();
}

#[test]
fn forward_passes_the_drop_policy_of_iptables() {
    let world = World::forwarding();
    // An address that is no pod's.
    run(&world.pod, "ip address add 10.9.0.2/32 dev eth0");
    run(&world.node, "ip route add 10.9.0.2/32 dev pod0");
    run(&world.outside, "ip route add 10.9.0.2/32 via 192.0.2.1");
    let stranger_pings = || {
        let mut ping = Command::new("busybox");
        ping.args(["ping", "-q", "-c1", "-W1", "-I", "10.9.0.2", "192.0.2.9"]);
        let output = world.pod.run(move || ping.output()).unwrap().unwrap();
        output.status.success()
    };
    assert_eq!((world.pings(), stranger_pings()), ((true, true), true));
    run(&world.node, "iptables-nft -P FORWARD DROP");
    run(&world.node, "ip6tables-nft -P FORWARD DROP");
    assert_eq!(world.pings(), (false, false));
    let others = ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!((world.pings(), stranger_pings()), ((true, true), false));
    assert!(others.is_empty());
}

#[test]
fn forward_rules_are_kept_once_and_follow_the_ranges() {
    let world = World::forwarding();
    run(&world.node, "iptables-nft -P FORWARD DROP");
    let listing = || run(&world.node, "iptables-nft -S FORWARD");
    ensure(&world.node, &["10.244.0.0/16"]);
    let first = listing();
    assert_eq!(first.lines().count(), 3, "{first}");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(listing(), first);
    // Docker flushes and sets anew what it has made.
    run(&world.node, "iptables-nft -F FORWARD");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(listing(), first);
    ensure(&world.node, &["10.8.0.0/16", "10.244.0.0/16"]);
    let second = listing();
    assert_eq!(second.lines().count(), 5, "{second}");
    assert!(second.contains("-s 10.8.0.0/16"));
}

#[test]
fn forward_lets_the_rules_of_others_decide_first() {
    let world = World::forwarding();
    run(&world.node, "iptables-nft -P FORWARD DROP");
    ensure(&world.node, &["10.244.0.0/16"]);
    run(&world.node, "iptables-nft -N POLICY");
    run(&world.node, "iptables-nft -I FORWARD -j POLICY");
    run(
        &world.node,
        "iptables-nft -A POLICY -s 10.244.1.2/32 -j DROP",
    );
    ensure(&world.node, &["10.244.0.0/16"]);
    assert!(!world.pings().0);
}

#[test]
fn forward_does_nothing_where_nothing_is_dropped() {
    let world = World::forwarding();
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(run(&world.node, "nft list ruleset"), "");
    run(&world.node, "iptables-nft -P FORWARD ACCEPT");
    let before = run(&world.node, "nft list ruleset");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(run(&world.node, "nft list ruleset"), before);
}

#[test]
fn forward_names_dropping_chains_of_others_and_leaves_them() {
    let world = World::forwarding();
    run(&world.node, "nft add table inet firewall");
    run(
        &world.node,
        "nft add chain inet firewall routed { type filter hook forward priority 0 ; policy drop ; }",
    );
    let before = run(&world.node, "nft list ruleset");
    let others = ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(others, BTreeSet::from(["inet firewall routed".to_owned()]));
    assert_eq!(run(&world.node, "nft list ruleset"), before);
}

#[test]
fn forward_passes_the_drop_policy_of_legacy_iptables() {
    let world = World::forwarding();
    // Without legacy tables nothing is called and nothing is made.
    ensure_legacy(&world.node, &["10.244.0.0/16"]);
    run(&world.node, "iptables-legacy -P FORWARD DROP");
    run(&world.node, "ip6tables-legacy -P FORWARD DROP");
    assert_eq!(world.pings(), (false, false));
    ensure_legacy(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    ensure_legacy(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(world.pings(), (true, true));
    assert_eq!(
        run(&world.node, "iptables-legacy -S FORWARD")
            .lines()
            .count(),
        3
    );
    ensure_legacy(&world.node, &["10.8.0.0/16"]);
    let listing = run(&world.node, "iptables-legacy -S FORWARD");
    assert!(
        !listing.contains("10.244.0.0/16") && listing.contains("10.8.0.0/16"),
        "{listing}"
    );
}
