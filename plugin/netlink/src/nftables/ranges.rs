//! Sets of addresses as disjoint ranges, the form in which the kernel takes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::route::Family;

/// Addresses of one family as ascending ranges that neither overlap nor touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRanges {
    family: Family,
    /// First and last address of each range.
    ranges: Vec<(u128, u128)>,
}

impl AddressRanges {
    /// The addresses of those networks that belong to `family`; overlapping and adjacent networks
    /// become one range, as the kernel refuses overlaps.
    pub fn new<'a>(family: Family, networks: impl IntoIterator<Item = &'a IpNet>) -> Self {
        let mut bounds: Vec<(u128, u128)> = networks
            .into_iter()
            .filter(|network| Family::of(network.addr()) == family)
            .map(|network| (number(network.network()), number(network.broadcast())))
            .collect();
        bounds.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for (first, last) in bounds {
            match ranges.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        Self { family, ranges }
    }

    /// Family of the addresses.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether there is no address in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Number of set elements that the kernel reports for it.
    pub fn element_count(&self) -> usize {
        self.elements().count()
    }

    /// The elements of the kernel's interval set: each range as its first address and, marked `true`,
    /// the address after its last; a range up to the highest address has no end.
    pub(super) fn elements(&self) -> impl Iterator<Item = (Vec<u8>, bool)> + '_ {
        let highest = match self.family {
            Family::V4 => u128::from(u32::MAX),
            Family::V6 => u128::MAX,
        };
        self.ranges.iter().flat_map(move |(first, last)| {
            let end = (*last < highest).then(|| (self.octets(last + 1), true));
            std::iter::once((self.octets(*first), false)).chain(end)
        })
    }

    fn octets(&self, number: u128) -> Vec<u8> {
        let octets = number.to_be_bytes();
        match self.family {
            Family::V4 => octets[12..].to_vec(),
            Family::V6 => octets.to_vec(),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(Ipv4Addr::to_bits(ip)),
        IpAddr::V6(ip) => Ipv6Addr::to_bits(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(family: Family, networks: &[&str]) -> Vec<(IpAddr, bool)> {
        let networks: Vec<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        AddressRanges::new(family, &networks)
            .elements()
            .map(|(octets, end)| match <[u8; 4]>::try_from(octets.clone()) {
                Ok(octets) => (IpAddr::from(octets), end),
                Err(_) => (IpAddr::from(<[u8; 16]>::try_from(octets).unwrap()), end),
            })
            .collect()
    }

    #[test]
    fn overlapping_and_adjacent_networks_become_one_range() {
        let merged = elements(
            Family::V4,
            &[
                "10.0.2.0/24",
                "10.0.0.0/23",
                "10.0.0.128/25",
                "10.9.0.1/32",
                "fd00::/64",
            ],
        );
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(
            merged,
            [
                (ip("10.0.0.0"), false),
                (ip("10.0.3.0"), true),
                (ip("10.9.0.1"), false),
                (ip("10.9.0.2"), true),
            ]
        );
    }

    #[test]
    fn a_range_up_to_the_highest_address_has_no_end() {
        assert_eq!(
            elements(Family::V4, &["0.0.0.0/0", "10.0.0.0/8"]),
            [("0.0.0.0".parse().unwrap(), false)]
        );
        assert_eq!(
            elements(Family::V6, &["ff00::/8", "10.0.0.0/8"]),
            [("ff00::".parse().unwrap(), false)]
        );
    }
}
