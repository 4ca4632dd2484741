//! Virtual networks, their subnets, gateways and peerings.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address range of a VPC or subnet.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) association: String,
    pub(crate) net: IpNet,
    /// The pool that an IPv6 range comes from.
    pub(crate) pool: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Vpc {
    /// All ranges; the first is the primary one, of IPv4.
    pub(crate) blocks: Vec<Block>,
    pub(crate) group: String,
    pub(crate) tenancy: String,
    pub(crate) dns_support: bool,
    pub(crate) dns_hostnames: bool,
}

impl Vpc {
    /// Whether one of the ranges covers `net`.
    pub(crate) fn covers(&self, net: &IpNet) -> bool {
        self.blocks.iter().any(|block| block.net.contains(net))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) vpc: String,
    pub(crate) cidr: Ipv4Net,
    /// At most one range; the API has a list.
    pub(crate) ipv6: Option<Block>,
    pub(crate) zone: String,
    pub(crate) assign_ipv6: bool,
    pub(crate) map_public: bool,
}

impl Subnet {
    pub(crate) fn ipv6_net(&self) -> Option<Ipv6Net> {
        match self.ipv6.as_ref()?.net {
            IpNet::V6(net) => Some(net),
            IpNet::V4(_) => None,
        }
    }

    /// Whether `net` is a range of this subnet as a whole.
    pub(crate) fn is(&self, net: &IpNet) -> bool {
        IpNet::V4(self.cidr) == *net || self.ipv6.as_ref().is_some_and(|block| block.net == *net)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// The account that made it.
    pub(crate) owner: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    /// The VPC that it is attached to.
    pub(crate) vpc: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Peering {
    pub(crate) requester: String,
    pub(crate) accepter: String,
    pub(crate) active: bool,
}
