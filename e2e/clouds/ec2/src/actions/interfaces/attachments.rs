//! Attaching interfaces to instances and detaching them.
//!
//! Both take the time of a transition. What is refused meanwhile is so because the interface is in use
//! until it is detached: attaching it elsewhere, deleting it ("You must detach the network interface
//! before you can delete it", `DeleteNetworkInterface` in the service model), and another interface at
//! its index.

use crate::error::Refusal;
use crate::model::{Attachment, Kind, Progress, World};
use crate::xml::Fields;

use crate::actions::{Request, done};

/// Joins an interface to an instance. As long as one that is launched is pending, its interfaces are
/// being attached (the example of `run-instances`).
pub(in crate::actions) fn join(
    world: &mut World,
    id: &str,
    instance_id: &str,
    (card, device_index): (u32, u32),
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
        attachment.map_or((u32::MAX, 0), |of| (of.card, of.device_index))
    };
    if instance
        .interfaces
        .iter()
        .any(|other| index_of(other) == (card, device_index))
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
        .partition_point(|other| index_of(other) < (card, device_index));
    instance.interfaces.insert(position, id.to_owned());
    let attachment = world.new_id(Kind::Attachment);
    interface.attachment = Some(Attachment {
        id: attachment.clone(),
        instance: instance_id.to_owned(),
        device_index,
        card,
        delete_on_termination,
        attached: world.now,
        progress: world.first_progress(),
    });
    let spread = world.spread();
    world.interfaces.put(id.to_owned(), interface, spread);
    world
        .instances
        .put(instance_id.to_owned(), instance, spread);
    Ok(attachment)
}

pub(in crate::actions) fn attach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let instance = request.id("InstanceId", Kind::Instance)?;
    let index = request.params.required("DeviceIndex")?;
    let index = index
        .parse()
        .map_err(|_| Refusal::value("DeviceIndex", &index, "Not a number."))?;
    let card = request.params.parsed("NetworkCardIndex")?.unwrap_or(0);
    request.params.finish()?;
    let world = &mut *request.world;
    let state = Kind::Instance.find(&world.instances, &instance)?.state;
    if state.ends() {
        let why = format!("Instance '{instance}' is '{}'.", state.name());
        return Err(Refusal::client("IncorrectState", why));
    }
    let attachment = join(world, &id, &instance, (card, index), false)?;
    world.begin_attaching(&id, &attachment);
    Ok(Fields::new()
        .text("attachmentId", attachment)
        .text("networkCardIndex", card))
}

pub(in crate::actions) fn detach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let attachment = request.id("AttachmentId", Kind::Attachment)?;
    request.params.ignore(&["Force"]);
    request.params.finish()?;
    let world = &mut *request.world;
    let found = world.interfaces.iter().find_map(|(id, interface)| {
        let of = interface
            .attachment
            .as_ref()
            .filter(|of| of.id == attachment)?;
        Some((id.clone(), of.clone()))
    });
    let (id, of) = found.ok_or_else(|| Kind::Attachment.unknown(&[&attachment]))?;
    if (of.card, of.device_index) == (0, 0) {
        let why = "The network interface at device index 0 cannot be detached.";
        return Err(Refusal::client("OperationNotPermitted", why));
    }
    // What the code says of volumes: "trying to detach a volume that's not attached" ("Error codes for
    // the Amazon EC2 API"). That it holds for interfaces too, by force as well, is assumed.
    if of.progress != Progress::Attached {
        let status = of.progress.name();
        let why = format!("Interface attachment '{attachment}' is '{status}'.");
        return Err(Refusal::client("IncorrectState", why));
    }
    world.begin_detaching(&id, &attachment);
    Ok(done())
}
