//! Forwarding.

use std::path::Path;

use signpost_node::hand::Hand;
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
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut hand = Hand::real();
    for _ in 0..2 {
        world
            .node
            .run(|| {
                settings.forward_ipv4(&mut hand)?;
                settings.forward_ipv6(&mut hand)
            })
            .unwrap()
            .unwrap();
    }
    assert_eq!(world.pings(), (true, true));
}

#[test]
fn forwarding_keeps_listening_to_router_advertisements() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    run(&world.node, "ip link add sgnaaaaaaaaaaaa type bridge");
    run(
        &world.node,
        "busybox sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.uplink.accept_ra=1 \
         net.ipv6.conf.pod0.accept_ra=0 net.ipv6.conf.sgnaaaaaaaaaaaa.accept_ra=1",
    );
    world
        .node
        .run(|| settings(folder.path()).forward_ipv6(&mut Hand::real()))
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

fn settings(run_dir: &Path) -> Settings {
    Settings::new(Path::new("/proc/sys/net"), run_dir)
}
