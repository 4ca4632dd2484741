//! The project's manifests, applied as people do.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{ControlPlane, repository};

/// Applying a folder that brings new kinds fails until the API server knows them.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

impl ControlPlane {
    /// Runs `kubectl apply --server-side -k` as the administrator on a folder of `manifests`, such as
    /// `base`, and takes fields over from whoever has them.
    ///
    /// Fails with what kubectl said, also about fields that the API server does not know.
    pub async fn apply(&self, folder: &str) -> Result<()> {
        let options = ["--server-side", "--force-conflicts", "--validate=strict"];
        let mut attempt = 1;
        loop {
            match self.kubectl_k("apply", folder, &options).await? {
                Ok(_) => return Ok(()),
                Err(said) if attempt == ATTEMPTS => bail!("kubectl: {said}"),
                Err(_) => attempt += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs `kubectl VERB -k` as the administrator on a folder of `manifests`. Gives what it printed, or
    /// if it failed, what it complained of.
    pub async fn kubectl_k(
        &self,
        verb: &str,
        folder: &str,
        options: &[&str],
    ) -> Result<Result<String, String>> {
        let output = Command::new(self.kubectl()?)
            .arg("--kubeconfig")
            .arg(self.kubeconfig()?)
            .arg(verb)
            .args(options)
            .arg("-k")
            .arg(repository()?.join("manifests").join(folder))
            .output()
            .await
            .context("cannot run kubectl")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        })
    }
}
