//! Forwarding through FORWARD chains that drop.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use signpost_netlink::{Netns, nftables};
use signpost_node::forward;
use signpost_node::hand::Hand;

use crate::{World, nets, run};

fn ensure(node: &Netns, pods: &[&str]) -> BTreeSet<String> {
    let mut socket = nftables::Socket::open_in(node).unwrap();
    forward::ensure(&mut socket, &nets(pods), &mut Hand::real()).unwrap()
}

/// Gives the pod an address that is no pod's, and returns whether it pings from there.
fn stranger(world: &World) -> impl Fn() -> bool + '_ {
    run(&world.pod, "ip address add 10.9.0.2/32 dev eth0");
    run(&world.node, "ip route add 10.9.0.2/32 dev pod0");
    run(&world.outside, "ip route add 10.9.0.2/32 via 192.0.2.1");
    || {
        let mut ping = Command::new("busybox");
        ping.args(["ping", "-q", "-c1", "-W1", "-I", "10.9.0.2", "192.0.2.9"]);
        let output = world.pod.run(move || ping.output()).unwrap().unwrap();
        output.status.success()
    }
}

#[test]
fn forward_passes_the_drop_policy_of_iptables() {
    let world = World::forwarding();
    let stranger_pings = stranger(&world);
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
    assert_eq!(first.lines().count(), 4, "{first}");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(listing(), first);
    // Docker flushes and sets anew what it has made.
    run(&world.node, "iptables-nft -F FORWARD");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(listing(), first);
    ensure(&world.node, &["10.8.0.0/16", "10.244.0.0/16"]);
    let second = listing();
    assert_eq!(second.lines().count(), 6, "{second}");
    assert!(second.contains("-s 10.8.0.0/16"));
    run(&world.node, "iptables-nft -P FORWARD ACCEPT");
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(
        listing(),
        "-P FORWARD ACCEPT\n",
        "nothing is left where nothing drops"
    );
}

#[test]
fn forward_passes_the_rule_that_rejects_all_the_rest() {
    let world = World::forwarding();
    let stranger_pings = stranger(&world);
    let reject = "-j REJECT --reject-with icmp-host-prohibited";
    for policy in ["ACCEPT", "DROP"] {
        run(&world.node, &format!("iptables-nft -P FORWARD {policy}"));
        run(&world.node, &format!("iptables-nft -A FORWARD {reject}"));
        run(&world.node, "ip6tables-nft -A FORWARD -j REJECT");
        assert_eq!(world.pings(), (false, false));
        let others = ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
        assert!(others.is_empty(), "{others:?}");
        assert_eq!((world.pings(), stranger_pings()), ((true, true), false));
        let listing = || run(&world.node, "iptables-nft -S FORWARD");
        let first = listing();
        assert_eq!(first.lines().count(), 5, "{first}");
        assert!(first.trim_end().ends_with(reject), "{first}");
        ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
        assert_eq!(listing(), first);

        // Somebody else puts one before, and somebody a rule of his own behind.
        run(&world.node, &format!("iptables-nft -I FORWARD {reject}"));
        assert!(!world.pings().0);
        ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
        assert!(world.pings().0, "{}", listing());
        run(
            &world.node,
            "iptables-nft -I FORWARD 4 -s 10.244.1.2/32 -j DROP",
        );
        ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
        assert!(
            !world.pings().0,
            "rules of others decide first: {}",
            listing()
        );
        run(&world.node, "iptables-nft -F FORWARD");
        run(&world.node, "ip6tables-nft -F FORWARD");
    }
}

#[test]
fn forward_passes_a_chain_that_rejects_all() {
    let world = World::forwarding();
    // As ufw does it.
    run(&world.node, "iptables-nft -N ufw-reject-forward");
    run(&world.node, "iptables-nft -A ufw-reject-forward -j REJECT");
    run(&world.node, "iptables-nft -A FORWARD -j ufw-reject-forward");
    assert!(!world.pings().0);
    ensure(&world.node, &["10.244.0.0/16"]);
    assert!(world.pings().0);
}

#[test]
fn forward_mends_rules_whose_comments_lie() {
    let world = World::forwarding();
    run(&world.node, "iptables-nft -P FORWARD DROP");
    ensure(&world.node, &["10.244.0.0/16"]);
    let listing = || run(&world.node, "iptables-nft -S FORWARD");
    let first = listing();
    // As a restored copy of rules that are no longer wanted, in iptables' own form.
    run(&world.node, "iptables-nft -F FORWARD");
    for (side, word, ranges) in [("-s", "from", "10.8.0.0/16"), ("-d", "to", "10.8.0.0/16")] {
        let mut restore = Command::new("iptables-nft");
        restore.args(["-A", "FORWARD", side, ranges, "-m", "comment", "--comment"]);
        restore.arg(format!("signpost: {word} 10.244.0.0/16"));
        restore.args(["-j", "ACCEPT"]);
        assert!(
            world
                .node
                .run(move || restore.status())
                .unwrap()
                .unwrap()
                .success()
        );
    }
    ensure(&world.node, &["10.244.0.0/16"]);
    assert_eq!(listing(), first);
    assert!(world.pings().0);
}

#[test]
fn forward_passes_node_ports_that_lead_to_other_nodes() {
    let world = World::forwarding();
    // What is behind the pod's link is another node here, with a backend on its own network.
    run(&world.pod, "ip address add 10.9.0.2/32 dev eth0");
    run(&world.node, "ip route add 10.9.0.2/32 dev pod0");
    run(&world.node, "nft add table ip proxy");
    run(
        &world.node,
        "nft add chain ip proxy nodeports { type nat hook prerouting priority -100 ; }",
    );
    run(
        &world.node,
        "nft add rule ip proxy nodeports ip daddr 192.0.2.1 tcp dport 30080 dnat to 10.9.0.2:80",
    );
    let backend = world
        .pod
        .run(|| TcpListener::bind("10.9.0.2:80"))
        .unwrap()
        .unwrap();
    let connects = || {
        let node_port = "192.0.2.1:30080".parse().unwrap();
        let connect = move || TcpStream::connect_timeout(&node_port, Duration::from_secs(1));
        world.outside.run(connect).unwrap().is_ok()
    };
    assert!(connects());
    run(&world.node, "iptables-nft -P FORWARD DROP");
    assert!(!connects());
    ensure(&world.node, &["10.244.0.0/16"]);
    assert!(connects());
    // iptables refuses to list chains with expressions that it does not know.
    for listing in [
        "iptables-nft -S FORWARD",
        "iptables-nft -L FORWARD -n -v",
        "iptables-nft-save",
    ] {
        let text = run(&world.node, listing);
        assert!(
            text.contains("DNAT") && text.contains("10.244.0.0/16"),
            "{listing}: {text}"
        );
    }
    drop(backend);
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
    let others = ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert_eq!(
        others,
        BTreeSet::from([
            "nftables chain inet firewall routed drops forwarded packets by policy, those \
             of pods too if no rule before accepts them: add rules there that accept 10.244.0.0/16 \
             and fd00::/16"
                .to_owned()
        ])
    );
    assert_eq!(run(&world.node, "nft list ruleset"), before);
    for (side, word) in [("ip", "10.244.0.0/16"), ("ip6", "fd00::/16")] {
        let rule = format!("nft add rule inet firewall routed {side} saddr {word} accept");
        run(&world.node, &rule);
    }
    let others = ensure(&world.node, &["10.244.0.0/16", "fd00::/16"]);
    assert!(others.is_empty(), "somebody has seen to it: {others:?}");
    run(&world.node, "nft flush chain inet firewall routed");
    run(
        &world.node,
        "nft add table inet firewall { flags dormant; }",
    );
    assert!(ensure(&world.node, &["10.244.0.0/16"]).is_empty());
    assert_eq!(world.pings(), (true, true));
}

#[test]
fn forward_names_firewalld_and_how_it_lets_pods_pass() {
    let world = World::forwarding();
    // The end of what firewalld 1.3 writes.
    for command in [
        "add table inet firewalld",
        "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy accept ; }",
        "add rule inet firewalld filter_FORWARD ct state established,related accept",
        "add chain inet firewalld filter_FORWARD_ZONES",
        "add rule inet firewalld filter_FORWARD jump filter_FORWARD_ZONES",
        "add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited",
        "add chain inet firewalld filter_FWD_trusted",
        "add rule inet firewalld filter_FWD_trusted accept",
    ] {
        run(&world.node, &format!("nft {command}"));
    }
    assert_eq!(world.pings(), (false, false));
    let before = run(&world.node, "nft --stateless list ruleset");
    let others = ensure(&world.node, &["10.244.0.0/16"]);
    let [other] = others.iter().collect::<Vec<_>>()[..] else {
        panic!("{others:?}");
    };
    for part in [
        "inet firewalld filter_FORWARD",
        "by its rule `reject` (handle ",
        "`firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16` and `firewall-cmd --reload`",
    ] {
        assert!(other.contains(part), "{other}");
    }
    assert_eq!(run(&world.node, "nft --stateless list ruleset"), before);
    // What that makes firewalld write.
    run(
        &world.node,
        "nft add rule inet firewalld filter_FORWARD_ZONES ip saddr 10.244.0.0/16 goto filter_FWD_trusted",
    );
    assert!(world.pings().0);
    assert!(ensure(&world.node, &["10.244.0.0/16"]).is_empty());
}
