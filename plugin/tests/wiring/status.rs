//! STATUS.

use std::fs;

use serde_json::json;

use crate::node::{Node, Pod};

#[test]
fn status_says_whether_a_pod_could_be_added() {
    let mut node = Node::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready");
    node.config["cniVersion"] = json!("1.1.0");
    node.config["readyFile"] = json!(file);
    let before = node.call_bare("STATUS", &node.config);
    assert_eq!(before.json["code"], 50, "{}", before.json);
    assert!(
        before.json["details"]
            .as_str()
            .unwrap()
            .contains("signpost-node")
    );
    let subnets = node.config["subnets"].clone();
    fs::write(&file, json!({"subnets": subnets}).to_string()).unwrap();
    let ready = node.call_bare("STATUS", &node.config);
    assert!(ready.success && ready.json.is_null(), "{}", ready.json);

    let mut wrong = node.config.clone();
    wrong["subnets"] = json!([]);
    assert_eq!(node.call_bare("STATUS", &wrong).json["code"], 7);
    wrong = node.config.clone();
    wrong["cniVersion"] = json!("1.0.0");
    assert_eq!(node.call_bare("STATUS", &wrong).json["code"], 1);
}

#[test]
fn status_tells_of_a_full_node_only_where_that_is_wished() {
    let mut node = Node::new();
    node.config["cniVersion"] = json!("1.1.0");
    node.config["subnets"] = json!(["10.244.1.0/29", "fd00:0:0:1::/64"]);
    let pods = ["one", "two", "three", "four", "five"].map(Pod::new);
    let mut strict = node.config.clone();
    strict["fullIsUnavailable"] = json!(true);
    for pod in &pods {
        assert!(node.call_bare("STATUS", &strict).success);
        node.add(pod);
    }
    let full = node.call_bare("STATUS", &strict);
    assert_eq!(full.json["code"], 50, "{}", full.json);
    assert!(full.json["msg"].as_str().unwrap().contains("10.244.1.0/29"));
    assert!(node.call_bare("STATUS", &node.config).success);

    // ADD says who has the addresses, to be tried again.
    let refused = node.call("ADD", &Pod::new("six"), &node.config);
    assert_eq!(refused.json["code"], 11, "{}", refused.json);
    let message = refused.json["msg"].as_str().unwrap();
    assert!(
        message.contains("10.244.1.2 (one), 10.244.1.3 (two)"),
        "{message}"
    );
    node.del(&pods[2]);
    assert!(node.call_bare("STATUS", &strict).success);
}
