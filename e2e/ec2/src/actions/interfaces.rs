//! Network interfaces.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::clock::Clock;
use crate::error::Refusal;
use crate::model::{Addresses, Attachment, Interface, Kind, Subnet, View, World};
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, done, groups, instances, tag_set, tags, zones};

const FILTERS: [&str; 20] = [
    "addresses.primary",
    "addresses.private-ip-address",
    "attachment.attachment-id",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "description",
    "group-id",
    "interface-type",
    "ipv6-addresses.ipv6-address",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

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
    let groups = groups::named(&vpc, wanted_groups)?;
    if world.interfaces.iter().count() >= world.habits.quotas.interfaces {
        let why = "The maximum number of network interfaces has been reached.";
        return Err(Refusal::client("NetworkInterfaceLimitExceeded", why));
    }
    let (addresses, ipv6) = world.take_addresses(subnet_id, &subnet, addresses)?;
    let id = world.new_id(Kind::Interface);
    let mac: Vec<String> = (0..5)
        .map(|_| format!("{:02x}", world.random().u8(..)))
        .collect();
    let interface = Interface {
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

/// The private addresses of an interface, as it lists them.
pub(super) fn private_addresses(interface: &Interface) -> Vec<Fields> {
    let addresses = interface.addresses.iter().enumerate();
    addresses
        .map(|(index, address)| {
            Fields::new()
                .text("privateIpAddress", address)
                .text("primary", index == 0)
        })
        .collect()
}

/// The IPv6 addresses of an interface, as it lists them.
pub(super) fn ipv6_addresses(interface: &Interface) -> Vec<Fields> {
    let addresses = interface.ipv6.iter();
    addresses
        .map(|address| {
            Fields::new()
                .text("ipv6Address", address)
                .text("isPrimaryIpv6", false)
        })
        .collect()
}

/// The attachment of an interface, as it lists it.
pub(super) fn attachment(world: &World, clock: &Clock, attachment: &Attachment) -> Fields {
    Fields::new()
        .text("attachmentId", &attachment.id)
        .text("instanceId", &attachment.instance)
        .text("instanceOwnerId", &world.account)
        .text("deviceIndex", attachment.device_index)
        .text("networkCardIndex", 0)
        .text("status", "attached")
        .text("attachTime", clock.date(attachment.attached))
        .text("deleteOnTermination", attachment.delete_on_termination)
}

fn status(interface: &Interface) -> &'static str {
    if interface.attachment.is_some() {
        "in-use"
    } else {
        "available"
    }
}

fn fields(world: &World, clock: &Clock, view: View, id: &str, interface: &Interface) -> Fields {
    let attached = interface
        .attachment
        .as_ref()
        .map(|of| attachment(world, clock, of));
    Fields::new()
        .text("networkInterfaceId", id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("availabilityZone", &interface.zone)
        .text("availabilityZoneId", zones::zone_id(world, &interface.zone))
        .text("description", &interface.description)
        .text("ownerId", &world.account)
        .text("requesterManaged", false)
        .text("status", status(interface))
        .text("macAddress", &interface.mac)
        .maybe("privateIpAddress", interface.addresses.first())
        .maybe("privateDnsName", instances::dns_name(world, interface))
        .text("sourceDestCheck", interface.source_dest_check)
        .list("groupSet", groups::fields(&interface.groups))
        .maybe_below("attachment", attached)
        .list("tagSet", tag_set(&world.tags_of(view, id)))
        .list("privateIpAddressesSet", private_addresses(interface))
        .list("ipv6AddressesSet", ipv6_addresses(interface))
        .maybe("ipv6Address", interface.ipv6.first())
        .text("interfaceType", "interface")
}

fn values(world: &World, id: &str, interface: &Interface, name: &str) -> Vec<String> {
    if let Some(field) = name.strip_prefix("attachment.") {
        let value = interface.attachment.as_ref().map(|attachment| match field {
            "attachment-id" => attachment.id.clone(),
            "device-index" => attachment.device_index.to_string(),
            "instance-id" => attachment.instance.clone(),
            _ => "attached".to_owned(),
        });
        return value.into_iter().collect();
    }
    vec![match name {
        "addresses.primary" => {
            return (0..interface.addresses.len())
                .map(|index| (index == 0).to_string())
                .collect();
        }
        "addresses.private-ip-address" => {
            return interface
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect();
        }
        "availability-zone" => interface.zone.clone(),
        "description" => interface.description.clone(),
        "group-id" => return interface.groups.clone(),
        "interface-type" => "interface".to_owned(),
        "ipv6-addresses.ipv6-address" => {
            return interface.ipv6.iter().map(ToString::to_string).collect();
        }
        "mac-address" => interface.mac.clone(),
        "network-interface-id" => id.to_owned(),
        "owner-id" => world.account.clone(),
        "private-dns-name" => return instances::dns_name(world, interface).into_iter().collect(),
        "private-ip-address" => {
            return interface
                .addresses
                .iter()
                .take(1)
                .map(ToString::to_string)
                .collect();
        }
        "source-dest-check" => interface.source_dest_check.to_string(),
        "status" => status(interface).to_owned(),
        "subnet-id" => interface.subnet.clone(),
        _ => interface.vpc.clone(),
    }]
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let listing = request.listing(Kind::Interface, "NetworkInterfaceId", &FILTERS, 5..=1000)?;
    request.params.ignore(&["IncludeManagedResources"]);
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) = Request::select(
        world,
        &world.interfaces,
        &listing,
        |_, id, interface, name| values(world, id, interface, name),
    )?;
    let interfaces = page
        .iter()
        .map(|(id, interface)| fields(world, request.clock, world.seen(), id, interface));
    Ok(Fields::new()
        .list("networkInterfaceSet", interfaces)
        .maybe("nextToken", token))
}

/// Joins an interface to an instance.
pub(super) fn join(
    world: &mut World,
    id: &str,
    instance_id: &str,
    device_index: u32,
    delete_on_termination: bool,
) -> Result<String, Refusal> {
    let mut interface = Kind::Interface.find(&world.interfaces, id)?;
    let mut instance = Kind::Instance.find(&world.instances, instance_id)?;
    if interface.attachment.is_some() {
        let why = format!("Interface: {id} in use.");
        return Err(Refusal::client("InvalidNetworkInterface.InUse", why));
    }
    if interface.zone != instance.zone {
        let why = format!("{id} and {instance_id} are in different availability zones");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    let index_of = |other: &String| {
        let attachment = world
            .interfaces
            .get(other)
            .and_then(|of| of.attachment.as_ref());
        attachment.map_or(u32::MAX, |attachment| attachment.device_index)
    };
    if instance
        .interfaces
        .iter()
        .any(|other| index_of(other) == device_index)
    {
        let why = format!(
            "Instance '{instance_id}' already has an interface attached at device index '{device_index}'."
        );
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    if instance.interfaces.len() >= instance.interface_limit() {
        let why = format!(
            "Interface count exceeds the limit for {}.",
            instance.machine
        );
        return Err(Refusal::client("AttachmentLimitExceeded", why));
    }
    let position = instance
        .interfaces
        .partition_point(|other| index_of(other) < device_index);
    instance.interfaces.insert(position, id.to_owned());
    let attachment = world.new_id(Kind::Attachment);
    interface.attachment = Some(Attachment {
        id: attachment.clone(),
        instance: instance_id.to_owned(),
        device_index,
        delete_on_termination,
        attached: world.now,
    });
    let spread = world.spread();
    world.interfaces.put(id.to_owned(), interface, spread);
    world
        .instances
        .put(instance_id.to_owned(), instance, spread);
    Ok(attachment)
}

pub(super) fn attach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let instance = request.id("InstanceId", Kind::Instance)?;
    let index = request.params.required("DeviceIndex")?;
    let index = index
        .parse()
        .map_err(|_| Refusal::value("DeviceIndex", &index, "Not a number."))?;
    request.params.ignore(&["NetworkCardIndex"]);
    request.params.finish()?;
    let world = &mut *request.world;
    let state = Kind::Instance.find(&world.instances, &instance)?.state;
    if state.ends() {
        let why = format!("Instance '{instance}' is '{}'.", state.name());
        return Err(Refusal::client("IncorrectState", why));
    }
    let attachment = join(world, &id, &instance, index, false)?;
    Ok(Fields::new()
        .text("attachmentId", attachment)
        .text("networkCardIndex", 0))
}

pub(super) fn detach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let attachment = request.id("AttachmentId", Kind::Attachment)?;
    request.params.ignore(&["Force"]);
    request.params.finish()?;
    let world = &mut *request.world;
    let found = world.interfaces.iter().find_map(|(id, interface)| {
        let of = interface
            .attachment
            .as_ref()
            .filter(|of| of.id == attachment)?;
        Some((id.clone(), interface.clone(), of.clone()))
    });
    let (id, mut interface, of) = found.ok_or_else(|| Kind::Attachment.unknown(&[&attachment]))?;
    if of.device_index == 0 {
        let why = "The network interface at device index 0 cannot be detached.";
        return Err(Refusal::client("OperationNotPermitted", why));
    }
    let mut instance = Kind::Instance.find(&world.instances, &of.instance)?;
    instance.interfaces.retain(|other| *other != id);
    interface.attachment = None;
    let spread = world.spread();
    world.instances.put(of.instance, instance, spread);
    world.interfaces.put(id, interface, spread);
    Ok(done())
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

/// Reads a list of addresses.
fn addresses<T: std::str::FromStr>(params: &mut Params, name: &str) -> Result<Vec<T>, Refusal> {
    let texts = params.list(name);
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| Refusal::value(name, text, "This is not a valid address."))
    };
    texts.iter().map(parse).collect()
}

pub(super) fn assign_ipv4(request: &mut Request<'_>) -> Result<Fields, Refusal> {
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

pub(super) fn assign_ipv6(request: &mut Request<'_>) -> Result<Fields, Refusal> {
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
