//! Steps of a start, one by one: for tests that do something between them.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::Cluster;
use crate::addresses::Link;
use crate::node::Node;

impl Cluster {
    /// Boots one more machine that is no node of the cluster yet: it has its wire and a container
    /// runtime. [`join_node`](Self::join_node) is the second half of adding a node.
    pub async fn boot_node(&self, name: &str) -> Result<Arc<Node>> {
        let node = self.new_node(name)?;
        node.boot().await?;
        Ok(node)
    }

    /// Starts kubelet and kube-proxy on a booted machine; does not wait.
    pub async fn join_node(&self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        self.join(&node).await
    }

    /// Gives a booted machine in a VPC a second network interface, as `eth1`; gives the interface's id.
    pub async fn attach_interface(&self, name: &str) -> Result<String> {
        let (vpc, node) = (self.vpc()?, self.node(name)?);
        let instance = node.instance().context("an instance")?;
        let taken: Vec<IpAddr> = vpc
            .emulator()
            .snapshot()
            .interfaces
            .into_iter()
            .flat_map(|interface| interface.addresses)
            .collect();
        // From the end, so that it is in no later node's way.
        let mut links = (1..=254).rev().map(Link);
        let link = links.find(|link| {
            link.zone() == node.link().zone() && !taken.contains(&link.node_v4().into())
        });
        let link = link.context("no link is free")?;
        node.attach(link).await?;
        vpc.attach(instance, link).await
    }
}
