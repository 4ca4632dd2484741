//! R18: routes through a central router, and those of others in it.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use ipnet::{IpNet, Ipv4Net};
use signpost_e2e::addresses::EXTERNAL_V4;
use signpost_e2e::{Cluster, wait};

use crate::support::{LIMIT, blocks, objects, routes};

/// One route for each node, by the node's address, and no other with our mark.
pub(crate) async fn r18_the_router_has_exactly_the_routes_of_the_nodes(
    cluster: &Cluster,
) -> Result<()> {
    let routes = routes::settle(cluster).await?;
    for node in cluster.nodes() {
        let own = routes
            .values()
            .filter(|hop| **hop == IpAddr::V4(node.link().node_v4()));
        ensure!(
            own.count() == 1,
            "{} should have one route: {routes:?}",
            node.name()
        );
    }
    ensure!(
        routes.len() == cluster.nodes().len(),
        "there are others: {routes:?}"
    );
    Ok(())
}

/// A route of somebody else inside a pool stays as it is, its block is nobody's until it goes, and it
/// is told in the status.
pub(crate) async fn r18_foreign_routes_are_left_alone(cluster: &Cluster) -> Result<()> {
    let foreign = objects::status_number(cluster, "/routes/foreign").await?;
    ensure!(
        foreign == 0,
        "there are {foreign} foreign routes before the test adds one"
    );
    // Blocks are handed out in turn, so the next one is known.
    objects::create_bare_node(cluster, "r18-before", 11, &[]).await?;
    let before = only(&objects::allocated(cluster, "r18-before").await?)?;
    let next = blocks::following(before)?;
    let inside = IpNet::V4(Ipv4Net::new(next.addr(), 26)?);
    let router = cluster.router();
    let (to, via) = (inside.to_string(), EXTERNAL_V4.to_string());
    router
        .run(&["ip", "route", "add", &to, "via", &via, "proto", "static"])
        .await?;
    objects::status_becomes(cluster, "/routes/foreign", 1).await?;

    objects::create_bare_node(cluster, "r18-beside", 12, &[]).await?;
    let beside = only(&objects::allocated(cluster, "r18-beside").await?)?;
    ensure!(
        IpNet::V4(beside) == IpNet::V4(blocks::following(next)?),
        "after {before} comes {next}, where a foreign route leads elsewhere: the block behind it was \
         to be allocated, not {beside}"
    );
    routes::settle(cluster).await?;
    let kept = routes::of_protocol(router, "static").await?;
    ensure!(
        kept.get(&inside) == Some(&IpAddr::V4(EXTERNAL_V4)),
        "the foreign route should be untouched: {kept:?}"
    );

    router
        .run(&["ip", "route", "delete", &to, "proto", "static"])
        .await?;
    objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    remove(cluster, &["r18-before", "r18-beside"]).await
}

/// A route of ours that is removed, or turned to another next hop, is as it should be a moment later.
pub(crate) async fn r18_a_route_changed_by_hand_is_mended(cluster: &Cluster) -> Result<()> {
    objects::create_bare_node(cluster, "r18-mended", 13, &[]).await?;
    let subnet = only(&objects::allocated(cluster, "r18-mended").await?)?;
    let next_hop = IpAddr::from([172, 29, 255, 13]);
    routes::wait_for(cluster, subnet.into(), Some(next_hop)).await?;
    let router = cluster.router();
    let to = subnet.to_string();
    router.run(&["ip", "route", "delete", &to]).await?;
    routes::wait_for(cluster, subnet.into(), Some(next_hop)).await?;
    let wrong = "172.29.255.99";
    let turned = [
        "ip",
        "route",
        "replace",
        &to,
        "via",
        wrong,
        "proto",
        routes::PROTOCOL,
    ];
    router.run(&turned).await?;
    routes::wait_for(cluster, subnet.into(), Some(next_hop)).await?;

    // A route with our mark that leads to no node is nobody's: it goes.
    let stray = blocks::unused(cluster).await?.to_string();
    let add = [
        "ip",
        "route",
        "add",
        &stray,
        "via",
        wrong,
        "proto",
        routes::PROTOCOL,
    ];
    router.run(&add).await?;
    routes::wait_for(cluster, stray.parse()?, None).await?;
    remove(cluster, &["r18-mended"]).await
}

/// A node without an address of one of the families gets its route of the other one, and its condition
/// says what is missing; other nodes are not concerned.
pub(crate) async fn fault_a_node_lacks_an_address_of_one_family(cluster: &Cluster) -> Result<()> {
    let before = routes::settle(cluster).await?;
    objects::create_bare_node(cluster, "one-family", 14, &[]).await?;
    let message = objects::node_says(cluster, "one-family", "True", "NoNextHop").await?;
    ensure!(
        message.contains("no IPv6 address"),
        "the family that is missing should be named: {message}"
    );
    let cidrs = objects::allocated(cluster, "one-family").await?;
    ensure!(cidrs.len() == 2, "it has a block of each family: {cidrs:?}");
    let mut expected = before.clone();
    let v4 = cidrs.iter().find(|cidr| cidr.addr().is_ipv4());
    let v4 = v4.context("a block of IPv4")?;
    expected.insert(*v4, IpAddr::from([172, 29, 255, 14]));
    wait::until(
        "the routes of the other family to be there",
        LIMIT,
        async || {
            let ours = routes::ours(cluster).await?;
            ensure!(
                ours == expected,
                "{expected:?} expected, the table has {ours:?}"
            );
            Ok(())
        },
    )
    .await?;
    objects::network_says(cluster, "Ready", "False", "NoNextHop").await?;
    cluster
        .delete_bare_nodes(&["one-family".to_owned()])
        .await?;
    let after = routes::settle(cluster).await?;
    ensure!(
        after == before,
        "the routes were {before:?}, they are {after:?}"
    );
    objects::network_says(cluster, "Ready", "True", "AllNodesRouted")
        .await
        .map(drop)
}

/// Removes bare nodes, and waits until the pool has their blocks back.
async fn remove(cluster: &Cluster, names: &[&str]) -> Result<()> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    cluster.delete_bare_nodes(&names).await?;
    routes::settle(cluster).await?;
    let nodes = u64::try_from(cluster.nodes().len())?;
    objects::status_becomes(cluster, "/pools/1/allocated", nodes).await?;
    objects::network_says(cluster, "Ready", "True", "AllNodesRouted")
        .await
        .map(drop)
}

fn only(cidrs: &[IpNet]) -> Result<Ipv4Net> {
    match cidrs {
        [IpNet::V4(cidr)] => Ok(*cidr),
        _ => anyhow::bail!("one IPv4 subnet expected, not {cidrs:?}"),
    }
}
