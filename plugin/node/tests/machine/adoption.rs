//! A node that had another network, whose pods live still.

use std::path::Path;

use signpost_netlink::settings::FOLDER;
use signpost_netlink::{Netns, Socket};
use signpost_node::adoption::answer;
use signpost_node::hand::Hand;
use signpost_node::sysctl::Settings;

use crate::run;

#[test]
fn the_node_answers_for_new_pods_on_an_earlier_bridge_alone() {
    let node = Netns::create().unwrap();
    for command in [
        "ip link add cni0 type bridge",
        "ip address add 10.244.1.1/24 dev cni0",
        "ip link add docker0 type bridge",
        "ip address add 172.17.0.1/16 dev docker0",
        "ip link add sgnbr0 type bridge",
        "ip address add 10.244.1.1/24 dev sgnbr0",
        "ip link add uplink type veth peer name outside",
        "ip address add 10.244.1.200/24 dev uplink",
    ] {
        run(&node, command);
    }
    let run_dir = tempfile::tempdir().unwrap();
    let settings = Settings::new(Path::new(FOLDER), run_dir.path());
    let subnets = ["10.244.1.0/24", "fd00:1::/64"].map(|text| text.parse().unwrap());
    let mut socket = Socket::open_in(&node).unwrap();
    let mut look = |hand: &mut Hand| {
        node.run(|| answer(&mut socket, &subnets, &settings, hand))
            .unwrap()
            .unwrap();
        hand.take()
    };
    let told = look(&mut Hand::real());
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(look(&mut Hand::real()), [""; 0], "once");
    for (interface, expected) in [
        ("cni0", "1"),
        ("docker0", "0"),
        ("sgnbr0", "0"),
        ("uplink", "0"),
    ] {
        let setting = format!("cat /proc/sys/net/ipv4/conf/{interface}/proxy_arp");
        assert_eq!(run(&node, &setting).trim(), expected, "{interface}");
    }
    let delay = run(&node, "cat /proc/sys/net/ipv4/neigh/cni0/proxy_delay");
    assert_eq!(delay.trim(), "0");
    // Uninstalling sets them back.
    let (_, failed) = node.run(|| settings.restore(&mut Hand::real())).unwrap();
    assert!(failed.is_empty(), "{failed:?}");
    let setting = run(&node, "cat /proc/sys/net/ipv4/conf/cni0/proxy_arp");
    assert_eq!(setting.trim(), "0");
}
