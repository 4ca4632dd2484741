//! R4: more nodes than a network has room for.

use anyhow::{Result, ensure};
use signpost_e2e::vpc::gcp::routes;
use signpost_e2e::{Cluster, wait};

use crate::support::{LIMIT, objects};

/// Nodes join that need more routes than fit. That is told, with the number, and those that wait are routed
/// when there is room.
pub(crate) async fn r04_a_full_network_is_told_and_room_is_used(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let before = routes::settle(cluster).await?;
    let emulator = network.emulator();
    // What is there already, and the routes of two nodes.
    let used = emulator.snapshot().static_routes().count() + others(cluster)?;
    let full = emulator.configure(|all| all.quotas.static_routes_per_network = used + 4);
    full.map_err(anyhow::Error::msg)?;
    let names = cluster.create_bare_nodes(4).await?;
    objects::network_says(cluster, "QuotaAvailable", "False", "QuotaExceeded").await?;
    let there = routes::routes(network)?;
    ensure!(
        there.len() == before.len() + 4,
        "as many as fit should be made: {there:?}"
    );
    let status = objects::pod_network(cluster).await?;
    let quotas = status["status"]["quotas"].as_array().cloned();
    let quotas = quotas.unwrap_or_default();
    let limit = u64::try_from(used + 4)?;
    ensure!(
        quotas
            .iter()
            .any(|quota| quota["limit"] == limit && quota["used"] == limit),
        "the quota should be shown as {limit} of {limit}: {quotas:?}"
    );
    let raised = emulator.configure(|all| all.quotas.static_routes_per_network = 200);
    raised.map_err(anyhow::Error::msg)?;
    // Without room it is tried only now and then; room that is made is used at once.
    cluster.delete_bare_nodes(&names[..1]).await?;
    let rest: Vec<String> = names[1..].to_vec();
    wait::until("the others to be routed", 3 * LIMIT, async || {
        let now = routes::routes(network)?;
        ensure!(now.len() == before.len() + 2 * rest.len(), "{now:?}");
        Ok(())
    })
    .await?;
    routes::settle(cluster).await?;
    cluster.delete_bare_nodes(&rest).await?;
    wait::until("the routes to be as before", LIMIT, async || {
        ensure!(routes::routes(network)? == before);
        Ok(())
    })
    .await
}

/// Routes to the internet, which count, too.
fn others(cluster: &Cluster) -> Result<usize> {
    let routes = cluster.network()?.emulator().snapshot().routes;
    let outside = routes
        .iter()
        .filter(|route| route.destination.prefix_len() == 0);
    Ok(outside.count())
}
