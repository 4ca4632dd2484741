//! R7: what is left when a pod network goes, beside a cluster that stays.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use kube::api::DeleteParams;
use signpost_e2e::addresses::EXTERNAL_V4;
use signpost_e2e::{Cluster, ClusterOptions, Pod, PodSpec, Traffic, wait};
use tokio::try_join;

use crate::support::{LIMIT, blocks, objects, recorded, routes};

/// Two clusters with the same addresses stand side by side. The `PodNetwork` of one is deleted: all of
/// Signpost's routes are gone with it, those of others stay, and the other cluster notices nothing.
pub(crate) async fn r07_a_deleted_pod_network_leaves_only_what_is_foreign() -> Result<()> {
    let (cluster, other) = try_join!(
        Cluster::start(ClusterOptions::new("leaves").nodes(2)),
        Cluster::start(ClusterOptions::new("stays").nodes(2)),
    )?;
    let result = Box::pin(leave(&cluster, &other)).await;
    recorded(&[&cluster, &other], result).await
}

async fn leave(cluster: &Cluster, other: &Cluster) -> Result<()> {
    let ((one, two), (other_one, other_two)) = try_join!(two_pods(cluster), two_pods(other))?;
    ensure!(
        one.node().link() == other_one.node().link(),
        "both clusters should have the same addresses"
    );
    one.ping(two.address()?).await?;
    let traffic = Traffic::start(&other_one, other_two.address()?).await?;
    let kept = routes::settle(other).await?;
    let routes_before = routes::settle(cluster).await?;
    ensure!(
        routes_before.len() == 2,
        "two nodes, and these routes: {routes_before:?}"
    );

    let foreign = blocks::unused(cluster).await?.to_string();
    let router = cluster.router();
    let via = EXTERNAL_V4.to_string();
    router
        .run(&[
            "ip", "route", "add", &foreign, "via", &via, "proto", "static",
        ])
        .await?;
    objects::status_becomes(cluster, "/routes/foreign", 1).await?;
    let networks = objects::pod_networks(cluster);
    networks.delete("default", &DeleteParams::default()).await?;
    wait::until(
        "the PodNetwork to be gone, its finalizer removed",
        LIMIT,
        async || {
            let object = networks.get_opt("default").await?;
            ensure!(object.is_none(), "it is still there: {object:?}");
            Ok(())
        },
    )
    .await?;
    // Gone means that the routes were gone before: no waiting here.
    let left = routes::ours(cluster).await?;
    ensure!(left.is_empty(), "routes of ours are left: {left:?}");
    let foreign_left = routes::of_protocol(router, "static").await?;
    ensure!(
        foreign_left.get(&foreign.parse()?) == Some(&IpAddr::V4(EXTERNAL_V4)),
        "the foreign route should have stayed: {foreign_left:?}"
    );
    ensure!(
        one.ping(two.address()?).await.is_err(),
        "without routes pods should be apart"
    );

    traffic.finish().await?;
    let now = routes::ours(other).await?;
    ensure!(now == kept, "the other cluster had {kept:?}, now {now:?}");
    Ok(())
}

async fn two_pods(cluster: &Cluster) -> Result<(Pod, Pod)> {
    try_join!(
        cluster.run_pod(PodSpec::new("one").on("node-1")),
        cluster.run_pod(PodSpec::new("two").on("node-2")),
    )
}
