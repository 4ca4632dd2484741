//! Which address a pod gets.
//!
//! The node's interfaces are the store: the pod's interface has the address as an alternative name, of which
//! the kernel gives each to one interface only, for as long as that lives, up or down, whatever becomes of
//! routes. So nothing is leaked by a crash, a lost DEL or a reboot, and no lock is needed. Routes follow from
//! claims; addresses that somebody else uses are seen by where the node would send.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_netlink::{Errno, Family, Link, PodLabel, RouteFilter, RouteKind, Socket, table};

use crate::datapath::Datapath;
use crate::error::{Error, ErrorCode, Result};

/// How many addresses are tried one after the other before the table is read to skip those in use.
const BLIND_TRIES: usize = 8;

/// Addresses that pods may get from one subnet, in numeric form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    family: Family,
    first: u128,
    last: u128,
}

impl Pool {
    /// All addresses of `subnet` but the network's own, the first (where a gateway is expected) and
    /// in IPv4 the broadcast address. The subnet must have such addresses.
    pub(crate) fn new(subnet: IpNet) -> Self {
        let family = Family::of(subnet.addr());
        let broadcast = u128::from(family == Family::V4);
        Self {
            family,
            first: number(subnet.network()) + 2,
            last: number(subnet.broadcast()) - broadcast,
        }
    }

    /// How many they are.
    pub(crate) fn size(self) -> u128 {
        self.last - self.first + 1
    }

    /// The addresses in the order in which they are tried: from the one after `last_given` upwards,
    /// then from the first. An address given back is thus the last to be given out again.
    pub(crate) fn candidates(self, last_given: Option<IpAddr>) -> impl Iterator<Item = IpAddr> {
        let start = last_given
            .filter(|address| Family::of(*address) == self.family)
            .map(number)
            .filter(|given| (self.first..self.last).contains(given))
            .map_or(self.first, |given| given + 1);
        (start..=self.last)
            .chain(self.first..start)
            .map(move |number| self.address(number))
    }

    /// Whether `address` is one of them.
    pub(crate) fn has(self, address: IpAddr) -> bool {
        Family::of(address) == self.family && (self.first..=self.last).contains(&number(address))
    }

    fn address(self, number: u128) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::V4(u32::try_from(number).unwrap_or_default().into()),
            Family::V6 => IpAddr::V6(number.into()),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, last] = [self.first, self.last].map(|number| self.address(number));
        write!(f, "{first} to {last}")
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// Who claims addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant<'a> {
    /// Index of the node's interface to the pod.
    pub(crate) interface: u32,
    /// The address from which the node talks to the pod.
    pub(crate) source: Option<IpAddr>,
    pub(crate) datapath: Datapath,
    /// Addresses of pods of an earlier network.
    pub(crate) reserved: &'a HashSet<IpAddr>,
}

/// Claims a free address of `subnet` for the pod, and leads packets to it.
pub(crate) fn claim(
    host: &mut Socket,
    subnet: IpNet,
    pod: Claimant<'_>,
    last_given: Option<IpAddr>,
) -> Result<IpAddr> {
    let pool = Pool::new(subnet);
    for address in pool.candidates(last_given).take(BLIND_TRIES) {
        if try_claim(host, address, pod)? {
            return Ok(address);
        }
    }
    let mut refused = HashSet::new();
    loop {
        let claimed = claimed_addresses(host, subnet)?;
        let free: Vec<_> = pool
            .candidates(last_given)
            .filter(|address| !claimed.contains(address) && !refused.contains(address))
            .take(BLIND_TRIES)
            .collect();
        if free.is_empty() {
            return Err(exhausted(host, subnet, claimed.union(&refused).count()));
        }
        for address in free {
            if try_claim(host, address, pod)? {
                return Ok(address);
            }
            refused.insert(address);
        }
    }
}

/// Claims the address unless somebody has it, which is no error.
pub(crate) fn try_claim(host: &mut Socket, address: IpAddr, pod: Claimant<'_>) -> Result<bool> {
    let interface = pod.interface;
    if pod.reserved.contains(&address) || is_used(host, address, pod.datapath)? {
        return Ok(false);
    }
    let name = address.to_string();
    match host.add_alternative_name(interface, &name) {
        Ok(()) => {}
        Err(error) if error.is_exists() => return Ok(false),
        Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
            return Err(Error::from(error).with_details(
                "the kernel has no alternative interface names: use Linux 5.5 or newer",
            ));
        }
        Err(error) => return Err(error.into()),
    }
    let is_led = pod.datapath.lead(host, address, pod)?;
    if !is_led {
        host.remove_alternative_name(interface, &name)?;
    }
    Ok(is_led)
}

/// Whether the address is the node's own, or packets to it go somewhere already: over a route to it alone, or
/// to a neighbour whom the node knows on another network, such as a bridge of a plugin before this one.
fn is_used(host: &mut Socket, address: IpAddr, datapath: Datapath) -> Result<bool> {
    let Some(route) = host.route_to(address)? else {
        return Ok(false);
    };
    if route.kind != RouteKind::Unicast
        || route.destination.prefix_len() == route.destination.max_prefix_len()
    {
        return Ok(true);
    }
    match route.interface {
        Some(interface) if datapath.is_shared(interface) => Ok(false),
        Some(interface) if route.gateway.is_none() => Ok(host
            .neighbours(interface)?
            .iter()
            .any(|neighbour| neighbour.address == address && neighbour.mac.is_some())),
        _ => Ok(false),
    }
}

/// Addresses of the subnet that interfaces have as their names, or to which a host route leads, whoever has
/// added it.
pub(crate) fn claimed_addresses(host: &mut Socket, subnet: IpNet) -> Result<HashSet<IpAddr>> {
    let links = host.links()?;
    let claims = links.iter().flat_map(Link::claims);
    let filter = RouteFilter {
        table: Some(table::MAIN),
        ..RouteFilter::default()
    };
    let routes = host.routes(Family::of(subnet.addr()), filter)?;
    let destinations = routes.into_iter().map(|route| route.destination);
    let reached = destinations
        .filter(|net| net.prefix_len() == net.max_prefix_len())
        .map(|net| net.addr());
    let all = claims.chain(reached);
    Ok(all.filter(|address| subnet.contains(address)).collect())
}

/// Of so many pods the error says that they have the addresses.
const NAMED: usize = 5;

fn exhausted(host: &mut Socket, subnet: IpNet, used: usize) -> Error {
    let links = host.links().unwrap_or_default();
    let mut holders: Vec<String> = links
        .iter()
        .filter_map(|link| holder(link, subnet))
        .collect();
    holders.sort();
    let more = holders.len().saturating_sub(NAMED);
    holders.truncate(NAMED);
    let held = match (holders.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" by {}", holders.join(", ")),
        (false, more) => format!(" by {} and {more} more (ip link show)", holders.join(", ")),
    };
    let message = format!("no address of {subnet} is free: {used} are in use{held}");
    Error::new(ErrorCode::TryLater, message).with_details(
        "run fewer pods on this node (kubelet's maxPods) or give nodes larger subnets \
         (nodePrefixLength of the pool in the PodNetwork)",
    )
}

/// Whose address of the subnet the interface claims, in words.
fn holder(link: &Link, subnet: IpNet) -> Option<String> {
    let address = link.claims().find(|address| subnet.contains(address))?;
    let label = PodLabel::of(link);
    let whose = label.map_or_else(|| link.name.clone(), |label| label.container_id);
    Some(format!("{address} ({whose})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnets() -> impl Strategy<Value = IpNet> {
        let four = (any::<u32>(), 16_u8..=30)
            .prop_map(|(bits, length)| IpNet::new(IpAddr::V4(bits.into()), length).unwrap());
        let six = (any::<u128>(), 112_u8..=126)
            .prop_map(|(bits, length)| IpNet::new(IpAddr::V6(bits.into()), length).unwrap());
        prop_oneof![four, six].prop_map(|net| net.trunc())
    }

    proptest! {
        #[test]
        fn address_candidates_are_each_usable_address_once(subnet in subnets(), offset in any::<u32>()) {
            let start = number(subnet.network()) + u128::from(offset % 70_000);
            let last_given = Pool::new(subnet).address(start);
            let all: Vec<_> = Pool::new(subnet).candidates(Some(last_given)).collect();
            let unique: HashSet<_> = all.iter().copied().collect();
            prop_assert_eq!(unique.len(), all.len());
            let size = 1_usize << (subnet.max_prefix_len() - subnet.prefix_len());
            let reserved = if subnet.addr().is_ipv4() { 3 } else { 2 };
            prop_assert_eq!(all.len(), size - reserved);
            prop_assert!(all.iter().all(|address| subnet.contains(address)));
            prop_assert!(!unique.contains(&subnet.network()));
            prop_assert!(!unique.contains(&Pool::new(subnet).address(number(subnet.network()) + 1)));
            if subnet.addr().is_ipv4() {
                prop_assert!(!unique.contains(&subnet.broadcast()));
            }
        }

        #[test]
        fn address_last_given_is_the_last_candidate(subnet in subnets(), pick in any::<prop::sample::Index>()) {
            let all: Vec<_> = Pool::new(subnet).candidates(None).collect();
            let given = *pick.get(&all);
            let next: Vec<_> = Pool::new(subnet).candidates(Some(given)).collect();
            prop_assert_eq!(next.last(), Some(&given));
        }
    }

    #[test]
    fn address_of_another_subnet_as_last_given_means_from_the_first() {
        let pool = Pool::new("10.244.1.0/24".parse().unwrap());
        for strange in [
            "10.244.2.9",
            "10.244.1.0",
            "10.244.1.255",
            "10.244.1.254",
            "fd00::9",
        ] {
            let first = pool.candidates(strange.parse().ok()).next();
            assert_eq!(first, "10.244.1.2".parse().ok(), "{strange}");
        }
    }

    #[test]
    fn address_after_the_last_given_comes_next_in_huge_subnets_too() {
        let pool = Pool::new("fd00::/64".parse().unwrap());
        let next = pool.candidates("fd00::ffff".parse().ok()).next();
        assert_eq!(next, "fd00::1:0".parse().ok());
    }
}
