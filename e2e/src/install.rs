//! Signpost as users install it: the images, and an overlay of `manifests/`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::api::Api;
use serde_json::Value;

use crate::binaries::own_folder;
use crate::cluster::Cluster;
use crate::identity::{self, AGENT, CONTROLLER, NAMESPACE};
use crate::wait;

const LIMIT: Duration = Duration::from_secs(90);

/// The archives that `scripts/images/local.sh` made of the programs that were built for the tests, or
/// others, as `make images` makes them.
fn archives() -> Result<Vec<PathBuf>> {
    let folder = match std::env::var_os("SIGNPOST_IMAGES") {
        Some(folder) => PathBuf::from(folder),
        None => own_folder()?.join("../images"),
    };
    [CONTROLLER, AGENT]
        .into_iter()
        .map(|name| {
            let archive = folder.join(format!("{name}.tar"));
            ensure!(
                archive.exists(),
                "there is no image {}. Remedy: scripts/images/local.sh, or name their folder with SIGNPOST_IMAGES",
                archive.display()
            );
            Ok(archive)
        })
        .collect()
}

impl Cluster {
    /// Loads the images into all nodes, as a registry would give them.
    pub async fn load_images(&self) -> Result<()> {
        for archive in archives()? {
            for node in self.nodes() {
                node.import(&archive).await?;
            }
        }
        Ok(())
    }

    /// Runs `kubectl VERB -k` on a folder of `manifests/`, such as an overlay.
    pub async fn overlay(&self, verb: &[&str], overlay: &str) -> Result<String> {
        let folder = signpost_testing::repository()?
            .join("manifests")
            .join(overlay);
        let folder = folder.display().to_string();
        let arguments: Vec<&str> = verb.iter().copied().chain(["-k", &folder]).collect();
        self.kubectl(&arguments).await
    }

    /// Applies an overlay, as the README says, and makes the controller find the emulated cloud.
    pub async fn install(&self, overlay: &str) -> Result<()> {
        self.overlay(&["apply", "--server-side"], overlay).await?;
        if let Some(vpc) = &self.parts.vpc {
            let mut arguments = vec!["-n", NAMESPACE, "set", "env", "deployment", CONTROLLER];
            let settings: Vec<String> = vpc
                .environment()
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            arguments.extend(settings.iter().map(String::as_str));
            self.kubectl(&arguments).await?;
        }
        Ok(())
    }

    /// Creates the one `PodNetwork`; in a VPC its section for that is completed.
    pub async fn create_pod_network(&self, mut spec: Value) -> Result<()> {
        if let Some(vpc) = &self.parts.vpc {
            vpc.complete(&mut spec);
        }
        identity::create_pod_network(&self.client(), &spec).await
    }

    /// The last lines of what controller and agents have logged, for whoever asks why.
    pub async fn installed_logs(&self) -> String {
        let mut logs = String::new();
        for object in [
            format!("deployment/{CONTROLLER}"),
            format!("daemonset/{AGENT}"),
        ] {
            let arguments = ["-n", NAMESPACE, "logs", "--all-pods", "--tail=15", &object];
            let said = self.kubectl(&arguments).await;
            logs += &said.unwrap_or_else(|error| format!("{error:#}"));
        }
        logs
    }

    /// Waits until all that an overlay runs is available.
    pub async fn wait_installed(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client(), NAMESPACE);
        let daemons: Api<DaemonSet> = Api::namespaced(self.client(), NAMESPACE);
        wait::until("controller and agents to be available", LIMIT, async || {
            let deployment = deployments.get(CONTROLLER).await?;
            let status = deployment.status.context("the controller has no status")?;
            let wanted = deployment.spec.and_then(|spec| spec.replicas);
            ensure!(
                status.available_replicas == wanted && status.updated_replicas == wanted,
                "controller: {status:?}"
            );
            let daemon = daemons.get(AGENT).await?;
            let status = daemon.status.context("the agent has no status")?;
            let all = usize::try_from(status.desired_number_scheduled)?;
            ensure!(
                all == self.nodes().len() && status.number_available == Some(i32::try_from(all)?),
                "agents: {status:?}"
            );
            Ok(())
        })
        .await
    }
}
