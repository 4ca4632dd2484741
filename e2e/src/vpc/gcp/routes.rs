//! The routes of the network against what the nodes say they should be.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use signpost_gce::{NextHop, RouteState};

use super::Network;
use crate::vpc::CLUSTER_NAME;
use crate::wait::{self, LIMIT};
use crate::{Cluster, objects};

/// The paths of instances by destination.
pub type Routes = BTreeMap<IpNet, String>;

/// The routes that this cluster's Signpost made, whether they can be followed or not.
pub fn own(network: &Network) -> Vec<RouteState> {
    let routes = network.emulator().snapshot().routes.into_iter();
    let mark = format!("\"cluster\":\"{CLUSTER_NAME}\"");
    routes
        .filter(|route| route.description.contains(&mark))
        .collect()
}

/// The same by destination, each once.
pub fn routes(network: &Network) -> Result<Routes> {
    let mut routes = Routes::new();
    for route in own(network) {
        let instance = match &route.next_hop {
            NextHop::Instance(instance) => instance.clone(),
            // By whom the address is had.
            NextHop::Address(address) => route.instance.clone().unwrap_or(address.to_string()),
            other => bail!("{} leads to {other:?}", route.name),
        };
        if let Some(other) = routes.insert(route.destination, instance) {
            bail!(
                "two routes for {}, one of them to {other}",
                route.destination
            );
        }
    }
    Ok(routes)
}

/// What the network should have: each pod CIDR of each Node object leads to the instance that its
/// `spec.providerID` names.
pub async fn desired(cluster: &Cluster) -> Result<Routes> {
    let mut routes = Routes::new();
    for node in objects::nodes(cluster).await? {
        for cidr in objects::pod_cidrs(&node)? {
            let id = node
                .spec
                .as_ref()
                .and_then(|spec| spec.provider_id.as_deref());
            let id = id.and_then(|id| id.strip_prefix("gce://"));
            let parts: Option<Vec<&str>> = id.map(|id| id.split('/').collect());
            let [project, zone, name] = *parts.context("a providerID of GCE")? else {
                bail!("{id:?} names no instance");
            };
            let instance = format!("projects/{project}/zones/{zone}/instances/{name}");
            if let Some(other) = routes.insert(cidr, instance) {
                bail!("{cidr} is a pod CIDR of two nodes, one of them {other}");
            }
        }
    }
    Ok(routes)
}

/// Waits until the routes are exactly what the nodes need, and packets go accordingly; gives them.
pub async fn settle(cluster: &Cluster) -> Result<Routes> {
    let network = cluster.network()?;
    let what = "the network's routes to be those of the nodes";
    let settled = wait::until(what, LIMIT, async || {
        let (expected, seen) = (desired(cluster).await?, routes(network)?);
        ensure!(seen == expected, "expected {expected:?}, it has {seen:?}");
        Ok(expected)
    });
    let settled = settled.await?;
    network.settled().await?;
    Ok(settled)
}

/// Waits until the routes are these.
pub async fn wait_for(network: &Network, expected: &Routes) -> Result<()> {
    wait::until("the routes to be as expected", LIMIT, async || {
        let seen = routes(network)?;
        ensure!(
            seen == *expected,
            "expected {expected:?}, there are {seen:?}"
        );
        Ok(())
    })
    .await
}
