//! The addresses of a cluster's parts. Every cluster uses the same: each lives in network namespaces
//! of its own, and the host has none of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The API server, on the router's loopback device.
pub const API_V4: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 1);
/// The router on its link to the external host.
pub const ROUTER_EXTERNAL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// A host beyond the router that has routes to nodes but none to pods.
pub const EXTERNAL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// As [`ROUTER_EXTERNAL_V4`], in a dual-stack cluster.
pub const ROUTER_EXTERNAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// As [`EXTERNAL_V4`], in a dual-stack cluster.
pub const EXTERNAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// All nodes' own addresses.
pub const NODES_V4: &str = "172.30.0.0/16";
/// All nodes' own addresses in a dual-stack cluster: of the range from which Google networks have theirs
/// (`fd20::/20`).
pub const NODES_V6: &str = "fd20::/48";
/// Addresses of bare nodes: a device of the router behind which nobody answers.
pub const BARE_NODES_V4: &str = "172.29.0.0/16";
/// Cluster IPs of services.
pub const SERVICES_V4: &str = "10.96.0.0/16";
/// Cluster IPs of services in a dual-stack cluster.
pub const SERVICES_V6: &str = "fd96::/112";
/// The API server's cluster IP, the first of the range.
pub(crate) const API_SERVICE_V4: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
pub(crate) const API_SERVICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, 1);

/// The halves of [`NODES_V4`], one for each [`Zone`].
pub(crate) const ZONES_V4: [&str; 2] = ["172.30.0.0/17", "172.30.128.0/17"];
/// The parts of [`NODES_V6`], one for each [`Zone`].
pub(crate) const ZONES_V6: [&str; 2] = ["fd20::/64", "fd20:0:0:1::/64"];

/// The part of [`NODES_V6`] for instances of bare nodes.
pub(crate) const BARE_NODES_V6: &str = "fd20:0:0:2::/64";

/// The IPv6 address of the instance of a bare node with this IPv4 address.
pub(crate) fn bare_v6(v4: Ipv4Addr) -> Ipv6Addr {
    let [.., high, low] = v4.octets();
    Ipv6Addr::new(0xfd20, 0, 0, 2, high.into(), low.into(), 0, 2)
}

/// Where a node is: addresses of one zone are one range, so that it can be a subnet of a VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// Links 1 to 127.
    A,
    /// Links 128 to 254.
    B,
}

/// The point-to-point link between the router and one node, by the node's number from 1 to 254.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(pub u8);

impl Link {
    /// No link: where the node is whose network is the router's own.
    pub(crate) const ROUTER: Self = Self(0);

    /// The link whose node has this address.
    pub(crate) fn of_node(address: Ipv4Addr) -> Option<Self> {
        let [.., number, _] = address.octets();
        let link = Self(number);
        (link.node_v4() == address).then_some(link)
    }

    /// The zone that its addresses belong to.
    pub fn zone(self) -> Zone {
        if self.0 < 128 { Zone::A } else { Zone::B }
    }

    /// The router's address on the link.
    pub fn router_v4(self) -> Ipv4Addr {
        Ipv4Addr::new(172, 30, self.0, 1)
    }

    /// The node's address, its `InternalIP`.
    pub fn node_v4(self) -> Ipv4Addr {
        if self == Self::ROUTER {
            return API_V4;
        }
        Ipv4Addr::new(172, 30, self.0, 2)
    }

    /// The router's address on the link in a dual-stack cluster.
    pub fn router_v6(self) -> Ipv6Addr {
        self.v6(1)
    }

    /// The node's second `InternalIP` in a dual-stack cluster.
    pub fn node_v6(self) -> Ipv6Addr {
        self.v6(2)
    }

    fn v6(self, host: u16) -> Ipv6Addr {
        let zone = match self.zone() {
            Zone::A => 0,
            Zone::B => 1,
        };
        // Each instance of a Google network has a /96.
        Ipv6Addr::new(0xfd20, 0, 0, zone, 0, u16::from(self.0), 0, host)
    }

    /// The node's addresses, IPv4 first.
    pub fn node_addresses(self, dual_stack: bool) -> Vec<IpAddr> {
        let v6 = dual_stack.then(|| IpAddr::V6(self.node_v6()));
        std::iter::once(IpAddr::V4(self.node_v4()))
            .chain(v6)
            .collect()
    }

    /// The router's network device on this link.
    pub fn router_device(self) -> String {
        format!("node{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_node_s_address() {
        let link = Link(129);
        assert_eq!(Link::of_node(link.node_v4()), Some(link));
        assert_eq!(Link::of_node(link.router_v4()), None);
        assert_eq!(Link::of_node(Ipv4Addr::new(172, 29, 129, 2)), None);
    }
}
