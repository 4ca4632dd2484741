//! Whose an address is, and for how long.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use crate::node::{Node, Pod, addresses, run};

/// Usable addresses of a /26 and of a /122.
const ADDRESSES: usize = 61;
const AT_ONCE: usize = 8;
const ROUNDS: usize = 45;

#[test]
fn a_claim_outlives_the_routes_of_its_pod() {
    let mut node = Node::new();
    // Room for five pods.
    node.config["subnets"] = json!(["10.244.1.0/29"]);
    let pods = ["one", "two", "three", "four", "five"].map(Pod::new);
    let results = pods.each_ref().map(|pod| node.add(pod));
    let interface = |result: &serde_json::Value| result["interfaces"][0]["name"].clone();
    for result in &results[..2] {
        let name = interface(result);
        let name = name.as_str().unwrap();
        run(&node.netns, &format!("ip link set {name} down"));
        run(&node.netns, &format!("ip link set {name} up"));
    }
    run(&node.netns, "ip route flush proto 144");
    assert_eq!(node.pod_routes(), [""; 0]);
    let refused = node.call("ADD", &Pod::new("six"), &node.config);
    assert_eq!(refused.json["code"], 11, "{}", refused.json);
    // It goes with the pod, and people find the pod by it.
    let shown = run(&node.netns, "ip -brief link show 10.244.1.3");
    assert!(
        shown.starts_with(interface(&results[1]).as_str().unwrap()),
        "{shown}"
    );
    node.del(&pods[1]);
    assert_eq!(addresses(&node.add(&Pod::new("seven"))), ["10.244.1.3"]);
}

#[test]
fn add_gives_out_nothing_that_is_the_node_s_or_that_somebody_else_reaches() {
    let node = Node::new();
    for command in [
        // Addresses of the node.
        "ip address add 10.244.1.2/32 dev lo",
        "ip address add fd00:0:0:1::2/128 dev lo",
        // Routes of another metric, and some that drop.
        "ip route add 10.244.1.3/32 dev uplink metric 100",
        "ip -6 route add fd00:0:0:1::3/128 dev uplink metric 100",
        "ip route add blackhole 10.244.1.4/32",
        "ip -6 route add blackhole fd00:0:0:1::4/128 metric 1024",
        // Pods on the bridge of another plugin.
        "ip link add cni0 type bridge",
        "ip link set cni0 up",
        "ip address add 10.244.1.1/24 dev cni0",
        "ip address add fd00:0:0:1::1/64 dev cni0 nodad",
        "ip neighbour add 10.244.1.5 lladdr 02:00:00:00:00:05 dev cni0 nud stale",
        "ip neighbour add fd00:0:0:1::5 lladdr 02:00:00:00:00:05 dev cni0 nud stale",
    ] {
        run(&node.netns, command);
    }
    let given = addresses(&node.add(&Pod::new("one")));
    assert_eq!(given, ["10.244.1.6", "fd00:0:0:1::6"]);
}

#[test]
fn freed_addresses_come_back_last_while_many_come_and_go_at_once() {
    let mut node = Node::new();
    node.config["subnets"] = json!(["10.244.1.0/26", "fd00:0:0:1::/122"]);
    let given: Mutex<Vec<Vec<String>>> = Mutex::default();
    thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (node, given) = (&node, &given);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let pod = Pod::new(&format!("pod-{number}-{round}"));
                    let addresses = addresses(&node.add(&pod));
                    given.lock().unwrap().push(addresses);
                    node.del(&pod);
                }
            });
        }
    });
    let given = given.into_inner().unwrap();
    for family in 0..2 {
        let given: Vec<&str> = given.iter().map(|pod| pod[family].as_str()).collect();
        let used: HashSet<&str> = given.iter().copied().collect();
        assert!(
            used.len() * 10 > ADDRESSES * 9,
            "{} addresses were used",
            used.len()
        );
        let mut last = HashMap::new();
        let turns = given.iter().enumerate();
        let mut gaps: Vec<usize> = turns
            .filter_map(|(turn, address)| last.insert(address, turn).map(|before| turn - before))
            .collect();
        gaps.sort_unstable();
        let median = gaps[gaps.len() / 2];
        // Those that live meanwhile are passed over.
        assert!(
            median >= ADDRESSES - AT_ONCE,
            "the same one came back after {median} pods"
        );
    }
}

#[test]
fn the_node_talks_to_its_pods_from_its_own_address() {
    let mut node = Node::new();
    // Lower numbers, and first in line.
    run(&node.netns, "ip address add 10.0.0.1/32 dev lo");
    run(&node.netns, "ip address add 2001:db8::1/128 dev lo");
    node.config["nodeAddresses"] = json!(["192.0.2.10", "2001:db8::10"]);
    let one = Pod::new("one");
    let given = addresses(&node.add(&one));
    for (address, source) in given.iter().zip(["192.0.2.10", "2001:db8::10"]) {
        let way = run(&node.netns, &format!("ip route get {address}"));
        assert!(way.contains(&format!("src {source}")), "{way}");
    }
    // One that the machine has not, or not yet, is no reason to have no pods.
    node.config["nodeAddresses"] = json!(["198.51.100.1", "2001:db8::99"]);
    let two = Pod::new("two");
    node.add(&two);
    assert!(two.pings("192.0.2.10") && two.pings("2001:db8::10"));
}
