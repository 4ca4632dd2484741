//! Signpost as users install it: images in the nodes, an overlay applied, one object created.

use std::time::Duration;

use anyhow::{Result, ensure};
use signpost_e2e::{Cluster, ClusterOptions, PODS_V4, PodSpec, VpcOptions, pod_network, wait};

use crate::suite::{Suite, named};

const LIMIT: Duration = Duration::from_secs(90);

pub(crate) fn add_to(suite: &mut Suite) {
    suite.alone(named!(r17_a_cluster_in_a_vpc_comes_up_by_the_overlay));
    suite.alone(named!(
        r17_a_cluster_whose_router_is_a_node_comes_up_by_the_overlay
    ));
}

/// Nodes that are not ready, and no pod network: controllers and agents start all the same, pods on
/// different nodes reach each other, and all goes again.
async fn r17_a_cluster_in_a_vpc_comes_up_by_the_overlay() -> Result<()> {
    let options = ClusterOptions::new("installed").nodes(2);
    let options = options.in_vpc(VpcOptions::default()).without_signpost();
    let cluster = Cluster::start(options).await?;
    install(&cluster, "aws").await?;
    let a = cluster.run_pod(PodSpec::new("a").on("node-1")).await?;
    let b = cluster.run_pod(PodSpec::new("b").on("node-2")).await?;
    a.ping(b.address()?).await?;
    b.ping(a.address()?).await?;
    uninstall(&cluster, "aws").await
}

async fn r17_a_cluster_whose_router_is_a_node_comes_up_by_the_overlay() -> Result<()> {
    let options = ClusterOptions::new("router-is-node").nodes(1);
    let cluster = Cluster::start(options.without_signpost()).await?;
    let label = ["label", "node", "node-1", "signpost.dev/router="];
    cluster.kubectl(&label).await?;
    install(&cluster, "linux").await?;
    let a = cluster.run_pod(PodSpec::new("a").on("node-1")).await?;
    let b = cluster.run_pod(PodSpec::new("b").on("node-1")).await?;
    a.ping(b.address()?).await?;
    let node = cluster.node("node-1")?;
    let route = ["ip", "route", "show", "type", "unreachable"];
    let shown = node.machine().run(&route).await?;
    ensure!(shown.contains("10.244."), "no route for its block: {shown}");
    uninstall(&cluster, "linux").await?;
    let left = node.machine().run(&route).await?;
    ensure!(left.is_empty(), "routes are left: {left}");
    Ok(())
}

async fn install(cluster: &Cluster, overlay: &str) -> Result<()> {
    cluster.load_images().await?;
    cluster.install(overlay).await?;
    let spec = pod_network(&[("pods", PODS_V4, 24)]);
    cluster.create_pod_network(spec).await?;
    let nodes = cluster.nodes();
    let names: Vec<&str> = nodes.iter().map(|node| node.name()).collect();
    let up = async {
        cluster.wait_ready(&names, LIMIT).await?;
        cluster.wait_installed().await
    };
    match up.await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(cluster.installed_logs().await)),
    }
}

/// In one go the object and its routes, and once they are gone the rest in a second one.
async fn uninstall(cluster: &Cluster, overlay: &str) -> Result<()> {
    // Routes may be gone sooner than anything is refused.
    if let Err(refused) = cluster.overlay(&["delete"], overlay).await {
        let said = format!("{refused:#}");
        ensure!(said.contains("kubectl delete podnetwork default"), "{said}");
    }
    let network = ["get", "podnetworks.signpost.dev", "-o", "name"];
    wait::until("the PodNetwork to be gone", LIMIT, async || {
        // With the last one goes its kind.
        let left = cluster.kubectl(&network).await.unwrap_or_default();
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;
    // The API server goes on for a moment with a policy that was deleted.
    wait::until("the rest to be deleted", LIMIT, async || {
        let again = ["delete", "--ignore-not-found"];
        cluster.overlay(&again, overlay).await
    })
    .await?;
    wait::until("the namespace to be gone", LIMIT, async || {
        let left = cluster.kubectl(&["get", "namespace", "-o", "name"]).await?;
        ensure!(!left.contains("signpost-system"), "{left}");
        Ok(())
    })
    .await
}
