//! R4, R7: a network that is shared with the project of the nodes, and what is left of it.

use anyhow::{Result, ensure};
use kube::api::DeleteParams;
use serde_json::json;
use signpost_e2e::vpc::gcp::{NETWORK, PROJECT, routes};
use signpost_e2e::{Cluster, ClusterOptions, GcpOptions, PodSpec, wait};
use signpost_gce::NextHop;
use tokio::try_join;

use crate::support::{LIMIT, blocks, objects, recorded};

/// In a Shared VPC routes cannot name instances of the nodes' project, so they lead to addresses. When the
/// `PodNetwork` is deleted they go, and routes of others stay.
pub(crate) async fn r04_instances_of_a_service_project_are_led_to_by_address() -> Result<()> {
    let mut gcp = GcpOptions {
        shared: true,
        ..GcpOptions::default()
    };
    gcp.settings.operations = [0.5, 2.0];
    let options = ClusterOptions::new("gcp-shared").nodes(2).dual_stack();
    let cluster = Cluster::start(options.in_gcp(gcp)).await?;
    let result = Box::pin(share(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn share(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let (one, two) = try_join!(
        cluster.run_pod(PodSpec::new("one").on("node-1")),
        cluster.run_pod(PodSpec::new("two").on("node-2")),
    )?;
    for address in two.addresses() {
        one.ping(*address).await?;
    }
    let settled = routes::settle(cluster).await?;
    ensure!(
        settled.len() == 4,
        "two nodes, and these routes: {settled:?}"
    );
    for route in routes::own(network) {
        ensure!(
            matches!(route.next_hop, NextHop::Address(_)) && route.usable,
            "{route:?}"
        );
    }
    let foreign = json!({
        "name": "by-hand", "network": NETWORK, "priority": 1000,
        "destRange": blocks::unused(cluster).await?.to_string(),
        "nextHopGateway": format!("projects/{PROJECT}/global/gateways/default-internet-gateway"),
    });
    let all = format!("projects/{PROJECT}/global/routes");
    network.make(&all, foreign).await?;

    let networks = objects::pod_networks(cluster);
    networks.delete("default", &DeleteParams::default()).await?;
    let what = "the PodNetwork to be gone, its finalizer removed";
    wait::until(what, 2 * LIMIT, async || {
        let object = networks.get_opt("default").await?;
        ensure!(object.is_none(), "it is still there: {object:?}");
        Ok(())
    })
    .await?;
    // Gone means that the routes were gone before: no waiting here.
    let left = routes::own(network);
    ensure!(left.is_empty(), "the network still has {left:?}");
    let state = network.emulator().snapshot();
    ensure!(
        state.routes.iter().any(|route| route.name == "by-hand"),
        "the route of somebody else should stay"
    );
    network.settled().await?;
    ensure!(
        one.ping(two.address()?).await.is_err(),
        "without routes pods should be apart"
    );
    Ok(())
}
