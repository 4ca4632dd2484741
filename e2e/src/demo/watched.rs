//! Nodes as a watch of the API server shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::is_ready;

/// One node as it was seen last.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) pod_cidrs: Vec<String>,
    pub(super) ready: bool,
    /// The reason of the condition `NetworkUnavailable`.
    pub(super) reason: String,
}

/// A watch that runs until it is dropped.
pub(super) struct Watched {
    nodes: Arc<Mutex<BTreeMap<String, Seen>>>,
    task: JoinHandle<()>,
}

impl Watched {
    /// Begins to watch; what happens after this returned is seen when it happens.
    pub(super) async fn start(client: kube::Client) -> Result<Self> {
        let nodes = Arc::<Mutex<BTreeMap<String, Seen>>>::default();
        let shared = Arc::clone(&nodes);
        let (listed, first_list) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut listed = Some(listed);
            // Not that of the control plane, which is left alone.
            let config = watcher::Config::default().labels("!signpost.dev/exclude");
            let events = watcher(Api::<NodeObject>::all(client), config);
            pin_mut!(events);
            while let Some(event) = events.next().await {
                let mut nodes = lock(&shared);
                match event {
                    Ok(Event::InitApply(node) | Event::Apply(node)) => take(&mut nodes, &node),
                    Ok(Event::Delete(node)) => {
                        nodes.remove(&node.metadata.name.unwrap_or_default());
                    }
                    Ok(Event::InitDone) => {
                        // Nobody waits for the lists after the first.
                        listed.take().map(|listed| listed.send(()));
                    }
                    // The watcher reports a break and then lists anew by itself.
                    Ok(Event::Init) | Err(_) => {}
                }
            }
        });
        first_list.await.context("watching nodes")?;
        Ok(Self { nodes, task })
    }

    pub(super) fn nodes(&self) -> BTreeMap<String, Seen> {
        lock(&self.nodes).clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(nodes: &Mutex<BTreeMap<String, Seen>>) -> MutexGuard<'_, BTreeMap<String, Seen>> {
    nodes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(nodes: &mut BTreeMap<String, Seen>, node: &NodeObject) {
    let name = node.metadata.name.clone().unwrap_or_default();
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let network = conditions
        .into_iter()
        .find(|c| c.type_ == "NetworkUnavailable");
    let seen = nodes.entry(name).or_insert_with(|| Seen {
        pod_cidrs: Vec::new(),
        ready: false,
        reason: String::new(),
    });
    let spec = node.spec.as_ref();
    seen.pod_cidrs = spec
        .and_then(|spec| spec.pod_cidrs.clone())
        .unwrap_or_default();
    seen.ready = is_ready(node);
    seen.reason = network
        .and_then(|network| network.reason.clone())
        .unwrap_or_default();
}
