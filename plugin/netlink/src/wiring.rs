//! What tells a pod's interface on the node: known to the plugin, which makes it, and to the agent, which
//! restores what somebody takes away.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use nix::errno::Errno;

use crate::error::Result;
use crate::link::Link;
use crate::mac::Mac;
use crate::request::Request;
use crate::route::{Family, Route, Scope};
use crate::socket::Socket;

/// What names of host-side interfaces begin with: as no other program's do, so that whoever goes by names
/// (`pod*` is podman's, `veth*` and `cali*` others') neither takes them for his nor the other way round.
pub const HOST_INTERFACE_PREFIX: &str = "sgn";
/// Protocol number of the host routes to pods: the mark by which they are known as Signpost's. The
/// number is not in use by any routing program that iproute2 lists in `rt_protos`.
pub const ROUTE_PROTOCOL: u8 = 144;
/// Longest text that the kernel keeps as an interface's alias (`IFALIASZ`).
const ALIAS_BYTES: usize = 255;

/// The node's route to a pod, or to all pods of a subnet. The node talks to them from `source`, or from what the
/// kernel takes for the best of its addresses.
pub fn pod_route(destination: impl Into<IpNet>, interface: u32, source: Option<IpAddr>) -> Route {
    let destination = destination.into().trunc();
    let scope = match destination {
        IpNet::V4(_) => Scope::Link,
        IpNet::V6(_) => Scope::Universe,
    };
    Route {
        protocol: ROUTE_PROTOCOL,
        interface: Some(interface),
        scope,
        source,
        ..Route::to(destination)
    }
}

/// The gateway of every pod. A permanent neighbour entry in the pod leads it to the node's end of the pair.
pub fn pod_gateway(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    }
}

impl Socket {
    /// Adds a route to pods, without its source where that is no address of this machine. Tells whether it is;
    /// where it is not, the agent says so.
    pub fn add_pod_route(&mut self, route: &Route) -> Result<bool> {
        match self.add_route(route) {
            Err(error) if error.errno() == Some(Errno::EINVAL) && route.source.is_some() => {
                let without = Route {
                    source: None,
                    ..route.clone()
                };
                self.add_route(&without).map(|()| false)
            }
            other => other.map(|()| true),
        }
    }

    /// Tells the node the hardware address of a pod, so that its first packet need not ask. The entry is not
    /// permanent: a plugin that comes later in the chain may give the pod another one.
    ///
    /// In IPv6 the node asks and answers only from a link-local address on the link, which is why its end has
    /// the gateway's. That opens nothing to the pod: what listens on all of the node's addresses it reaches at
    /// the others as well. In IPv4 any address of the node does to ask, and `proxy_arp` answers.
    pub fn introduce_pod(&mut self, interface: u32, address: IpAddr, mac: Mac) -> Result<()> {
        let learn = Request::learn_neighbour(interface, address, mac);
        let requests = match address {
            IpAddr::V4(_) => vec![learn],
            IpAddr::V6(_) => {
                let gateway = pod_gateway(Family::V6).into();
                vec![Request::add_address(interface, gateway), learn]
            }
        };
        let mut refusals = self.make_all(requests)?.into_iter().filter_map(Result::err);
        match refusals.find(|error| !error.is_exists()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Whose an interface is: its alias, which `ip link` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLabel {
    /// Hardware address of the interface in the pod.
    pub mac: Mac,
    /// Name of the interface in the pod.
    pub interface: String,
    /// The container.
    pub container_id: String,
}

impl PodLabel {
    /// That of an interface; `None` if it is no pod's, or of a version that had another text.
    pub fn of(link: &Link) -> Option<Self> {
        link.alias.as_ref()?.parse().ok()
    }
}

impl Link {
    /// The addresses that it claims for its pod.
    pub fn claims(&self) -> impl Iterator<Item = IpAddr> {
        let names = self.alternative_names.iter();
        names.filter_map(|name| name.parse().ok())
    }
}

impl fmt::Display for PodLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mac,
            interface,
            container_id,
        } = self;
        let text = format!("{interface} {mac} {container_id}");
        f.write_str(text.get(..ALIAS_BYTES).unwrap_or(&text))
    }
}

impl FromStr for PodLabel {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut words = text.splitn(3, ' ');
        let mut next = || {
            words
                .next()
                .ok_or_else(|| format!("{text:?} is no pod's label"))
        };
        Ok(Self {
            interface: next()?.to_owned(),
            mac: next()?.parse()?,
            container_id: next()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_are_written_and_fit() {
        let label = |container_id: &str| PodLabel {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            interface: "eth0".into(),
            container_id: container_id.into(),
        };
        let text = label("one").to_string();
        assert_eq!(text, "eth0 02:00:00:00:00:01 one");
        assert_eq!(text.parse(), Ok(label("one")));
        let long = label(&"x".repeat(400)).to_string();
        assert_eq!(long.len(), 255);
        assert_eq!(long.parse::<PodLabel>().unwrap().mac, label("").mac);
        for other in ["", "one eth0", "eth0 a:b one", "eth0 +2:00:00:00:00:01 one"] {
            assert!(other.parse::<PodLabel>().is_err(), "{other:?}");
        }
    }
}
