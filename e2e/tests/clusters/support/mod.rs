//! What tests of requirements have in common: programs that send and answer packets, and what the
//! harness offers to look at the cluster.

pub(crate) mod behind;
pub(crate) mod place;

use anyhow::Result;
use signpost_e2e::Cluster;
pub(crate) use signpost_e2e::wait::LIMIT;
pub(crate) use signpost_e2e::{blocks, objects, routes};

/// For tests with clusters of their own: a failure keeps the clusters' state and logs, and names
/// them.
pub(crate) async fn recorded(clusters: &[&Cluster], mut result: Result<()>) -> Result<()> {
    for cluster in clusters {
        if let Err(error) = result {
            let logs = cluster.record_failure().await;
            let logs = logs.display();
            result = Err(error.context(format!("logs, once the cluster has ended: {logs}")));
        }
    }
    result
}
