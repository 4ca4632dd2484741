//! The `ConfigMap` as it is read and written.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    runtime::watcher::{self, watcher},
};
use serde_json::{Value, json};
use signpost_api::{NAME, NodeNetwork};
use tokio::sync::watch;

use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    watching::{Watched, config, lasting},
};

const WATCHED: Watched = Watched {
    resource: "configmaps",
    if_unknown: "this is no Kubernetes API server",
};

/// The part of the object that is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// What agents read.
    pub(super) text: Option<String>,
    /// `metadata.uid` of the `PodNetwork` with which the object goes.
    pub(super) owner: Option<String>,
}

/// What the watch shows; `None`: nothing yet.
pub(super) type Seen = Option<Found>;

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No object.
    Absent,
    /// An object that says that.
    Present(Said),
}

impl Found {
    fn read(object: &ConfigMap) -> Self {
        let data = object.data.as_ref();
        let owners = object.metadata.owner_references.iter().flatten();
        let mut owners = owners.filter(|owner| owner.kind == "PodNetwork");
        Self::Present(Said {
            text: data.and_then(|data| data.get(NodeNetwork::KEY).cloned()),
            owner: owners.next().map(|owner| owner.uid.clone()),
        })
    }
}

impl Said {
    fn body(&self) -> Value {
        let owner = json!({
            "apiVersion": "signpost.dev/v1alpha1",
            "kind": "PodNetwork",
            "name": NAME,
            "uid": self.owner,
        });
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NodeNetwork::CONFIG_MAP,
                "labels": {"app.kubernetes.io/part-of": "signpost"},
                "ownerReferences": [owner],
            },
            "data": {NodeNetwork::KEY: self.text},
        })
    }
}

/// Has the object say that. `create`: there is none so far.
pub(super) async fn write(
    api: &KubeApi,
    namespace: &str,
    said: &Said,
    create: bool,
) -> Result<(), ApiFailure> {
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let body = said.body();
    let written = if create {
        api.create(CREATE, &path, &body).await
    } else {
        let path = format!("{path}/{}", NodeNetwork::CONFIG_MAP);
        api.patch(PATCH, &path, PatchKind::Merge, &body).await
    };
    written.map(drop)
}

/// Keeps `seen` at what there is. Ends with the receivers.
pub(super) async fn watch(api: KubeApi, namespace: String, seen: watch::Sender<Seen>) {
    let maps = Api::<ConfigMap>::namespaced(api.client(), &namespace);
    let config = config().fields(&format!("metadata.name={}", NodeNetwork::CONFIG_MAP));
    let begin = move || watcher(maps.clone(), config.clone());
    let mut stream = std::pin::pin!(lasting(begin, WATCHED, Arc::clone(api.metrics())));
    let mut listed = Found::Absent;
    while let Some(event) = stream.next().await {
        let found = match event {
            watcher::Event::Init => {
                listed = Found::Absent;
                continue;
            }
            watcher::Event::InitApply(object) => {
                listed = Found::read(&object);
                continue;
            }
            watcher::Event::InitDone => listed.clone(),
            watcher::Event::Apply(object) => Found::read(&object),
            watcher::Event::Delete(_) => Found::Absent,
        };
        if seen.is_closed() {
            return;
        }
        seen.send_if_modified(|known| {
            let found = Some(found);
            let news = *known != found;
            *known = found;
            news
        });
    }
}

const CREATE: Purpose = Purpose {
    action: "publish_node_network",
    verb: "create",
    resource: "configmaps",
};
const PATCH: Purpose = Purpose {
    action: "publish_node_network",
    verb: "patch",
    resource: "configmaps",
};
