//! Forwarding of what comes in from the network.

use std::path::Path;

use signpost_node::hand::Hand;
use signpost_node::sysctl::Settings;
use signpost_node::uplink;

use crate::{World, run};

#[test]
fn uplink_forwards_again_and_other_interfaces_stay_as_they_are() {
    let world = World::forwarding();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(Path::new("/proc/sys/net"), folder.path());
    let forward = || {
        world
            .node
            .run(|| uplink::forward_ipv4(&settings, &mut Hand::real()))
            .unwrap()
            .unwrap();
    };
    forward();
    run(&world.node, "ip link add other type veth peer name far");
    run(&world.node, "ip link add second type bridge");
    run(&world.node, "ip link set second up");
    // Two ways, as on a machine with two uplinks.
    let ways = "nexthop via 192.0.2.9 nexthop dev second";
    run(&world.node, &format!("ip route add default {ways}"));
    run(
        &world.node,
        "busybox sysctl -qw net.ipv4.conf.uplink.forwarding=0 net.ipv4.conf.other.forwarding=0 \
         net.ipv4.conf.second.forwarding=0",
    );
    assert_eq!(world.pings(), (false, true), "replies do not come in");
    forward();
    assert_eq!(world.pings(), (true, true));
    let other = run(
        &world.node,
        "busybox sysctl -n net.ipv4.conf.other.forwarding net.ipv4.conf.second.forwarding",
    );
    assert_eq!(other.split_whitespace().collect::<Vec<_>>(), ["0", "1"]);
}
