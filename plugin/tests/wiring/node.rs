//! A node and its pods, each a network namespace.

use std::fs;
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use signpost_netlink::Netns;

/// The node: forwards packets, has an address of each family on a link to the outside.
pub(crate) struct Node {
    pub(crate) netns: Netns,
    /// The network configuration; tests change it to their needs.
    pub(crate) config: Value,
    /// Name of pods' interfaces.
    pub(crate) interface: &'static str,
    run_dir: PathBuf,
}

/// A sandbox that is to become a pod.
pub(crate) struct Pod {
    pub(crate) netns: Netns,
    pub(crate) id: String,
}

/// How a call of the plugin ended.
pub(crate) struct Answer {
    pub(crate) success: bool,
    /// What standard output carried; null if it was empty.
    pub(crate) json: Value,
}

impl Node {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let run_dir =
            std::env::temp_dir().join(format!("signpost-cni-test-{}-{number}", std::process::id()));
        let node = Self {
            netns: Netns::create().unwrap(),
            config: json!({
                "cniVersion": "1.0.0",
                "name": "signpost",
                "type": "signpost-cni",
                "mode": "ptp",
                "subnets": ["10.244.1.0/24", "fd00:0:0:1::/64"],
                "mtu": 1400,
                "runDir": run_dir,
            }),
            interface: "eth0",
            run_dir,
        };
        for command in [
            "ip link set lo up",
            "ip link add uplink type veth peer name outside",
            "ip link set outside up",
            "ip link set uplink mtu 1450 up",
            "ip address add 192.0.2.10/24 dev uplink",
            "ip address add 2001:db8::10/64 dev uplink nodad",
            "busybox sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        ] {
            run(&node.netns, command);
        }
        node
    }

    /// Starts the plugin in the node's namespace with the configuration on standard input.
    pub(crate) fn spawn(&self, verb: &str, pod: &Pod, config: &Value) -> Child {
        self.spawn_with(verb, pod, config, &pod.path())
    }

    pub(crate) fn spawn_with(&self, verb: &str, pod: &Pod, config: &Value, netns: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost-cni"));
        command.env_clear();
        self.start(
            &mut command,
            verb,
            pod,
            config.to_string().as_bytes(),
            netns,
        )
    }

    /// Runs the plugin by a command that starts it in the end.
    pub(crate) fn run(
        &self,
        command: &mut Command,
        verb: &str,
        pod: &Pod,
        config: &Value,
    ) -> Output {
        self.run_with(command, verb, pod, config.to_string().as_bytes())
    }

    /// The same with whatever on standard input.
    pub(crate) fn run_with(
        &self,
        command: &mut Command,
        verb: &str,
        pod: &Pod,
        input: &[u8],
    ) -> Output {
        let child = self.start(command, verb, pod, input, &pod.path());
        child.wait_with_output().unwrap()
    }

    fn start(
        &self,
        command: &mut Command,
        verb: &str,
        pod: &Pod,
        input: &[u8],
        netns: &str,
    ) -> Child {
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", &pod.id)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", self.interface);
        self.fed(command, input)
    }

    /// Starts it in the node's namespace with `input` on standard input.
    fn fed(&self, command: &mut Command, input: &[u8]) -> Child {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.netns.run(|| command.spawn()).unwrap().unwrap();
        // The plugin may be killed before it has read.
        let _ = child.stdin.take().unwrap().write_all(input);
        child
    }

    pub(crate) fn call(&self, verb: &str, pod: &Pod, config: &Value) -> Answer {
        Answer::from(self.spawn(verb, pod, config).wait_with_output().unwrap())
    }

    /// A verb that is about no pod.
    pub(crate) fn call_bare(&self, verb: &str, config: &Value) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signpost-cni"));
        command.env_clear().env("CNI_COMMAND", verb);
        let child = self.fed(&mut command, config.to_string().as_bytes());
        Answer::from(child.wait_with_output().unwrap())
    }

    /// ADD that must succeed; the result.
    pub(crate) fn add(&self, pod: &Pod) -> Value {
        let answer = self.call("ADD", pod, &self.config);
        assert!(answer.success, "{}", answer.json);
        answer.json
    }

    /// DEL that must succeed.
    pub(crate) fn del(&self, pod: &Pod) {
        let answer = self.call("DEL", pod, &self.config);
        assert!(answer.success, "{}", answer.json);
        assert_eq!(answer.json, Value::Null);
    }

    /// CHECK with the result of ADD.
    pub(crate) fn check(&self, pod: &Pod, result: &Value) -> Answer {
        let mut config = self.config.clone();
        config["prevResult"] = result.clone();
        self.call("CHECK", pod, &config)
    }

    /// As [`Pod::pings`], from the node.
    pub(crate) fn pings(&self, address: &str) -> bool {
        pings(&self.netns, address)
    }

    /// Names of the node's interfaces to pods.
    pub(crate) fn pod_interfaces(&self) -> Vec<String> {
        let links = json(&self.netns, "ip -json link show");
        let names = links
            .as_array()
            .unwrap()
            .iter()
            .map(|link| link["ifname"].as_str().unwrap());
        names
            .filter(|name| name.starts_with("sgn"))
            .map(str::to_owned)
            .collect()
    }

    /// Destinations of the node's routes to pods, of both families.
    pub(crate) fn pod_routes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for family in ["-4", "-6"] {
            let routes = json(
                &self.netns,
                &format!("ip -json {family} route show proto 144"),
            );
            let destinations = routes.as_array().unwrap().iter();
            found.extend(destinations.map(|route| route["dst"].as_str().unwrap().to_owned()));
        }
        found
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.run_dir);
    }
}

impl Pod {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            netns: Netns::create().unwrap(),
            id: id.into(),
        }
    }

    /// A path that stands for the namespace, like those that runtimes give.
    pub(crate) fn path(&self) -> String {
        format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.netns.as_fd().as_raw_fd()
        )
    }

    /// Whether one of three echo requests is answered. On a loaded machine the kernel may still lose
    /// the first IPv6 packets of a fresh pair.
    pub(crate) fn pings(&self, address: &str) -> bool {
        pings(&self.netns, address)
    }
}

fn pings(netns: &Netns, address: &str) -> bool {
    let ping = || {
        let mut ping = Command::new("busybox");
        ping.args(["ping", "-q", "-c1", "-W2", address]);
        netns
            .run(|| ping.stdout(Stdio::null()).status())
            .unwrap()
            .unwrap()
            .success()
    };
    (0..3).any(|_| ping())
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = String::from_utf8(output.stdout).unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        Self {
            success: output.status.success(),
            json,
        }
    }
}

/// The addresses in a result, without prefix length.
pub(crate) fn addresses(result: &Value) -> Vec<String> {
    let ips = result["ips"].as_array().unwrap().iter();
    ips.map(|ip| {
        ip["address"]
            .as_str()
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    })
    .collect()
}

/// Runs a program in a namespace; it must succeed. Returns what it prints.
pub(crate) fn run(netns: &Netns, command: &str) -> String {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap());
    program.args(words);
    let output = netns.run(move || program.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program in a namespace that prints JSON; nothing printed means an empty list.
pub(crate) fn json(netns: &Netns, command: &str) -> Value {
    match run(netns, command).as_str() {
        "" => json!([]),
        text => serde_json::from_str(text).unwrap(),
    }
}
