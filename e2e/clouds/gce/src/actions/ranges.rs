//! Ranges of addresses: their form, and where they overlap.

use ipnet::IpNet;
use serde_json::Value;
use signpost_emulator::View;

use crate::error::Refusal;
use crate::model::World;

/// A range in its canonical form. Host bits are refused.
pub(super) fn canonical(field: &str, text: &str) -> Result<IpNet, Refusal> {
    let malformed = || {
        let why = "Must be a CIDR address range.";
        Refusal::invalid(field, text, why)
    };
    let net: IpNet = text.parse().map_err(|_| malformed())?;
    if net.addr() != net.network() {
        let why = "Must be a CIDR address range whose host bits are zero.";
        return Err(Refusal::invalid(field, text, why));
    }
    Ok(net)
}

/// The ranges of a subnetwork: primary, secondary and those of IPv6.
pub(crate) fn of_subnetwork(subnetwork: &Value) -> Vec<IpNet> {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let own = ["ipCidrRange", "internalIpv6Prefix", "externalIpv6Prefix"];
    let own = own.iter().filter_map(|name| parse(&subnetwork[*name]));
    let secondary = subnetwork["secondaryIpRanges"].as_array();
    let secondary = secondary.into_iter().flatten();
    let secondary = secondary.filter_map(|range| parse(&range["ipCidrRange"]));
    own.chain(secondary).collect()
}

/// All ranges of a network's subnetworks, each with the subnetwork's path. Those count that are being
/// created.
pub(super) fn of_network(world: &World, network: &str) -> Vec<(String, IpNet)> {
    let project = crate::links::project(network);
    let subnetworks = world.all(View::Truth, project, "subnetworks");
    let created = world
        .creating("subnetworks")
        .map(|(path, value)| (path, value));
    let subnetworks = subnetworks.chain(created);
    let subnetworks = subnetworks.filter(|(_, value)| value["network"] == network);
    subnetworks
        .flat_map(|(path, value)| {
            let ranges = of_subnetwork(value).into_iter();
            ranges.map(|range| (path.clone(), range))
        })
        .collect()
}

/// Whether one of two ranges lies in the other.
pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
