//! Forwarding.

use std::path::Path;

use signpost_node::sysctl::Settings;

use crate::{World, run};

#[test]
fn forwarding_is_turned_on_for_both_families() {
    let world = World::new();
    run(
        &world.node,
        "busybox sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0",
    );
    assert_eq!(world.pings(), (false, false));
    for _ in 0..2 {
        world
            .node
            .run(|| {
                settings()
                    .forward_ipv4()
                    .and_then(|()| settings().forward_ipv6())
            })
            .unwrap()
            .unwrap();
    }
    assert_eq!(world.pings(), (true, true));
}

#[test]
fn forwarding_keeps_listening_to_router_advertisements() {
    let world = World::new();
    run(&world.node, "ip link add sgnaaaaaaaaaaaa type bridge");
    run(
        &world.node,
        "busybox sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.uplink.accept_ra=1 \
         net.ipv6.conf.pod0.accept_ra=0 net.ipv6.conf.sgnaaaaaaaaaaaa.accept_ra=1",
    );
    world
        .node
        .run(|| settings().forward_ipv6())
        .unwrap()
        .unwrap();
    let values = run(
        &world.node,
        "busybox sysctl -n net.ipv6.conf.uplink.accept_ra net.ipv6.conf.pod0.accept_ra \
         net.ipv6.conf.sgnaaaaaaaaaaaa.accept_ra",
    );
    let values: Vec<_> = values.split_whitespace().collect();
    assert_eq!(values, ["2", "0", "1"], "not to those of pods");
}

fn settings() -> Settings {
    Settings::new(Path::new("/proc/sys/net"))
}
