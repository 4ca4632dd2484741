//! A node that may not have pods yet.

use std::fs;

use serde_json::json;

use crate::node::{Node, Pod};

#[test]
fn add_waits_until_the_node_is_ready_since_this_boot() {
    let mut node = Node::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready");
    node.config["readyFile"] = json!(file);
    let subnets = node.config["subnets"].clone();
    let pod = Pod::new("one");
    for (content, word) in [
        (None, "cannot be read"),
        (Some(json!("half")), "has something else"),
        (Some(json!({"subnets": ["10.244.9.0/24"]})), "10.244.9.0/24"),
    ] {
        if let Some(content) = content {
            fs::write(&file, content.to_string()).unwrap();
        }
        let answer = node.call("ADD", &pod, &node.config);
        assert!(!answer.success);
        assert_eq!(answer.json["code"], 11, "{}", answer.json);
        let message = answer.json["msg"].as_str().unwrap();
        assert!(message.contains(word), "{message}");
        assert_ne!(answer.json["details"], "");
        assert_eq!(node.pod_interfaces(), [""; 0]);
    }
    // Whatever the file says, pods go.
    node.del(&pod);
    fs::write(&file, json!({"subnets": subnets}).to_string()).unwrap();
    let result = node.add(&pod);
    fs::remove_file(&file).unwrap();
    assert!(
        node.check(&pod, &result).success,
        "and those that run are as they were"
    );
    node.del(&pod);
}
