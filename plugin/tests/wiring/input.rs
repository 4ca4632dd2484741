//! What the program makes of standard input and of the configuration's optional keys.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{Node, Pod, run};

const PLUGIN: &str = env!("CARGO_BIN_EXE_signpost-cni");

/// What the plugin answers to `input` for VERSION.
fn answer(input: &[u8]) -> Value {
    let mut child = Command::new(PLUGIN)
        .env_clear()
        .env("CNI_COMMAND", "VERSION")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The plugin may have enough before the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn input_that_is_too_large_or_no_text_is_not_decoded() {
    for input in [vec![b' '; 2 << 20], b"{\"cniVersion\": \"\xff\"}".to_vec()] {
        let answer = answer(&input);
        assert_eq!(answer["code"], 6, "{answer}");
        assert_ne!(answer["details"], "", "{answer}");
    }
}

#[test]
fn input_from_a_terminal_is_not_waited_for_but_help_is_shown() {
    let mut command = Command::new("script");
    let arguments = ["--quiet", "--return", "--command", PLUGIN, "/dev/null"];
    let output = command
        .args(arguments)
        .env_remove("CNI_COMMAND")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("CNI_CONTAINERID"), "{shown}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn keys_that_are_null_count_as_absent() {
    let mut node = Node::new();
    for key in ["mode", "logFile", "prevResult", "ipam"] {
        node.config[key] = Value::Null;
    }
    let pod = Pod::new("one");
    let mut result = node.add(&pod);
    result["dns"] = Value::Null;
    result["interfaces"][0]["sandbox"] = Value::Null;
    let checked = node.check(&pod, &result);
    assert!(checked.success, "{}", checked.json);
    node.del(&pod);
    node.config["subnets"] = Value::Null;
    let refused = node.call("ADD", &pod, &node.config);
    assert_eq!(refused.json["code"], 7);
    assert!(
        refused.json["msg"]
            .as_str()
            .unwrap()
            .contains("subnets: is missing")
    );
}

#[test]
fn a_log_that_is_no_regular_file_neither_holds_up_nor_fails() {
    let mut node = Node::new();
    let folder = std::env::temp_dir().join(format!("signpost-cni-test-log-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let fifo = folder.join("fifo");
    run(&node.netns, &format!("mkfifo {}", fifo.display()));
    for (number, path) in [&fifo, &folder].into_iter().enumerate() {
        node.config["logFile"] = json!(path);
        let pod = Pod::new(&format!("pod-{number}"));
        let mut child = node.spawn("ADD", &pod, &node.config);
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{path:?}: {said}");
        assert!(said.contains("WARN") && said.contains("logFile"), "{said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
