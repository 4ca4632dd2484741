//! Attributes of instances and interfaces, above all the source/destination check.

use crate::error::Refusal;
use crate::model::{Kind, World};
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, done, groups, interfaces, routes};

fn value(text: impl ToString) -> Fields {
    Fields::new().text("value", text)
}

/// `SourceDestCheck.Value`, the only attribute that can be modified here besides a description.
fn check(params: &mut Params) -> Result<Option<bool>, Refusal> {
    params.parsed("SourceDestCheck.Value")
}

fn set_check(world: &mut World, interface: &str, on: bool) -> Result<(), Refusal> {
    let mut record = Kind::Interface.find(&world.interfaces, interface)?;
    record.source_dest_check = on;
    let spread = world.spread();
    world.interfaces.put(interface.to_owned(), record, spread);
    Ok(())
}

pub(super) fn modify_instance(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("InstanceId", Kind::Instance)?;
    let on = check(&mut request.params)?;
    request.params.finish()?;
    let on = on.ok_or_else(|| Refusal::combination("No attributes specified."))?;
    let interface = routes::only_interface(request.world, &id)?;
    set_check(request.world, &interface, on)?;
    Ok(done())
}

pub(super) fn modify_interface(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let on = check(&mut request.params)?;
    let description = request.params.text("Description.Value");
    let attachment = request.params.text("Attachment.AttachmentId");
    let delete = request.params.parsed("Attachment.DeleteOnTermination")?;
    request.params.finish()?;
    let world = &mut *request.world;
    let mut interface = Kind::Interface.find(&world.interfaces, &id)?;
    match (on, description, attachment, delete) {
        (Some(on), None, None, None) => return set_check(world, &id, on).map(|()| done()),
        (None, Some(description), None, None) => interface.description = description,
        (None, None, Some(wanted), Some(delete)) => {
            let attachment = interface.attachment.as_mut().filter(|of| of.id == wanted);
            let attachment = attachment.ok_or_else(|| Kind::Attachment.unknown(&[&wanted]))?;
            attachment.delete_on_termination = delete;
        }
        _ => {
            return Err(Refusal::combination(
                "Exactly one attribute can be modified at a time",
            ));
        }
    }
    let spread = world.spread();
    world.interfaces.put(id, interface, spread);
    Ok(done())
}

pub(super) fn describe_instance(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("InstanceId", Kind::Instance)?;
    let attribute = request.params.required("Attribute")?;
    request.params.finish()?;
    let world = &*request.world;
    let view = world.seen();
    let instance = view
        .get(&world.instances, &id)
        .ok_or_else(|| Kind::Instance.unknown(&[&id]))?;
    let primary = instance
        .interfaces
        .first()
        .and_then(|id| view.get(&world.interfaces, id));
    let fields = Fields::new().text("instanceId", &id);
    match attribute.as_str() {
        "sourceDestCheck" => Ok(fields.maybe_below(
            "sourceDestCheck",
            primary.map(|of| value(of.source_dest_check)),
        )),
        "instanceType" => Ok(fields.below("instanceType", value(&instance.machine))),
        "groupSet" => {
            let groups = primary
                .map(|of| groups::fields(world, &of.groups))
                .unwrap_or_default();
            Ok(fields.list("groupSet", groups))
        }
        "disableApiTermination" | "disableApiStop" | "ebsOptimized" => {
            Ok(fields.below(&attribute, value(false)))
        }
        "instanceInitiatedShutdownBehavior" => Ok(fields.below(&attribute, value("stop"))),
        "userData" => Ok(fields.below("userData", Fields::new())),
        _ => Err(Refusal::value(
            "attribute",
            &attribute,
            "This emulator doesn't have it.",
        )),
    }
}

pub(super) fn describe_interface(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("NetworkInterfaceId", Kind::Interface)?;
    let attribute = request.params.required("Attribute")?;
    request.params.finish()?;
    let world = &*request.world;
    let interface = world
        .seen()
        .get(&world.interfaces, &id)
        .ok_or_else(|| Kind::Interface.unknown(&[&id]))?;
    let fields = Fields::new().text("networkInterfaceId", &id);
    match attribute.as_str() {
        "sourceDestCheck" => Ok(fields.below(&attribute, value(interface.source_dest_check))),
        "description" => Ok(fields.below(&attribute, value(&interface.description))),
        "groupSet" => Ok(fields.list("groupSet", groups::fields(world, &interface.groups))),
        "attachment" => {
            let attachment = interface.attachment.as_ref();
            let attachment =
                attachment.map(|of| interfaces::attachment(request.clock, &interface.owner, of));
            Ok(fields.maybe_below("attachment", attachment))
        }
        _ => Err(Refusal::value(
            "attribute",
            &attribute,
            "This emulator doesn't have it.",
        )),
    }
}
