//! Addresses of interfaces, from the ranges of their subnets.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Refusal;

use super::{Subnet, World};

/// The addresses that a request wants for one interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    /// The primary address and then the others, as far as they are named.
    pub(crate) ipv4: Vec<Ipv4Addr>,
    /// How many secondary addresses to choose besides.
    pub(crate) more_ipv4: u32,
    pub(crate) ipv6: Vec<Ipv6Addr>,
    /// How many to choose besides.
    pub(crate) more_ipv6: u32,
    /// Whether a subnet that assigns IPv6 addresses by itself must not do so.
    pub(crate) ipv6_given: bool,
}

impl World {
    /// Takes addresses for a new interface, or none at all if one of them cannot be had.
    pub(crate) fn take_addresses(
        &mut self,
        id: &str,
        subnet: &Subnet,
        wanted: &Addresses,
    ) -> Result<(Vec<Ipv4Addr>, Vec<Ipv6Addr>), Refusal> {
        let more = wanted.more_ipv4 + u32::from(wanted.ipv4.is_empty());
        let ipv4 = self.take_ipv4(id, subnet, &wanted.ipv4, more)?;
        let by_itself = u32::from(subnet.assign_ipv6 && !wanted.ipv6_given);
        let ipv6 = self.take_ipv6(id, subnet, &wanted.ipv6, wanted.more_ipv6 + by_itself);
        match ipv6 {
            Ok(ipv6) => Ok((ipv4, ipv6)),
            Err(refusal) => {
                self.free_addresses(id, &ipv4, &[]);
                Err(refusal)
            }
        }
    }

    /// Takes these addresses and `more` of the subnet's choice, or none at all.
    pub(crate) fn take_ipv4(
        &mut self,
        id: &str,
        subnet: &Subnet,
        named: &[Ipv4Addr],
        more: u32,
    ) -> Result<Vec<Ipv4Addr>, Refusal> {
        let used = self.used.entry(id.to_owned()).or_default();
        let mut taken = used.clone();
        for address in named {
            if !usable(subnet, *address) {
                return Err(Refusal::client(
                    "InvalidParameterValue",
                    format!(
                        "Address {address} is not in the usable part of {}",
                        subnet.cidr
                    ),
                ));
            }
            in_use(&mut taken, (*address).into())?;
        }
        let mut all = named.to_vec();
        let mut free = subnet
            .cidr
            .hosts()
            .filter(|address| usable(subnet, *address));
        for _ in 0..more {
            let next = free.find(|address| !taken.contains(&IpAddr::V4(*address)));
            let address = next.ok_or_else(|| no_address(id))?;
            taken.insert(address.into());
            all.push(address);
        }
        *used = taken;
        Ok(all)
    }

    /// The same for IPv6.
    pub(crate) fn take_ipv6(
        &mut self,
        id: &str,
        subnet: &Subnet,
        named: &[Ipv6Addr],
        more: u32,
    ) -> Result<Vec<Ipv6Addr>, Refusal> {
        if more == 0 && named.is_empty() {
            return Ok(Vec::new());
        }
        let refuse = |why: String| Refusal::client("InvalidParameterValue", why);
        let net = subnet
            .ipv6_net()
            .ok_or_else(|| refuse(format!("The subnet {id} has no IPv6 CIDR block")))?;
        let used = self.used.entry(id.to_owned()).or_default();
        let mut taken = used.clone();
        for address in named {
            if !net.contains(address) {
                return Err(refuse(format!(
                    "Address {address} does not fall within {net}"
                )));
            }
            in_use(&mut taken, (*address).into())?;
        }
        let mut all = named.to_vec();
        for _ in 0..more {
            // Chance never meets an address twice in a /64.
            let host = u128::from(self.random.u64(0x100..));
            let address = Ipv6Addr::from_bits(net.network().to_bits() | host);
            taken.insert(address.into());
            all.push(address);
        }
        *used = taken;
        Ok(all)
    }

    /// Gives back the addresses of an interface.
    pub(crate) fn free_addresses(&mut self, subnet: &str, ipv4: &[Ipv4Addr], ipv6: &[Ipv6Addr]) {
        if let Some(used) = self.used.get_mut(subnet) {
            for address in ipv4 {
                used.remove(&IpAddr::V4(*address));
            }
            for address in ipv6 {
                used.remove(&IpAddr::V6(*address));
            }
        }
    }

    /// How many IPv4 addresses of a subnet are free.
    pub(crate) fn free_ipv4(&self, id: &str, subnet: &Subnet) -> u64 {
        // Five of each subnet are the network's own.
        let size = 1_u64 << (32 - subnet.cidr.prefix_len());
        let used = self
            .used
            .get(id)
            .map_or(0, |used| used.iter().filter(|a| a.is_ipv4()).count());
        size.saturating_sub(5 + used as u64)
    }
}

/// The first four addresses and the last belong to the network.
fn usable(subnet: &Subnet, address: Ipv4Addr) -> bool {
    let first = subnet.cidr.network().to_bits();
    subnet.cidr.contains(&address)
        && address.to_bits() >= first + 4
        && address != subnet.cidr.broadcast()
}

fn in_use(taken: &mut BTreeSet<IpAddr>, address: IpAddr) -> Result<(), Refusal> {
    if taken.insert(address) {
        return Ok(());
    }
    Err(Refusal::client(
        "InvalidIPAddress.InUse",
        format!("Address {address} is in use."),
    ))
}

fn no_address(subnet: &str) -> Refusal {
    Refusal::client(
        "InsufficientFreeAddressesInSubnet",
        format!("Insufficient free addresses in subnet '{subnet}'."),
    )
}
