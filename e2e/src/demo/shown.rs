//! Where the routes are that the demonstration shows: in the router's kernel, in a VPC's tables, or in a
//! network of Google.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;
use signpost_ec2::TargetState;
use signpost_gce::NextHop;

use crate::addresses::Zone;
use crate::vpc::{gcp, tables};
use crate::{Cluster, Network, Node, Vpc};

/// The subnets of a VPC, and the table that decides for each, or those of a network; empty elsewhere.
pub(super) fn subnets(cluster: &Cluster) -> Result<String> {
    if let Ok(network) = cluster.network() {
        return subnets_of(network);
    }
    let Ok(vpc) = cluster.vpc() else {
        return Ok(String::new());
    };
    let mut subnets = vpc.emulator().snapshot().subnets;
    subnets.sort_by(|a, b| a.zone.cmp(&b.zone));
    let mut text = String::new();
    for (letter, subnet) in ["A", "B"].iter().zip(subnets) {
        let cidrs: Vec<String> = subnet.cidrs.iter().map(ToString::to_string).collect();
        writeln!(
            text,
            "    zone {letter}  {}  {:<15}  in {}, follows {}",
            subnet.id,
            cidrs.join(", "),
            subnet.zone,
            subnet.route_table.as_deref().unwrap_or("no table"),
        )?;
    }
    Ok(text)
}

fn subnets_of(network: &Network) -> Result<String> {
    let mut text = String::new();
    for subnet in network.emulator().snapshot().subnetworks {
        let name = subnet.path.rsplit('/').next().unwrap_or_default();
        writeln!(
            text,
            "    {name}  {:<17}  in {}",
            subnet.range, subnet.region
        )?;
    }
    Ok(text)
}

/// Which table is shown in which column.
pub(super) fn headings(cluster: &Cluster) -> &'static [&'static str] {
    if cluster.vpc().is_ok() {
        &["TABLE OF ZONE A", "TABLE OF ZONE B"]
    } else if cluster.network().is_ok() {
        &["ROUTE OF THE NETWORK"]
    } else {
        &["ROUTE ON THE ROUTER"]
    }
}

/// What each of these tables has for a destination.
pub(super) async fn cells(cluster: &Cluster) -> Result<BTreeMap<String, Vec<String>>> {
    let mut cells = BTreeMap::<String, Vec<String>>::new();
    if let Ok(network) = cluster.network() {
        let routes = gcp::routes::routes(network)?.into_iter();
        return Ok(routes
            .map(|(to, instance)| {
                let name = instance.rsplit('/').next().unwrap_or_default();
                (to.to_string(), vec![format!("{to} to {name}")])
            })
            .collect());
    }
    let Ok(vpc) = cluster.vpc() else {
        let routes = of_kernel(cluster).await?.into_iter();
        return Ok(routes
            .map(|(to, via)| (to.clone(), vec![format!("{to} via {via}")]))
            .collect());
    };
    for (column, table) in tables::of_zones(vpc).into_iter().enumerate() {
        for (to, interface) in tables::routes(vpc, table)? {
            let cells = cells
                .entry(to.to_string())
                .or_insert_with(|| vec!["-".into(); 2]);
            cells[column] = interface;
        }
    }
    Ok(cells)
}

/// Whether a route leads to a node, in any table.
pub(super) async fn leads_to(cluster: &Cluster, node: &Node) -> Result<bool> {
    if let Ok(network) = cluster.network() {
        let instance = &node.instance().context("an instance")?.interface;
        let routes = gcp::routes::routes(network)?;
        return Ok(routes.values().any(|target| target == instance));
    }
    let Ok(vpc) = cluster.vpc() else {
        let next_hop = node.link().node_v4().to_string();
        let routes = of_kernel(cluster).await?;
        return Ok(routes.values().any(|via| *via == next_hop));
    };
    let interface = &node.instance().context("an instance")?.interface;
    for table in tables::of_zones(vpc) {
        let routes = tables::routes(vpc, table)?;
        if routes.values().any(|target| target == interface) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The routes of a network of Google.
fn contents_of(network: &Network) -> Result<String> {
    let mut text = String::new();
    let mut routes = network.emulator().snapshot().routes;
    routes.sort_by_key(|route| route.destination);
    for route in routes {
        let target = match &route.next_hop {
            NextHop::Instance(instance) => instance.trim_start_matches("projects/").to_owned(),
            NextHop::Address(address) => address.to_string(),
            NextHop::Gateway => "the internet".to_owned(),
            NextHop::Network => "the network itself".to_owned(),
            NextHop::Other(other) => other.clone(),
        };
        let to = route.destination.to_string();
        let state = if route.usable { "" } else { "  drops" };
        writeln!(text, "      {to:<18} {target}{state}  ({})", route.name)?;
    }
    Ok(text)
}

/// The contents of a VPC's tables, or of a network; empty elsewhere.
pub(super) fn contents(cluster: &Cluster) -> Result<String> {
    if let Ok(network) = cluster.network() {
        return contents_of(network);
    }
    let Ok(vpc) = cluster.vpc() else {
        return Ok(String::new());
    };
    let mut text = String::new();
    for zone in [Zone::A, Zone::B] {
        let table = vpc.table(vpc.table_of(zone))?;
        writeln!(text, "    {} of zone {zone:?}:", table.id)?;
        for route in table.routes {
            let (target, whose) = match route.target {
                TargetState::Local => ("local".into(), "the VPC itself".into()),
                TargetState::Gateway(id) => (id, "the internet".into()),
                TargetState::Peering(id) | TargetState::Other(id) => (id, String::new()),
                TargetState::Interface(id) => {
                    let whose = whose(cluster, vpc, &id);
                    (id, whose)
                }
            };
            let state = if route.active { "" } else { "  blackhole" };
            let to = route.destination.to_string();
            let line = format!("      {to:<18} {target:<23} {whose}{state}");
            writeln!(text, "{}", line.trim_end())?;
        }
    }
    Ok(text)
}

fn whose(cluster: &Cluster, vpc: &Vpc, interface: &str) -> String {
    let is_its = |node: &Node| node.instance().is_some_and(|of| of.interface == interface);
    let nodes = cluster.nodes();
    let Some(node) = nodes.iter().find(|node| is_its(node)) else {
        return String::new();
    };
    let checked = vpc.emulator().snapshot().interfaces.into_iter();
    let checked = checked
        .filter(|of| of.id == interface)
        .any(|of| of.source_dest_check);
    let check = if checked { "on" } else { "off" };
    format!(
        "{} in zone {:?}, source/destination check {check}",
        node.name(),
        node.link().zone()
    )
}

/// What the router's kernel says: next hop by destination, of Signpost's routes only.
async fn of_kernel(cluster: &Cluster) -> Result<BTreeMap<String, String>> {
    let protocol = signpost_api::LinuxCloud::default()
        .route_protocol
        .to_string();
    let shown = cluster
        .router()
        .run(&["ip", "-json", "route", "show", "proto", &protocol])
        .await?;
    let routes: Vec<Value> = serde_json::from_str(&shown)?;
    let text = |route: &Value, key: &str| route[key].as_str().unwrap_or("-").to_owned();
    Ok(routes
        .iter()
        .map(|route| (text(route, "dst"), text(route, "gateway")))
        .collect())
}
