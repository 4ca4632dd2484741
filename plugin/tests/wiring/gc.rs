//! GC.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::node::{Answer, Node, Pod, addresses, run};

/// A node of CNI 1.1.0 with pods.
fn with_pods(names: &[&str]) -> (Node, Vec<Pod>) {
    let mut node = Node::new();
    node.config["cniVersion"] = json!("1.1.0");
    let pods: Vec<_> = names.iter().map(|name| Pod::new(name)).collect();
    for pod in &pods {
        node.add(pod);
    }
    (node, pods)
}

fn gc(node: &Node, keys: &Value) -> Answer {
    let mut config = node.config.clone();
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    node.call_bare("GC", &config)
}

fn living(names: &[&str]) -> Value {
    let attachment = |name| json!({"containerID": name, "ifname": "eth0"});
    names.iter().map(attachment).collect()
}

fn wired(pods: &[Pod]) -> Vec<&str> {
    let has = |pod: &&Pod| run(&pod.netns, "ip -o link show").contains("eth0");
    pods.iter().filter(has).map(|pod| pod.id.as_str()).collect()
}

#[test]
fn gc_removes_at_once_whatever_does_not_live() {
    for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
        let (node, pods) = with_pods(&["one", "two", "three", "four"]);
        // Of another network, and of no network.
        let mut other = node.config.clone();
        other["name"] = json!("other");
        let stranger = Pod::new("stranger");
        let added = node.call("ADD", &stranger, &other);
        assert!(added.success, "{}", added.json);
        run(
            &node.netns,
            "ip link add sgnaaaaaaaaaaaa type veth peer name peer",
        );
        let before = node.pod_interfaces().len();
        let answer = gc(&node, &json!({key: living(&["two", "four", "gone"])}));
        assert!(answer.success && answer.json.is_null(), "{}", answer.json);
        assert_eq!(wired(&pods), ["two", "four"]);
        assert_eq!(wired(&[stranger]), ["stranger"]);
        assert_eq!(node.pod_interfaces().len(), before - 2);
        // Their addresses are free again, the others' are not.
        let mut given = HashSet::new();
        for name in ["five", "six"] {
            given.extend(addresses(&node.add(&Pod::new(name))));
        }
        assert!(
            !given.contains("10.244.1.3") && !given.contains("10.244.1.5"),
            "{given:?}"
        );

        let emptied = gc(&node, &json!({key: []}));
        assert!(emptied.success, "{}", emptied.json);
        assert_eq!(wired(&pods), [""; 0]);
    }
}

#[test]
fn gc_removes_nothing_for_want_of_a_list() {
    let (mut node, pods) = with_pods(&["one", "two"]);
    for keys in [
        json!({}),
        json!({"cni.dev/valid-attachments": null}),
        json!({"cni.dev/valid-attachments": null, "cni.dev/attachments": null}),
    ] {
        let answer = gc(&node, &keys);
        assert!(answer.success, "{keys}: {}", answer.json);
        assert_eq!(wired(&pods), ["one", "two"], "{keys}");
    }
    for keys in [
        json!({"cni.dev/valid-attachments": "one"}),
        json!({"cni.dev/valid-attachments": [{"containerID": "one"}]}),
        json!({"cni.dev/attachments": [1]}),
    ] {
        let answer = gc(&node, &keys);
        assert_eq!(answer.json["code"], 7, "{}", answer.json);
        assert!(
            answer.json["msg"].as_str().unwrap().contains("cni.dev/"),
            "{}",
            answer.json
        );
        assert_eq!(wired(&pods), ["one", "two"], "{keys}");
    }
    node.config["cniVersion"] = json!("1.0.0");
    let answer = gc(&node, &json!({"cni.dev/valid-attachments": []}));
    assert_eq!(answer.json["code"], 1, "{}", answer.json);
    assert_eq!(wired(&pods), ["one", "two"]);
}

#[test]
fn gc_passes_over_a_group_that_is_taken() {
    let (node, pods) = with_pods(&["one", "two"]);
    run(&node.netns, "ip link add theirs type bridge");
    run(
        &node.netns,
        &format!("ip link set theirs group {}", 0x5160_0000),
    );
    let answer = gc(
        &node,
        &json!({"cni.dev/valid-attachments": living(&["one"])}),
    );
    assert!(answer.success, "{}", answer.json);
    assert_eq!(wired(&pods), ["one"]);
    run(&node.netns, "ip link show theirs");
}
