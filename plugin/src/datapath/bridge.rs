//! The links of all pods are ports of one bridge, which has the gateways' addresses.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use signpost_netlink::bridged::{self, BRIDGE, BridgeFault, port_table};
use signpost_netlink::settings::FOLDER;
use signpost_netlink::{Errno, Family, Link, Mac, Socket, nftables};

use super::Assigned;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::sysctl;

/// The bridge of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bridge {
    index: u32,
}

/// The bridge that the interface is a port of.
pub(super) fn of(node: &mut Socket, link: &Link) -> Result<Option<Bridge>> {
    let Some(index) = link.master else {
        return Ok(None);
    };
    let master = node.link_by_index(index)?;
    Ok(master
        .filter(|master| master.name == BRIDGE)
        .map(|_| Bridge { index }))
}

/// Makes the bridge with the gateways of the configured subnets and the routes to them.
pub(super) fn prepare(node: &mut Socket, config: &Config, mtu: u32) -> Result<Bridge> {
    let source = |subnet: &IpNet| config.node_address(Family::of(subnet.addr()));
    let subnets = config.subnets.iter();
    let subnets: Vec<_> = subnets.map(|subnet| (*subnet, source(subnet))).collect();
    let index = bridged::ensure(node, Path::new(FOLDER), mtu, &subnets)?;
    Ok(Bridge { index })
}

impl From<BridgeFault> for Error {
    fn from(fault: BridgeFault) -> Self {
        match fault {
            BridgeFault::Kernel(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                Self::from(error).with_details(
                    "the kernel has no bridges: load its module `bridge`, or use mode \"ptp\"",
                )
            }
            BridgeFault::Kernel(error) => error.into(),
            BridgeFault::Setting(interface, setting, error) => {
                sysctl::refused(interface, setting, &error)
            }
            BridgeFault::Taken => Self::config(
                "mode",
                &format!("is \"bridge\", but interface {BRIDGE} is something else"),
                "rename or remove that interface",
            ),
            BridgeFault::Routed(subnet) => Self::config(
                "subnets",
                &format!("{subnet} is routed over another interface than {BRIDGE} already"),
                "remove that route, or the bridge of another network that it leads to",
            ),
        }
    }
}

impl Bridge {
    pub(super) fn index(self) -> u32 {
        self.index
    }

    /// The subnet's route leads to the bridge, unless somebody has one to the address alone.
    pub(super) fn lead(self, node: &mut Socket, address: IpAddr) -> Result<bool> {
        let route = node.route_to(address)?;
        Ok(route.is_some_and(|route| route.interface == Some(self.index)))
    }

    /// Nobody is asked for the pod's hardware address, and what the pod says of it is not believed, since
    /// another pod might say so.
    pub(super) fn introduce(
        self,
        node: &mut Socket,
        link: &Link,
        mac: Mac,
        pod: &[Assigned],
    ) -> Result<()> {
        let addresses: Vec<IpAddr> = pod.iter().map(|assigned| assigned.address).collect();
        let mut netfilter = nftables::Socket::open()?;
        bridged::admit(&mut netfilter, &link.name, &addresses).map_err(|error| {
            Error::from(error).with_details(
                "mode \"bridge\" takes a kernel with nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE); \
                 mode \"ptp\" does without",
            )
        })?;
        node.pin(link.index, mac)?;
        for address in addresses {
            node.set_neighbour(self.index, address, mac)?;
        }
        Ok(())
    }

    pub(super) fn forget(self, node: &mut Socket, link: &Link) -> Result<()> {
        let mut netfilter = nftables::Socket::open()?;
        bridged::dismiss(&mut netfilter, &link.name, link.claims())?;
        for address in link.claims() {
            node.remove_neighbour(self.index, address)?;
        }
        Ok(())
    }

    pub(super) fn faults(
        self,
        node: &mut Socket,
        link: &Link,
        mac: Mac,
        address: IpAddr,
    ) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let bridge = node.link_by_index(self.index)?;
        if bridge.is_none_or(|bridge| !bridge.up) {
            faults.push(format!("bridge {BRIDGE} is down"));
        }
        if !self.lead(node, address)? {
            faults.push(format!("the node has no route to {address} over {BRIDGE}"));
        }
        let known = node.neighbours(self.index)?;
        let entry = known.iter().find(|entry| entry.address == address);
        if entry.is_none_or(|entry| entry.mac != Some(mac)) {
            faults.push(format!("the node does not know that {address} is at {mac}"));
        }
        let mut netfilter = nftables::Socket::open()?;
        let pair = (link.name.clone(), address);
        if !bridged::admitted(&mut netfilter)?.contains(&pair) || !netfilter.stands(&port_table())?
        {
            let name = &link.name;
            faults.push(format!(
                "the table bridge signpost does not let {name} send from {address}"
            ));
        }
        Ok(faults)
    }
}
