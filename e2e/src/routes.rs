//! The kernel's routes on the router against what the nodes say they should be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::objects;
use crate::wait::{self, LIMIT};
use crate::{Cluster, Machine};
use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use serde_json::Value;

/// The protocol number that marks Signpost's routes, unless the `PodNetwork` names another.
pub const PROTOCOL: &str = "143";

/// Next hops by destination.
pub type Routes = BTreeMap<IpNet, IpAddr>;

/// Routes with a next hop in the router's main table, of both families, by their protocol.
pub async fn of_protocol(router: &Machine, protocol: &str) -> Result<Routes> {
    let mut found = Routes::new();
    for family in ["-4", "-6"] {
        let argv = [
            "ip", family, "-json", "route", "show", "table", "main", "proto", protocol,
        ];
        let printed = router.run(&argv).await?;
        let listed: Vec<Value> = serde_json::from_str(&printed).context("reading ip's JSON")?;
        for route in listed {
            let text = |field: &str| route[field].as_str().with_context(|| format!("{route}"));
            let destination = text("dst")?;
            // ip leaves the length of a host route out.
            let destination: IpNet = match destination.parse() {
                Ok(net) => net,
                Err(_) => destination
                    .parse::<IpAddr>()
                    .with_context(|| format!("{route}"))?
                    .into(),
            };
            if found
                .insert(destination, text("gateway")?.parse()?)
                .is_some()
            {
                bail!("the table has two routes to {destination}");
            }
        }
    }
    Ok(found)
}

/// Signpost's routes on the router.
pub async fn ours(cluster: &Cluster) -> Result<Routes> {
    of_protocol(cluster.router(), PROTOCOL).await
}

/// What the routes should be: each pod CIDR of each Node object leads to its `InternalIP`.
pub async fn desired(cluster: &Cluster) -> Result<Routes> {
    let mut routes = Routes::new();
    for node in objects::nodes(cluster).await? {
        for cidr in objects::pod_cidrs(&node)? {
            let addresses = objects::internal_ips(&node);
            let next_hop = addresses
                .into_iter()
                .find(|ip| ip.is_ipv4() == cidr.addr().is_ipv4());
            let next_hop = next_hop.with_context(|| {
                format!(
                    "{} has no InternalIP of the family of {cidr}",
                    objects::name(&node)
                )
            })?;
            if let Some(other) = routes.insert(cidr, next_hop) {
                bail!("{cidr} is a pod CIDR of two nodes: {other} and {next_hop}");
            }
        }
    }
    Ok(routes)
}

/// Waits until the router's table is exactly what the nodes need, and gives it.
pub async fn settle(cluster: &Cluster) -> Result<Routes> {
    wait::until(
        "the router's routes to be those of the nodes",
        LIMIT,
        async || {
            let (seen, expected) = (ours(cluster).await?, desired(cluster).await?);
            ensure!(
                seen == expected,
                "expected {expected:?}, the table has {seen:?}"
            );
            Ok(seen)
        },
    )
    .await
}

/// Waits until a destination has a route of ours, or none.
pub async fn wait_for(cluster: &Cluster, to: IpNet, next_hop: Option<IpAddr>) -> Result<()> {
    let what = match next_hop {
        Some(next_hop) => format!("a route to {to} by {next_hop}"),
        None => format!("the route to {to} to go"),
    };
    wait::until(&what, LIMIT, async || {
        let routes = ours(cluster).await?;
        ensure!(
            routes.get(&to).copied() == next_hop,
            "the table has {routes:?}"
        );
        Ok(())
    })
    .await
}
