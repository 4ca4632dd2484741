//! What people should hear of this node, as events of its Node object.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tracing::debug;

/// The namespace of events about objects that have none.
const NAMESPACE: &str = "default";
/// Longest text that the API server takes.
const NOTE_BYTES: usize = 1024;

/// What an event is about, in the word that people search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A firewall of others may drop packets of pods.
    Firewall,
    /// All addresses of a subnet are in use.
    SubnetFull,
    /// The kubelet may run more pods than a subnet has addresses.
    SubnetSmall,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Firewall => "PodsMayBeDropped",
            Self::SubnetFull => "PodCIDRFull",
            Self::SubnetSmall => "PodCIDRSmallerThanMaxPods",
        }
    }
}

/// Publishes them, each once as long as it is so.
#[derive(Debug)]
pub struct Events {
    api: Api<Event>,
    node_name: String,
    told: BTreeSet<(Reason, String)>,
}

impl Events {
    /// About the node with this name.
    pub fn new(client: Client, node_name: &str) -> Self {
        Self {
            api: Api::namespaced(client, NAMESPACE),
            node_name: node_name.to_owned(),
            told: BTreeSet::new(),
        }
    }

    /// Publishes what has not been told yet of what is so now, in the background: nothing waits for it.
    pub fn tell(&mut self, remarks: BTreeSet<(Reason, String)>) {
        for (reason, note) in remarks.difference(&self.told) {
            let (api, event) = (self.api.clone(), self.event(*reason, note));
            tokio::spawn(async move {
                // The log has said it too.
                if let Err(error) = api.create(&PostParams::default(), &event).await {
                    debug!(%error, "an event could not be published");
                }
            });
        }
        self.told = remarks;
    }

    fn event(&self, reason: Reason, note: &str) -> Event {
        let mut end = note.len().min(NOTE_BYTES);
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        Event {
            metadata: ObjectMeta {
                generate_name: Some("signpost-node-".to_owned()),
                namespace: Some(NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some("signpost-node".to_owned()),
            reporting_instance: Some(self.node_name.clone()),
            type_: Some("Warning".to_owned()),
            reason: Some(reason.word().to_owned()),
            action: Some("Looking".to_owned()),
            note: note.get(..end).map(str::to_owned),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(self.node_name.clone()),
                // As the kubelet does; `kubectl describe node` looks for both.
                uid: Some(self.node_name.clone()),
                ..ObjectReference::default()
            }),
            ..Event::default()
        }
    }
}
