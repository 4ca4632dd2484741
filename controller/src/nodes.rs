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
/// Only for `lastTransitionTime`: it may be behind. The resource version is the one in which the
/// watch last brought the node.
#[derive(Debug, Clone, Default)]
pub struct Conditions(Arc<Mutex<HashMap<Arc<str>, Sighting>>>);

#[derive(Debug, Clone, Copy)]
struct Sighting {
    condition: NetworkCondition,
    version: Option<u64>,
}

impl Conditions {
    /// What the node's condition last said; `None` for a node not seen.
    pub fn of(&self, name: &str) -> Option<NetworkCondition> {
        self.lock().get(name).map(|seen| seen.condition)
    }

    /// The node's condition says that now.
    pub fn set(&self, name: Arc<str>, condition: NetworkCondition) {
        let mut seen = self.lock();
        let version = seen.get(&name).and_then(|seen| seen.version);
        seen.insert(name, Sighting { condition, version });
    }

    /// Passes on a node that was read by itself, unless the watch brought it in a newer version:
    /// what is told of a node never goes back in time.
    pub async fn tell_read(&self, read: NodeLite, events: &mpsc::Sender<Event>) {
        // Without a receiver the leadership is over and nobody waits for the node.
        let Ok(place) = events.reserve().await else {
            return;
        };
        // The watch cannot tell anything between the look and the message.
        let seen = self.lock();
        let known = seen.get(read.name()).and_then(|seen| seen.version);
        if known.is_none() || read.version().is_none() || read.version() >= known {
            place.send(Event::NodeSeen(read.into_node()));
        }
    }

    /// Passes on what the watch brought. Says whether anybody listens.
    async fn tell(
        &self,
        event: Event,
        events: &mpsc::Sender<Event>,
        note: impl FnOnce(&mut HashMap<Arc<str>, Sighting>),
    ) -> bool {
        let Ok(place) = events.reserve().await else {
            return false;
        };
        note(&mut self.lock());
        place.send(event);
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Sighting>> {
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
    let mut sightings = HashMap::new();
    let mut strings = Interner::default();
    while let Some(event) = stream.next().await {
        let heard = match event {
            watcher::Event::Init => {
                listing = Vec::new();
                sightings = HashMap::new();
                true
            }
            watcher::Event::InitApply(node) => {
                let version = node.version();
                let node = strings.shrink(node.into_node());
                sightings.insert(Arc::clone(&node.key.name), sighting(&node, version));
                listing.push(node);
                true
            }
            watcher::Event::InitDone => {
                let event = Event::NodesListed(std::mem::take(&mut listing));
                let all = std::mem::take(&mut sightings);
                conditions.tell(event, &events, |seen| *seen = all).await
            }
            watcher::Event::Apply(node) => {
                let version = node.version();
                let node = strings.shrink(node.into_node());
                let (name, new) = (Arc::clone(&node.key.name), sighting(&node, version));
                let remember = |seen: &mut HashMap<_, _>| {
                    seen.insert(name, new);
                };
                conditions
                    .tell(Event::NodeSeen(node), &events, remember)
                    .await
            }
            watcher::Event::Delete(node) => {
                let key = node.into_node().key;
                let name = Arc::clone(&key.name);
                let remember = |seen: &mut HashMap<_, _>| {
                    seen.remove(&name);
                };
                conditions
                    .tell(Event::NodeGone(key), &events, remember)
                    .await
            }
        };
        if !heard {
            return;
        }
    }
}

fn sighting(node: &Node, version: Option<u64>) -> Sighting {
    Sighting {
        condition: node.network,
        version,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(version: &str) -> NodeLite {
        let metadata = json!({"name": "a", "uid": "u", "resourceVersion": version});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[tokio::test]
    async fn a_node_read_before_the_watch_brought_it_anew_is_not_told() {
        let conditions = Conditions::default();
        let (sender, mut events) = mpsc::channel(8);
        // Longer is larger, whatever it begins with.
        let brought = node("1000");
        let seen = sighting(&brought.clone().into_node(), brought.version());
        let event = Event::NodeSeen(brought.into_node());
        let note = |all: &mut HashMap<_, _>| {
            all.insert(Arc::from("a"), seen);
        };
        assert!(conditions.tell(event, &sender, note).await);
        assert!(matches!(events.try_recv(), Ok(Event::NodeSeen(_))));
        conditions.set("a".into(), NetworkCondition::Available);
        conditions.tell_read(node("999"), &sender).await;
        assert!(events.try_recv().is_err());
        conditions.tell_read(node("1000"), &sender).await;
        assert!(matches!(events.try_recv(), Ok(Event::NodeSeen(_))));
    }
}
