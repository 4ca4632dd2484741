//! Interfaces as they are listed.

use signpost_emulator::Clock;

use crate::error::Refusal;
use crate::model::{Attachment, Interface, Kind, View, World};
use crate::xml::Fields;

use crate::actions::{Request, date, groups, instances, tag_set, zones};

const FILTERS: [&str; 21] = [
    "addresses.primary",
    "addresses.private-ip-address",
    "attachment.attachment-id",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
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

/// The private addresses of an interface, as it lists them.
pub(in crate::actions) fn private_addresses(interface: &Interface) -> Vec<Fields> {
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
pub(in crate::actions) fn ipv6_addresses(interface: &Interface) -> Vec<Fields> {
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
pub(in crate::actions) fn attachment(
    clock: &Clock,
    owner: &str,
    attachment: &Attachment,
) -> Fields {
    Fields::new()
        .text("attachmentId", &attachment.id)
        .text("instanceId", &attachment.instance)
        .text("instanceOwnerId", owner)
        .text("deviceIndex", attachment.device_index)
        .text("networkCardIndex", attachment.card)
        .text("status", attachment.progress.name())
        .text("attachTime", date(clock, attachment.attached))
        .text("deleteOnTermination", attachment.delete_on_termination)
}

pub(super) fn fields(
    world: &World,
    clock: &Clock,
    view: View,
    id: &str,
    interface: &Interface,
) -> Fields {
    let attached = interface
        .attachment
        .as_ref()
        .map(|of| attachment(clock, &interface.owner, of));
    Fields::new()
        .text("networkInterfaceId", id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("availabilityZone", &interface.zone)
        .text("availabilityZoneId", zones::zone_id(world, &interface.zone))
        .text("description", &interface.description)
        .text("ownerId", &interface.owner)
        .text("requesterManaged", false)
        .text("status", interface.status())
        .text("macAddress", &interface.mac)
        .maybe("privateIpAddress", interface.addresses.first())
        .maybe("privateDnsName", instances::dns_name(world, interface))
        .text("sourceDestCheck", interface.source_dest_check)
        .list("groupSet", groups::fields(world, &interface.groups))
        .maybe_below("attachment", attached)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
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
            "instance-owner-id" => interface.owner.clone(),
            _ => attachment.progress.name().to_owned(),
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
        "owner-id" => interface.owner.clone(),
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
        "status" => interface.status().to_owned(),
        "subnet-id" => interface.subnet.clone(),
        _ => interface.vpc.clone(),
    }]
}

pub(in crate::actions) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let mut listing = request.listing(Kind::Interface, "NetworkInterfaceId", &FILTERS, 5..=1000)?;
    let managed = request.params.parsed("IncludeManagedResources")?;
    request.params.finish()?;
    let world = &*request.world;
    if managed != Some(true) {
        let hidden = &world.habits.hidden_instances;
        let hidden = hidden.iter().filter_map(|id| world.instances.get(id));
        listing.hide(hidden.flat_map(|instance| instance.interfaces.iter().cloned()));
    }
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
