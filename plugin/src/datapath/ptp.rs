//! A link for each pod, and a host route for each of its addresses.

use std::net::IpAddr;

use signpost_netlink::{Family, Link, Mac, RouteFilter, Socket, pod_route};

use super::Assigned;
use crate::address::Claimant;
use crate::error::Result;

pub(super) fn lead(node: &mut Socket, address: IpAddr, pod: Claimant<'_>) -> Result<bool> {
    let interface = pod.interface;
    match node.add_pod_route(&pod_route(address, interface, pod.source)) {
        Ok(_) => Ok(true),
        // The agent restores the route to a claimed address. If it is not that one, somebody was faster who
        // claims nothing, or has a route that drops what it matches.
        Err(error) if error.is_exists() => {
            let route = node.route_to(address)?;
            Ok(route.is_some_and(|route| {
                route.destination.addr() == address && route.interface == Some(interface)
            }))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn introduce(node: &mut Socket, link: &Link, mac: Mac, pod: &[Assigned]) -> Result<()> {
    for assigned in pod {
        node.introduce_pod(link.index, assigned.address, mac)?;
    }
    Ok(())
}

pub(super) fn faults(node: &mut Socket, link: &Link, address: IpAddr) -> Result<Vec<String>> {
    let wanted = pod_route(address, link.index, None);
    let filter = RouteFilter {
        table: Some(wanted.table),
        interface: wanted.interface,
        ..RouteFilter::default()
    };
    let routes = node.routes(Family::of(address), filter)?;
    let found = routes
        .iter()
        .any(|route| route.destination == wanted.destination && route.kind == wanted.kind);
    if found {
        return Ok(Vec::new());
    }
    let name = &link.name;
    Ok(vec![format!(
        "the node has no route to {address} over {name}"
    )])
}
