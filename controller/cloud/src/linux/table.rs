//! The kernel's routes in the terms of the engine.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use signpost_core::cloud::{
    Blackhole, CloudError, CloudErrorKind, NextHop, ObservedRoute, Ownership, Route as Wanted,
    TableId,
};
use signpost_netlink::{Errno, ErrorKind, Route, RouteKind, table};

use super::{LinuxConfig, connected};

/// The name of a table, as `ip route` calls it.
pub(super) fn id(number: u32) -> TableId {
    match number {
        table::MAIN => TableId("main".into()),
        number => TableId(number.to_string().into()),
    }
}

/// A route as the engine sees it.
///
/// Of routes to one destination the kernel follows the one with the lowest metric, so another's with
/// a higher metric than ours does no harm.
pub(super) fn observe(route: &Route, config: LinuxConfig) -> ObservedRoute {
    let leads_on = route.kind == RouteKind::Unicast && !route.multipath;
    let leads_here = here(route);
    ObservedRoute {
        destination: route.destination,
        next_hop: leads_here
            .or_else(|| route.gateway.filter(|_| leads_on))
            .map(NextHop::Address),
        ownership: if route.protocol == config.route_protocol {
            Ownership::Ours
        } else if outranked(route) {
            Ownership::Outranked
        } else {
            Ownership::Foreign
        },
        blackhole: blackhole(route.kind).filter(|_| leads_here.is_none()),
        // Routes to one destination differ in their metric.
        handle: Some(handle(route)),
    }
}

/// Whether a route that this program adds wins over this one.
pub(super) fn outranked(route: &Route) -> bool {
    // What the kernel makes of a metric that is not given.
    let ours = match route.destination {
        IpNet::V4(_) => 0,
        IpNet::V6(_) => 1024,
    };
    route.metric > ours
}

/// The blocks of nodes that are this machine, as far as ours lead there.
pub(super) fn blocks_here(routes: &[Route], config: LinuxConfig) -> Vec<IpNet> {
    let ours = routes
        .iter()
        .filter(|route| route.protocol == config.route_protocol && here(route).is_some());
    ours.map(|route| route.destination).collect()
}

/// It is the way to a pod of a node that is this machine, which the plugin made.
pub(super) fn is_pods(route: &Route, blocks_here: &[IpNet]) -> bool {
    connected::is_single(route)
        && (route.gateway.is_none() && route.interface.is_some())
        && lies_in(route.destination, blocks_here)
}

/// The node's address, if the route leads to the node that this machine is: see [`wanted`].
fn here(route: &Route) -> Option<IpAddr> {
    route
        .source
        .filter(|_| route.kind == RouteKind::Unreachable)
}

/// Why the kernel drops what follows the route.
fn blackhole(kind: RouteKind) -> Option<Blackhole> {
    matches!(
        kind,
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit
    )
    .then_some(Blackhole::Other)
}

/// The name of a route among those to its destination.
pub(super) fn handle(route: &Route) -> Arc<str> {
    format!("metric {}", route.metric).into()
}

/// The kernel's route for one that should exist. `own` are the addresses of this machine.
///
/// A node may be this machine. Its pods have routes of their own, which are more specific; for the rest
/// of its block nobody is there, and without a route that says so packets would follow the default
/// route. The kernel keeps the node's address with it as preferred source, by which it is known again.
pub(super) fn wanted(
    route: &Wanted,
    config: LinuxConfig,
    own: &HashSet<IpAddr>,
) -> Result<Route, CloudError> {
    let NextHop::Address(gateway) = route.next_hop else {
        let detail = format!(
            "a kernel's route leads to an address, not to {}",
            route.next_hop
        );
        return Err(CloudError::new(CloudErrorKind::Invalid, detail));
    };
    let mut wanted = Route {
        protocol: config.route_protocol,
        table: config.table,
        ..Route::to(route.destination)
    };
    if own.contains(&gateway) {
        wanted.kind = RouteKind::Unreachable;
        wanted.source = Some(gateway);
    } else {
        wanted.gateway = Some(gateway);
    }
    Ok(wanted)
}

/// Whether a route is of interest: its destination lies in one of the ranges.
pub(super) fn lies_in(destination: IpNet, ranges: &[IpNet]) -> bool {
    ranges.iter().any(|range| range.contains(&destination))
}

/// A netlink error in the engine's terms.
pub(super) fn error(error: &signpost_netlink::Error) -> CloudError {
    let (kind, remedy) = match error.kind() {
        ErrorKind::Kernel { errno, .. } => match errno {
            Errno::EEXIST => (CloudErrorKind::AlreadyExists, ""),
            Errno::ENOENT | Errno::ESRCH => (CloudErrorKind::NotFound, ""),
            Errno::EPERM | Errno::EACCES => (
                CloudErrorKind::Denied,
                "; run with the capability NET_ADMIN",
            ),
            Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN => (
                CloudErrorKind::Transient,
                "; this machine needs an interface in the node's network to route to it",
            ),
            Errno::EINVAL | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP => {
                (CloudErrorKind::Invalid, "")
            }
            _ => (CloudErrorKind::Transient, ""),
        },
        // The request may have been carried out before its answer was lost.
        ErrorKind::System(_) | ErrorKind::Decode(_) => (CloudErrorKind::Unknown, ""),
        _ => (CloudErrorKind::Transient, ""),
    };
    CloudError::new(kind, format!("{error}{remedy}"))
}
