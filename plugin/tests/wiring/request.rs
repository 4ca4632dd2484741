//! What a runtime asks for one pod.

use serde_json::{Value, json};

use crate::node::{Answer, Node, Pod, addresses, json as listing, run};

/// The first pod gets what it asks for; the answer.
fn asked(node: &Node, pod: &Pod, runtime: Value) -> Answer {
    let mut config = node.config.clone();
    config["runtimeConfig"] = runtime;
    node.call("ADD", pod, &config)
}

#[test]
fn a_pod_gets_the_addresses_asked_for_and_others_go_round_them() {
    let node = Node::new();
    let one = Pod::new("one");
    let answer = asked(&node, &one, json!({"ips": ["10.244.1.2/24"]}));
    assert!(answer.success, "{}", answer.json);
    assert_eq!(addresses(&answer.json), ["10.244.1.2", "fd00:0:0:1::2"]);
    let two = Pod::new("two");
    assert_eq!(addresses(&node.add(&two)), ["10.244.1.3", "fd00:0:0:1::3"]);
    assert!(two.pings("10.244.1.2"));
    node.del(&one);
    let three = Pod::new("three");
    let ips = json!({"ips": ["fd00:0:0:1::2", "10.244.1.2"]});
    let answer = asked(&node, &three, ips);
    assert_eq!(addresses(&answer.json), ["10.244.1.2", "fd00:0:0:1::2"]);
    let checked = node.check(&three, &answer.json);
    assert!(checked.success, "{}", checked.json);
}

#[test]
fn an_address_that_is_taken_is_refused_with_who_has_it() {
    let node = Node::new();
    let one = Pod::new("one");
    let result = node.add(&one);
    run(&node.netns, "ip address add 10.244.1.7/32 dev lo");
    run(&node.netns, "ip route add 10.244.1.8/32 dev uplink");
    let host = node.pod_interfaces().remove(0);
    let alias = format!(
        "eth0 {} one",
        result["interfaces"][1]["mac"].as_str().unwrap()
    );
    let two = Pod::new("two");
    for (ip, who) in [
        ("10.244.1.2", format!("{host} ({alias})")),
        ("fd00:0:0:1::2", format!("{host} ({alias})")),
        ("10.244.1.7", "the node's own".into()),
        ("10.244.1.8", "uplink".into()),
    ] {
        let answer = asked(&node, &two, json!({"ips": [ip]}));
        let message = answer.json["msg"].as_str().unwrap();
        assert!(message.contains(ip) && message.contains(&who), "{message}");
        assert_eq!(answer.json["code"], 103, "{message}");
        assert_eq!(node.pod_interfaces(), [host.as_str()], "{ip}");
    }
    let answer = asked(&node, &two, json!({"ips": ["10.244.1.255"]}));
    assert_eq!(answer.json["code"], 7, "{}", answer.json);
}

#[test]
fn a_pod_gets_the_hardware_address_asked_for_and_is_checked_and_removed_with_it() {
    let node = Node::new();
    let pod = Pod::new("one");
    let mac = "02:00:00:00:00:99";
    let answer = asked(&node, &pod, json!({"mac": mac}));
    assert_eq!(answer.json["interfaces"][1]["mac"], mac, "{}", answer.json);
    let shown = &listing(&pod.netns, "ip -json link show eth0")[0];
    assert_eq!(shown["address"], mac);
    let host = node.pod_interfaces().remove(0);
    let shown = &listing(&node.netns, &format!("ip -json link show {host}"))[0];
    assert_eq!(shown["ifalias"], format!("eth0 {mac} one"));
    for address in addresses(&answer.json) {
        assert!(node.pings(&address), "{address}");
    }
    let mut config = node.config.clone();
    config["runtimeConfig"] = json!({"mac": mac});
    config["prevResult"] = answer.json;
    let checked = node.call("CHECK", &pod, &config);
    assert!(checked.success, "{}", checked.json);
    // Neither by its name nor by the hardware address that it would have had.
    run(&node.netns, &format!("ip link set {host} down"));
    run(&node.netns, &format!("ip link set {host} name strange"));
    node.del(&pod);
    assert!(!run(&node.netns, "ip -o link show").contains("strange"));
}

#[test]
fn the_environment_may_ask_too_and_its_unknown_keys_are_refused() {
    let node = Node::new();
    let pod = Pod::new("one");
    let add = |args: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_signpost-cni"));
        command.env_clear().env("CNI_ARGS", args);
        Answer::from(node.run(&mut command, "ADD", &pod, &node.config))
    };
    let refused = add("IP=10.244.1.9;K8S_POD_NAME=web");
    assert_eq!(refused.json["code"], 4, "{}", refused.json);
    let message = refused.json["msg"].as_str().unwrap();
    assert!(message.contains("K8S_POD_NAME"), "{message}");
    let args = "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.244.1.9;MAC=02:00:00:00:00:09";
    let result = add(args).json;
    assert_eq!(addresses(&result)[0], "10.244.1.9");
    assert_eq!(result["interfaces"][1]["mac"], "02:00:00:00:00:09");
}
