//! Signpost's programs, as they run in their pods.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, Patch, PatchParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::cgroups;
use crate::cluster::Cluster;
use crate::identity::{AGENT, CONTROLLER, NAMESPACE};
use crate::node::Node;
use crate::wait::{self, LIMIT};

/// The label by which a Deployment or `DaemonSet` finds its pods, with its own name.
pub(crate) const NAME_LABEL: &str = "app.kubernetes.io/name";
/// As much of a program's name as the kernel keeps.
const NAME_LENGTH: usize = 15;

/// A program of Signpost's on a node. Its container is started again by the kubelet when it ends.
#[derive(Clone)]
pub struct Program {
    /// The Deployment or `DaemonSet`.
    workload: String,
    command: &'static str,
    node: Arc<Node>,
    client: kube::Client,
    /// The cgroup of the node's pods.
    cgroup: String,
}

impl Cluster {
    /// The controller, whose one replica is on the node of the control plane.
    pub fn controller(&self) -> Result<Program> {
        self.controller_of(CONTROLLER)
    }

    /// A controller by its Deployment's name.
    pub(crate) fn controller_of(&self, deployment: &str) -> Result<Program> {
        let node = self.control_plane_node()?;
        Ok(self.program(deployment, CONTROLLER, node))
    }

    /// The agent of a node.
    pub fn agent(&self, node: &str) -> Result<Program> {
        Ok(self.program(AGENT, AGENT, self.node(node)?))
    }

    fn program(&self, workload: &str, command: &'static str, node: Arc<Node>) -> Program {
        Program {
            workload: workload.to_owned(),
            command,
            cgroup: cgroups::node_root(self.id(), node.name()),
            node,
            client: self.client(),
        }
    }
}

impl Program {
    /// Its process as the host numbers processes. Fails while it does not run.
    pub fn pid(&self) -> Result<Pid> {
        // Pods of a Deployment have its name and more. Each controller's process knows its pod's.
        let pod = format!("POD_NAME={}-", self.workload);
        let own = |pid: i32| {
            let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let name = read("comm");
            let name = String::from_utf8_lossy(&name);
            let is_it = self.command.get(..NAME_LENGTH).unwrap_or(self.command) == name.trim_end();
            is_it
                && String::from_utf8_lossy(&read("cgroup")).contains(&format!("{}/", self.cgroup))
                && (self.command == AGENT
                    || String::from_utf8_lossy(&read("environ")).contains(&pod))
        };
        let processes = fs::read_dir("/proc").context("reading /proc")?;
        let mut pids =
            processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let pid = pids.find(|pid| own(*pid)).and_then(Pid::from_raw);
        pid.with_context(|| format!("{} does not run on {}", self.workload, self.node.name()))
    }

    /// When its process was started. Fails while it does not run.
    pub(crate) fn started(&self) -> Result<Timestamp> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?.as_raw_nonzero()))?;
        // The name in parentheses may hold spaces; the start is the twentieth field behind it, in ticks of
        // 10 ms since boot.
        let fields = stat.rsplit_once(") ").context("/proc has its name")?.1;
        let ticks: i64 = fields
            .split(' ')
            .nth(19)
            .context("and its start")?
            .parse()?;
        let uptime = fs::read_to_string("/proc/uptime")?;
        let uptime: f64 = uptime.split(' ').next().unwrap_or_default().parse()?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since boot")]
        let age = (uptime * 1000.0) as i64 - ticks * 10;
        let began = Timestamp::now().as_millisecond() - age;
        Ok(Timestamp::from_millisecond(began)?)
    }

    /// Sends it a signal, once it runs.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        let what = format!("{} to run", self.workload);
        wait::until(&what, LIMIT, async || {
            kill_process(self.pid()?, signal).context("signalling it")
        })
        .await
    }

    /// Ends it with SIGKILL, once it runs; the kubelet starts it again.
    pub async fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL).await
    }

    /// As [`kill`](Self::kill), and waits until it runs again.
    pub async fn restart(&self) -> Result<()> {
        let before = self.pid()?;
        self.kill().await?;
        let what = format!("{} to run again", self.workload);
        wait::until(&what, LIMIT, async || {
            ensure!(self.pid()? != before, "it has not ended yet");
            Ok(())
        })
        .await
    }

    /// How often its container was started again in the pod that there is.
    pub async fn restarts(&self) -> Result<i32> {
        let pods = self.pods().await?;
        let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
        let counts = statuses.flat_map(|status| status.container_statuses.iter().flatten());
        Ok(counts.map(|status| status.restart_count).sum())
    }

    /// Scales the Deployment to one pod; does not wait for it.
    pub async fn start(&self) -> Result<()> {
        self.scale(1).await
    }

    /// Scales the Deployment to none, which ends the program with SIGTERM; returns when it is gone.
    pub async fn stop(&self) -> Result<()> {
        self.scale(0).await?;
        let what = format!("the pods of {} to be gone", self.workload);
        wait::until(&what, LIMIT, async || {
            ensure!(self.pods().await?.is_empty(), "there are some");
            Ok(())
        })
        .await
    }

    /// As [`stop`](Self::stop), but with SIGKILL.
    pub async fn halt(&self) -> Result<()> {
        self.kill().await?;
        self.stop().await
    }

    /// What it has written to its log, in all its pods here that the kubelet still keeps.
    pub fn log(&self) -> String {
        log(&self.node, &self.workload)
    }

    /// As [`log`](Self::log), only the lines written since a time: what there is shrinks too, as the kubelet
    /// removes the log of the container before the one before.
    pub(crate) fn log_since(&self, since: Timestamp) -> String {
        let written = |line: &str| line.split(' ').next()?.parse::<Timestamp>().ok();
        let log = self.log();
        let lines = log.split_inclusive('\n');
        lines
            .filter(|line| written(line).is_some_and(|at| at >= since))
            .collect()
    }

    async fn scale(&self, replicas: u8) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let patched = deployments
            .patch(&self.workload, &PatchParams::default(), &patch)
            .await;
        patched.with_context(|| format!("scaling {} to {replicas}", self.workload))?;
        Ok(())
    }

    async fn pods(&self) -> Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let params = ListParams::default()
            .labels(&format!("{NAME_LABEL}={}", self.workload))
            .fields(&format!("spec.nodeName={}", self.node.name()));
        Ok(pods.list(&params).await?.items)
    }
}

/// The logs of a workload's pods on a node, the oldest first.
pub(crate) fn log(node: &Node, workload: &str) -> String {
    let pods = format!("{NAMESPACE}_{workload}-");
    let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries(node.pod_logs());
    let of_it = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(&pods));
    let containers = of_it.flat_map(|folder| entries(folder.path()));
    let mut files: Vec<_> = containers
        .flat_map(|container| entries(container.path()))
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .collect();
    files.sort();
    let read = |(_, path)| fs::read_to_string(path).unwrap_or_default();
    files.into_iter().map(read).collect()
}

/// The end of what a workload's pods on a node have said, each line with who said it.
pub(crate) fn last_of(node: &Node, workload: &str) -> String {
    let log = log(node, workload);
    let last: Vec<&str> = log.lines().rev().take(8).collect();
    let told = |line| format!("{workload} on {}: {line}\n", node.name());
    last.into_iter().rev().map(told).collect()
}
