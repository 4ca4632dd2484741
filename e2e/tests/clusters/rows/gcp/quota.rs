//! R4: more nodes than a network has room for.

use anyhow::{Result, ensure};
use signpost_e2e::vpc::gcp::routes;
use signpost_e2e::{Cluster, wait};
use signpost_gce::NextHop;

use crate::support::{LIMIT, objects};

/// Nodes join that need more routes than fit. That is told, with the number, and those that wait are routed
/// when there is room, be it that a node leaves or that the quota is raised.
pub(crate) async fn r04_a_full_network_is_told_and_room_is_used(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let before = routes::settle(cluster).await?;
    let emulator = network.emulator();
    // What is there already, those to the internet too, and the routes of two nodes.
    let all = emulator.snapshot().routes.into_iter();
    let used = all
        .filter(|route| route.next_hop != NextHop::Network)
        .count();
    network.configure(|all| all.quotas.static_routes_per_network = used + 4)?;
    // Other tests' bare nodes have left their instances.
    let names = cluster.create_bare_nodes_of(100..104).await?;
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
    // One of those that have their routes leaves, and one that waits gets them.
    let leads = |name: &String| {
        let path = format!("/{name}");
        there
            .values()
            .filter(|target| target.ends_with(&path))
            .count()
            == 2
    };
    let (served, waiting): (Vec<String>, Vec<String>) = names.into_iter().partition(leads);
    ensure!(
        !served.is_empty(),
        "of {waiting:?} none has its routes: {there:?}"
    );
    cluster.delete_bare_nodes(&served[..1]).await?;
    wait::until("the room to be used", 2 * LIMIT, async || {
        let now = routes::routes(network)?;
        let gained = now.len() == before.len() + 4 && now != there;
        ensure!(gained, "{now:?}");
        Ok(())
    })
    .await?;
    // A leader tries a full network again after two minutes. A new one has not learnt that it is full.
    network.configure(|all| all.quotas.static_routes_per_network = 200)?;
    cluster.controller()?.kill().await?;
    let rest = [&served[1..], &waiting].concat();
    wait::until("everyone to be served", LIMIT, async || {
        let now = routes::routes(network)?;
        ensure!(now.len() == before.len() + 2 * rest.len(), "{now:?}");
        Ok(())
    })
    .await?;
    cluster.delete_bare_nodes(&rest).await?;
    routes::wait_for(network, &before).await
}
