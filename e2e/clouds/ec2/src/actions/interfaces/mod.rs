//! Network interfaces.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Refusal;
use crate::model::{Addresses, Interface, Kind, Subnet, View, World};
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, done, groups, tags};

mod addresses;
mod attachments;
mod listing;

pub(super) use addresses::{assign_ipv4, assign_ipv6};
pub(super) use attachments::{attach, detach, join};
pub(super) use listing::{attachment, describe, ipv6_addresses, private_addresses};

use listing::fields;

/// Reads the addresses that a request wants; their parameters begin with `prefix`.
pub(super) fn wanted(params: &mut Params, prefix: &str) -> Result<Addresses, Refusal> {
    let name = |field: &str| format!("{prefix}{field}");
    let mut ipv4: Vec<Ipv4Addr> = params
        .parsed(&name("PrivateIpAddress"))?
        .into_iter()
        .collect();
    for member in params.members(&name("PrivateIpAddresses")) {
        let Some(address) = params.parsed(&format!("{member}.PrivateIpAddress"))? else {
            return Err(Refusal::missing("PrivateIpAddress"));
        };
        if params.parsed(&format!("{member}.Primary"))? == Some(true) {
            ipv4.insert(0, address);
        } else {
            ipv4.push(address);
        }
    }
    let mut ipv6: Vec<Ipv6Addr> = Vec::new();
    for member in params.members(&name("Ipv6Addresses")) {
        params.ignore(&[&format!("{member}.IsPrimaryIpv6")]);
        ipv6.extend(params.parsed::<Ipv6Addr>(&format!("{member}.Ipv6Address"))?);
    }
    let more_ipv6: Option<u32> = params.parsed(&name("Ipv6AddressCount"))?;
    Ok(Addresses {
        more_ipv4: params
            .parsed(&name("SecondaryPrivateIpAddressCount"))?
            .unwrap_or(0),
        ipv6_given: more_ipv6.is_some() || !ipv6.is_empty(),
        more_ipv6: more_ipv6.unwrap_or(0),
        ipv4,
        ipv6,
    })
}

/// Makes an interface that is not attached yet.
pub(super) fn make(
    world: &mut World,
    subnet_id: &str,
    addresses: &Addresses,
    wanted_groups: Vec<String>,
    description: String,
) -> Result<(String, Interface), Refusal> {
    let subnet: Subnet = Kind::Subnet.find(&world.subnets, subnet_id)?;
    let vpc = Kind::Vpc.find(&world.vpcs, &subnet.vpc)?;
    let groups = groups::named(world, &subnet.vpc, &vpc, wanted_groups)?;
    // "The VPC resources that a participant creates count against the VPC quotas in the participant
    // account, not the owner account".
    let own = world.interfaces.iter();
    let own = own.filter(|(_, interface)| interface.owner == world.caller);
    if own.count() >= world.habits.quotas.interfaces {
        let why = "The maximum number of network interfaces has been reached.";
        return Err(Refusal::client("NetworkInterfaceLimitExceeded", why));
    }
    let (addresses, ipv6) = world.take_addresses(subnet_id, &subnet, addresses)?;
    let id = world.new_id(Kind::Interface);
    let mac: Vec<String> = (0..5)
        .map(|_| format!("{:02x}", world.random().u8(..)))
        .collect();
    let interface = Interface {
        owner: world.caller.clone(),
        subnet: subnet_id.to_owned(),
        vpc: subnet.vpc,
        zone: subnet.zone,
        description,
        // The first byte says: locally administered.
        mac: format!("02:{}", mac.join(":")),
        addresses,
        ipv6,
        groups,
        source_dest_check: true,
        attachment: None,
    };
    let spread = world.spread();
    world.interfaces.put(id.clone(), interface.clone(), spread);
    Ok((id, interface))
}

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let subnet = request.id("SubnetId", Kind::Subnet)?;
    let addresses = wanted(&mut request.params, "")?;
    let groups = request.params.list("SecurityGroupId");
    let description = request.params.text("Description").unwrap_or_default();
    let tags = tags::on_creation(&mut request.params, Kind::Interface)?;
    let token = request.params.text("ClientToken");
    request.params.finish()?;
    let world = &mut *request.world;
    let (id, interface) = make(world, &subnet, &addresses, groups, description)?;
    world.set_tags(&id, &tags);
    let fields = fields(world, request.clock, View::Truth, &id, &interface);
    Ok(Fields::new()
        .below("networkInterface", fields)
        .maybe("clientToken", token))
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let interface = Kind::Interface.find(&world.interfaces, &id)?;
    if interface.attachment.is_some() {
        let why = format!("Network interface '{id}' is currently in use.");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    world.free_addresses(&interface.subnet, &interface.addresses, &interface.ipv6);
    let spread = world.spread();
    world.interfaces.remove(&id, spread);
    world.drop_tags(&id);
    Ok(done())
}
