//! The same many times over: calls that are killed anywhere, many at once, and senseless input.
//!
//! A run has few of them. More, and others with another seed, are asked for by the environment:
//! `SIGNPOST_KILLS=10000 SIGNPOST_ADDS=1000 SIGNPOST_INPUTS=20000 SIGNPOST_SEED=7 cargo test -p signpost-cni many`.

use std::collections::HashSet;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::node::{Answer, Node, Pod, addresses, run};

/// The time within which calls of a verb are killed, which follows how long they take: three of four are hit, and so any
/// of a call's steps is as likely as another.
struct Window {
    longest: Duration,
    hit: u32,
}

impl Window {
    fn new() -> Self {
        let longest = Duration::from_millis(4);
        Self { longest, hit: 0 }
    }

    /// Kills a call somewhere.
    fn kill(&mut self, mut call: Child, random: &mut Rng) {
        thread::sleep(self.longest.mul_f64(random.f64()));
        call.kill().unwrap();
        let hit = !call.wait().unwrap().success();
        self.hit += u32::from(hit);
        self.longest = self.longest.mul_f64(if hit { 1.01 } else { 0.97 });
    }
}

fn count(variable: &str, usual: usize) -> usize {
    let asked = std::env::var(variable);
    asked.map_or(usual, |text| text.parse().unwrap())
}

fn rng() -> Rng {
    Rng::with_seed(count("SIGNPOST_SEED", 1) as u64)
}

/// What there is on the node of pods, whatever it is.
fn left(node: &Node) -> Vec<String> {
    let interfaces = node
        .pod_interfaces()
        .into_iter()
        .filter(|name| name != "sgnbr0");
    let routes = node
        .pod_routes()
        .into_iter()
        .filter(|route| !route.contains('/'));
    let mut left: Vec<String> = interfaces.chain(routes).collect();
    if node.config["mode"] == "bridge" {
        let known = run(&node.netns, "ip neighbour show dev sgnbr0");
        let table = run(&node.netns, "nft list table bridge signpost");
        let admitted = table.lines().filter(|line| line.contains("\" . "));
        left.extend(known.lines().chain(admitted).map(str::to_owned));
    }
    left
}

#[test]
fn whatever_is_killed_anywhere_is_removed_and_tried_again() {
    let mut random = rng();
    for mode in ["ptp", "bridge"] {
        let mut node = Node::new();
        node.config["mode"] = json!(mode);
        // The bridge stays from the first pod on.
        let first = Pod::new("first");
        node.add(&first);
        node.del(&first);
        let [mut adds, mut dels] = [Window::new(), Window::new()];
        for attempt in 0..count("SIGNPOST_KILLS", 60).div_ceil(2) {
            let pod = Pod::new(&format!("pod-{attempt}"));
            adds.kill(node.spawn("ADD", &pod, &node.config), &mut random);
            node.del(&pod);
            assert_eq!(left(&node), [""; 0], "{mode}, ADD of {attempt}");
            assert_eq!(addresses(&node.add(&pod)).len(), 2);
            dels.kill(node.spawn("DEL", &pod, &node.config), &mut random);
            node.del(&pod);
            assert_eq!(left(&node), [""; 0], "{mode}, DEL of {attempt}");
        }
        let [added, deleted] = [adds.hit, dels.hit];
        assert!(added > 0 && deleted > 0, "{mode}: {added}, {deleted}");
        eprintln!("{mode}: killed {added} ADDs and {deleted} DELs");
    }
}

#[test]
fn those_who_are_added_at_once_get_addresses_of_their_own() {
    for mode in ["ptp", "bridge"] {
        let mut node = Node::new();
        node.config["mode"] = json!(mode);
        node.config["subnets"] = json!(["10.244.8.0/21", "fd00:0:0:1::/64"]);
        let number = count("SIGNPOST_ADDS", 40);
        let pods: Vec<_> = (0..number)
            .map(|number| Pod::new(&format!("pod-{number}")))
            .collect();
        let children: Vec<_> = pods
            .iter()
            .map(|pod| node.spawn("ADD", pod, &node.config))
            .collect();
        let answers: Vec<_> = children
            .into_iter()
            .map(|child| Answer::from(child.wait_with_output().unwrap()))
            .collect();
        let mut given = HashSet::new();
        for answer in &answers {
            assert!(answer.success, "{mode}: {}", answer.json);
            given.extend(addresses(&answer.json));
        }
        assert_eq!(given.len(), 2 * number, "{mode}");
        let [first, .., last] = pods.as_slice() else {
            unreachable!()
        };
        let reached = addresses(&answers[number - 1].json);
        assert!(reached.iter().all(|address| first.pings(address)), "{mode}");
        assert!(last.pings("192.0.2.10"), "{mode}");
    }
}

/// A value that does not fit, or fits by chance.
fn senseless(random: &mut Rng, depth: u32) -> Value {
    const TEXTS: [&str; 14] = [
        "",
        "eth0",
        "10.244.1.0/24",
        "10.244.1.5",
        "fd00::/64",
        "ptp",
        "bridge",
        "/",
        "/proc/self/ns/net",
        "1.1.0",
        "0.1.0",
        "\u{0}",
        "../../etc/passwd",
        "ümlaut",
    ];
    match random.u32(0..if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.bool()),
        2 => json!(random.i64(..)),
        3 => json!(random.i32(-3..70_000)),
        4 => json!(f64::from(random.i32(..)) / 7.0),
        5 => json!(
            TEXTS[random.usize(0..TEXTS.len())].repeat(if random.u8(..) == 0 { 5000 } else { 1 })
        ),
        6 => (0..random.usize(0..4))
            .map(|_| senseless(random, depth - 1))
            .collect(),
        _ => {
            let keys = [
                "interfaces",
                "ips",
                "address",
                "containerID",
                "ifname",
                "mac",
                "x",
            ];
            let key = |random: &mut Rng| keys[random.usize(0..keys.len())].to_owned();
            let entries =
                (0..random.usize(0..4)).map(|_| (key(random), senseless(random, depth - 1)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// Sensible input with something about it changed.
fn changed(random: &mut Rng, config: &Value) -> Vec<u8> {
    const KEYS: [&str; 18] = [
        "cniVersion",
        "name",
        "mode",
        "subnets",
        "mtu",
        "nodeAddresses",
        "dns",
        "readyFile",
        "fullIsUnavailable",
        "prevResult",
        "runtimeConfig",
        "args",
        "cni.dev/valid-attachments",
        "cni.dev/attachments",
        "hostLocalDirs",
        "type",
        "ipam",
        "strange",
    ];
    let mut config = config.clone();
    for _ in 0..random.usize(1..3) {
        config[KEYS[random.usize(0..KEYS.len())]] = senseless(random, 3);
    }
    let mut bytes = config.to_string().into_bytes();
    if random.u8(..) < 64 {
        let at = random.usize(0..bytes.len());
        bytes[at] = random.u8(..);
    }
    if random.u8(..) < 16 {
        bytes.truncate(random.usize(0..bytes.len()));
    }
    bytes
}

#[test]
fn senseless_input_is_answered_by_an_error_and_changes_nothing() {
    let mut random = rng();
    let node = Node::new();
    for attempt in 0..count("SIGNPOST_INPUTS", 300) {
        let pod = Pod::new("one");
        let verbs = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"];
        let verb = verbs[random.usize(0..verbs.len())];
        let input = changed(&mut random, &node.config);
        let shown = || {
            String::from_utf8_lossy(&input)
                .chars()
                .take(2000)
                .collect::<String>()
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost-cni"));
        command.env_clear();
        if random.u8(..) < 32 {
            command.env(
                "CNI_ARGS",
                ["IP=", "MAC=1", ";;", "IP=10.244.1.9;x"][random.usize(0..4)],
            );
        }
        let output = node.run_with(&mut command, verb, &pod, &input);
        assert!(
            output.status.code().is_some_and(|code| code < 2),
            "{attempt}: {verb} {}: {output:?}",
            shown()
        );
        let success = output.status.success();
        let answer = Answer::from(output).json;
        if !success {
            let code = answer["code"].as_u64().unwrap();
            assert!(
                code > 0 && code != 999,
                "{attempt}: {verb} {}: {answer}",
                shown()
            );
            assert_ne!(answer["msg"], "", "{attempt}: {verb} {}: {answer}", shown());
        }
        if !(success && verb == "ADD") {
            assert_eq!(left(&node), [""; 0], "{attempt}: {verb} {}", shown());
            continue;
        }
        // By the name that it was added with, if the input had another.
        let mut config = node.config.clone();
        if let Ok(Value::Object(given)) = serde_json::from_slice(&input) {
            config["name"] = given["name"].clone();
        }
        let removed = node.call("DEL", &pod, &config);
        assert!(removed.success, "{attempt}: {}", removed.json);
        assert_eq!(left(&node), [""; 0], "{attempt}: {verb} {}", shown());
    }
}
