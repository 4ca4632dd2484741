//! The bridge itself.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::{BRIDGE, BRIDGE_MAC, bridge_gateway};
use crate::error::Error;
use crate::link::Link;
use crate::route::{Family, RouteFilter, table};
use crate::settings::{self, Setting};
use crate::socket::Socket;
use crate::wiring::pod_route;

/// Why there is no bridge for pods.
#[derive(Debug, thiserror::Error)]
pub enum BridgeFault {
    /// The kernel refused something.
    #[error(transparent)]
    Kernel(#[from] Error),
    /// A setting of an interface could not be made.
    #[error("set {1:?} of interface {0}: {2}")]
    Setting(&'static str, Setting, io::Error),
    /// Something else has its name.
    #[error("interface {BRIDGE} is no bridge: rename or remove it")]
    Taken,
    /// A subnet of the node is somebody else's.
    #[error(
        "{0} is routed over another interface than {BRIDGE}: remove that route, or the bridge of another \
         network that it leads to"
    )]
    Routed(IpNet),
}

/// Makes the bridge with the gateways of these subnets and the routes to them, as far as it is not there, and
/// gives its index. Each subnet comes with the address from which the node talks to its pods.
///
/// Several may do so at once, and one of a subnet that the node had before keeps its gateway for the pods that
/// have it. `mtu` is for a bridge without ports. `folder` has the kernel's settings.
pub fn ensure(
    node: &mut Socket,
    folder: &Path,
    mtu: u32,
    subnets: &[(IpNet, Option<IpAddr>)],
) -> Result<u32, BridgeFault> {
    let link = match node.link_by_name(BRIDGE)? {
        Some(link) => link,
        None => create(node, mtu)?,
    };
    if !link.bridge {
        return Err(BridgeFault::Taken);
    }
    let set = |interface, setting| {
        settings::make(folder, interface, setting)
            .map_err(|error| BridgeFault::Setting(interface, setting, error))
    };
    // Before anything can come in.
    let ipv6 = subnets.iter().any(|(subnet, _)| subnet.addr().is_ipv6());
    for setting in settings::of_host_end(folder, ipv6) {
        set(BRIDGE, setting)?;
    }
    // What one pod sends to another leaves by the interface that it came in by.
    set("all", settings::NO_REDIRECTS)?;
    if !link.up {
        node.set_link_up(link.index)?;
    }
    for (subnet, source) in subnets {
        match node.add_address(link.index, IpNet::from(bridge_gateway(*subnet))) {
            Err(error) if error.is_exists() => {}
            other => other?,
        }
        route(node, *subnet, link.index, *source)?;
    }
    Ok(link.index)
}

fn create(node: &mut Socket, mtu: u32) -> Result<Link, BridgeFault> {
    match node.create_bridge(BRIDGE, BRIDGE_MAC, mtu) {
        Err(error) if !error.is_exists() => return Err(error.into()),
        _ => {}
    }
    // Whoever removes it meanwhile leaves nothing that is one.
    node.link_by_name(BRIDGE)?.ok_or(BridgeFault::Taken)
}

fn route(
    node: &mut Socket,
    subnet: IpNet,
    bridge: u32,
    source: Option<IpAddr>,
) -> Result<(), BridgeFault> {
    match node.add_pod_route(&pod_route(subnet, bridge, source)) {
        Err(error) if error.is_exists() && is_routed(node, subnet, bridge)? => Ok(()),
        Err(error) if error.is_exists() => Err(BridgeFault::Routed(subnet)),
        other => Ok(other.map(drop)?),
    }
}

fn is_routed(node: &mut Socket, subnet: IpNet, bridge: u32) -> Result<bool, Error> {
    let filter = RouteFilter {
        table: Some(table::MAIN),
        interface: Some(bridge),
        ..RouteFilter::default()
    };
    let routes = node.routes(Family::of(subnet.addr()), filter)?;
    Ok(routes
        .iter()
        .any(|route| route.destination == subnet.trunc() && route.gateway.is_none()))
}
