//! The project's manifests, applied as people do.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{ControlPlane, KUBECTL, repository};

/// Applying a folder that brings new kinds fails until the API server knows them.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);

impl ControlPlane {
    /// Runs `kubectl apply --server-side -k` as the administrator on a folder of `manifests`, such as
    /// `base`, and takes fields over from whoever has them.
    ///
    /// Fails with what kubectl said, also about fields that the API server does not know.
    pub async fn apply(&self, folder: &str) -> Result<()> {
        let folder = repository()?.join("manifests").join(folder);
        let mut attempt = 1;
        loop {
            let output = Command::new(self.binaries.path(KUBECTL)?)
                .arg("--kubeconfig")
                .arg(self.kubeconfig()?)
                .args(["apply", "--server-side", "--force-conflicts"])
                .args(["--validate=strict", "-k"])
                .arg(&folder)
                .output()
                .await
                .context("cannot run kubectl")?;
            if output.status.success() {
                return Ok(());
            }
            if attempt == ATTEMPTS {
                bail!("kubectl: {}", String::from_utf8_lossy(&output.stderr));
            }
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
