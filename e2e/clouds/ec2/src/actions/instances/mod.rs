//! Instances as they are listed.

use std::collections::BTreeMap;

use signpost_emulator::Clock;

use crate::error::Refusal;
use crate::model::{Instance, InstanceState, Interface, Kind, View, World};
use crate::xml::Fields;

use super::{Request, date, groups, interfaces, tag_set, zones};

mod lives;

pub(super) use lives::{start, stop, terminate};

const FILTERS: [&str; 28] = [
    "availability-zone",
    "client-token",
    "image-id",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "key-name",
    "ip-address",
    "network-interface.addresses.private-ip-address",
    "network-interface.attachment.device-index",
    "network-interface.attachment.status",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.mac-address",
    "network-interface.network-interface-id",
    "network-interface.private-dns-name",
    "network-interface.source-dest-check",
    "network-interface.status",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "reservation-id",
    "source-dest-check",
    "subnet-id",
    "tenancy",
    "vpc-id",
];

/// The name of an address within the VPC.
pub(super) fn dns_name(world: &World, interface: &Interface) -> Option<String> {
    let address = interface.addresses.first()?;
    let domain = match world.region.as_str() {
        "us-east-1" => "ec2.internal".to_owned(),
        region => format!("{region}.compute.internal"),
    };
    Some(format!(
        "ip-{}.{domain}",
        address.to_string().replace('.', "-")
    ))
}

fn state(state: InstanceState) -> Fields {
    Fields::new()
        .text("code", state.code())
        .text("name", state.name())
}

fn own_interfaces<'a>(
    world: &'a World,
    view: View,
    instance: &'a Instance,
) -> impl Iterator<Item = (&'a String, &'a Interface)> {
    let all = instance.interfaces.iter();
    all.filter_map(move |id| Some((id, view.get(&world.interfaces, id)?)))
}

fn fields(world: &World, clock: &Clock, view: View, id: &str, instance: &Instance) -> Fields {
    let primary = own_interfaces(world, view, instance)
        .next()
        .map(|(_, interface)| interface);
    let groups = primary
        .map(|interface| groups::fields(world, &interface.groups))
        .unwrap_or_default();
    let profile = instance.profile.as_ref().map(|name| {
        Fields::new()
            .text(
                "arn",
                format!(
                    "arn:{}:iam::{}:instance-profile/{name}",
                    world.partition(),
                    instance.owner
                ),
            )
            .text("id", "AIPAEXAMPLEEXAMPLE000")
    });
    let interfaces = own_interfaces(world, view, instance)
        .map(|(id, interface)| interface_fields(world, clock, id, interface));
    let placement = Fields::new()
        .text("availabilityZone", &instance.zone)
        .text("availabilityZoneId", zones::zone_id(world, &instance.zone))
        .text("groupName", "")
        .text("tenancy", "default");
    Fields::new()
        .text("instanceId", id)
        .text("imageId", &instance.image)
        .below("instanceState", state(instance.state))
        .text(
            "privateDnsName",
            primary
                .and_then(|of| dns_name(world, of))
                .unwrap_or_default(),
        )
        .text("dnsName", "")
        .text("reason", "")
        .maybe("keyName", instance.key.as_ref())
        .text("amiLaunchIndex", instance.launch_index)
        .list("productCodes", [])
        .text("instanceType", &instance.machine)
        .text("launchTime", date(clock, instance.launched))
        .below("placement", placement)
        .below("monitoring", Fields::new().text("state", "disabled"))
        .maybe("subnetId", primary.map(|of| &of.subnet))
        .maybe("vpcId", primary.map(|of| &of.vpc))
        .maybe(
            "privateIpAddress",
            primary.and_then(|of| of.addresses.first()),
        )
        .maybe("ipv6Address", primary.and_then(|of| of.ipv6.first()))
        .maybe("sourceDestCheck", primary.map(|of| of.source_dest_check))
        .list("groupSet", groups)
        .text("architecture", "x86_64")
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", "/dev/xvda")
        .list("blockDeviceMapping", [])
        .text("virtualizationType", "hvm")
        .text("clientToken", &instance.token)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
        .text("hypervisor", "xen")
        .list("networkInterfaceSet", interfaces)
        .maybe_below("iamInstanceProfile", profile)
        .text("ebsOptimized", false)
        .text("enaSupport", true)
}

fn interface_fields(world: &World, clock: &Clock, id: &str, interface: &Interface) -> Fields {
    let attachment = interface.attachment.as_ref().map(|attachment| {
        Fields::new()
            .text("attachmentId", &attachment.id)
            .text("deviceIndex", attachment.device_index)
            .text("status", attachment.progress.name())
            .text("attachTime", date(clock, attachment.attached))
            .text("deleteOnTermination", attachment.delete_on_termination)
            .text("networkCardIndex", attachment.card)
    });
    Fields::new()
        .text("networkInterfaceId", id)
        .text("subnetId", &interface.subnet)
        .text("vpcId", &interface.vpc)
        .text("description", &interface.description)
        .text("ownerId", &interface.owner)
        .text("status", interface.status())
        .text("macAddress", &interface.mac)
        .maybe("privateIpAddress", interface.addresses.first())
        .maybe("privateDnsName", dns_name(world, interface))
        .text("sourceDestCheck", interface.source_dest_check)
        .list("groupSet", groups::fields(world, &interface.groups))
        .maybe_below("attachment", attachment)
        .list(
            "privateIpAddressesSet",
            interfaces::private_addresses(interface),
        )
        .list("ipv6AddressesSet", interfaces::ipv6_addresses(interface))
        .text("interfaceType", "interface")
}

/// Instances in their reservations, as launching and listing answer them.
pub(super) fn reservation(
    world: &World,
    clock: &Clock,
    view: View,
    id: &str,
    instances: &[(String, &Instance)],
) -> Fields {
    let owner = instances.first().map(|(_, instance)| &instance.owner);
    let instances = instances
        .iter()
        .map(|(id, instance)| fields(world, clock, view, id, instance));
    Fields::new()
        .text("reservationId", id)
        .maybe("ownerId", owner)
        .list("groupSet", [])
        .list("instancesSet", instances)
}

fn values(world: &World, view: View, id: &str, instance: &Instance, name: &str) -> Vec<String> {
    let interfaces = own_interfaces(world, view, instance);
    if let Some(field) = name.strip_prefix("network-interface.") {
        return interfaces
            .flat_map(|(id, of)| interface_values(world, id, of, field))
            .collect();
    }
    let primary = own_interfaces(world, view, instance).next();
    let of_primary = |field: &str| {
        primary
            .map(|(id, of)| interface_values(world, id, of, field))
            .unwrap_or_default()
    };
    vec![match name {
        "availability-zone" => instance.zone.clone(),
        "client-token" => instance.token.clone(),
        "image-id" => instance.image.clone(),
        "instance-id" => id.to_owned(),
        "instance-state-code" => instance.state.code().to_string(),
        "instance-state-name" => instance.state.name().to_owned(),
        "instance-type" => instance.machine.clone(),
        "key-name" => return instance.key.iter().cloned().collect(),
        "owner-id" => instance.owner.clone(),
        "reservation-id" => instance.reservation.clone(),
        "tenancy" => "default".to_owned(),
        "private-ip-address" => {
            return primary
                .iter()
                .filter_map(|(_, of)| of.addresses.first())
                .map(ToString::to_string)
                .collect();
        }
        "private-dns-name" | "source-dest-check" | "subnet-id" | "vpc-id" => {
            return of_primary(name);
        }
        _ => return Vec::new(),
    }]
}

fn interface_values(world: &World, id: &str, interface: &Interface, field: &str) -> Vec<String> {
    vec![match field {
        "addresses.private-ip-address" => {
            return interface
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect();
        }
        "attachment.device-index" => {
            let attachment = interface.attachment.iter();
            return attachment.map(|of| of.device_index.to_string()).collect();
        }
        "attachment.status" => {
            let attachment = interface.attachment.iter();
            return attachment.map(|of| of.progress.name().to_owned()).collect();
        }
        "ipv6-addresses.ipv6-address" => {
            return interface.ipv6.iter().map(ToString::to_string).collect();
        }
        "mac-address" => interface.mac.clone(),
        "network-interface-id" => id.to_owned(),
        "private-dns-name" => return dns_name(world, interface).into_iter().collect(),
        "source-dest-check" => interface.source_dest_check.to_string(),
        "status" => interface.status().to_owned(),
        "subnet-id" => interface.subnet.clone(),
        _ => interface.vpc.clone(),
    }]
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let mut listing = request.listing(Kind::Instance, "InstanceId", &FILTERS, 5..=1000)?;
    let managed = request.params.parsed("IncludeManagedResources")?;
    request.params.finish()?;
    let world = &*request.world;
    if managed != Some(true) {
        listing.hide(world.habits.hidden_instances.iter().cloned());
    }
    zones::check_service(world, listing.named())?;
    let (page, token) = Request::select(
        world,
        &world.instances,
        &listing,
        |view, id, instance, name| values(world, view, id, instance, name),
    )?;
    let mut reservations: BTreeMap<&str, Vec<(String, &Instance)>> = BTreeMap::new();
    for (id, instance) in page {
        reservations
            .entry(&instance.reservation)
            .or_default()
            .push((id, instance));
    }
    let reservations = reservations
        .iter()
        .map(|(id, instances)| reservation(world, request.clock, world.seen(), id, instances));
    Ok(Fields::new()
        .list("reservationSet", reservations)
        .maybe("nextToken", token))
}
