//! R7: what is left in a VPC when a pod network goes.

use anyhow::{Result, ensure};
use kube::api::DeleteParams;
use signpost_e2e::vpc::tables;
use signpost_e2e::{Cluster, ClusterOptions, PodSpec, VpcOptions, wait};
use tokio::try_join;

use crate::support::{LIMIT, blocks, objects, recorded};

/// The `PodNetwork` is deleted: its routes are gone from every table, those of others stay.
pub(crate) async fn r07_a_deleted_pod_network_leaves_nothing_in_a_vpc() -> Result<()> {
    let options = ClusterOptions::new("empties").nodes(2).dual_stack();
    let cluster = Cluster::start(options.in_vpc(VpcOptions::default())).await?;
    let result = Box::pin(leave(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn leave(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    let (one, two) = try_join!(
        cluster.run_pod(PodSpec::new("one").on("node-1")),
        cluster.run_pod(PodSpec::new("two").on("node-2")),
    )?;
    for address in two.addresses() {
        one.ping(*address).await?;
    }
    let routes = tables::settle(cluster, &both).await?;
    ensure!(routes.len() == 4, "two nodes, and these routes: {routes:?}");
    let foreign = blocks::unused(cluster).await?.to_string();
    for table in both {
        let route = [
            ("RouteTableId", table),
            ("DestinationCidrBlock", &foreign),
            ("GatewayId", vpc.gateway()),
        ];
        vpc.call("CreateRoute", &route).await?;
    }
    let before = others(cluster)?;

    let networks = objects::pod_networks(cluster);
    networks.delete("default", &DeleteParams::default()).await?;
    wait::until(
        "the PodNetwork to be gone, its finalizer removed",
        2 * LIMIT,
        async || {
            let object = networks.get_opt("default").await?;
            ensure!(object.is_none(), "it is still there: {object:?}");
            Ok(())
        },
    )
    .await?;
    // Gone means that the routes were gone before: no waiting here.
    for table in both {
        let left = tables::routes(vpc, table)?;
        ensure!(left.is_empty(), "{table} still has {left:?}");
    }
    let after = others(cluster)?;
    ensure!(
        after == before,
        "others' routes were {before:?}, now {after:?}"
    );
    vpc.settled().await?;
    ensure!(
        one.ping(two.address()?).await.is_err(),
        "without routes pods should be apart"
    );
    Ok(())
}

/// All routes that lead to no interface, as text.
fn others(cluster: &Cluster) -> Result<Vec<String>> {
    let vpc = cluster.vpc()?;
    let mut all = Vec::new();
    for table in tables::of_zones(vpc) {
        let ours = tables::routes(vpc, table)?;
        let others = vpc.table(table)?.routes.into_iter();
        let others = others.filter(|route| !ours.contains_key(&route.destination));
        all.extend(others.map(|route| format!("{table} {route:?}")));
    }
    Ok(all)
}
