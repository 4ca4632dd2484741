//! Addresses that interfaces get later.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Refusal;
use crate::model::Kind;
use crate::protocol::Params;
use crate::xml::Fields;

use crate::actions::Request;

/// Reads a list of addresses.
fn addresses<T: std::str::FromStr>(params: &mut Params, name: &str) -> Result<Vec<T>, Refusal> {
    let texts = params.list(name);
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| Refusal::value(name, text, "This is not a valid address."))
    };
    texts.iter().map(parse).collect()
}

pub(in crate::actions) fn assign_ipv4(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let named: Vec<Ipv4Addr> = addresses(&mut request.params, "PrivateIpAddress")?;
    let more: u32 = request
        .params
        .parsed("SecondaryPrivateIpAddressCount")?
        .unwrap_or(0);
    request.params.ignore(&["AllowReassignment"]);
    request.params.finish()?;
    let world = &mut *request.world;
    let mut interface = Kind::Interface.find(&world.interfaces, &id)?;
    let subnet = Kind::Subnet.find(&world.subnets, &interface.subnet)?;
    let assigned = world.take_ipv4(&interface.subnet, &subnet, &named, more)?;
    interface.addresses.extend(&assigned);
    let spread = world.spread();
    world.interfaces.put(id.clone(), interface, spread);
    let assigned = assigned
        .iter()
        .map(|address| Fields::new().text("privateIpAddress", address));
    Ok(Fields::new()
        .text("networkInterfaceId", id)
        .list("assignedPrivateIpAddressesSet", assigned))
}

pub(in crate::actions) fn assign_ipv6(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let named: Vec<Ipv6Addr> = addresses(&mut request.params, "Ipv6Addresses")?;
    let more: u32 = request.params.parsed("Ipv6AddressCount")?.unwrap_or(0);
    request.params.finish()?;
    let world = &mut *request.world;
    let mut interface = Kind::Interface.find(&world.interfaces, &id)?;
    let subnet = Kind::Subnet.find(&world.subnets, &interface.subnet)?;
    let assigned = world.take_ipv6(&interface.subnet, &subnet, &named, more)?;
    interface.ipv6.extend(&assigned);
    let spread = world.spread();
    world.interfaces.put(id.clone(), interface, spread);
    Ok(Fields::new()
        .texts("assignedIpv6Addresses", assigned)
        .text("networkInterfaceId", id))
}
