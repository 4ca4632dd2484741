//! Subnets that the node had before, over its bridge.
//!
//! Another node may have such a subnet by now. So the route to all of it goes as soon as the node has other
//! subnets; to the pods that have addresses of it still, one each leads instead, and the gateway stays for them.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_netlink::bridged::bridge_gateway;
use signpost_netlink::{
    Family, Link, ROUTE_PROTOCOL, Route, RouteFilter, Socket, pod_route, table,
};

use crate::hand::Hand;

/// Retires what leads to the bridge beside `subnets`.
pub(crate) fn retire(
    socket: &mut Socket,
    hand: &mut Hand,
    bridge: u32,
    subnets: &[IpNet],
) -> signpost_netlink::Result<()> {
    // Before the interfaces: an address that is claimed then may have got its route meanwhile.
    let routes = routes(socket, bridge)?;
    let addresses = socket.addresses(bridge)?;
    let links = socket.links()?;
    let claimed: HashSet<IpAddr> = links
        .iter()
        .filter(|link| link.master == Some(bridge))
        .flat_map(Link::claims)
        .collect();
    for route in &routes {
        let destination = route.destination;
        if subnets.contains(&destination) || claimed.contains(&destination.addr()) {
            continue;
        }
        let pods = claimed.iter().filter(|claim| destination.contains(*claim));
        let pods: Vec<IpAddr> = pods.copied().collect();
        hand.make(
            format!("retire the route to {destination}, which the node had before"),
            || {
                for pod in pods {
                    match socket.add_route(&pod_route(pod, bridge, route.source)) {
                        Err(error) if !error.is_exists() => return Err(error),
                        _ => {}
                    }
                }
                socket.delete_route(route).map(drop)
            },
        )?;
    }
    let own: HashSet<IpAddr> = subnets
        .iter()
        .map(|subnet| bridge_gateway(*subnet))
        .collect();
    for address in addresses {
        let gateway = address.net.addr();
        let is_used = claimed
            .iter()
            .filter(|claim| Family::of(**claim) == Family::of(gateway))
            .any(|claim| !subnets.iter().any(|subnet| subnet.contains(claim)));
        if !own.contains(&gateway) && !is_used {
            let what = format!("remove {gateway}, a gateway that no pod has any more");
            hand.make(what, || {
                socket.delete_address(bridge, address.net).map(drop)
            })?;
        }
    }
    Ok(())
}

fn routes(socket: &mut Socket, bridge: u32) -> signpost_netlink::Result<Vec<Route>> {
    let filter = RouteFilter {
        table: Some(table::MAIN),
        protocol: Some(ROUTE_PROTOCOL),
        interface: Some(bridge),
    };
    let mut found = Vec::new();
    for family in [Family::V4, Family::V6] {
        found.extend(socket.routes(family, filter)?);
    }
    Ok(found)
}
