//! CHECK.

use serde_json::{Value, json};

use crate::node::{Node, Pod, run};

#[test]
fn check_passes_what_add_has_made() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    let answer = node.check(&pod, &result);
    assert_eq!((answer.success, answer.json), (true, Value::Null));
}

#[test]
fn check_tolerates_what_later_plugins_add() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    run(&pod.netns, "ip address add 198.51.100.9/32 dev eth0");
    run(&pod.netns, "ip route add 198.51.100.0/24 dev eth0");
    run(&pod.netns, "ip link set eth0 mtu 1300");
    assert!(node.check(&pod, &result).success);
}

/// Damages the wiring and tells what CHECK must name.
fn damages(host: &str) -> Vec<(bool, String, &'static str)> {
    let in_pod = |command: &str, named| (true, command.to_owned(), named);
    let on_node = |command: String, named| (false, command, named);
    vec![
        in_pod("ip link set lo down", "loopback"),
        in_pod("ip link set eth0 down", "eth0 is down"),
        in_pod("ip link del eth0", "no interface eth0"),
        in_pod(
            "ip address del 10.244.1.2/32 dev eth0",
            "lost address 10.244.1.2",
        ),
        in_pod(
            "ip address del fd00:0:0:1::2/128 dev eth0",
            "lost address fd00:0:0:1::2",
        ),
        in_pod("ip -4 route del default", "0.0.0.0/0 via 169.254.1.1"),
        in_pod("ip route del 169.254.1.1", "no route 169.254.1.1/32 over"),
        in_pod("ip -6 route del default", "::/0 via fe80::1"),
        in_pod(
            "ip neighbour del 169.254.1.1 dev eth0",
            "neighbour entry for 169.254.1.1",
        ),
        in_pod(
            "ip neighbour del fe80::1 dev eth0",
            "neighbour entry for fe80::1",
        ),
        on_node(format!("ip link set {host} down"), "is down"),
        on_node(
            format!("ip link set {host} address 02:00:00:00:00:99"),
            "hardware address",
        ),
        on_node(
            format!("ip route del 10.244.1.2/32 dev {host}"),
            "no route to 10.244.1.2",
        ),
        on_node(
            format!("ip -6 route del fd00:0:0:1::2/128 dev {host}"),
            "no route to fd00:0:0:1::2",
        ),
        on_node(
            format!("busybox sysctl -qw net.ipv4.conf.{host}.rp_filter=0"),
            "rp_filter is 0 and not 1",
        ),
        on_node(
            format!("busybox sysctl -qw net.ipv6.conf.{host}.accept_ra=2"),
            "accept_ra is 2 and not 0",
        ),
    ]
}

#[test]
fn check_names_each_damage() {
    for number in 0..damages("x").len() {
        let node = Node::new();
        let pod = Pod::new("one");
        let result = node.add(&pod);
        let host = node.pod_interfaces().remove(0);
        let (in_pod, command, named) = damages(&host).remove(number);
        run(if in_pod { &pod.netns } else { &node.netns }, &command);
        let answer = node.check(&pod, &result);
        assert_eq!(
            (answer.success, &answer.json["code"]),
            (false, &json!(102)),
            "{command}"
        );
        let details = answer.json["details"].as_str().unwrap();
        assert!(details.contains(named), "{command}: {details}");
    }
}

#[test]
fn check_notices_a_pair_that_is_not_the_one() {
    let node = Node::new();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    let result = node.add(&one);
    node.add(&two);
    // The result of one pod with the namespace of the other.
    let swapped = Pod {
        netns: two.netns,
        id: one.id,
    };
    let answer = node.check(&swapped, &result);
    assert_eq!((answer.success, &answer.json["code"]), (false, &json!(102)));
    assert!(
        answer.json["details"]
            .as_str()
            .unwrap()
            .contains("not connected"),
        "{}",
        answer.json
    );
}

#[test]
fn check_needs_the_result_of_add_and_a_version_that_has_it() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    let answer = node.call("CHECK", &pod, &node.config);
    assert_eq!((answer.success, &answer.json["code"]), (false, &json!(7)));
    assert!(answer.json["msg"].as_str().unwrap().contains("prevResult"));
    let mut old = node.config.clone();
    old["cniVersion"] = json!("0.3.1");
    old["prevResult"] = result;
    let answer = node.call("CHECK", &pod, &old);
    assert_eq!((answer.success, &answer.json["code"]), (false, &json!(1)));
}
