//! Routing policy.

use signpost_netlink::{Family, Netns, Socket};

use crate::run;

#[test]
fn rules_are_added_and_removed_by_their_table() {
    let netns = Netns::create().unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    let show = |family: &str| run(&netns, &format!("ip -{family} rule show"));
    let before = (show("4"), show("6"));
    run(&netns, "ip rule add from 192.0.2.8 lookup 1000000");
    for source in ["192.0.2.7", "2001:db8::7"] {
        let source = source.parse().unwrap();
        socket.add_rule_from(source, 1_000_000).unwrap();
        socket
            .add_rule_over("net1", Family::of(source), 1_000_000)
            .unwrap();
        let shown = show(if source.is_ipv4() { "4" } else { "6" });
        let from = format!("from {source} lookup 1000000");
        assert!(shown.contains(&from), "{shown}");
        assert!(shown.contains("oif net1"), "{shown}");
    }
    for (family, source) in [(Family::V4, "192.0.2.7"), (Family::V6, "2001:db8::7")] {
        socket.delete_rules(family, 1_000_001).unwrap();
        let shown = show(if family == Family::V4 { "4" } else { "6" });
        assert!(shown.contains(source), "another table's: {shown}");
        socket.delete_rules(family, 1_000_000).unwrap();
        socket.delete_rules(family, 1_000_000).unwrap();
    }
    // That of somebody else stays.
    run(&netns, "ip rule del from 192.0.2.8 lookup 1000000");
    assert_eq!((show("4"), show("6")), before);
}
