//! What this machine reaches directly: there no route of ours may lie.

use ipnet::IpNet;
use signpost_netlink::{Family, Route, RouteKind, table};

/// The protocol number of routes that the kernel makes from addresses.
const BY_KERNEL: u8 = 2;

/// The network that a route shows to be connected, or an address of this machine.
///
/// A route to a single address on a link is none: pods have such routes on their own node, and what
/// is more specific wins over a block's route.
pub(super) fn network(route: &Route) -> Option<IpNet> {
    let is_single = is_single(route);
    let shown = if route.table == table::LOCAL {
        // The kernel's type "local"; others there are broadcast and multicast.
        is_single && is_local(route.kind)
    } else {
        let on_link = route.gateway.is_none() && route.interface.is_some() && !route.multipath;
        let is_default = route.destination.prefix_len() == 0;
        route.kind == RouteKind::Unicast
            && on_link
            && route.protocol == BY_KERNEL
            && !is_single
            && !is_default
    };
    shown.then_some(route.destination)
}

/// It is for a single address, as pods' own routes on their node are.
pub(super) fn is_single(route: &Route) -> bool {
    route.destination.prefix_len() == Family::of(route.destination.addr()).host_prefix_len()
}

fn is_local(kind: RouteKind) -> bool {
    /// `RTN_LOCAL` of linux/rtnetlink.h.
    const LOCAL: u8 = 2;
    kind == RouteKind::Other(LOCAL)
}
