//! Masquerading, as the outside sees it.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use signpost_netlink::{Netns, nftables};
use signpost_node::hand::Hand;
use signpost_node::table;

use crate::{World, nets, run};

const PODS: [&str; 2] = ["10.244.1.0/24", "fd00:1::/64"];

fn ensure(node: &Netns, exempt: Option<&[&str]>) {
    let mut socket = nftables::Socket::open_in(node).unwrap();
    let exempt = exempt.map(nets);
    let table = table::table(&nets(&PODS), exempt.as_deref());
    table::ensure(&mut socket, &table, &mut Hand::real()).unwrap();
}

/// Whose packet the outside sees when the pod sends it one, in both families.
fn sources(world: &World) -> [IpAddr; 2] {
    ["192.0.2.9", "2001:db8::9"].map(|address| {
        let address: IpAddr = address.parse().unwrap();
        let receiver = world
            .outside
            .run(move || UdpSocket::bind((address, 0)))
            .unwrap()
            .unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let target = receiver.local_addr().unwrap();
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let sender = world
            .pod
            .run(move || UdpSocket::bind(any))
            .unwrap()
            .unwrap();
        sender.send_to(b"hello", target).unwrap();
        receiver.recv_from(&mut [0; 16]).unwrap().1.ip()
    })
}

fn addresses(texts: [&str; 2]) -> [IpAddr; 2] {
    texts.map(|text| text.parse().unwrap())
}

const POD: [&str; 2] = ["10.244.1.2", "fd00:1::2"];
const NODE: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

#[test]
fn masquerade_hides_pods_from_the_outside_only() {
    let world = World::forwarding();
    assert_eq!(sources(&world), addresses(POD));
    ensure(&world.node, Some(&["10.244.0.0/16", "fd00::/16"]));
    assert_eq!(sources(&world), addresses(NODE));
    ensure(
        &world.node,
        Some(&["10.244.0.0/16", "fd00::/16", "192.0.2.0/24"]),
    );
    assert_eq!(sources(&world), addresses([POD[0], NODE[1]]));
    ensure(
        &world.node,
        Some(&[
            "10.244.0.0/16",
            "fd00::/16",
            "192.0.2.9/32",
            "2001:db8::9/128",
        ]),
    );
    assert_eq!(sources(&world), addresses(POD));
    ensure(&world.node, Some(&["10.244.0.0/16", "fd00::/16"]));
    assert_eq!(sources(&world), addresses(NODE));
    ensure(&world.node, None);
    assert_eq!(sources(&world), addresses(POD));
    assert!(!run(&world.node, "nft list ruleset").contains("masquerade"));
}

#[test]
fn masquerade_leaves_what_the_node_itself_sends_alone() {
    let world = World::forwarding();
    run(&world.node, "ip address add 203.0.113.7/32 dev uplink");
    run(&world.outside, "ip route add 203.0.113.7/32 via 192.0.2.1");
    ensure(&world.node, Some(&[]));
    let receiver = world
        .outside
        .run(|| UdpSocket::bind("192.0.2.9:0"))
        .unwrap()
        .unwrap();
    receiver
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let sender = world
        .node
        .run(|| UdpSocket::bind("203.0.113.7:0"))
        .unwrap()
        .unwrap();
    sender
        .send_to(b"hello", receiver.local_addr().unwrap())
        .unwrap();
    let seen = receiver.recv_from(&mut [0; 16]).unwrap().1.ip();
    assert_eq!(seen, "203.0.113.7".parse::<IpAddr>().unwrap());
}

#[test]
fn masquerade_rules_are_mended_and_otherwise_left_as_they_are() {
    let world = World::forwarding();
    let exempt = ["10.244.0.0/16", "172.16.0.0/12", "fd00::/16"];
    ensure(&world.node, Some(&exempt));
    let listing = || run(&world.node, "nft --handle --stateless list ruleset");
    let first = listing();
    ensure(&world.node, Some(&exempt));
    assert_eq!(listing(), first, "handles show that nothing was written");
    let text = || run(&world.node, "nft --stateless list ruleset");
    let written = text();
    let of_chain = |priority: i32, masquerade: &str| {
        let rules = [
            "ip saddr 10.244.1.0/24 ip daddr != @exempt4",
            "ip6 saddr fd00:1::/64 ip6 daddr != @exempt6",
        ]
        .map(|condition| {
            format!(
                "add rule inet signpost postrouting {condition} counter {masquerade} \
                     comment \"pods of this node to outside the pod network\"\n"
            )
        });
        format!(
            "delete chain inet signpost postrouting\n\
             add chain inet signpost postrouting {{ type nat hook postrouting priority {priority}; }}\n{}",
            rules.concat()
        )
    };
    for damage in [
        "flush ruleset".to_owned(),
        "flush chain inet signpost postrouting".to_owned(),
        "delete element inet signpost exempt4 { 172.16.0.0/12 }".to_owned(),
        "delete element inet signpost exempt4 { 172.16.0.0/12 }\n\
         add element inet signpost exempt4 { 192.0.2.0/24 }"
            .to_owned(),
        "add table inet signpost { flags dormant; }".to_owned(),
        "add chain inet signpost postrouting { policy drop; }".to_owned(),
        "add chain inet signpost routed { type filter hook forward priority 0; policy drop; }"
            .to_owned(),
        of_chain(100, "accept"),
        of_chain(100, "masquerade"),
        of_chain(-100, "masquerade fully-random"),
    ] {
        run_nft(&world.node, &damage);
        assert_ne!(text(), written, "{damage}");
        ensure(&world.node, Some(&exempt));
        assert_eq!(text(), written, "{damage}");
    }
    assert_eq!(sources(&world), addresses(NODE));
}

#[test]
fn masquerade_is_mended_where_the_table_sleeps_or_a_rule_was_replaced() {
    let world = World::forwarding();
    let exempt = ["10.244.0.0/16", "fd00::/16"];
    for damage in [
        "add table inet signpost { flags dormant; }",
        "flush chain inet signpost postrouting\n\
         add rule inet signpost postrouting accept\n\
         add rule inet signpost postrouting accept",
    ] {
        ensure(&world.node, Some(&exempt));
        run_nft(&world.node, damage);
        assert_eq!(sources(&world), addresses(POD), "{damage}");
        ensure(&world.node, Some(&exempt));
        assert_eq!(sources(&world), addresses(NODE), "{damage}");
    }
}

/// Carries out commands of `nft` as one batch.
fn run_nft(netns: &Netns, commands: &str) {
    let mut nft = Command::new("nft");
    nft.arg(commands);
    let output = netns.run(move || nft.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {errors}");
}
