//! Nodes without machines: work for the controller while something happens to it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::Arena;

/// Addresses from here on are not taken by other bare nodes.
const FIRST: u32 = u32::from_be_bytes([172, 29, 128, 1]);
/// How many there are before they come again.
const ADDRESSES: u32 = 30_000;

impl Arena {
    /// Creates this many Node objects without machines, under names never used before, and gives the
    /// names. Does not wait for anything.
    pub async fn join_bare(&mut self, count: usize) -> Result<Vec<String>> {
        self.join_changed(vec![Value::Null; count]).await
    }

    /// As [`join_bare`](Self::join_bare), one node for each of these, which is merged into its object.
    pub async fn join_changed(&mut self, changes: Vec<Value>) -> Result<Vec<String>> {
        let objects: Vec<Value> = changes
            .iter()
            .map(|change| {
                let mut object = bare(self.bare_created);
                self.bare_created += 1;
                merge(&mut object, change);
                object
            })
            .collect();
        let names = try_join_all(objects.iter().map(|object| self.create(object))).await?;
        self.bare.extend(names.iter().cloned());
        Ok(names)
    }

    /// Creates a node again under the name of one that was just deleted, with an address never used
    /// before.
    pub async fn join_again(&mut self, name: &str) -> Result<()> {
        let mut object = bare(self.bare_created);
        self.bare_created += 1;
        object["metadata"]["name"] = name.into();
        self.create(&object).await?;
        self.bare.push(name.to_owned());
        Ok(())
    }

    async fn create(&self, object: &Value) -> Result<String> {
        let nodes: Api<Node> = Api::all(self.cluster().client());
        let node: Node = serde_json::from_value(object.clone())?;
        let name = node.metadata.name.clone().unwrap_or_default();
        let created = nodes.create(&PostParams::default(), &node).await;
        created.with_context(|| format!("creating {name}"))?;
        Ok(name)
    }

    /// Deletes Node objects made by [`join_bare`](Self::join_bare). Does not wait for anything.
    pub async fn leave_bare(&mut self, names: &[String]) -> Result<()> {
        self.cluster().delete_bare_nodes(names).await?;
        self.bare.retain(|name| !names.contains(name));
        Ok(())
    }

    /// Which bare nodes there are, after the API server's objects were exchanged for others.
    pub(super) fn set_bare(&mut self, names: Vec<String>) {
        self.bare = names;
    }

    /// Names of the bare nodes that there are, the oldest first.
    pub fn bare(&self) -> &[String] {
        &self.bare
    }
}

/// A Node object; the number gives it its name and its address.
fn bare(number: u32) -> Value {
    let address = Ipv4Addr::from(FIRST + number % ADDRESSES);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": format!("bare-{number}"), "labels": {"signpost.dev/bare": "true"}},
        "spec": {"unschedulable": true},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    })
}

/// Lays the fields of one object over another's, as a merge patch does.
fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (_, Value::Null) => {}
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(fields.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (object, change) => *object = change.clone(),
    }
}
