//! Bridges, and what their ports may send.

use std::net::IpAddr;
use std::thread;

use signpost_netlink::bridged::{admit, admitted, dismiss, port_table};
use signpost_netlink::nftables::{self, Batch};
use signpost_netlink::{Errno, Mac, Netns, pod_route};

use crate::{json, net, run, wired};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 0x0b]);
const POD: Mac = Mac([2, 0, 0, 0, 0, 0x0c]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_bridge_has_its_address_and_sends_where_it_is_told_without_learning() {
    let (netns, mut socket, port) = wired();
    socket.create_bridge("sgnbr0", MAC, 1400).unwrap();
    let again = socket.create_bridge("sgnbr0", MAC, 1400).unwrap_err();
    assert_eq!(again.errno(), Some(Errno::EEXIST));
    let bridge = socket.link_by_name("sgnbr0").unwrap().unwrap();
    assert!(bridge.bridge && !bridge.up && bridge.master.is_none());
    assert_eq!((bridge.mac, bridge.mtu), (Some(MAC), 1400));

    socket.set_link_up(bridge.index).unwrap();
    socket.join_bridge(port, bridge.index).unwrap();
    socket.join_bridge(port, bridge.index).unwrap();
    socket.pin(port, POD).unwrap();
    socket.pin(port, POD).unwrap();
    let link = socket.link_by_index(port).unwrap().unwrap();
    assert_eq!(link.master, Some(bridge.index));
    assert!(!link.bridge && link.veth);
    let shown = json(&netns, "bridge --json --details link show dev eth0");
    assert_eq!(shown[0]["learning"], false, "{shown}");
    assert_eq!(shown[0]["hairpin"], true, "{shown}");
    assert_eq!(shown[0]["master"], "sgnbr0");
    let entries = json(&netns, "bridge --json fdb show dev eth0");
    let entries = entries.as_array().unwrap();
    let pinned = entries.iter().find(|entry| entry["mac"] == POD.to_string());
    let pinned = pinned.unwrap();
    assert_eq!(
        (&pinned["master"], &pinned["state"]),
        (&"sgnbr0".into(), &"static".into())
    );
    // A bridge takes the address of none of its ports, and the MTU of the smallest.
    assert_eq!(
        socket.link_by_name("sgnbr0").unwrap().unwrap().mac,
        Some(MAC)
    );
    run(&netns, "ip link set eth0 mtu 1300");
    assert_eq!(socket.link_by_name("sgnbr0").unwrap().unwrap().mtu, 1300);
}

#[test]
fn the_route_to_a_bridge_is_shown_as_it_was_meant() {
    let (netns, mut socket, index) = wired();
    let subnets = ["10.244.1.0/24", "fd00:0:0:1::/64"].map(net);
    let sources = ["192.0.2.1", "2001:db8::1"].map(ip);
    for (subnet, source) in subnets.into_iter().zip(sources) {
        let route = pod_route(subnet, index, Some(source));
        socket.add_route(&route).unwrap();
        let found = socket.route_to(subnet.addr()).unwrap().unwrap();
        assert_eq!((found.destination, found.interface), (subnet, Some(index)));
    }
    let shown = run(&netns, "ip route show 10.244.1.0/24");
    assert!(
        shown.contains("dev eth0 proto 144 scope link src 192.0.2.1"),
        "{shown}"
    );
    let shown = run(&netns, "ip -6 route show fd00:0:0:1::/64");
    assert!(
        shown.contains("dev eth0 proto 144 src 2001:db8::1"),
        "{shown}"
    );
}

#[test]
fn the_table_of_ports_reads_in_nft_as_it_was_meant() {
    let netns = Netns::create().unwrap();
    let mut socket = nftables::Socket::open_in(&netns).unwrap();
    let both = [ip("10.244.1.2"), ip("fd00:0:0:1::2")];
    admit(&mut socket, "sgnone", &both).unwrap();
    admit(&mut socket, "sgnone", &both).unwrap();
    admit(&mut socket, "sgntwo", &[ip("10.244.1.3")]).unwrap();
    let text = run(&netns, "nft list table bridge signpost");
    for line in [
        "type ifname . ipv4_addr",
        "type ifname . ipv6_addr",
        "\"sgnone\" . 10.244.1.2",
        "\"sgntwo\" . 10.244.1.3",
        "elements = { \"sgnone\" . fd00:0:0:1::2 }",
        "type filter hook prerouting priority -400; policy accept;",
        "iifname \"sgn*\" iifname . ip saddr @ports4 accept",
        "iifname \"sgn*\" iifname . ip6 saddr @ports6 accept",
        "iifname \"sgn*\" iifname . arp saddr ip @ports4 accept",
        "drop comment \"pods that send from an address that is not theirs\"",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(socket.stands(&port_table()).unwrap(), "{text}");
    let mut all = admitted(&mut socket).unwrap();
    all.sort();
    let expected = [
        ("sgnone".to_owned(), both[0]),
        ("sgnone".to_owned(), both[1]),
        ("sgntwo".to_owned(), ip("10.244.1.3")),
    ];
    assert_eq!(all, expected);

    dismiss(&mut socket, "sgnone", both).unwrap();
    dismiss(&mut socket, "sgnone", both).unwrap();
    assert_eq!(admitted(&mut socket).unwrap(), expected[2..]);
    run(&netns, "nft add rule bridge signpost prerouting accept");
    assert!(!socket.stands(&port_table()).unwrap());
    let mut batch = Batch::new();
    batch.replace_table(&port_table());
    socket.commit(batch).unwrap();
    assert!(socket.stands(&port_table()).unwrap());
    assert_eq!(admitted(&mut socket).unwrap(), []);
}

#[test]
fn those_who_make_the_table_at_once_lose_nobody() {
    for _ in 0..20 {
        let netns = Netns::create().unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("sgn{number}")).collect();
        thread::scope(|scope| {
            for name in &names {
                let mut socket = nftables::Socket::open_in(&netns).unwrap();
                scope.spawn(move || admit(&mut socket, name, &[ip("10.244.1.2")]).unwrap());
            }
        });
        let mut socket = nftables::Socket::open_in(&netns).unwrap();
        assert_eq!(admitted(&mut socket).unwrap().len(), names.len());
        let rules = run(&netns, "nft list chain bridge signpost prerouting");
        assert_eq!(rules.matches("accept\n").count(), 3, "{rules}");
    }
}

#[test]
fn without_the_table_nobody_is_admitted_and_nobody_need_be_dismissed() {
    let netns = Netns::create().unwrap();
    let mut socket = nftables::Socket::open_in(&netns).unwrap();
    assert_eq!(admitted(&mut socket).unwrap(), []);
    dismiss(&mut socket, "sgnone", [ip("10.244.1.2")]).unwrap();
}
