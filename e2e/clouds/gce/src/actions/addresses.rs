//! Addresses of instances.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use serde_json::Value;
use signpost_emulator::View;

use crate::error::Refusal;
use crate::model::World;

/// What the interfaces in a subnetwork have: addresses, and ranges of aliases.
fn taken(world: &World, subnetwork: &str) -> Vec<IpNet> {
    let mut taken = Vec::new();
    for (_, instance) in world.every(View::Truth, "instances") {
        for interface in instance["networkInterfaces"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if interface["subnetwork"] != subnetwork {
                continue;
            }
            let address = interface["networkIP"].as_str();
            taken.extend(
                address
                    .and_then(|text| text.parse::<IpAddr>().ok())
                    .map(IpNet::from),
            );
            for alias in interface["aliasIpRanges"].as_array().into_iter().flatten() {
                let range = alias["ipCidrRange"].as_str();
                taken.extend(range.and_then(|text| text.parse::<IpNet>().ok()));
            }
        }
    }
    taken
}

/// An address of a subnetwork's primary range: the one that is wanted, or the first free one. The first
/// two and the last two of a range are Google's ("Unusable addresses in IPv4 subnet ranges").
pub(super) fn primary(
    world: &World,
    subnetwork: (&str, &Value),
    wanted: &str,
    also: &[IpNet],
) -> Result<IpAddr, Refusal> {
    let (path, value) = subnetwork;
    let range = value["ipCidrRange"].as_str().unwrap_or_default();
    let range: IpNet = range.parse().map_err(|_| Refusal::bad("no range"))?;
    let mut taken = taken(world, path);
    taken.extend_from_slice(also);
    let free = |address: &IpAddr| !taken.iter().any(|net| net.contains(address));
    if !wanted.is_empty() {
        let field = "resource.networkInterfaces[0].networkIP";
        let address: Option<IpAddr> = wanted.parse().ok();
        let Some(address) = address.filter(|address| range.contains(address)) else {
            let why = "Requested internal IP address is outside the subnetwork CIDR range.";
            return Err(Refusal::invalid(field, wanted, why));
        };
        if !free(&address) {
            let message = format!("IP '{wanted}' is already being used by another resource.");
            let reason = "resourceInUseByAnotherResource";
            return Err(Refusal::new(
                hyper::StatusCode::BAD_REQUEST,
                reason,
                message,
            ));
        }
        return Ok(address);
    }
    range
        .hosts()
        .skip(1)
        .find(free)
        .ok_or_else(|| Refusal::bad("IP space is exhausted."))
}

/// A range for aliases: `/24` takes a free one of that length, an address or a range has to be free.
pub(super) fn alias(
    world: &World,
    subnetwork: (&str, &Value),
    wanted: &Value,
    also: &[IpNet],
) -> Result<IpNet, Refusal> {
    let field = "resource.networkInterfaces[0].aliasIpRanges[0].ipCidrRange";
    let (path, value) = subnetwork;
    let text = wanted["ipCidrRange"].as_str().unwrap_or_default();
    let refused = |why: &str| Refusal::invalid(field, text, why);
    let range = match wanted["subnetworkRangeName"].as_str() {
        None | Some("") => value["ipCidrRange"].as_str(),
        Some(name) => {
            let ranges = value["secondaryIpRanges"].as_array();
            let mut ranges = ranges.into_iter().flatten();
            let found = ranges.find(|range| range["rangeName"] == name);
            found.and_then(|range| range["ipCidrRange"].as_str())
        }
    };
    let range: Option<IpNet> = range.and_then(|text| text.parse().ok());
    let range = range.ok_or_else(|| refused("The subnetwork has no such range."))?;
    let mut taken = taken(world, path);
    taken.extend_from_slice(also);
    let free = |net: &IpNet| !taken.iter().any(|of| super::ranges::overlap(of, net));
    if let Some(length) = text.strip_prefix('/') {
        let length: Option<u8> = length.parse().ok();
        let mut nets = length
            .and_then(|length| range.subnets(length).ok())
            .ok_or_else(|| refused("The range has no such part."))?;
        return nets
            .find(free)
            .ok_or_else(|| refused("IP space is exhausted."));
    }
    let net: Option<IpNet> = text.parse().ok();
    let net = net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let net = net.filter(|net| range.contains(net));
    let net = net.ok_or_else(|| refused("The range is not in that of the subnetwork."))?;
    if free(&net) {
        Ok(net)
    } else {
        Err(refused("The range is already being used."))
    }
}

/// The first address of a /96 in a subnetwork's range of IPv6, which every interface gets; or the one that
/// is wanted ("it must be unused and in the same region", `ipv6Address` in the discovery document), whose
/// /96 no other has.
pub(super) fn ipv6(
    world: &mut World,
    (subnetwork, prefix): (&str, &str),
    wanted: &str,
) -> Result<Ipv6Addr, Refusal> {
    let net: Ipv6Net = prefix.parse().map_err(|_| Refusal::bad("no IPv6 range"))?;
    if wanted.is_empty() {
        let part = u32::from_str_radix(&world.hex(8), 16)
            .unwrap_or_default()
            .max(1);
        return Ok(Ipv6Addr::from(
            u128::from(net.network()) | (u128::from(part) << 32),
        ));
    }
    let field = "resource.networkInterfaces[0].ipv6Address";
    let address: Option<Ipv6Addr> = wanted.parse().ok();
    let Some(address) = address.filter(|address| net.contains(address)) else {
        let why = "Requested IPv6 address is outside the subnetwork's range.";
        return Err(Refusal::invalid(field, wanted, why));
    };
    let part = |address: Ipv6Addr| address.to_bits() >> 32;
    let instances = world.every(View::Truth, "instances");
    let mut interfaces = instances.flat_map(|(_, instance)| {
        instance["networkInterfaces"]
            .as_array()
            .into_iter()
            .flatten()
    });
    let taken = interfaces.any(|interface| {
        let other = interface["ipv6Address"]
            .as_str()
            .and_then(|text| text.parse().ok());
        interface["subnetwork"] == subnetwork && other.is_some_and(|it| part(it) == part(address))
    });
    if taken {
        let message = format!("IP '{wanted}' is already being used by another resource.");
        let reason = "resourceInUseByAnotherResource";
        return Err(Refusal::new(
            hyper::StatusCode::BAD_REQUEST,
            reason,
            message,
        ));
    }
    Ok(address)
}
