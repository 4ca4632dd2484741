//! What a pod is to be.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod as PodObject;
use serde_json::json;

use crate::images;

/// A pod to run; begin with [`PodSpec::new`].
#[derive(Clone, Debug)]
pub struct PodSpec {
    name: String,
    node: Option<String>,
    labels: BTreeMap<String, String>,
    containers: BTreeMap<String, Vec<String>>,
    host_network: bool,
}

impl PodSpec {
    /// A pod with one container, `main`, of the tool image, which sleeps.
    pub fn new(name: &str) -> Self {
        let sleep = ["sleep", "2147483647"].map(str::to_owned).to_vec();
        Self {
            name: name.to_owned(),
            node: None,
            labels: BTreeMap::new(),
            containers: BTreeMap::from([("main".to_owned(), sleep)]),
            host_network: false,
        }
    }

    /// On this node, rather than where the scheduler puts it.
    #[must_use]
    pub fn on(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// With a label, for services to select it by.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// What the container `main` runs instead of sleeping.
    #[must_use]
    pub fn command(self, argv: &[&str]) -> Self {
        self.container("main", argv)
    }

    /// One more container of the tool image, or another command for one that there is.
    #[must_use]
    pub fn container(mut self, name: &str, argv: &[&str]) -> Self {
        let argv = argv.iter().map(ToString::to_string).collect();
        self.containers.insert(name.to_owned(), argv);
        self
    }

    /// In its node's network namespace.
    #[must_use]
    pub fn host_network(mut self) -> Self {
        self.host_network = true;
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn object(&self) -> Result<PodObject> {
        let containers: Vec<_> = self
            .containers
            .iter()
            .map(|(name, argv)| {
                json!({
                    "name": name,
                    "image": images::TOOLS,
                    "imagePullPolicy": "Never",
                    "command": argv,
                })
            })
            .collect();
        // Named rather than bound, so that taints do not keep it from its node.
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "labels": self.labels},
            "spec": {
                "nodeName": self.node,
                "hostNetwork": self.host_network,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 0,
                "containers": containers,
            },
        });
        Ok(serde_json::from_value(pod)?)
    }
}
