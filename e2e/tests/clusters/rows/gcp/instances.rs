//! R4: an instance that is made again.

use anyhow::Result;
use signpost_e2e::vpc::gcp::routes;
use signpost_e2e::{Cluster, PodSpec, Traffic};

use crate::rows::paths::delete;

/// A node leaves and comes back under its name, as another instance of the same name: it is reached, and
/// nobody else is disturbed.
pub(crate) async fn r04_an_instance_is_made_again_under_its_name(cluster: &Cluster) -> Result<()> {
    let one = cluster
        .run_pod(PodSpec::new("again-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("again-two").on("node-2"))
        .await?;
    let traffic = Traffic::start(&one, two.address()?).await?;
    cluster.add_node("node-again").await?;
    routes::settle(cluster).await?;
    cluster.remove_node("node-again").await?;
    // At once: nobody waits for what the old instance leaves behind.
    cluster.add_node("node-again").await?;
    routes::settle(cluster).await?;
    let pod = cluster
        .run_pod(PodSpec::new("again").on("node-again"))
        .await?;
    for address in pod.addresses() {
        one.ping(*address).await?;
    }
    traffic.finish().await?;
    delete(cluster, &[one, two, pod]).await?;
    cluster.remove_node("node-again").await?;
    routes::settle(cluster).await.map(drop)
}
