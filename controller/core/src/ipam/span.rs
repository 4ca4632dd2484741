//! Networks of both families as spans of 128-bit numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::types::Family;

/// The addresses of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) family: Family,
    /// The first address.
    pub(super) first: u128,
    /// The last address, itself included.
    pub(super) last: u128,
}

impl Span {
    pub(super) fn of(cidr: IpNet) -> Self {
        Self {
            family: Family::of(&cidr),
            first: number(cidr.network()),
            last: number(cidr.broadcast()),
        }
    }

    /// What both have in common.
    pub(super) fn overlap(self, other: Self) -> Option<Self> {
        let common = Self {
            family: self.family,
            first: self.first.max(other.first),
            last: self.last.min(other.last),
        };
        (self.family == other.family && common.first <= common.last).then_some(common)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The network of this prefix length in which the address lies. Numbers that the family cannot
/// have are cut off.
pub(super) fn network(family: Family, address: u128, prefix_length: u8) -> IpNet {
    let address = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(
            u32::try_from(address).unwrap_or(u32::MAX),
        )),
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(address)),
    };
    IpNet::new(address, prefix_length.min(bits(family)))
        .unwrap_or_else(|_| IpNet::from(address))
        .trunc()
}

/// Length of an address.
pub(super) fn bits(family: Family) -> u8 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}
