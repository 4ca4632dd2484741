//! The agent's program beside a real API server, both in one fresh network namespace, under the
//! agent's own service account. Needs root, the API server's binaries, iproute2 and nftables.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use signpost_api::NodeNetwork;
use signpost_netlink::Netns;
use signpost_testing::{ControlPlane, Options};

const ACCOUNT: &str = "system:serviceaccount:signpost-system:signpost-node";
const NAMESPACE: &str = "signpost-system";
const PATIENCE: Duration = Duration::from_secs(30);

/// The API server, and the agent with folders of its own.
struct World {
    control_plane: ControlPlane,
    client: Client,
    folder: PathBuf,
    agent: Child,
}

impl World {
    async fn start() -> Self {
        for command in [
            "ip link set lo up",
            "ip link add uplink mtu 1460 type veth peer name outside",
            "ip link set outside up",
            "ip link set uplink up",
            "ip address add 192.0.2.1/24 dev uplink",
            "ip route add default via 192.0.2.9",
        ] {
            run(command);
        }
        let options = Options::default().service_account("signpost-system", "signpost-node");
        let control_plane = ControlPlane::start_with(options).await.unwrap();
        control_plane.apply("base").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let folder = control_plane.dir().to_owned();
        fs::write(folder.join("plugin"), "the plugin").unwrap();
        let agent = start_agent(&control_plane);
        Self {
            control_plane,
            client,
            folder,
            agent,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("agent.log")).unwrap()
    }

    fn conflist(&self) -> Option<Value> {
        let text = fs::read(self.folder.join("conf/00-signpost.conflist")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.join("run/ready")
    }

    async fn logs(&self, text: &str) {
        self.eventually(text, || self.log().contains(text)).await;
    }

    async fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "{what} is not so; the agent's log:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As the controller publishes it.
    async fn publish(&self, change: Value) {
        let mut network = json!({
            "mode": "ptp", "mtu": 0, "pools": ["10.244.0.0/16"],
            "masquerade": true, "exempt": ["192.0.2.2/32"],
        });
        let fields = network.as_object_mut().unwrap();
        fields.extend(change.as_object().unwrap().clone());
        self.publish_text(&network.to_string()).await;
    }

    async fn publish_text(&self, text: &str) {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": NodeNetwork::CONFIG_MAP},
            "data": {NodeNetwork::KEY: text},
        });
        let applied = PatchParams::apply("test");
        let patch = Patch::Apply(object);
        let published = maps.patch(NodeNetwork::CONFIG_MAP, &applied, &patch).await;
        published.unwrap();
    }

    async fn unpublish(&self) {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let none = DeleteParams::default();
        maps.delete(NodeNetwork::CONFIG_MAP, &none).await.unwrap();
    }

    async fn create_node(&self, name: &str, address: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        let addresses = json!([{"type": "InternalIP", "address": address}]);
        self.patch_node_status(name, json!({"addresses": addresses}))
            .await;
    }

    async fn patch_node_status(&self, name: &str, status: Value) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patch = Patch::Strategic(json!({"status": status}));
        nodes
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    async fn set_pod_cidrs(&self, name: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let spec = json!({"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]});
        let patch = Patch::Merge(json!({"spec": spec}));
        nodes
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    async fn set_unavailable(&self, name: &str, status: &str) {
        let (reason, message) = match status {
            "False" => ("SignpostRouteCreated", "every route table leads here"),
            _ => ("RouteMissing", "table main has no route yet"),
        };
        self.set_condition(name, status, reason, message).await;
    }

    async fn set_condition(&self, name: &str, status: &str, reason: &str, message: &str) {
        let condition = json!({
            "type": "NetworkUnavailable",
            "status": status,
            "reason": reason,
            "message": message,
        });
        self.patch_node_status(name, json!({"conditions": [condition]}))
            .await;
    }

    /// A route that somebody removes while its pod lives comes back, and the log says who it was.
    async fn a_removed_route_is_restored(&self) {
        for command in [
            "ip link add wire type veth peer name eth0",
            "ip link set wire alias eth0_02:00:00:00:00:07_one",
            "ip link property add dev wire altname 10.244.1.5",
            "ip link set eth0 up",
            "ip link set wire up",
        ] {
            let words = command.split(' ').map(|word| word.replace('_', " "));
            run_words(&words.collect::<Vec<_>>());
        }
        let route = || run("ip route show 10.244.1.5");
        self.eventually("a route", || route().contains("src 192.0.2.1"))
            .await;
        run("ip route del 10.244.1.5");
        self.eventually("the route again", || !route().is_empty())
            .await;
        self.logs("removed_by=\"netlink port").await;
    }

    /// Ends the agent like a kubelet does, and returns whether it called that success.
    fn terminate(&mut self) -> bool {
        run(&format!("kill -TERM {}", self.agent.id()));
        self.agent.wait().unwrap().success()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn start_agent(control_plane: &ControlPlane) -> Child {
    let folder = control_plane.dir();
    let kubeconfig = control_plane.kubeconfig_for(ACCOUNT).unwrap();
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("agent.log"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_signpost-node"))
        // A check comes too late for any test: what happens before is a reaction to something.
        .args(["--node-name", "n1", "--check-period", "600"])
        .args(["--kubeconfig".as_ref(), kubeconfig.as_os_str()])
        .args(["--plugin".as_ref(), folder.join("plugin").as_os_str()])
        .args(["--cni-bin-dir".as_ref(), folder.join("bin").as_os_str()])
        .args(["--cni-conf-dir".as_ref(), folder.join("conf").as_os_str()])
        .args(["--run-dir".as_ref(), folder.join("run").as_os_str()])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Runs a program, which must succeed. Returns what it prints.
fn run(command: &str) -> String {
    let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
    run_words(&words)
}

fn run_words(words: &[String]) -> String {
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the agent says of the node: the status line, and the text.
fn readiness() -> (String, String) {
    let mut stream = TcpStream::connect("127.0.0.1:9451").unwrap();
    let request = "GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), text.to_owned())
}

/// Runs the test on a thread in a namespace of its own, where all it starts and opens stays.
fn in_namespace(test: impl AsyncFnOnce() + Send) {
    let netns = Netns::create().unwrap();
    let body = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test());
    };
    netns.run(body).unwrap();
}

#[test]
fn agent_sets_the_node_up_step_by_step_and_leaves_it_working() {
    in_namespace(async || {
        let mut world = World::start().await;
        world.logs("this machine's Node object").await;
        world.create_node("n1", "192.0.2.1").await;
        world.logs("waiting for pod CIDRs").await;
        let (status, why) = readiness();
        assert!(
            status.contains("503") && why.starts_with("waiting for pod CIDRs"),
            "{status} {why}"
        );
        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "True").await;
        world
            .logs("RouteMissing: table main has no route yet")
            .await;
        world
            .set_condition("n1", "False", "CalicoIsUp", "Calico is running")
            .await;
        world
            .logs("only somebody else has put the node into service, CalicoIsUp")
            .await;
        world.set_unavailable("n1", "False").await;
        world
            .logs("which signpost-controller publishes as ConfigMap signpost-node")
            .await;
        world.publish_text("{").await;
        world.logs("ConfigMap signpost-node: network.json").await;
        assert_eq!(world.conflist(), None);

        world.publish(json!({})).await;
        world
            .eventually("a conflist", || world.conflist().is_some())
            .await;
        world
            .eventually("readiness", || readiness().0.contains("200"))
            .await;
        let plugin = &world.conflist().unwrap()["plugins"][0];
        assert_eq!(plugin["subnets"], json!(["10.244.1.0/24"]));
        assert_eq!(plugin["mtu"], 1460);
        assert!(world.folder.join("bin/signpost-cni").exists());
        let exempt = || run("nft list set inet signpost exempt4");
        assert!(exempt().contains("192.0.2.1-192.0.2.2"), "{}", exempt());
        let further = json!({"mtu": 1400, "exempt": ["192.0.2.2/32", "192.0.2.130/32"]});
        world.publish(further).await;
        world
            .eventually("another node exempt", || exempt().contains("192.0.2.130"))
            .await;
        world
            .eventually("the MTU", || {
                world.conflist().unwrap()["plugins"][0]["mtu"] == 1400
            })
            .await;

        // A controller of a version that does not publish, or none: everything stays.
        world.unpublish().await;
        world
            .eventually("waiting", || {
                readiness().1.contains("signpost-controller publishes")
            })
            .await;
        assert!(world.conflist().is_some() && exempt().contains("192.0.2.130"));
        world.publish(json!({"mtu": 1400})).await;
        world
            .eventually("what is published", || !exempt().contains("192.0.2.130"))
            .await;

        world.a_removed_route_is_restored().await;

        // Losing routes or the API server does not undo anything, and changes are still followed.
        world.set_unavailable("n1", "True").await;
        world.control_plane.restart_apiserver().await.unwrap();
        world.client = world.control_plane.client().await.unwrap();
        // The kernel tells of what others do to the rules.
        run("nft flush ruleset");
        world
            .eventually("mended rules", || {
                run("nft list tables").contains("signpost")
            })
            .await;
        world
            .publish(json!({"masquerade": false, "exempt": []}))
            .await;
        world
            .eventually("no masquerading", || {
                !run("nft list ruleset").contains("masquerade")
            })
            .await;
        assert!(world.conflist().is_some());

        assert!(world.terminate(), "{}", world.log());
        assert!(world.conflist().is_some() && world.ready_file().exists());
        assert!(
            world
                .log()
                .contains("the node and its pods go on as they are")
        );

        // A boot empties the folder. The configuration of before stands, and pods wait for the routes.
        fs::remove_file(world.ready_file()).unwrap();
        world.agent = start_agent(&world.control_plane);
        world
            .logs("routes to this node's pod CIDRs (RouteMissing")
            .await;
        assert!(world.conflist().is_some() && !world.ready_file().exists());
        world.set_unavailable("n1", "False").await;
        world
            .eventually("readiness again", || world.ready_file().exists())
            .await;
        assert!(world.terminate());
    });
}

#[test]
fn agent_gives_up_a_configuration_of_an_earlier_life() {
    in_namespace(async || {
        let mut world = World::start().await;
        world.publish(json!({})).await;
        fs::create_dir_all(world.folder.join("conf")).unwrap();
        let stale = json!({"plugins": [{"subnets": ["10.244.9.0/24"]}]}).to_string();
        fs::write(world.folder.join("conf/10-signpost.conflist"), stale).unwrap();
        world.logs("this machine's Node object").await;
        // As long as nothing is known of the node nothing is undone, but the file gets its present name.
        world
            .eventually("the stale conflist", || world.conflist().is_some())
            .await;
        world.create_node("n1", "192.0.2.1").await;
        world
            .eventually("no conflist", || world.conflist().is_none())
            .await;
        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "False").await;
        world
            .eventually("a conflist", || world.conflist().is_some())
            .await;
        assert!(world.terminate());
    });
}
