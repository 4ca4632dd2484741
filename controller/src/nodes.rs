//! Nodes, watched while we lead and trimmed to what decides.

mod interner;
mod lite;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use kube::{
    Api,
    runtime::watcher::{self, watcher},
};
use signpost_core::{Event, Node, node::NetworkCondition};
use tokio::sync::mpsc;

use crate::{
    api::KubeApi,
    watching::{Watched, config, lasting},
};
use interner::Interner;
pub use lite::{EXCLUDE_LABEL, NodeLite};

const NODES: Watched = Watched {
    resource: "nodes",
    if_unknown: "this is no Kubernetes API server",
};

/// What the condition `NetworkUnavailable` of each node was last seen to say, by name.
///
/// Only for `lastTransitionTime`: it may be behind.
#[derive(Debug, Clone, Default)]
pub struct Conditions(Arc<Mutex<HashMap<Arc<str>, NetworkCondition>>>);

impl Conditions {
    /// What the node's condition last said; `None` for a node not seen.
    pub fn of(&self, name: &str) -> Option<NetworkCondition> {
        self.lock().get(name).copied()
    }

    /// The node's condition says that now.
    pub fn set(&self, name: Arc<str>, condition: NetworkCondition) {
        self.lock().insert(name, condition);
    }

    fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, NetworkCondition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends all nodes, and then every change, until the receiver is gone.
///
/// The first list is a consistent read, so that it shows what an earlier leader wrote last.
pub async fn watch(api: KubeApi, conditions: Conditions, events: mpsc::Sender<Event>) {
    let nodes = Api::<NodeLite>::all(api.client());
    let begin = move || watcher(nodes.clone(), config());
    let mut stream = std::pin::pin!(lasting(begin, NODES, Arc::clone(api.metrics())));
    let mut listing: Vec<Node> = Vec::new();
    let mut strings = Interner::default();
    while let Some(event) = stream.next().await {
        let event = match event {
            watcher::Event::Init => {
                listing = Vec::new();
                continue;
            }
            watcher::Event::InitApply(node) => {
                listing.push(strings.shrink(node.into_node()));
                continue;
            }
            watcher::Event::InitDone => {
                conditions.clear();
                for node in &listing {
                    conditions.set(Arc::clone(&node.key.name), node.network);
                }
                Event::NodesListed(std::mem::take(&mut listing))
            }
            watcher::Event::Apply(node) => {
                let node = strings.shrink(node.into_node());
                conditions.set(Arc::clone(&node.key.name), node.network);
                Event::NodeSeen(node)
            }
            watcher::Event::Delete(node) => {
                let node = node.into_node();
                conditions.remove(&node.key.name);
                Event::NodeGone(node.key)
            }
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
