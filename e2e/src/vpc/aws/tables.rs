//! The routes of a VPC's tables against what the nodes say they should be.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node as NodeObject;
use signpost_ec2::{Snapshot, TargetState};

use super::Vpc;
use crate::Cluster;
use crate::addresses::Zone;
use crate::objects;
use crate::wait::{self, LIMIT};

/// Network interfaces by destination.
pub type Routes = BTreeMap<IpNet, String>;

/// The tables of both zones.
pub fn of_zones(vpc: &Vpc) -> [&str; 2] {
    [vpc.table_of(Zone::A), vpc.table_of(Zone::B)]
}

/// The routes of a table that lead to network interfaces, whether these can be reached or not.
pub fn routes(vpc: &Vpc, table: &str) -> Result<Routes> {
    let routes = vpc.table(table)?.routes.into_iter();
    let routes = routes.filter_map(|route| match route.target {
        TargetState::Interface(interface) => Some((route.destination, interface)),
        _ => None,
    });
    Ok(routes.collect())
}

/// What every table should have: each pod CIDR of each Node object leads to the primary interface of
/// the instance that its `spec.providerID` names.
pub async fn desired(cluster: &Cluster) -> Result<Routes> {
    let state = cluster.vpc()?.emulator().snapshot();
    let mut routes = Routes::new();
    for node in objects::nodes(cluster).await? {
        for cidr in objects::pod_cidrs(&node)? {
            let interface = primary_interface(&state, &node)?;
            if let Some(other) = routes.insert(cidr, interface) {
                bail!("{cidr} is a pod CIDR of two nodes, one of them behind {other}");
            }
        }
    }
    Ok(routes)
}

fn primary_interface(state: &Snapshot, node: &NodeObject) -> Result<String> {
    let id = node.spec.as_ref().and_then(|spec| {
        let id = spec.provider_id.as_deref()?;
        id.rsplit('/').next()
    });
    let instance = state
        .instances
        .iter()
        .find(|instance| Some(&*instance.id) == id);
    let primary = instance.and_then(|instance| instance.interfaces.first());
    primary.cloned().with_context(|| {
        let name = objects::name(node);
        format!("{name} has no instance with an interface: {id:?}")
    })
}

/// Waits until tables are exactly what the nodes need, and packets go accordingly; gives the routes.
pub async fn settle(cluster: &Cluster, tables: &[&str]) -> Result<Routes> {
    let vpc = cluster.vpc()?;
    let routes = wait::until(
        "the tables' routes to be those of the nodes",
        LIMIT,
        async || {
            let expected = desired(cluster).await?;
            for table in tables {
                let seen = routes(vpc, table)?;
                ensure!(
                    seen == expected,
                    "expected {expected:?}, {table} has {seen:?}"
                );
            }
            Ok(expected)
        },
    )
    .await?;
    vpc.settled().await?;
    Ok(routes)
}
