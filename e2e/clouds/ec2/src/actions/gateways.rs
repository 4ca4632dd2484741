//! Internet gateways: targets of routes that are somebody else's.

use crate::error::Refusal;
use crate::model::{Gateway, Kind, View, World};
use crate::xml::Fields;

use super::{Request, done, tag_set, tags};

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let tags = tags::on_creation(&mut request.params, Kind::Gateway)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let id = world.new_id(Kind::Gateway);
    let gateway = Gateway { vpc: None };
    let spread = world.spread();
    world.gateways.put(id.clone(), gateway.clone(), spread);
    world.set_tags(&id, &tags);
    Ok(Fields::new().below("internetGateway", fields(world, View::Truth, &id, &gateway)))
}

fn fields(world: &World, view: View, id: &str, gateway: &Gateway) -> Fields {
    // The state of a gateway's attachment is "available", though the model's list doesn't have it.
    let attachments = gateway
        .vpc
        .iter()
        .map(|vpc| Fields::new().text("vpcId", vpc).text("state", "available"));
    Fields::new()
        .text("internetGatewayId", id)
        .text("ownerId", &world.account)
        .list("attachmentSet", attachments)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
}

fn both(request: &mut Request<'_>) -> Result<(String, Gateway, String), Refusal> {
    let id = request.id("InternetGatewayId", Kind::Gateway)?;
    let vpc = request.id("VpcId", Kind::Vpc)?;
    request.params.finish()?;
    let gateway = Kind::Gateway.find(&request.world.gateways, &id)?;
    Kind::Vpc.find(&request.world.vpcs, &vpc)?;
    Ok((id, gateway, vpc))
}

pub(super) fn attach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let (id, mut gateway, vpc) = both(request)?;
    let world = &mut *request.world;
    if gateway.vpc.is_some() {
        let why = format!("resource {id} is already attached to a network");
        return Err(Refusal::client("Resource.AlreadyAssociated", why));
    }
    if world
        .gateways
        .iter()
        .any(|(_, other)| other.vpc.as_ref() == Some(&vpc))
    {
        let why = format!("Network {vpc} already has an internet gateway attached");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    gateway.vpc = Some(vpc);
    let spread = world.spread();
    world.gateways.put(id, gateway, spread);
    Ok(done())
}

pub(super) fn detach(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let (id, mut gateway, vpc) = both(request)?;
    if gateway.vpc != Some(vpc) {
        let why = format!("resource {id} is not attached to that network");
        return Err(Refusal::client("Gateway.NotAttached", why));
    }
    gateway.vpc = None;
    let world = &mut *request.world;
    let spread = world.spread();
    world.gateways.put(id, gateway, spread);
    Ok(done())
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("InternetGatewayId", Kind::Gateway)?;
    request.params.finish()?;
    let world = &mut *request.world;
    if Kind::Gateway.find(&world.gateways, &id)?.vpc.is_some() {
        return Err(Refusal::dependency("internetGateway", &id));
    }
    let spread = world.spread();
    world.gateways.remove(&id, spread);
    world.drop_tags(&id);
    Ok(done())
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let known = [
        "attachment.state",
        "attachment.vpc-id",
        "internet-gateway-id",
        "owner-id",
    ];
    let listing = request.listing(Kind::Gateway, "InternetGatewayId", &known, 5..=1000)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) = Request::select(
        world,
        &world.gateways,
        &listing,
        |_, id, gateway, name| match name {
            "attachment.state" => gateway.vpc.iter().map(|_| "available".to_owned()).collect(),
            "attachment.vpc-id" => gateway.vpc.iter().cloned().collect(),
            "internet-gateway-id" => vec![id.to_owned()],
            _ => vec![world.account.clone()],
        },
    )?;
    let gateways = page
        .iter()
        .map(|(id, gateway)| fields(world, world.seen(), id, gateway));
    Ok(Fields::new()
        .list("internetGatewaySet", gateways)
        .maybe("nextToken", token))
}
