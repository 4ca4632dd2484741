//! Keeps the object at what agents are to know, while we lead.

use std::{net::IpAddr, time::Duration};

use signpost_core::{Time, event::ApiErrorKind};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    exempt,
    object::{self, Found, Said, Seen},
};
use crate::{
    api::KubeApi, clock::now, errors::ApiFailure, network::Valid, status::Put, watching::Trouble,
};

/// Shortest time between two writes: each is sent to every node. Nobody waits for a node that joins meanwhile, whose
/// agent knows its own addresses.
const EVERY: Duration = Duration::from_secs(5);

/// Writes when the object says something else, whoever wrote it, with one write under way at a time.
#[derive(Debug)]
pub struct Publisher {
    api: KubeApi,
    namespace: String,
    seen: watch::Receiver<Seen>,
    _watch: AbortOnDropHandle<()>,
    /// When the last write was begun.
    begun: Option<Time>,
    under_way: Option<Write>,
    trouble: Trouble,
}

#[derive(Debug)]
struct Write {
    result: oneshot::Receiver<Result<(), ApiFailure>>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Begins to look at what there is in the namespace of the programs.
    pub fn new(api: KubeApi, namespace: String) -> Self {
        let (sender, seen) = watch::channel(None);
        let watch = object::watch(api.clone(), namespace.clone(), sender);
        Self {
            api,
            namespace,
            seen,
            _watch: AbortOnDropHandle::new(tokio::spawn(watch)),
            begun: None,
            under_way: None,
            trouble: Trouble::default(),
        }
    }

    /// Waits until the object says something else than before.
    pub async fn changed(&mut self) {
        // The sender ends only with the whole program.
        if self.seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Begins to write what `valid` and the nodes' addresses say, if the object says something else.
    pub fn put(&mut self, valid: &Valid, nodes: impl Iterator<Item = IpAddr>) -> Put {
        self.settle();
        if self.under_way.is_some() {
            return Put::Soon;
        }
        // Until it is known what there is; who waits for `changed` hears of it.
        let Some(found) = self.seen.borrow().clone() else {
            return Put::Done;
        };
        let said = said(valid, nodes);
        if found == Found::Present(said.clone()) {
            return Put::Done;
        }
        // By then the watch shows what was written.
        let due = self.begun.map(|begun| begun.after(EVERY));
        if let Some(due) = due.filter(|due| now() < *due) {
            return Put::At(due);
        }
        self.begin(said, found == Found::Absent);
        Put::Soon
    }

    fn begin(&mut self, said: Said, create: bool) {
        let (sender, result) = oneshot::channel();
        let (api, namespace) = (self.api.clone(), self.namespace.clone());
        let task = tokio::spawn(async move {
            let result = object::write(&api, &namespace, &said, create).await;
            // Nobody waits for it after the end of the leadership.
            let _ = sender.send(result);
        });
        self.begun = Some(now());
        self.under_way = Some(Write { result, task });
    }

    /// Takes note of a write that ended.
    fn settle(&mut self) {
        let Some(mut write) = self.under_way.take() else {
            return;
        };
        match write.result.try_recv() {
            Ok(Ok(())) => self.trouble.over("the node agents can be told"),
            // It was created or deleted meanwhile, which the watch shows too.
            Ok(Err(failure))
                if matches!(
                    failure.kind,
                    ApiErrorKind::NotFound | ApiErrorKind::Conflict
                ) => {}
            Ok(Err(failure)) => self.trouble.tell(&failure.message),
            Err(oneshot::error::TryRecvError::Empty) => self.under_way = Some(write),
            Err(oneshot::error::TryRecvError::Closed) => {}
        }
    }

    /// Waits until the write under way has ended; it is bounded in time.
    pub async fn finish(self) {
        if let Some(write) = self.under_way {
            // It panics only with the whole program.
            let _ = write.task.await;
        }
    }
}

fn said(valid: &Valid, nodes: impl Iterator<Item = IpAddr>) -> Said {
    let mut network = valid.agents.clone();
    if network.masquerade {
        network.exempt = exempt(&network.pools, &network.exempt, nodes);
    } else {
        network.exempt.clear();
    }
    Said {
        // Numbers and strings can always be written.
        text: serde_json::to_string(&network).ok(),
        owner: Some(valid.object.uid.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::network::{self, Wish};

    fn text(masquerade: &serde_json::Value) -> String {
        let object = json!({
            "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
            "metadata": {"name": "default", "uid": "u"},
            "spec": {
                "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
                "cloud": {"provider": "none"},
                "datapath": {"mtu": 1400, "masquerade": masquerade},
            },
        });
        let Wish::Valid(valid) = network::read(&from_value(object).unwrap()) else {
            panic!("the object is valid");
        };
        let nodes = ["192.0.2.5", "192.0.2.4"].map(|text| text.parse().unwrap());
        let said = said(&valid, nodes.into_iter());
        assert_eq!(said.owner.as_deref(), Some("u"));
        said.text.unwrap()
    }

    #[test]
    fn agents_are_told_of_nodes_only_where_they_masquerade() {
        assert_eq!(
            text(&json!({"exceptCIDRs": ["198.51.100.0/24"]})),
            r#"{"mode":"ptp","mtu":1400,"pools":["10.244.0.0/16"],"masquerade":true,"exempt":["192.0.2.4/31","198.51.100.0/24"]}"#
        );
        assert_eq!(
            text(&json!({"enabled": false, "exceptCIDRs": ["198.51.100.0/24"]})),
            r#"{"mode":"ptp","mtu":1400,"pools":["10.244.0.0/16"],"masquerade":false,"exempt":[]}"#
        );
    }
}
