//! Nodes, watched while we lead and trimmed to what decides.

mod interner;
mod lite;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use kube::{
    Api,
    runtime::watcher::{self, watcher},
};
use signpost_core::{
    Event, NodeKey,
    node::NetworkCondition,
    shell::{Feed, Reading, Told},
};
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

/// What the engine was told of nodes, shared between the watch and single reads.
#[derive(Debug, Clone, Default)]
pub struct Sightings(Arc<Mutex<Feed>>);

impl Sightings {
    /// What the node's condition last said; `None` for a node not seen. It may be behind.
    pub fn condition(&self, name: &str) -> Option<NetworkCondition> {
        self.lock().condition(name)
    }

    /// The node's condition says that now.
    pub fn condition_written(&self, name: &str, condition: NetworkCondition) {
        self.lock().condition_written(name, condition);
    }

    /// A read of one node is begun.
    pub fn begin_read(&self, node: &NodeKey) -> Reading {
        self.lock().begin_read(node)
    }

    /// Passes on the answer to a read, if it is to be told. False: read again.
    pub async fn answer(
        &self,
        reading: &Reading,
        found: Option<NodeLite>,
        events: &mpsc::Sender<Event>,
    ) -> bool {
        // Without a receiver the leadership is over and nobody waits for the node.
        let Ok(place) = events.reserve().await else {
            return true;
        };
        let found = found.map(|node| {
            let version = node.version();
            (node.into_node(), version)
        });
        // The watch cannot tell anything between the look and the message.
        let feed = self.lock();
        match feed.answered(reading, found) {
            Told::Event(event) => place.send(event),
            Told::Nothing => {}
            Told::ReadAgain => return false,
        }
        true
    }

    /// Passes on what list or watch brought. Says whether anybody listens.
    pub async fn tell(
        &self,
        events: &mpsc::Sender<Event>,
        brought: impl FnOnce(&mut Feed) -> Event,
    ) -> bool {
        let Ok(place) = events.reserve().await else {
            return false;
        };
        let mut feed = self.lock();
        place.send(brought(&mut feed));
        true
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends all nodes, and then every change, until the receiver is gone.
///
/// The first list is a consistent read, so that it shows what an earlier leader wrote last.
pub async fn watch(api: KubeApi, sightings: Sightings, events: mpsc::Sender<Event>) {
    let nodes = Api::<NodeLite>::all(api.client());
    let begin = move || watcher(nodes.clone(), config());
    let mut stream = std::pin::pin!(lasting(begin, NODES, Arc::clone(api.metrics())));
    let mut listing = Vec::new();
    let mut strings = Interner::default();
    while let Some(event) = stream.next().await {
        let heard = match event {
            watcher::Event::Init => {
                listing = Vec::new();
                true
            }
            watcher::Event::InitApply(node) => {
                let version = node.version();
                listing.push((strings.shrink(node.into_node()), version));
                true
            }
            watcher::Event::InitDone => {
                let all = std::mem::take(&mut listing);
                sightings.tell(&events, |feed| feed.listed(all)).await
            }
            watcher::Event::Apply(node) => {
                let version = node.version();
                let node = strings.shrink(node.into_node());
                let brought = |feed: &mut Feed| feed.watched(node, version);
                sightings.tell(&events, brought).await
            }
            watcher::Event::Delete(node) => {
                let version = node.version();
                let key = node.into_node().key;
                let brought = |feed: &mut Feed| feed.deleted(key, version);
                sightings.tell(&events, brought).await
            }
        };
        if !heard {
            return;
        }
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
        let sightings = Sightings::default();
        let (sender, mut events) = mpsc::channel(8);
        let brought = |version: &str| {
            let node = node(version);
            move |feed: &mut Feed| {
                let version = node.version();
                feed.watched(node.into_node(), version)
            }
        };
        assert!(sightings.tell(&sender, brought("998")).await);
        let reading = sightings.begin_read(&node("1").into_node().key);
        assert!(sightings.tell(&sender, brought("1000")).await);
        while events.try_recv().is_ok() {}
        let old = sightings.answer(&reading, Some(node("999")), &sender);
        assert!(!old.await, "to be read again");
        assert!(events.try_recv().is_err());
        assert!(
            sightings
                .answer(&reading, Some(node("1000")), &sender)
                .await
        );
        let told = events.try_recv();
        assert!(
            matches!(told, Ok(Event::NodeRead { node: Some(_), .. })),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn nobody_waits_for_a_leadership_that_is_over() {
        let sightings = Sightings::default();
        let (sender, mut events) = mpsc::channel(1);
        let listed = |feed: &mut Feed| feed.listed(Vec::new());
        assert!(
            sightings.tell(&sender, listed).await,
            "the channel is full now"
        );
        let telling = sightings.tell(&sender, listed);
        events.close();
        assert!(!telling.await);
    }
}
