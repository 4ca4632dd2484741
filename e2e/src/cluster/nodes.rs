//! Nodes that come, go and reboot; and bare ones, for scale.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Node as NodeObject, NodeCondition};
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use super::Cluster;
use crate::identity::AGENT;
use crate::node::Node;
use crate::programs;
use crate::wait;

/// How many Node objects are created at once.
const AT_ONCE: usize = 32;
/// How many bare nodes the addresses of their range are enough for.
const MAX_BARE: u32 = 65_000;
const LIMIT: Duration = Duration::from_secs(60);

impl Cluster {
    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<Arc<Node>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let control = self.control.as_ref().filter(|node| node.name() == name);
        control
            .or_else(|| nodes.get(name))
            .cloned()
            .with_context(|| format!("the cluster has no machine {name}"))
    }

    /// All nodes that have a machine of their own, sorted by name.
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.values().cloned().collect()
    }

    /// As [`nodes`](Self::nodes), and the router's if it joined.
    pub fn all_nodes(&self) -> Vec<Arc<Node>> {
        let joined = self.control.iter().filter(|_| self.parts.router_joins);
        self.nodes().iter().chain(joined).cloned().collect()
    }

    /// Boots one more node; returns when it has registered and, with Signpost, is ready.
    pub async fn add_node(&self, name: &str) -> Result<Arc<Node>> {
        let node = self.new_node(name)?;
        node.boot().await?;
        self.join(&node).await?;
        self.wait_registered(&[name], LIMIT).await?;
        if self.parts.with_signpost {
            self.wait_ready(&[name], LIMIT).await?;
        }
        Ok(node)
    }

    /// Ends a machine for good, and terminates its instance in a cloud; its Node object stays.
    pub async fn terminate(&self, name: &str) -> Result<()> {
        self.power_off(name).await?;
        if let (Some(cloud), Some(instance)) = (&self.parts.cloud, self.node(name)?.instance()) {
            cloud.terminate(instance).await?;
        }
        let node = {
            let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
            nodes.remove(name)
        };
        if let Some(node) = node {
            node.remove_folders()?;
        }
        Ok(())
    }

    /// Deletes the Node object, and ends the machine for good.
    pub async fn remove_node(&self, name: &str) -> Result<()> {
        self.terminate(name).await?;
        self.delete_node_object(name).await
    }

    /// Deletes the Node object alone; the machine goes on, as the kubelet does not notice.
    pub async fn delete_node_object(&self, name: &str) -> Result<()> {
        let nodes: Api<NodeObject> = Api::all(self.client());
        nodes.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Ends every process of a node's machine at once; its Node object and its disk stay.
    pub async fn power_off(&self, name: &str) -> Result<()> {
        self.node(name)?.power_off().await
    }

    /// Boots a machine that was powered off.
    pub async fn power_on(&self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        node.boot().await?;
        self.join(&node).await
    }

    /// Powers a node off and on again; returns when its services are started, not yet ready.
    pub async fn reboot(&self, name: &str) -> Result<()> {
        self.power_off(name).await?;
        self.power_on(name).await
    }

    /// Starts what makes a booted machine a node of the cluster.
    pub(super) async fn join(&self, node: &Node) -> Result<()> {
        node.start_kubernetes().await
    }

    /// Waits until Node objects exist.
    pub async fn wait_registered(&self, names: &[&str], limit: Duration) -> Result<()> {
        self.wait_for_nodes(names, "register", limit, |_| true)
            .await
    }

    /// Waits until nodes are `Ready`.
    pub async fn wait_ready(&self, names: &[&str], limit: Duration) -> Result<()> {
        self.wait_for_nodes(names, "be ready", limit, is_ready)
            .await
    }

    async fn wait_for_nodes(
        &self,
        names: &[&str],
        what: &str,
        limit: Duration,
        condition: fn(&NodeObject) -> bool,
    ) -> Result<()> {
        let nodes: Api<NodeObject> = Api::all(self.client());
        for name in names {
            let shown = format!("{name} to {what}");
            let waited = wait::until(&shown, limit, async || {
                let node = nodes.get(name).await?;
                if !condition(&node) {
                    bail!("{name}: {}", ready_message(&node));
                }
                Ok(())
            });
            if let Err(error) = waited.await {
                return Err(self.with_logs_of(name, error).await);
            }
        }
        Ok(())
    }

    /// Adds the ends of those logs to an error that may say why a node did not come up.
    async fn with_logs_of(&self, name: &str, error: anyhow::Error) -> anyhow::Error {
        let Ok(node) = self.node(name) else {
            return error;
        };
        let error = if self.parts.with_signpost {
            let of_agent = programs::last_of(&node, AGENT);
            anyhow::anyhow!("{error:#}\n{of_agent}{}", self.said().await)
        } else {
            error
        };
        node.machine().with_log(&error, "kubelet")
    }

    /// Creates Node objects that no machine stands behind, `bare-0` and on, and gives their names.
    ///
    /// Their addresses are ones that the router's kernel takes as next hops, or in a VPC those of
    /// instances. No pod is scheduled to them.
    pub async fn create_bare_nodes(&self, count: u32) -> Result<Vec<String>> {
        self.create_bare_nodes_of(0..count).await
    }

    /// As [`create_bare_nodes`](Self::create_bare_nodes), with these numbers: for more of them.
    pub async fn create_bare_nodes_of(&self, numbers: Range<u32>) -> Result<Vec<String>> {
        if numbers.end > MAX_BARE {
            bail!("at most {MAX_BARE} bare nodes have an address");
        }
        let nodes: Api<NodeObject> = Api::all(self.client());
        stream::iter(numbers)
            .map(|number| {
                let nodes = nodes.clone();
                async move {
                    let node = self.bare_node(number).await?;
                    nodes.create(&PostParams::default(), &node).await?;
                    Ok(node.metadata.name.unwrap_or_default())
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn bare_node(&self, number: u32) -> Result<NodeObject> {
        // The first addresses are the range's and the router's own.
        let host = number + 256;
        let host = u16::try_from(host)?.to_be_bytes();
        let address = Ipv4Addr::new(172, 29, host[0], host[1]);
        let name = format!("bare-{number}");
        let provider_id = self.launch_bare(address, &name).await?;
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"signpost.dev/bare": "true"}},
            "spec": {"unschedulable": true, "providerID": provider_id},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        });
        Ok(serde_json::from_value(node)?)
    }

    /// Deletes Node objects made by [`create_bare_nodes`](Self::create_bare_nodes).
    pub async fn delete_bare_nodes(&self, names: &[String]) -> Result<()> {
        let deletions = names.iter().map(|name| self.delete_node_object(name));
        stream::iter(deletions)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// Whether a Node object says that it is ready.
pub fn is_ready(node: &NodeObject) -> bool {
    condition(node, "Ready").is_some_and(|condition| condition.status == "True")
}

fn condition<'a>(node: &'a NodeObject, which: &str) -> Option<&'a NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == which)
}

fn ready_message(node: &NodeObject) -> String {
    let ready = match condition(node, "Ready") {
        Some(condition) => condition.message.as_deref().unwrap_or_default(),
        None => "it has no condition Ready",
    };
    let network = condition(node, "NetworkUnavailable");
    let network = network.and_then(|condition| condition.message.as_deref());
    format!(
        "{ready}; {}",
        network.unwrap_or("it has no condition NetworkUnavailable")
    )
}
