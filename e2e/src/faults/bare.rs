//! Nodes without machines: work for the controller while something happens to it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::Arena;

/// Addresses from here on are not taken by other bare nodes.
const FIRST: u32 = u32::from_be_bytes([172, 29, 128, 1]);
/// How many there are before they come again.
const ADDRESSES: u32 = 30_000;

impl Arena {
    /// Creates this many Node objects without machines, under names never used before, and gives the
    /// names. Does not wait for anything.
    pub async fn join_bare(&mut self, count: usize) -> Result<Vec<String>> {
        let mut created = Vec::new();
        for _ in 0..count {
            let address = Ipv4Addr::from(FIRST + self.bare_created % ADDRESSES);
            let name = format!("bare-{}", self.bare_created);
            self.bare_created += 1;
            created.push((name, address));
        }
        let nodes: Api<Node> = Api::all(self.cluster().client());
        let creations = created.iter().map(async |(name, address)| {
            let object = json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {"signpost.dev/bare": "true"}},
                "spec": {"unschedulable": true},
                "status": {"addresses": [{"type": "InternalIP", "address": address}]},
            });
            let object = serde_json::from_value(object)?;
            let made = nodes.create(&PostParams::default(), &object).await;
            made.with_context(|| format!("creating {name}"))
        });
        try_join_all(creations).await?;
        let names: Vec<String> = created.into_iter().map(|(name, _)| name).collect();
        self.bare.extend(names.iter().cloned());
        Ok(names)
    }

    /// Deletes Node objects made by [`join_bare`](Self::join_bare). Does not wait for anything.
    pub async fn leave_bare(&mut self, names: &[String]) -> Result<()> {
        self.cluster().delete_bare_nodes(names).await?;
        self.bare.retain(|name| !names.contains(name));
        Ok(())
    }

    /// Names of the bare nodes that there are, the oldest first.
    pub fn bare(&self) -> &[String] {
        &self.bare
    }
}
