//! Calls that get less than they need: no second thread, no answer, no sleep, a refusal.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::node::{Answer, Node, Pod, run};

/// A control group in which one process with one thread may run.
struct OneThread {
    folder: PathBuf,
}

impl OneThread {
    fn new() -> Self {
        let root = PathBuf::from("/sys/fs/cgroup");
        // One hierarchy for each controller, or one for all.
        let parent = if root.join("pids").exists() {
            root.join("pids")
        } else {
            fs::write(root.join("cgroup.subtree_control"), "+pids").unwrap();
            root
        };
        let folder = parent.join(format!("signpost-cni-test-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("pids.max"), "1").unwrap();
        Self { folder }
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The plugin's program behind another one that starts it.
fn behind(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(env!("CARGO_BIN_EXE_signpost-cni"));
    command
}

impl Node {
    /// ADD that loses the answer of this number, counted from 1.
    fn add_losing(&self, number: u32, pod: &Pod) -> Answer {
        let inject = format!("inject=recvfrom:error=ENOBUFS:when={number}");
        let strace = [
            "-qqq",
            "-o",
            "/dev/null",
            "-e",
            "trace=recvfrom",
            "-e",
            &inject,
        ];
        Answer::from(self.run(&mut behind("strace", &strace), "ADD", pod, &self.config))
    }
}

#[test]
fn a_pod_comes_and_goes_where_no_thread_is_to_be_had() {
    let node = Node::new();
    let group = OneThread::new();
    let procs = group.folder.join("cgroup.procs").display().to_string();
    let enter = "echo $$ > \"$0\" && exec \"$1\"";
    let pod = Pod::new("one");
    let call = |verb: &str, config: &Value| {
        let mut command = behind("sh", &["-c", enter, &procs]);
        Answer::from(node.run(&mut command, verb, &pod, config))
    };
    let added = call("ADD", &node.config);
    assert!(added.success, "{}", added.json);
    let mut config = node.config.clone();
    config["prevResult"] = added.json;
    let checked = call("CHECK", &config);
    assert!(checked.success, "{}", checked.json);
    let deleted = call("DEL", &node.config);
    assert!(deleted.success, "{}", deleted.json);
    assert!(node.pod_interfaces().is_empty());
}

#[test]
fn whichever_answer_of_the_kernel_is_lost_nothing_is_left_and_json_is_said() {
    lose_each_answer(&[]);
}

#[test]
fn nothing_is_left_of_a_further_interface_either() {
    // A way out that the pod has already.
    lose_each_answer(&[
        "ip link add first type bridge",
        "ip link set first up",
        "ip route add default dev first",
        "ip -6 route add default dev first",
    ]);
}

fn lose_each_answer(preparation: &[&str]) {
    let node = Node::new();
    let mut needed = 0;
    for number in 1.. {
        let pod = Pod::new(&format!("pod-{number}"));
        for command in preparation {
            run(&pod.netns, command);
        }
        let show = ["ip -o link show", "ip -4 rule show", "ip -6 rule show"];
        let before = show.map(|command| run(&pod.netns, command).lines().count());
        let answer = node.add_losing(number, &pod);
        if answer.success {
            // There were no more answers than those before.
            node.del(&pod);
            break;
        }
        needed = number;
        assert_eq!(answer.json["code"], 5, "{number}: {}", answer.json);
        assert_eq!(node.pod_interfaces(), [""; 0], "{number}");
        assert_eq!(node.pod_routes(), [""; 0], "{number}");
        let after = show.map(|command| run(&pod.netns, command).lines().count());
        assert_eq!(after, before, "{number}: {show:?}");
    }
    assert!(needed > 15, "{needed} answers were lost");
}

#[test]
fn a_lost_answer_costs_no_pod_that_is_there() {
    let node = Node::new();
    let pod = Pod::new("one");
    let result = node.add(&pod);
    for number in 1..=12 {
        let again = node.add_losing(number, &pod);
        assert!(!again.success, "{number}: {}", again.json);
        assert!(node.check(&pod, &result).success, "{number}");
    }
}

#[test]
fn a_fault_of_the_program_leaves_nothing_and_json_is_said() {
    let node = Node::new();
    let pod = Pod::new("one");
    node.add(&pod);
    node.del(&pod);
    // Somebody else chooses an address just now. The standard library panics where it cannot sleep.
    let folder = node.config["runDir"].as_str().unwrap();
    let cursor = File::open(format!("{folder}/signpost/last-ipv4")).unwrap();
    cursor.lock().unwrap();
    let inject = "inject=nanosleep,clock_nanosleep:error=EINVAL";
    let strace = ["-qqq", "-o", "/dev/null", "-e", inject];
    let output = node.run(&mut behind("strace", &strace), "ADD", &pod, &node.config);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("panicked at"), "{said}");
    let answer = Answer::from(output);
    assert!(!answer.success);
    assert_eq!(answer.json["code"], 999, "{}", answer.json);
    assert_eq!(answer.json["cniVersion"], "1.0.0");
    assert_eq!(node.pod_interfaces(), [""; 0]);
    cursor.unlock().unwrap();
    node.add(&pod);
}

#[test]
fn what_is_refused_among_what_is_sent_together_is_named_and_nothing_is_left() {
    let mut node = Node::new();
    node.config["subnets"] = json!(["10.244.1.0/24"]);
    let pod = Pod::new("one");
    // No way out, so that the pod's interface counts as its first, but in the way of one.
    run(&pod.netns, "ip route add unreachable default");
    let answer = node.call("ADD", &pod, &node.config);
    assert!(!answer.success);
    assert_eq!(answer.json["code"], 5);
    let message = answer.json["msg"].as_str().unwrap();
    assert!(message.starts_with("add route 0.0.0.0/0: "), "{message}");
    assert_eq!(node.pod_interfaces(), [""; 0]);
    assert_eq!(node.pod_routes(), [""; 0]);
    run(&pod.netns, "ip route del unreachable default");
    node.add(&pod);
}
