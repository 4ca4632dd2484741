//! Launching instances.

use crate::error::Refusal;
use crate::model::{Addresses, Instance, InstanceState, Kind, View, World};
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, instances, interfaces, tags};

/// Parameters without effect here: nothing that they say concerns routing.
const IGNORED: [&str; 22] = [
    "BlockDeviceMapping",
    "CapacityReservationSpecification",
    "CpuOptions",
    "CreditSpecification",
    "DisableApiStop",
    "DisableApiTermination",
    "EbsOptimized",
    "EnclaveOptions",
    "HibernationOptions",
    "InstanceInitiatedShutdownBehavior",
    "IamInstanceProfile.Arn",
    "InstanceMarketOptions",
    "MaintenanceOptions",
    "MetadataOptions",
    "Monitoring",
    "Placement.GroupName",
    "Placement.HostId",
    "Placement.PartitionNumber",
    "Placement.Tenancy",
    "PrivateDnsNameOptions",
    "AdditionalInfo",
    "UserData",
];

/// One interface of the instances to be launched.
struct Plug {
    /// Its network card, and its index there.
    index: (u32, u32),
    delete_on_termination: bool,
    source: Source,
}

enum Source {
    Existing(String),
    New {
        subnet: String,
        addresses: Addresses,
        groups: Vec<String>,
        description: String,
    },
}

/// Reads `NetworkInterface.N`, or the parameters that stand for a single interface.
fn plugs(params: &mut Params) -> Result<Vec<Plug>, Refusal> {
    let members = params.members("NetworkInterface");
    let subnet = params.text("SubnetId");
    let groups = params.list("SecurityGroupId");
    let mut single = interfaces::wanted(params, "")?;
    for member in params.members("Ipv6Address") {
        single
            .ipv6
            .extend(params.parsed::<std::net::Ipv6Addr>(&format!("{member}.Ipv6Address"))?);
        single.ipv6_given = true;
    }
    if members.is_empty() {
        let subnet = subnet.ok_or_else(|| {
            let why = "No default VPC for this user: name a subnet with subnetId.";
            Refusal::client("VPCIdNotSpecified", why)
        })?;
        let source = Source::New {
            subnet,
            addresses: single,
            groups,
            description: String::new(),
        };
        return Ok(vec![Plug {
            index: (0, 0),
            delete_on_termination: true,
            source,
        }]);
    }
    if subnet.is_some() || !groups.is_empty() || !single.ipv4.is_empty() {
        return Err(Refusal::combination(
            "Network interfaces and an instance-level subnet ID, security groups or private address may not be specified on the same request",
        ));
    }
    let mut plugs = Vec::new();
    for member in members {
        plugs.push(plug(params, &member)?);
    }
    plugs.sort_by_key(|plug| plug.index);
    let repeated = plugs.windows(2).any(|two| two[0].index == two[1].index);
    if repeated || plugs.first().is_some_and(|plug| plug.index != (0, 0)) {
        let why = "Each network interface requires a unique device index, one of which is 0.";
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    Ok(plugs)
}

fn plug(params: &mut Params, member: &str) -> Result<Plug, Refusal> {
    let name = |field: &str| format!("{member}.{field}");
    let device_index = params
        .parsed(&name("DeviceIndex"))?
        .ok_or_else(|| Refusal::missing("DeviceIndex"))?;
    let delete: Option<bool> = params.parsed(&name("DeleteOnTermination"))?;
    let existing = params.text(&name("NetworkInterfaceId"));
    let subnet = params.text(&name("SubnetId"));
    let addresses = interfaces::wanted(params, &name(""))?;
    let groups = params.list(&name("SecurityGroupId"));
    let description = params.text(&name("Description")).unwrap_or_default();
    params.ignore(&[&name("AssociatePublicIpAddress"), &name("InterfaceType")]);
    let card = params.parsed(&name("NetworkCardIndex"))?.unwrap_or(0);
    let (source, by_default) = match (existing, subnet) {
        (Some(id), None) => (Source::Existing(id), false),
        (None, Some(subnet)) => (
            Source::New {
                subnet,
                addresses,
                groups,
                description,
            },
            true,
        ),
        (Some(_), Some(_)) => {
            return Err(Refusal::combination(
                "A network interface ID and a subnet cannot be specified for the same interface",
            ));
        }
        (None, None) => return Err(Refusal::missing("SubnetId")),
    };
    Ok(Plug {
        index: (card, device_index),
        delete_on_termination: delete.unwrap_or(by_default),
        source,
    })
}

pub(super) fn run(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let params = &mut request.params;
    let image = params.required("ImageId")?;
    let minimum = count(params, "MinCount")?;
    let maximum = count(params, "MaxCount")?;
    let plugs = plugs(params)?;
    let profile = params.text("IamInstanceProfile.Name");
    let template = Instance {
        owner: request.world.caller.clone(),
        reservation: request.world.new_id(Kind::Reservation),
        launch_index: 0,
        state: InstanceState::Pending,
        image,
        machine: params
            .text("InstanceType")
            .unwrap_or_else(|| "m1.small".to_owned()),
        key: params.text("KeyName"),
        profile,
        token: params.text("ClientToken").unwrap_or_default(),
        launched: request.world.now,
        zone: String::new(),
        interfaces: Vec::new(),
    };
    let zone = params.text("Placement.AvailabilityZone");
    let types = [
        "instance",
        "network-interface",
        "volume",
        "spot-instances-request",
    ];
    let [instance_tags, interface_tags, _, _] = tags::for_each(params, types)?;
    params.ignore(&IGNORED);
    params.finish()?;
    if maximum < minimum {
        let why = "The value of minCount may not exceed that of maxCount.";
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    if maximum > 1
        && plugs
            .iter()
            .any(|plug| matches!(plug.source, Source::Existing(_)))
    {
        return Err(Refusal::combination(
            "A network interface may not be specified when launching more than one instance",
        ));
    }
    if !template.image.starts_with("ami-") {
        let why = format!("Invalid id: \"{}\" (expecting \"ami-...\")", template.image);
        return Err(Refusal::client("InvalidAMIID.Malformed", why));
    }
    let world = &mut *request.world;
    let template = Instance {
        zone: place(world, &plugs, zone.as_deref())?,
        ..template
    };
    if plugs.len() > template.interface_limit() {
        let why = format!(
            "Interface count {} exceeds the limit for {}.",
            plugs.len(),
            template.machine
        );
        return Err(Refusal::client("InvalidParameterCombination", why));
    }
    let mut launched = Vec::new();
    for launch_index in 0..maximum {
        let instance = Instance {
            launch_index,
            ..template.clone()
        };
        match launch(world, instance, &plugs, &interface_tags) {
            Ok(id) => launched.push(id),
            Err(refusal) if launched.len() < minimum => {
                for id in launched {
                    undo(world, &id);
                }
                return Err(refusal);
            }
            Err(_) => break,
        }
    }
    for id in &launched {
        world.set_tags(id, &instance_tags);
        world.begin(id, InstanceState::Pending);
    }
    let shown: Vec<(String, &Instance)> = launched
        .iter()
        .filter_map(|id| Some((id.clone(), world.instances.get(id)?)))
        .collect();
    Ok(instances::reservation(
        world,
        request.clock,
        View::Truth,
        &template.reservation,
        &shown,
    ))
}

fn count(params: &mut Params, name: &str) -> Result<usize, Refusal> {
    let text = params.required(name)?;
    let count = text.parse().ok().filter(|count| (1..=1000).contains(count));
    count.ok_or_else(|| Refusal::value(name, &text, "It must be between 1 and 1000."))
}

/// The zone in which all interfaces lie.
fn place(world: &World, plugs: &[Plug], wanted: Option<&str>) -> Result<String, Refusal> {
    let mut found: Option<String> = wanted.map(str::to_owned);
    for plug in plugs {
        let zone = match &plug.source {
            Source::Existing(id) => Kind::Interface.find(&world.interfaces, id)?.zone,
            Source::New { subnet, .. } => Kind::Subnet.find(&world.subnets, subnet)?.zone,
        };
        if found.as_ref().is_some_and(|found| *found != zone) {
            let why = format!(
                "All interfaces of an instance lie in one availability zone, not {zone} too"
            );
            return Err(Refusal::client("InvalidParameterValue", why));
        }
        found = Some(zone);
    }
    Ok(found.unwrap_or_default())
}

/// Launches one instance with all its interfaces, or leaves nothing behind.
fn launch(
    world: &mut World,
    instance: Instance,
    plugs: &[Plug],
    interface_tags: &[(String, String)],
) -> Result<String, Refusal> {
    let id = world.new_id(Kind::Instance);
    let spread = world.spread();
    world.instances.put(id.clone(), instance, spread);
    for plug in plugs {
        let joined = match &plug.source {
            Source::Existing(interface) => Ok(interface.clone()),
            Source::New {
                subnet,
                addresses,
                groups,
                description,
            } => {
                let (groups, description) = (groups.clone(), description.clone());
                let made = interfaces::make(world, subnet, addresses, groups, description);
                made.map(|(interface, _)| {
                    world.set_tags(&interface, interface_tags);
                    interface
                })
            }
        }
        .and_then(|interface| {
            interfaces::join(
                world,
                &interface,
                &id,
                plug.index,
                plug.delete_on_termination,
            )
        });
        if let Err(refusal) = joined {
            undo(world, &id);
            return Err(refusal);
        }
    }
    Ok(id)
}

/// Takes back a launch that came to nothing.
fn undo(world: &mut World, id: &String) {
    let Some(instance) = world.instances.get(id).cloned() else {
        return;
    };
    for interface in &instance.interfaces {
        world.release(interface);
    }
    let spread = world.spread();
    world.instances.remove(id, spread);
    world.drop_tags(id);
}
