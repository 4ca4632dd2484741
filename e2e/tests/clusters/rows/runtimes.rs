//! R8, R21: the plugin as others call it than Kubernetes' container runtime, and what becomes of addresses
//! when containers vanish.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use serde_json::Value;
use signpost_e2e::{Cluster, Machine, Pod, PodSpec, built, images, wait};

use super::paths::delete;
use crate::support::LIMIT;

/// A network namespace on a node, which libcni's tool takes for a container.
struct Container<'a> {
    machine: &'a Machine,
    tool: String,
    name: String,
}

impl<'a> Container<'a> {
    async fn create(machine: &'a Machine, name: &str) -> Result<Self> {
        machine.run(&["ip", "netns", "add", name]).await?;
        Ok(Self {
            machine,
            tool: built("cnitool").await?.display().to_string(),
            name: name.to_owned(),
        })
    }

    /// Has libcni call the plugin. It remembers attachments apart from the node's container runtime, which
    /// has the same network.
    async fn call(&self, verb: &str) -> Result<String> {
        let (tool, namespace) = (&self.tool, format!("/run/netns/{}", self.name));
        let script = format!(
            "mkdir -p /run/cnitool && mount --bind /run/cnitool /var/lib/cni && \
             CNI_PATH=/opt/cni/bin {tool} {verb} signpost {namespace}"
        );
        let argv = ["unshare", "--mount", "sh", "-c", &script];
        self.machine.run(&argv).await
    }

    async fn add(&self) -> Result<Vec<IpNet>> {
        let result: Value = serde_json::from_str(&self.call("add").await?)?;
        let ips = result["ips"].as_array().context("no ips in the result")?;
        let address = |ip: &Value| -> Result<IpNet> {
            Ok(ip["address"].as_str().context("no address")?.parse()?)
        };
        ips.iter().map(address).collect()
    }

    /// Runs a command in its network.
    async fn run(&self, argv: &[&str]) -> Result<String> {
        let network = format!("--net=/run/netns/{}", self.name);
        let argv: Vec<&str> = ["nsenter", &network].iter().chain(argv).copied().collect();
        self.machine.run(&argv).await
    }

    async fn remove(&self) -> Result<()> {
        let argv = ["ip", "netns", "delete", &self.name];
        self.machine.run(&argv).await.map(drop)
    }
}

/// Whether a node has given the address out.
async fn is_given(machine: &Machine, address: IpNet) -> bool {
    let argv = ["ip", "link", "show", &address.addr().to_string()];
    machine.run(&argv).await.is_ok()
}

pub(crate) async fn r08_libcni_calls_every_verb(cluster: &Cluster) -> Result<()> {
    let node = cluster.node("node-1")?;
    let machine = node.machine();
    let far = cluster
        .run_pod(PodSpec::new("r08-far").on("node-2"))
        .await?;
    let container = Container::create(machine, "r08").await?;
    container.call("status").await?;
    let addresses = container.add().await?;
    for address in &addresses {
        let inside = container.run(&["ip", "address", "show", "eth0"]).await?;
        ensure!(
            inside.contains(&format!("{address} ")),
            "{address} is not in\n{inside}"
        );
        ensure!(is_given(machine, *address).await, "{address} is nobody's");
    }
    let there = far.address()?.to_string();
    container
        .run(&["busybox", "ping", "-c", "1", "-W", "5", &there])
        .await?;
    let again = container.call("add").await;
    ensure!(again.is_err(), "an interface that is there was added again");
    container.call("check").await?;
    container
        .run(&["ip", "address", "flush", "dev", "eth0"])
        .await?;
    let checked = container.call("check").await;
    ensure!(
        checked.is_err(),
        "CHECK found nothing wrong without an address"
    );
    container.call("del").await?;
    container.call("del").await?;
    for address in addresses {
        ensure!(
            !is_given(machine, address).await,
            "{address} is given still"
        );
    }
    container.remove().await?;
    delete(cluster, &[far]).await
}

/// containerd's own client: the same runtime without Kubernetes.
pub(crate) async fn r08_containers_without_kubernetes_are_wired(cluster: &Cluster) -> Result<()> {
    let node = cluster.node("node-1")?;
    let far = cluster
        .run_pod(PodSpec::new("r08-far-of-ctr").on("node-2"))
        .await?;
    let there = far.address()?.to_string();
    let script = format!("ping -c 1 -W 5 {there} >&2 && ip -o address show eth0");
    let run = ["ctr", "--namespace", "k8s.io", "run", "--rm", "--cni"];
    let rest = [images::TOOLS, "r08-ctr", "sh", "-c", &script];
    let argv: Vec<&str> = run.into_iter().chain(rest).collect();
    let inside = node.machine().run(&argv).await?;
    ensure!(inside.contains("inet "), "no address in {inside}");
    delete(cluster, &[far]).await
}

/// What a container had is free again when it is gone, be it that nobody said so; and a garbage collection by
/// somebody who knows of no container at all does no harm to others'.
pub(crate) async fn r21_addresses_of_containers_that_vanish_are_free_again(
    cluster: &Cluster,
) -> Result<()> {
    let node = cluster.node("node-1")?;
    let machine = node.machine();
    let near = cluster
        .run_pod(PodSpec::new("r21-near").on("node-1"))
        .await?;
    let far = cluster
        .run_pod(PodSpec::new("r21-far").on("node-2"))
        .await?;
    let vanished = Container::create(machine, "r21-vanished").await?;
    let forgotten = Container::create(machine, "r21-forgotten").await?;
    let (of_vanished, of_forgotten) = (vanished.add().await?, forgotten.add().await?);

    vanished.remove().await?;
    let what = "the addresses of a container without DEL to be free";
    wait::until(what, LIMIT, async || {
        for address in &of_vanished {
            ensure!(
                !is_given(machine, *address).await,
                "{address} is given still"
            );
        }
        Ok(())
    })
    .await?;

    forgotten.call("gc").await?;
    for address in of_forgotten {
        ensure!(
            !is_given(machine, address).await,
            "{address} is given still"
        );
    }
    answers(&near, &far).await?;
    forgotten.remove().await?;
    delete(cluster, &[near, far]).await
}

async fn answers(one: &Pod, other: &Pod) -> Result<()> {
    let to: Vec<IpAddr> = other.addresses().to_vec();
    for address in to {
        one.ping(address).await?;
    }
    Ok(())
}
