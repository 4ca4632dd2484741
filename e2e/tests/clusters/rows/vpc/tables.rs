//! R19: every table that belongs to the cluster, and what others have in them.

use anyhow::{Result, bail, ensure};
use ipnet::IpNet;
use signpost_e2e::addresses::Zone;
use signpost_e2e::vpc::{CLUSTER_NAME, tables};
use signpost_e2e::{Cluster, PodSpec, Traffic, Vpc, wait};

use crate::rows::paths::delete;
use crate::support::{LIMIT, blocks, objects};

/// A table that gets the cluster's tag is filled, so that a subnet can be moved to it under traffic,
/// and nodes that join have their routes there too. One that loses the tag is left as it is.
pub(crate) async fn r19_a_table_that_appears_is_filled(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let [a, b] = tables::of_zones(vpc);
    let one = cluster
        .run_pod(PodSpec::new("r19-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("r19-two").on("node-2"))
        .await?;
    let traffic = Traffic::start(&one, two.address()?).await?;

    let third = vpc.create_table(true).await?;
    tables::settle(cluster, &[a, b, &third]).await?;
    let association = association(vpc, b).await?;
    let moved = replace(vpc, &association, &third).await?;
    two.ping(one.address()?).await?;
    let node = cluster.add_node("node-r19").await?;
    let node_routes = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let routes = tables::routes(vpc, &third)?;
    ensure!(
        node_routes.iter().all(|route| routes.contains_key(route)),
        "{} is ready, and of {node_routes:?} the new table has {routes:?}",
        node.name()
    );
    traffic.finish().await?;

    replace(vpc, &moved, b).await?;
    let tag = format!("kubernetes.io/cluster/{CLUSTER_NAME}");
    let forget = [("ResourceId.1", &*third), ("Tag.1.Key", &tag)];
    vpc.call("DeleteTags", &forget).await?;
    let of_two = 2 * u64::try_from(routes.len())?;
    objects::status_becomes(cluster, "/routes/programmed", of_two).await?;
    cluster.remove_node(node.name()).await?;
    tables::settle(cluster, &[a, b]).await?;
    let now = tables::routes(vpc, &third)?;
    ensure!(
        now == routes,
        "a table without the tag should be left alone: it had {routes:?}, now {now:?}"
    );
    vpc.call("DeleteRouteTable", &[("RouteTableId", &third)])
        .await?;
    delete(cluster, &[one, two]).await
}

/// A route inside the pool that leads to an instance of somebody else stays, is told, and keeps its
/// block from being given to a node.
pub(crate) async fn r19_foreign_routes_in_a_table_are_left_alone(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let table = vpc.table_of(Zone::B);
    objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    let subnet = vpc.subnet_of(cluster.node("node-1")?.link());
    let launch = [
        ("ImageId", "ami-00000000000000001"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet),
    ];
    let stranger = vpc.call("RunInstances", &launch).await?;
    let interface = stranger.text("networkInterfaceId");
    // Blocks are handed out in turn, so the next one is known.
    objects::create_bare_node(cluster, "r19-before", 21, &[]).await?;
    let before = blocks::v4_of(&objects::allocated(cluster, "r19-before").await?)?;
    let next = blocks::following(before)?;
    let to = next.to_string();
    let route = [("RouteTableId", table), ("DestinationCidrBlock", &to)];
    let target = ("NetworkInterfaceId", &*interface);
    vpc.call("CreateRoute", &[route[0], route[1], target])
        .await?;
    objects::status_becomes(cluster, "/routes/foreign", 1).await?;

    objects::create_bare_node(cluster, "r19-beside", 22, &[]).await?;
    let beside = blocks::v4_of(&objects::allocated(cluster, "r19-beside").await?)?;
    ensure!(
        beside == blocks::following(next)?,
        "after {before} comes {next}, where a foreign route leads elsewhere: the block behind it was \
         to be allocated, not {beside}"
    );
    wait::until("both nodes to be routed", LIMIT, async || {
        for name in ["r19-before", "r19-beside"] {
            let node = objects::node(cluster, name).await?;
            let condition = objects::condition(&node, "NetworkUnavailable");
            ensure!(
                condition == Some(("False".into(), "SignpostRouteCreated".into())),
                "{name}: {condition:?}"
            );
        }
        Ok(())
    })
    .await?;
    let kept = tables::routes(vpc, table)?;
    ensure!(
        kept.get(&IpNet::V4(next)) == Some(&interface),
        "the foreign route should be untouched: {kept:?}"
    );

    vpc.call("DeleteRoute", &route).await?;
    objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    cluster
        .delete_bare_nodes(&["r19-before".into(), "r19-beside".into()])
        .await?;
    tables::settle(cluster, &tables::of_zones(vpc))
        .await
        .map(drop)
}

/// The id of the association of the only subnet that has this table.
async fn association(vpc: &Vpc, table: &str) -> Result<String> {
    let answer = vpc
        .call("DescribeRouteTables", &[("RouteTableId.1", table)])
        .await?;
    match answer.texts("routeTableAssociationId").as_slice() {
        [one] => Ok(one.clone()),
        all => bail!("{table} should have one association: {all:?}"),
    }
}

async fn replace(vpc: &Vpc, association: &str, table: &str) -> Result<String> {
    let parameters = [("AssociationId", association), ("RouteTableId", table)];
    let answer = vpc
        .call("ReplaceRouteTableAssociation", &parameters)
        .await?;
    Ok(answer.text("newAssociationId"))
}
