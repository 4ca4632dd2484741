//! An API server and the agent beside it, and what may be done to them.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use signpost_api::NodeNetwork;
use signpost_netlink::Netns;
use signpost_testing::{ControlPlane, Options};

pub(crate) const ACCOUNT: &str = "system:serviceaccount:signpost-system:signpost-node";
const NAMESPACE: &str = "signpost-system";
const PATIENCE: Duration = Duration::from_secs(30);

/// The API server, and the agent with folders of its own.
pub(crate) struct World {
    pub(crate) control_plane: ControlPlane,
    pub(crate) client: Client,
    pub(crate) folder: PathBuf,
    agent: Option<Child>,
    pub(crate) kubeconfig: PathBuf,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_by(|control_plane| control_plane.kubeconfig_for(ACCOUNT).unwrap()).await
    }

    /// Without an agent.
    pub(crate) async fn without_agent() -> Self {
        Self::prepare(|control_plane| control_plane.kubeconfig_for(ACCOUNT).unwrap()).await
    }

    /// The agent reads the kubeconfig that is given, once the API server is there.
    pub(crate) async fn start_by(kubeconfig: impl FnOnce(&ControlPlane) -> PathBuf) -> Self {
        let mut world = Self::prepare(kubeconfig).await;
        world.start_again();
        world
    }

    async fn prepare(kubeconfig: impl FnOnce(&ControlPlane) -> PathBuf) -> Self {
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
        let kubeconfig = kubeconfig(&control_plane);
        Self {
            control_plane,
            client,
            folder,
            agent: None,
            kubeconfig,
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("agent.log")).unwrap()
    }

    pub(crate) fn conflist(&self) -> Option<Value> {
        let text = fs::read(self.folder.join("conf/00-signpost.conflist")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    pub(crate) fn ready_file(&self) -> PathBuf {
        self.folder.join("run/ready")
    }

    pub(crate) async fn logs(&self, text: &str) {
        self.eventually(text, || self.log().contains(text)).await;
    }

    pub(crate) async fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
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
    pub(crate) async fn publish(&self, change: Value) {
        let mut network = json!({
            "mode": "ptp", "mtu": 0, "pools": ["10.244.0.0/16"],
            "masquerade": true, "exempt": ["192.0.2.2/32"],
        });
        let fields = network.as_object_mut().unwrap();
        fields.extend(change.as_object().unwrap().clone());
        self.publish_text(&network.to_string()).await;
    }

    pub(crate) async fn publish_text(&self, text: &str) {
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

    pub(crate) async fn unpublish(&self) {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        let none = DeleteParams::default();
        maps.delete(NodeNetwork::CONFIG_MAP, &none).await.unwrap();
    }

    pub(crate) async fn create_node(&self, name: &str, address: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        let addresses = json!([{"type": "InternalIP", "address": address}]);
        self.patch_node_status(name, json!({"addresses": addresses}))
            .await;
    }

    pub(crate) async fn patch_node_status(&self, name: &str, status: Value) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patch = Patch::Strategic(json!({"status": status}));
        nodes
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) async fn set_pod_cidrs(&self, name: &str) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let spec = json!({"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]});
        let patch = Patch::Merge(json!({"spec": spec}));
        nodes
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) async fn set_unavailable(&self, name: &str, status: &str) {
        let (reason, message) = match status {
            "False" => ("SignpostRouteCreated", "every route table leads here"),
            _ => ("RouteMissing", "table main has no route yet"),
        };
        self.set_condition(name, status, reason, message).await;
    }

    pub(crate) async fn set_condition(
        &self,
        name: &str,
        status: &str,
        reason: &str,
        message: &str,
    ) {
        let condition = json!({
            "type": "NetworkUnavailable",
            "status": status,
            "reason": reason,
            "message": message,
        });
        self.patch_node_status(name, json!({"conditions": [condition]}))
            .await;
    }

    /// The kubelet may run more pods than there are addresses.
    pub(crate) async fn a_small_subnet_is_told(&self) {
        let capacity = json!({"capacity": {"pods": "300"}});
        self.patch_node_status("n1", capacity).await;
        let note = self.told("n1", "PodCIDRSmallerThanMaxPods").await;
        assert!(
            note.starts_with("the kubelet runs up to 300 pods, but 10.244.1.0/24 has 253"),
            "{note}"
        );
        assert!(readiness().1.contains(&note));
    }

    /// Waits for an event of the Node object, and returns what it says.
    async fn told(&self, node: &str, reason: &str) -> String {
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all = events.list(&ListParams::default()).await.unwrap();
            let is_it = |event: &&Event| {
                let regarding = event.regarding.as_ref().and_then(|it| it.name.as_deref());
                event.reason.as_deref() == Some(reason) && regarding == Some(node)
            };
            let found: Vec<&Event> = all.iter().filter(is_it).collect();
            if let [event] = found.as_slice() {
                return event.note.clone().unwrap();
            }
            assert!(found.is_empty(), "more than one: {found:?}");
            assert!(Instant::now() < deadline, "no event: {}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A route that somebody removes while its pod lives comes back, and the log says who it was.
    pub(crate) async fn a_removed_route_is_restored(&self) {
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

    /// Starts the agent, again after its end.
    pub(crate) fn start_again(&mut self) {
        let log = self.folder.join("agent.log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut agent = agent(&self.folder, &self.kubeconfig);
        agent.stdout(Stdio::null()).stderr(log);
        self.agent = Some(agent.spawn().unwrap());
    }

    /// Ends the agent like a kubelet does, and returns whether it called that success.
    pub(crate) fn terminate(&mut self) -> bool {
        let mut agent = self.agent.take().unwrap();
        run(&format!("kill -TERM {}", agent.id()));
        agent.wait().unwrap().success()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// The program, with folders of its own.
pub(crate) fn agent(folder: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signpost-node"));
    command
        // A check comes too late for any test: what happens before is a reaction to something.
        .args(["--node-name", "n1", "--check-period", "600"])
        .args(["--kubeconfig".as_ref(), kubeconfig.as_os_str()])
        .args(["--plugin".as_ref(), folder.join("plugin").as_os_str()])
        .args(["--cni-bin-dir".as_ref(), folder.join("bin").as_os_str()])
        .args(["--cni-conf-dir".as_ref(), folder.join("conf").as_os_str()])
        .args(["--run-dir".as_ref(), folder.join("run").as_os_str()])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs a program, which must succeed. Returns what it prints.
pub(crate) fn run(command: &str) -> String {
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
pub(crate) fn readiness() -> (String, String) {
    let mut stream = TcpStream::connect("127.0.0.1:9451").unwrap();
    let request = "GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), text.to_owned())
}

/// Runs the test on a thread in a namespace of its own, where all it starts and opens stays.
pub(crate) fn in_namespace(test: impl AsyncFnOnce() + Send) {
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
