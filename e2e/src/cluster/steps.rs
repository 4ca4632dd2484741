//! Steps of a start, one by one: for tests that do something between them.

use std::sync::Arc;

use anyhow::Result;

use super::Cluster;
use crate::identity;
use crate::node::Node;

impl Cluster {
    /// Boots one more machine that is no node of the cluster yet: it has its wire and a container
    /// runtime. [`join_node`](Self::join_node) is the second half of adding a node.
    pub async fn boot_node(&self, name: &str) -> Result<Arc<Node>> {
        let node = self.new_node(name)?;
        node.boot().await?;
        Ok(node)
    }

    /// Starts kubelet, kube-proxy and, with Signpost, the agent on a booted machine; does not wait.
    pub async fn join_node(&self, name: &str) -> Result<()> {
        let node = self.node(name)?;
        self.join(&node).await
    }

    /// Starts the controller again, after it was stopped as a service of the router.
    pub async fn start_controller(&self) -> Result<()> {
        identity::start_controller(&self.parts).await
    }
}
