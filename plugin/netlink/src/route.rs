//! Routes: added exclusively, replaced, deleted exactly, listed by table and protocol.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol};
use nix::errno::Errno;

use crate::channel::Answer;
use crate::error::Result;
use crate::link::absent_is_false;
use crate::request::Request;
use crate::route_message::{look_up_message, read_route, route_message};
use crate::socket::{Socket, decode};

/// Numbers of the route tables that every system has.
pub mod table {
    /// The table of ordinary routes.
    pub const MAIN: u32 = 254;
    /// The table that the kernel keeps for its own addresses.
    pub const LOCAL: u32 = 255;
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The first of these addresses that is of the family.
    pub fn first_of(self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let mut addresses = addresses.iter().copied();
        addresses.find(|address| Self::of(*address) == self)
    }

    /// The destination of a default route: `0.0.0.0/0` or `::/0`.
    pub fn default_destination(self) -> IpNet {
        match self {
            Self::V4 => IpNet::V4(ipnet::Ipv4Net::default()),
            Self::V6 => IpNet::V6(ipnet::Ipv6Net::default()),
        }
    }

    /// The least MTU in bytes that the kernel runs the family with.
    pub fn least_mtu(self) -> u32 {
        match self {
            Self::V4 => 68,
            Self::V6 => 1280,
        }
    }

    /// The prefix length of a single address: 32 or 128.
    pub fn host_prefix_len(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// How far a destination is. IPv6 has only `Universe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Scope {
    /// Reached through a gateway.
    #[default]
    Universe,
    /// On the link itself.
    Link,
    /// On this machine.
    Host,
    /// Another number.
    Other(u8),
}

/// What happens to packets that a route matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RouteKind {
    /// They are sent on.
    #[default]
    Unicast,
    /// They are dropped silently.
    Blackhole,
    /// They are refused as unreachable.
    Unreachable,
    /// They are refused as prohibited.
    Prohibit,
    /// Another type, such as local or broadcast, by its number.
    Other(u8),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Destination.
    pub destination: IpNet,
    /// Number of its table.
    pub table: u32,
    /// Who added it: 2 the kernel, 3 `ip`, 4 an administrator; others mark routing programs. In a
    /// deletion 0 matches any.
    pub protocol: u8,
    /// Metric (priority); lower wins. 0 means the kernel's default: 0 in IPv4, 1024 in IPv6.
    pub metric: u32,
    /// Scope; the kernel's listing always says `Universe` in IPv6.
    pub scope: Scope,
    /// What happens to the packets.
    pub kind: RouteKind,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Index of the outgoing interface.
    pub interface: Option<u32>,
    /// Whether the gateway counts as on the link even if no route says so.
    pub onlink: bool,
    /// Source address preferred for local packets.
    pub source: Option<IpAddr>,
    /// Whether it has several next hops, of which none is in `gateway` and `interface`.
    pub multipath: bool,
}

impl Route {
    /// A unicast route of the main table without next hop, to be completed by its user.
    pub fn to(destination: IpNet) -> Self {
        Self {
            destination,
            table: table::MAIN,
            protocol: 0,
            metric: 0,
            scope: Scope::Universe,
            kind: RouteKind::Unicast,
            gateway: None,
            interface: None,
            onlink: false,
            source: None,
            multipath: false,
        }
    }
}

/// Which routes to list. The kernel applies `family`, `table`, `protocol` and `interface` itself, so
/// that a listing costs what it returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteFilter {
    /// Table number.
    pub table: Option<u32>,
    /// Protocol number.
    pub protocol: Option<u8>,
    /// Index of the outgoing interface.
    pub interface: Option<u32>,
}

impl Socket {
    /// Adds a route. Fails with `EEXIST` if there is one to the same destination with the same metric
    /// in that table, whoever added it and wherever it leads.
    pub fn add_route(&mut self, route: &Route) -> Result<()> {
        self.make(Request::add_route(route))
    }

    /// Adds a route, or replaces the first one to the same destination with the same metric in that
    /// table. The kernel compares no protocol number here: look before, where others may have routes.
    pub fn replace_route(&mut self, route: &Route) -> Result<()> {
        let message = RouteNetlinkMessage::NewRoute(route_message(route));
        self.execute(message, NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(|error| error.during(format!("replace route {}", route.destination)))
    }

    /// Deletes the route that matches in destination, table, and in each of protocol, metric, gateway
    /// and interface that is set. Tells whether there was one.
    pub fn delete_route(&mut self, route: &Route) -> Result<bool> {
        let message = RouteNetlinkMessage::DelRoute(route_message(route));
        absent_is_false(self.execute(message, 0))
            .map_err(|error| error.during(format!("delete route {}", route.destination)))
    }

    /// Lists routes of one family. Routes that cannot be described by [`Route`] (other address
    /// families as destination) are left out; a table that does not exist has no routes.
    pub fn routes(&mut self, family: Family, filter: RouteFilter) -> Result<Vec<Route>> {
        self.list_routes(family, filter, |answer| match decode(answer) {
            Ok(RouteNetlinkMessage::NewRoute(message)) => read_route(&message),
            // One strange route must not hide all others.
            _ => None,
        })
    }

    /// Lists what `read` makes of the routes, and leaves out those of which it makes nothing.
    pub(crate) fn list_routes<T>(
        &mut self,
        family: Family,
        filter: RouteFilter,
        mut read: impl FnMut(&Answer<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut message = RouteMessage::default();
        message.header.address_family = match family {
            Family::V4 => netlink_packet_route::AddressFamily::Inet,
            Family::V6 => netlink_packet_route::AddressFamily::Inet6,
        };
        message.header.protocol = RouteProtocol::from(filter.protocol.unwrap_or_default());
        message
            .attributes
            .extend(filter.table.map(RouteAttribute::Table));
        message
            .attributes
            .extend(filter.interface.map(RouteAttribute::Oif));
        let listing = self
            .channel
            .dump(RouteNetlinkMessage::GetRoute(message), |answer| {
                Ok(read(&answer))
            });
        match listing {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            other => other.map_err(|error| error.during("list routes")),
        }
    }

    /// The route that packets from this machine to `address` follow: its entry in the table as it is, such as
    /// the default route. `None` if there is none, or one that refuses or drops them.
    pub fn route_to(&mut self, address: IpAddr) -> Result<Option<Route>> {
        let request = RouteNetlinkMessage::GetRoute(look_up_message(address));
        let found = self.channel.fetch(request, |answer| {
            Ok(match decode(&answer)? {
                RouteNetlinkMessage::NewRoute(message) => read_route(&message),
                _ => None,
            })
        });
        match found.map_err(|error| error.during(format!("look up the route to {address}"))) {
            Ok(found) => Ok(found.flatten()),
            // What routes of type unreachable, blackhole and prohibit are answered with, and no route.
            Err(error)
                if matches!(
                    error.errno(),
                    Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EINVAL | Errno::EACCES)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Request {
    /// To add a route; see [`Socket::add_route`].
    pub fn add_route(route: &Route) -> Self {
        let message = RouteNetlinkMessage::NewRoute(route_message(route));
        let operation = format!("add route {}", route.destination);
        Self::new(message, NLM_F_CREATE | NLM_F_EXCL, operation)
    }
}
