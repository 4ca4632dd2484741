//! Routes to and from the wire.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteScope, RouteType,
    RouteVia,
};

use crate::route::{Route, RouteKind, Scope};

/// Table number in the header when the real one stands in an attribute (`RT_TABLE_COMPAT`).
const TABLE_IN_ATTRIBUTE: u8 = 252;

pub(crate) fn route_message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = match route.destination {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.table = u8::try_from(route.table).unwrap_or(TABLE_IN_ATTRIBUTE);
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.scope = match route.scope {
        Scope::Universe => RouteScope::Universe,
        Scope::Link => RouteScope::Link,
        Scope::Host => RouteScope::Host,
        Scope::Other(number) => RouteScope::from(number),
    };
    message.header.kind = match route.kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Other(number) => RouteType::from(number),
    };
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    attributes.push(RouteAttribute::Destination(address(
        route.destination.network(),
    )));
    attributes.extend(route.interface.map(RouteAttribute::Oif));
    attributes.extend(
        route
            .source
            .map(|ip| RouteAttribute::PrefSource(address(ip))),
    );
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    attributes.extend(
        route
            .gateway
            .map(|gateway| match (route.destination, gateway) {
                (IpNet::V4(_), IpAddr::V6(ip)) => RouteAttribute::Via(RouteVia::Inet6(ip)),
                _ => RouteAttribute::Gateway(address(gateway)),
            }),
    );
    message
}

/// Asks for the entry by which packets to `address` are routed. Strict checking allows no other fields.
pub(crate) fn look_up_message(to: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    let net = IpNet::from(to);
    message.header.address_family = match net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = net.prefix_len();
    message.header.flags = RouteFlags::FibMatch;
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(address(to)));
    message
}

/// Reads a route, or `None` where the destination is of neither IP family.
pub(crate) fn read_route(message: &RouteMessage) -> Option<Route> {
    let unspecified: IpAddr = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut destination = unspecified;
    let mut route = Route::to(IpNet::new(unspecified, 0).ok()?);
    route.table = message.header.table.into();
    route.protocol = message.header.protocol.into();
    route.scope = match message.header.scope {
        RouteScope::Universe => Scope::Universe,
        RouteScope::Link => Scope::Link,
        RouteScope::Host => Scope::Host,
        other => Scope::Other(other.into()),
    };
    route.kind = match message.header.kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        other => RouteKind::Other(other.into()),
    };
    route.onlink = message.header.flags.contains(RouteFlags::Onlink);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(ip) => destination = ip_address(ip)?,
            RouteAttribute::Gateway(ip) => route.gateway = ip_address(ip),
            RouteAttribute::Via(RouteVia::Inet(ip)) => route.gateway = Some(IpAddr::V4(*ip)),
            RouteAttribute::Via(RouteVia::Inet6(ip)) => route.gateway = Some(IpAddr::V6(*ip)),
            RouteAttribute::PrefSource(ip) => route.source = ip_address(ip),
            RouteAttribute::Oif(index) => route.interface = Some(*index),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::MultiPath(_) => route.multipath = true,
            _ => {}
        }
    }
    route.destination = IpNet::new(destination, message.header.destination_prefix_length).ok()?;
    Some(route)
}

fn address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    }
}

fn ip_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}
