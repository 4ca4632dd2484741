//! Pods: created through the API server, scheduled or not, and commands run inside them.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::{Api, DeleteParams, PostParams};

use crate::cluster::Cluster;
use crate::machine::Machine;
use crate::node::Node;
use crate::wait;

mod network;
mod spec;

pub use spec::PodSpec;

/// How long a pod may take to be ready, or to be gone.
const LIMIT: Duration = Duration::from_secs(60);
/// The namespace of all test pods.
const NAMESPACE: &str = "default";
/// Debian's static busybox crashes on wget's own `-T`.
const HTTP_GET: [&str; 7] = ["timeout", "3", "busybox", "wget", "-q", "-O", "-"];

/// A pod that runs.
#[derive(Clone)]
pub struct Pod {
    name: String,
    node: Arc<Node>,
    addresses: Vec<IpAddr>,
    /// Container ids by container name, as containerd has them.
    containers: BTreeMap<String, String>,
}

impl Cluster {
    /// Creates a pod and waits until it is ready.
    pub async fn run_pod(&self, spec: PodSpec) -> Result<Pod> {
        self.create_pod(&spec).await?;
        self.pod(spec.name()).await
    }

    /// Creates a pod without waiting for it.
    pub async fn create_pod(&self, spec: &PodSpec) -> Result<()> {
        let context = || format!("creating pod {}", spec.name());
        let params = PostParams::default();
        self.pods()
            .create(&params, &spec.object()?)
            .await
            .with_context(context)?;
        Ok(())
    }

    /// Waits until a pod is ready, and gives it as it is then.
    pub async fn pod(&self, name: &str) -> Result<Pod> {
        let pods = self.pods();
        let mut node = None;
        let what = format!("pod {name} to be ready");
        let waited = wait::until(&what, LIMIT, async || {
            let object = pods.get(name).await?;
            node = object.spec.as_ref().and_then(|spec| spec.node_name.clone());
            self.ready_pod(object)
        });
        match waited.await {
            Ok(pod) => Ok(pod),
            Err(error) => {
                let about = format!("--field-selector=involvedObject.name={name}");
                let events = self.kubectl(&["get", "events", &about]).await;
                let error = error.context(events.unwrap_or_default());
                Err(match node.and_then(|node| self.node(&node).ok()) {
                    Some(node) => node.machine().with_log(&error, "kubelet"),
                    None => error,
                })
            }
        }
    }

    /// Fails if there is no such pod, ready or not.
    pub(crate) async fn pod_exists(&self, name: &str) -> Result<()> {
        self.pods().get(name).await?;
        Ok(())
    }

    /// A pod as it is now. Fails if it is not ready.
    pub async fn pod_now(&self, name: &str) -> Result<Pod> {
        self.ready_pod(self.pods().get(name).await?)
    }

    /// Asks for a pod to be deleted, without waiting until it is gone.
    pub async fn request_deletion(&self, name: &str) -> Result<()> {
        self.pods().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Deletes a pod and waits until it is gone.
    pub async fn delete_pod(&self, name: &str) -> Result<()> {
        let pods = self.pods();
        self.request_deletion(name).await?;
        wait::until(&format!("pod {name} to be gone"), LIMIT, async || {
            ensure!(pods.get_opt(name).await?.is_none(), "it is still there");
            Ok(())
        })
        .await
    }

    fn pods(&self) -> Api<PodObject> {
        Api::namespaced(self.client(), NAMESPACE)
    }

    fn ready_pod(&self, object: PodObject) -> Result<Pod> {
        let status = object.status.context("it has no status")?;
        let conditions = status.conditions.unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True");
        if !ready {
            let messages = conditions
                .into_iter()
                .filter_map(|condition| condition.message);
            bail!("not ready: {}", messages.collect::<Vec<_>>().join("; "));
        }
        let node = object
            .spec
            .and_then(|spec| spec.node_name)
            .context("it has no node")?;
        let mut addresses = Vec::new();
        for address in status.pod_ips.unwrap_or_default() {
            addresses.push(address.ip.parse().context("a pod's address")?);
        }
        let statuses = status.container_statuses.unwrap_or_default();
        let containers = statuses.into_iter().filter_map(|container| {
            let id = container
                .container_id?
                .strip_prefix("containerd://")?
                .to_owned();
            Some((container.name, id))
        });
        Ok(Pod {
            name: object.metadata.name.unwrap_or_default(),
            node: self.node(&node)?,
            addresses,
            containers: containers.collect(),
        })
    }
}

impl Pod {
    /// The pod's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node that it runs on.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The pod's addresses, of the cluster's first family first.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The pod's first address.
    pub fn address(&self) -> Result<IpAddr> {
        self.addresses
            .first()
            .copied()
            .with_context(|| format!("{} has no address", self.name))
    }

    /// Runs a program of the tool image in the container `main`, and gives its standard output.
    ///
    /// Fails with what it said if it does not exit with 0.
    pub async fn exec(&self, argv: &[&str]) -> Result<String> {
        self.exec_in("main", argv).await
    }

    /// As [`exec`](Self::exec), in the container that is named.
    pub async fn exec_in(&self, container: &str, argv: &[&str]) -> Result<String> {
        let argv = self.enter(container, argv)?;
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let context = || format!("in pod {}", self.name);
        self.node.machine().run(&argv).await.with_context(context)
    }

    /// A command inside the pod, to be run as the caller likes. Dropping it ends its standard input
    /// and nothing more: the signal that kills what entered the pod does not reach into the pod.
    pub fn command(&self, argv: &[&str]) -> Result<tokio::process::Command> {
        let argv = self.enter("main", argv)?;
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        Ok(self.node.machine().command(&argv))
    }

    /// Sends one echo request from the pod; fails without an answer within two seconds.
    pub async fn ping(&self, to: IpAddr) -> Result<()> {
        self.exec(&["ping", "-c", "1", "-W", "2", &to.to_string()])
            .await
            .map(drop)
    }

    /// Fetches a page with the pod's own wget; fails without an answer within three seconds.
    pub async fn http_get(&self, url: &str) -> Result<String> {
        self.exec(&HTTP_GET.iter().copied().chain([url]).collect::<Vec<_>>())
            .await
    }

    /// The first process of a container, numbered as the node sees processes.
    fn process(&self, container: &str) -> Result<String> {
        let id = self.containers.get(container);
        let id = id.with_context(|| format!("pod {} has no container {container}", self.name))?;
        // Where containerd's shim keeps it.
        let tasks = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
        let path = self.node.path(&format!("{tasks}/{id}/init.pid"));
        let pid = fs::read_to_string(&path)
            .with_context(|| format!("{container} of {} is not running", self.name))?;
        Ok(pid.trim().to_owned())
    }

    /// The command line that enters a container from its node.
    fn enter(&self, container: &str, argv: &[&str]) -> Result<Vec<String>> {
        let pid = self.process(container)?;
        let enter = [
            "nsenter", "--target", &pid, "--mount", "--uts", "--ipc", "--net", "--pid",
        ];
        Ok(enter
            .iter()
            .chain(&["--"])
            .chain(argv)
            .map(ToString::to_string)
            .collect())
    }
}

impl Machine {
    /// Fetches a page from the machine; fails without an answer within three seconds.
    pub async fn http_get(&self, url: &str) -> Result<String> {
        let argv: Vec<&str> = ["busybox"]
            .into_iter()
            .chain(HTTP_GET)
            .chain([url])
            .collect();
        self.run(&argv).await
    }

    /// Sends one echo request from the machine; fails without an answer within two seconds.
    pub async fn ping(&self, to: IpAddr) -> Result<()> {
        self.run(&["busybox", "ping", "-c", "1", "-W", "2", &to.to_string()])
            .await
            .map(drop)
    }
}
