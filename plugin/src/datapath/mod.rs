//! How pods hang on the node: the one place where the modes differ.
//!
//! In both a pod sends everything to the node, to a gateway whose hardware address it is told, and the node
//! routes.

mod bridge;
mod ptp;

use std::net::IpAddr;

use ipnet::IpNet;
use signpost_netlink::bridged::{BRIDGE, BRIDGE_MAC, bridge_gateway};
use signpost_netlink::{Family, Link, Mac, Socket, pod_gateway};

use crate::address::Claimant;
use crate::attachment::Attachment;
use crate::config::Config;
use crate::error::Result;

/// The mode of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each pod has a link of its own to the node, and the node a route to each address.
    Ptp,
    /// The links are ports of one bridge.
    Bridge,
}

/// A datapath on the node that pods can be added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datapath {
    Ptp,
    Bridge(bridge::Bridge),
}

/// An address that a pod has, and the one to which it sends what is for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) address: IpAddr,
    pub(crate) gateway: IpAddr,
}

impl Datapath {
    /// Makes what all pods of the node share, as far as it is not there.
    pub(crate) fn prepare(node: &mut Socket, config: &Config, mtu: u32) -> Result<Self> {
        match config.mode {
            Mode::Ptp => Ok(Self::Ptp),
            Mode::Bridge => bridge::prepare(node, config, mtu).map(Self::Bridge),
        }
    }

    /// That of a pod's interface on the node, whatever the configuration says by now.
    pub(crate) fn of(node: &mut Socket, link: &Link) -> Result<Self> {
        let bridge = bridge::of(node, link)?;
        Ok(bridge.map_or(Self::Ptp, Self::Bridge))
    }

    /// Makes the pod's interface as its siblings are: before it claims anything, since the agent goes by it from
    /// then on.
    pub(crate) fn join(self, node: &mut Socket, link: &Link) -> Result<()> {
        match self {
            Self::Ptp => Ok(()),
            Self::Bridge(bridge) => Ok(node.join_bridge(link.index, bridge.index())?),
        }
    }

    /// Leads packets to a claimed address to the pod. Tells whether they go there now, and not to somebody
    /// who claims nothing.
    pub(crate) fn lead(
        self,
        node: &mut Socket,
        address: IpAddr,
        pod: Claimant<'_>,
    ) -> Result<bool> {
        match self {
            Self::Ptp => ptp::lead(node, address, pod),
            Self::Bridge(bridge) => bridge.lead(node, address),
        }
    }

    /// Tells the node where the pod is, once both ends are up: what the kernel has learnt before goes where it
    /// sees no carrier.
    pub(crate) fn introduce(
        self,
        node: &mut Socket,
        link: &Link,
        mac: Mac,
        pod: &[Assigned],
    ) -> Result<()> {
        match self {
            Self::Ptp => ptp::introduce(node, link, mac, pod),
            Self::Bridge(bridge) => bridge.introduce(node, link, mac, pod),
        }
    }

    /// Takes back what does not go with the pod's interface.
    pub(crate) fn forget(self, node: &mut Socket, link: &Link) -> Result<()> {
        match self {
            Self::Ptp => Ok(()),
            Self::Bridge(bridge) => bridge.forget(node, link),
        }
    }

    /// What a pod with this address lacks on the node, in words.
    pub(crate) fn faults(
        self,
        node: &mut Socket,
        link: &Link,
        mac: Mac,
        address: IpAddr,
    ) -> Result<Vec<String>> {
        match self {
            Self::Ptp => ptp::faults(node, link, address),
            Self::Bridge(bridge) => bridge.faults(node, link, mac, address),
        }
    }

    /// The gateway of pods with an address of `subnet`.
    pub(crate) fn gateway(self, subnet: IpNet) -> IpAddr {
        match self {
            Self::Ptp => pod_gateway(Family::of(subnet.addr())),
            Self::Bridge(_) => bridge_gateway(subnet),
        }
    }

    /// The gateway's hardware address, as a permanent neighbour entry in the pod says.
    pub(crate) fn gateway_mac(self, attachment: &Attachment) -> Mac {
        match self {
            Self::Ptp => attachment.host_mac,
            Self::Bridge(_) => BRIDGE_MAC,
        }
    }

    /// Whether the node's ends of the pairs are routed over, rather than the interface that they share.
    pub(crate) fn is_routed_over_links(self) -> bool {
        self == Self::Ptp
    }

    /// The interface that all pods share.
    pub(crate) fn shared_interface(self) -> Option<&'static str> {
        match self {
            Self::Ptp => None,
            Self::Bridge(_) => Some(BRIDGE),
        }
    }

    /// Whether what the node knows of neighbours on this interface is of pods, and follows from their claims.
    pub(crate) fn is_shared(self, interface: u32) -> bool {
        match self {
            Self::Ptp => false,
            Self::Bridge(bridge) => bridge.index() == interface,
        }
    }
}
