//! Where the routes are that the demonstration shows: in the router's kernel, or in a VPC's tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;
use signpost_ec2::TargetState;

use crate::addresses::Zone;
use crate::vpc::tables;
use crate::{Cluster, Node, Vpc};

/// The subnets of a VPC, and the table that decides for each; empty outside of one.
pub(super) fn subnets(cluster: &Cluster) -> Result<String> {
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

/// Which table is shown in which column.
pub(super) fn headings(cluster: &Cluster) -> &'static [&'static str] {
    match cluster.vpc() {
        Ok(_) => &["TABLE OF ZONE A", "TABLE OF ZONE B"],
        Err(_) => &["ROUTE ON THE ROUTER"],
    }
}

/// What each of these tables has for a destination.
pub(super) async fn cells(cluster: &Cluster) -> Result<BTreeMap<String, Vec<String>>> {
    let mut cells = BTreeMap::<String, Vec<String>>::new();
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

/// The contents of a VPC's tables; empty outside of one.
pub(super) fn contents(cluster: &Cluster) -> Result<String> {
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
