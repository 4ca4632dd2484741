//! Forwarding through FORWARD chains of the legacy iptables that drop.

use signpost_netlink::Netns;
use signpost_node::hand::Hand;
use signpost_node::iptables_legacy;

use crate::{World, nets, run};

fn ensure(node: &Netns, pods: &[&str]) {
    let pods = nets(pods);
    node.run(|| iptables_legacy::ensure(&pods, &mut Hand::real()))
        .unwrap()
        .unwrap();
}

#[test]
fn legacy_chains_that_drop_by_policy_are_passed() {
    let world = World::forwarding();
    // Without legacy tables nothing is called and nothing is made.
    ensure(&world.node, &["10.244.0.0/16"]);
    run(&world.node, "iptables-legacy -P FORWARD DROP");
    run(&world.node, "ip6tables-legacy -P FORWARD DROP");
    assert_eq!(world.pings(), (false, false));
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(world.pings(), (true, true));
    assert_eq!(
        run(&world.node, "iptables-legacy -S FORWARD")
            .lines()
            .count(),
        4
    );
    ensure(&world.node, &["10.8.0.0/16"]);
    let listing = run(&world.node, "iptables-legacy -S FORWARD");
    assert!(
        !listing.contains("10.244.0.0/16") && listing.contains("10.8.0.0/16"),
        "{listing}"
    );
}

#[test]
fn legacy_chains_that_reject_all_the_rest_are_passed() {
    let world = World::forwarding();
    let reject = "-j REJECT --reject-with icmp-host-prohibited";
    run(&world.node, &format!("iptables-legacy -A FORWARD {reject}"));
    run(&world.node, "ip6tables-legacy -A FORWARD -j REJECT");
    assert_eq!(world.pings(), (false, false));
    let listing = || run(&world.node, "iptables-legacy -S FORWARD");
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(world.pings(), (true, true), "{}", listing());
    let first = listing();
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(listing(), first);
    run(&world.node, &format!("iptables-legacy -I FORWARD {reject}"));
    assert!(!world.pings().0);
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert!(world.pings().0, "{}", listing());
    run(&world.node, "iptables-legacy -F FORWARD");
    ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(listing(), "-P FORWARD ACCEPT\n");
}
