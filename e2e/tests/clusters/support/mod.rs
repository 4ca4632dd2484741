//! What tests of requirements have in common: the cluster's objects, the kernel's routes, and programs
//! that send and answer packets.

pub(crate) mod blocks;
pub(crate) mod objects;
pub(crate) mod place;
pub(crate) mod routes;
pub(crate) mod traffic;

use std::time::Duration;

use anyhow::Result;
use signpost_e2e::Cluster;

/// How long what happens on one machine may take; many times what it does take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

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
