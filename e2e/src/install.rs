//! Signpost as users install it: the images, and an overlay of `manifests/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::api::Api;
use serde_json::{Value, json};

use crate::addresses::API_V4;
use crate::cluster::Cluster;
use crate::identity::{self, AGENT, CONTROLLER, NAMESPACE};
use crate::node::Node;
use crate::programs;
use crate::wait;

const LIMIT: Duration = Duration::from_secs(90);

/// The overlays of `manifests/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The router is a node.
    Linux,
    /// A VPC of AWS.
    Aws,
    /// A VPC network of Google Cloud.
    Gcp,
}

impl Overlay {
    /// Its folder in `manifests/`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl Cluster {
    /// Gives a node the images, as a registry would.
    pub async fn load_images(&self, node: &Node) -> Result<()> {
        for program in [CONTROLLER, AGENT] {
            node.import(&self.parts.images.of(program)).await?;
        }
        Ok(())
    }

    /// Runs `kubectl VERB -k` on an overlay as it is in `manifests/`.
    pub async fn overlay(&self, verb: &[&str], overlay: Overlay) -> Result<String> {
        let folder = manifests()?.join(overlay.folder()).display().to_string();
        let arguments: Vec<&str> = verb.iter().copied().chain(["-k", &folder]).collect();
        self.kubectl(&arguments).await
    }

    /// The overlay that fits the cluster.
    pub fn overlay_of(&self) -> Overlay {
        match &self.parts.cloud {
            Some(cloud) => cloud.overlay(),
            None => Overlay::Linux,
        }
    }

    /// Applies the overlay that fits the cluster. Where one has something to say about the controller
    /// that others have not, it is in an overlay of its own upon that. Gives the folder that was applied.
    pub async fn install(&self) -> Result<PathBuf> {
        let base = manifests()?.join(self.overlay_of().folder());
        let Some(change) = self.change() else {
            return self.apply(base).await;
        };
        let folder = self.parts.dir.join("install");
        fs::create_dir_all(&folder)?;
        let text = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "sortOptions": {"order": "fifo"},
            "resources": [upwards(&folder)?.join(base.strip_prefix("/")?)],
            "patches": [{
                "target": {"kind": "Deployment", "name": CONTROLLER},
                "patch": change.to_string(),
            }],
        });
        fs::write(folder.join("kustomization.yaml"), text.to_string())?;
        self.apply(folder).await
    }

    async fn apply(&self, folder: PathBuf) -> Result<PathBuf> {
        let shown = folder.display().to_string();
        self.kubectl(&["apply", "--server-side", "-k", &shown])
            .await?;
        Ok(folder)
    }

    /// What this cluster's controller has besides the overlay's, as a strategic merge patch.
    fn change(&self) -> Option<Value> {
        let mut environment = Vec::new();
        if let Some(cloud) = &self.parts.cloud {
            environment.extend(cloud.environment());
        }
        let mut spec = json!({"template": {"spec": {}}});
        if self.parts.with_signpost {
            // No kube-proxy leads to the API server from there.
            environment.push(("KUBERNETES_SERVICE_HOST", API_V4.to_string()));
            environment.push(("KUBERNETES_SERVICE_PORT", "6443".into()));
            // Other nodes come and go as tests want it.
            spec["replicas"] = 1.into();
            spec["template"]["spec"]["nodeSelector"] = json!({"signpost.dev/router": ""});
        }
        if environment.is_empty() {
            return None;
        }
        let environment: Vec<Value> = environment
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        spec["template"]["spec"]["containers"] =
            json!([{"name": "controller", "env": environment}]);
        Some(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": CONTROLLER},
            "spec": spec,
        }))
    }

    /// Creates the one `PodNetwork`; in a cloud its section for that is completed.
    pub async fn create_pod_network(&self, mut spec: Value) -> Result<()> {
        if let Some(cloud) = &self.parts.cloud {
            cloud.complete(&mut spec);
        }
        identity::create_pod_network(&self.client(), &spec).await
    }

    /// Waits until the controller is available.
    pub async fn wait_controller(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client(), NAMESPACE);
        let waited = wait::until("the controller to be available", LIMIT, async || {
            let deployment = deployments.get(CONTROLLER).await?;
            let status = deployment.status.context("the controller has no status")?;
            let wanted = deployment.spec.and_then(|spec| spec.replicas);
            ensure!(
                status.available_replicas == wanted && status.updated_replicas == wanted,
                "{status:?}"
            );
            Ok(())
        });
        self.with_what_was_said(waited.await).await
    }

    /// Waits until all nodes' agents are available.
    pub async fn wait_agents(&self) -> Result<()> {
        let daemons: Api<DaemonSet> = Api::namespaced(self.client(), NAMESPACE);
        let waited = wait::until("the agents to be available", LIMIT, async || {
            let daemon = daemons.get(AGENT).await?;
            let status = daemon.status.context("the agent has no status")?;
            let all = usize::try_from(status.desired_number_scheduled)?;
            ensure!(
                all == self.all_nodes().len()
                    && status.number_available == Some(i32::try_from(all)?),
                "{status:?}"
            );
            Ok(())
        });
        self.with_what_was_said(waited.await).await
    }

    async fn with_what_was_said(&self, waited: Result<()>) -> Result<()> {
        match waited {
            Err(error) => Err(error.context(self.said().await)),
            Ok(()) => Ok(()),
        }
    }

    /// What is known of Signpost's pods and what they have said last, for whoever asks why.
    pub(crate) async fn said(&self) -> String {
        let mut text = String::new();
        let about: [&[&str]; 2] = [
            &["-n", NAMESPACE, "get", "pods", "-o", "wide"],
            &["-n", NAMESPACE, "get", "events"],
        ];
        for arguments in about {
            let said = self.kubectl(arguments).await;
            text += &said.unwrap_or_else(|error| format!("{error:#}"));
        }
        let control = self.control_plane_node().ok();
        for node in self.nodes().into_iter().chain(control) {
            for program in [CONTROLLER, AGENT] {
                text += &programs::last_of(&node, program);
            }
        }
        text
    }
}

fn manifests() -> Result<PathBuf> {
    let folder = signpost_testing::repository()?.join("manifests");
    folder
        .canonicalize()
        .with_context(|| format!("looking for {}", folder.display()))
}

/// The way from a folder to the root: kustomize takes no absolute one.
fn upwards(folder: &Path) -> Result<PathBuf> {
    let folder = folder.canonicalize()?;
    Ok(folder.components().skip(1).map(|_| "..").collect())
}
