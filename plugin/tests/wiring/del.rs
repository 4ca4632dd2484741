//! DEL.

use serde_json::{Value, json};

use crate::node::{Answer, Node, Pod, addresses, run};

#[test]
fn del_takes_everything_away_and_may_be_repeated() {
    let node = Node::new();
    let pod = Pod::new("one");
    node.add(&pod);
    node.del(&pod);
    assert!(node.pod_interfaces().is_empty());
    assert!(node.pod_routes().is_empty());
    assert_eq!(
        run(&pod.netns, "ip -o link show").lines().count(),
        1,
        "only loopback"
    );
    node.del(&pod);
}

#[test]
fn del_succeeds_without_the_namespace() {
    let node = Node::new();
    let pod = Pod::new("one");
    for path in ["/run/netns/no-such-namespace", "/etc/hostname", ""] {
        node.add(&pod);
        let child = node.spawn_with("DEL", &pod, &node.config, path);
        let answer = Answer::from(child.wait_with_output().unwrap());
        assert!(answer.success, "{path}: {}", answer.json);
        assert!(node.pod_interfaces().is_empty(), "{path}");
        let child = node.spawn_with("DEL", &pod, &node.config, path);
        assert!(
            child.wait_with_output().unwrap().status.success(),
            "{path} again"
        );
    }
}

#[test]
fn del_succeeds_with_a_configuration_that_has_become_invalid() {
    let node = Node::new();
    let pod = Pod::new("one");
    node.add(&pod);
    let config = json!({"cniVersion": "1.0.0", "name": "signpost", "subnets": "none", "mode": "?"});
    assert!(node.call("DEL", &pod, &config).success);
    assert!(node.pod_interfaces().is_empty());
}

#[test]
fn del_finds_the_pair_when_the_nodes_end_was_renamed() {
    let node = Node::new();
    let pod = Pod::new("one");
    node.add(&pod);
    let name = node.pod_interfaces().remove(0);
    run(&node.netns, &format!("ip link set {name} down"));
    run(&node.netns, &format!("ip link set {name} name strange"));
    node.del(&pod);
    assert_eq!(
        run(&pod.netns, "ip -o link show").lines().count(),
        1,
        "only loopback"
    );
}

#[test]
fn del_leaves_other_pods_alone() {
    let node = Node::new();
    let (one, two) = (Pod::new("one"), Pod::new("two"));
    node.add(&one);
    let result = node.add(&two);
    node.del(&one);
    assert!(node.check(&two, &result).success);
}

#[test]
fn del_leaves_a_pod_alone_whose_namespace_it_is_told_by_mistake() {
    let node = Node::new();
    let (one, stranger) = (Pod::new("one"), Pod::new("stranger"));
    let result = node.add(&one);
    // The path of a process that ended and whose number another one has by now.
    let child = node.spawn_with("DEL", &stranger, &node.config, &one.path());
    assert!(child.wait_with_output().unwrap().status.success());
    let answer = node.check(&one, &result);
    assert!(answer.success, "{}", answer.json);
}

#[test]
fn del_and_version_answer_as_the_specification_says() {
    let node = Node::new();
    let pod = Pod::new("one");
    let answer = node.call("VERSION", &pod, &json!({"cniVersion": "0.4.0"}));
    assert_eq!(answer.json["cniVersion"], "0.4.0");
    assert_eq!(answer.json["supportedVersions"][4], "1.1.0");
    let answer = node.call(
        "DEL",
        &pod,
        &json!({"cniVersion": "1.0.0", "name": "signpost"}),
    );
    assert_eq!((answer.success, answer.json), (true, Value::Null));
}

#[test]
fn check_and_del_find_what_an_earlier_version_has_made() {
    let node = Node::new();
    let pod = Pod::new("one");
    let mut result = node.add(&pod);
    let name = node.pod_interfaces().remove(0);
    let former = name.replace("sgn", "pod");
    // The kernel renames no interface that is up, and takes its routes when it goes down.
    for command in [
        format!("ip link set {name} down"),
        format!("ip link set {name} name {former}"),
        format!("ip link set {former} up"),
        format!("ip route add 10.244.1.2/32 dev {former} proto 144 scope link"),
        format!("ip -6 route add fd00:0:0:1::2/128 dev {former} proto 144"),
    ] {
        run(&node.netns, &command);
    }
    result["interfaces"][0]["name"] = former.clone().into();
    let checked = node.check(&pod, &result);
    assert!(checked.success, "{}", checked.json);
    // The runtime may know no namespace any more: then nothing but the name is left to go by.
    let child = node.spawn_with("DEL", &pod, &node.config, "");
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(!run(&node.netns, "ip link show").contains(&former));
    assert!(node.pod_routes().is_empty());
}

#[test]
fn del_frees_names_and_addresses_before_it_returns() {
    let mut node = Node::new();
    // Two addresses: one that is not free yet would be missed.
    node.config["subnets"] = json!(["10.244.1.0/30", "fd00:0:0:1::/126"]);
    let pod = Pod::new("one");
    for _ in 0..50 {
        assert_eq!(addresses(&node.add(&pod))[0], "10.244.1.2");
        node.del(&pod);
        assert_eq!(node.pod_interfaces(), [""; 0]);
        assert_eq!(node.pod_routes(), [""; 0]);
        assert_eq!(run(&pod.netns, "ip -o link show").lines().count(), 1);
    }
}

#[test]
fn del_of_another_network_leaves_the_interface_of_this_one() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    let mut other = node.config.clone();
    other["name"] = json!("other");
    assert!(node.call("DEL", &pod, &other).success);
    assert!(node.check(&pod, &result).success);
}
