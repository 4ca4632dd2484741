//! What a pod sends does not change the node, whatever its interfaces inherit.

use serde_json::json;

use crate::node::{Node, Pod, run};

/// The opposite of everything, for interfaces that are made from now on.
const INHERITED: [&str; 12] = [
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.default.accept_redirects=1",
    "net.ipv4.conf.default.accept_source_route=1",
    "net.ipv4.conf.default.accept_local=1",
    "net.ipv4.conf.default.send_redirects=1",
    "net.ipv4.conf.default.forwarding=0",
    "net.ipv6.conf.default.accept_ra=2",
    "net.ipv6.conf.default.accept_redirects=1",
    "net.ipv6.conf.default.accept_source_route=1",
    "net.ipv6.conf.default.accept_dad=1",
    "net.ipv6.conf.default.addr_gen_mode=0",
    "net.ipv6.conf.default.forwarding=0",
];

/// What the node's end must have, by families of the network.
const ALWAYS: [&str; 11] = [
    "net.ipv4.conf.rp_filter=1",
    "net.ipv4.conf.accept_redirects=0",
    "net.ipv4.conf.accept_source_route=0",
    "net.ipv4.conf.accept_local=0",
    "net.ipv4.conf.send_redirects=0",
    "net.ipv4.conf.forwarding=1",
    "net.ipv4.conf.proxy_arp=1",
    "net.ipv4.neigh.proxy_delay=0",
    "net.ipv6.conf.accept_ra=0",
    "net.ipv6.conf.accept_redirects=0",
    "net.ipv6.conf.accept_source_route=-1",
];
const WITH_IPV6: [&str; 4] = [
    "net.ipv6.conf.disable_ipv6=0",
    "net.ipv6.conf.accept_dad=0",
    "net.ipv6.conf.addr_gen_mode=1",
    "net.ipv6.conf.forwarding=1",
];
const WITHOUT_IPV6: [&str; 1] = ["net.ipv6.conf.disable_ipv6=1"];

fn has(node: &Node, host: &str, settings: &[&str]) {
    for setting in settings {
        let (name, value) = setting.split_once('=').unwrap();
        let (family, key) = name.rsplit_once('.').unwrap();
        let path = format!("/proc/sys/{}/{host}/{key}", family.replace('.', "/"));
        assert_eq!(
            run(&node.netns, &format!("cat {path}")).trim(),
            value,
            "{path}"
        );
    }
}

#[test]
fn the_nodes_end_has_its_settings_whatever_it_inherits() {
    let families = [
        json!(["10.244.1.0/24", "fd00:0:0:1::/64"]),
        json!(["10.244.1.0/24"]),
        json!(["fd00:0:0:1::/64"]),
    ];
    for subnets in families {
        for disabled in [0, 1] {
            let mut node = Node::new();
            for setting in INHERITED {
                run(&node.netns, &format!("busybox sysctl -qw {setting}"));
            }
            let disable =
                format!("busybox sysctl -qw net.ipv6.conf.default.disable_ipv6={disabled}");
            run(&node.netns, &disable);
            node.config["subnets"] = subnets.clone();
            let pod = Pod::new("one");
            let result = node.add(&pod);
            let host = node.pod_interfaces().remove(0);
            has(&node, &host, &ALWAYS);
            let ipv6 = subnets.to_string().contains("fd00");
            has(&node, &host, if ipv6 { &WITH_IPV6 } else { &WITHOUT_IPV6 });
            let checked = node.check(&pod, &result);
            assert!(checked.success, "{subnets}: {}", checked.json);
        }
    }
}

/// A link-local address of the node on a pod's link would let the pod reach what listens on all addresses.
#[test]
fn a_pod_without_ipv6_reaches_no_link_local_address_of_the_node() {
    let mut node = Node::new();
    node.config["subnets"] = json!(["10.244.1.0/24"]);
    let pod = Pod::new("one");
    node.add(&pod);
    let host = node.pod_interfaces().remove(0);
    let addresses = run(&node.netns, &format!("ip -6 address show dev {host}"));
    assert_eq!(addresses, "", "the node's end");
}

#[test]
fn pods_have_ipv6_where_the_node_turns_it_off_for_all_interfaces() {
    let node = Node::new();
    for scope in ["default", "all"] {
        let disable = format!("busybox sysctl -qw net.ipv6.conf.{scope}.disable_ipv6=1");
        run(&node.netns, &disable);
    }
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    for pod in [&one, &two] {
        for scope in ["default", "all"] {
            let disable = format!("busybox sysctl -qw net.ipv6.conf.{scope}.disable_ipv6=1");
            run(&pod.netns, &disable);
        }
        let result = node.add(pod);
        let checked = node.check(pod, &result);
        assert!(checked.success, "{}", checked.json);
    }
    assert!(one.pings("fd00:0:0:1::3") && two.pings("fd00:0:0:1::2"));
    assert!(one.pings("10.244.1.3"));
}
