//! Kubernetes' own end-to-end tests, on a cluster with Signpost and a `NetworkPolicy` engine.

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::binaries::built;
use crate::cluster::{Cluster, ClusterOptions};

/// The image of the tests' pods, in the version that the tests ask for.
const AGNHOST: &str = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";

/// Runs those whose names match `focus` and not `skip`, on two nodes. What they say goes to standard
/// output.
pub async fn run(focus: &str, skip: &str) -> Result<()> {
    let tests = built("e2e.test").await?;
    let cluster = Cluster::start(ClusterOptions::new("upstream").nodes(2)).await?;
    cluster.load_program(AGNHOST, "agnhost").await?;
    cluster.run_policy_engine().await?;
    let status = Command::new(&tests)
        .arg(format!("--kubeconfig={}", cluster.kubeconfig().display()))
        .arg("--provider=skeleton")
        .arg(format!("--ginkgo.focus={focus}"))
        .arg(format!("--ginkgo.skip={skip}"))
        .arg("--ginkgo.timeout=3h")
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("running {}", tests.display()))?;
    if !status.success() {
        let logs = cluster.record_failure().await;
        bail!("some failed; logs of the cluster: {}", logs.display());
    }
    Ok(())
}
