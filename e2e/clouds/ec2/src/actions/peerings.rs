//! Peerings of two VPCs of this account and region: targets of routes that are somebody else's.

use crate::error::Refusal;
use crate::model::{Kind, Peering, View, World};
use crate::xml::Fields;

use super::{Request, done, tag_set, tags};

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let requester = request.id("VpcId", Kind::Vpc)?;
    let accepter = request.id("PeerVpcId", Kind::Vpc)?;
    request.params.ignore(&["PeerOwnerId", "PeerRegion"]);
    let tags = tags::on_creation(&mut request.params, Kind::Peering)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Vpc.find(&world.vpcs, &requester)?;
    Kind::Vpc.find(&world.vpcs, &accepter)?;
    let id = world.new_id(Kind::Peering);
    let peering = Peering {
        requester,
        accepter,
        active: false,
    };
    let spread = world.spread();
    world.peerings.put(id.clone(), peering.clone(), spread);
    world.set_tags(&id, &tags);
    Ok(answer(world, &id, &peering))
}

fn answer(world: &World, id: &str, peering: &Peering) -> Fields {
    Fields::new().below(
        "vpcPeeringConnection",
        fields(world, View::Truth, id, peering),
    )
}

fn status(peering: &Peering) -> &'static str {
    if peering.active {
        "active"
    } else {
        "pending-acceptance"
    }
}

fn fields(world: &World, view: View, id: &str, peering: &Peering) -> Fields {
    let side = |vpc: &String| {
        let record = view.get(&world.vpcs, vpc);
        let cidr = record
            .and_then(|vpc| vpc.blocks.first())
            .map(|block| block.net);
        Fields::new()
            .text("vpcId", vpc)
            .text("ownerId", &world.account)
            .text("region", &world.region)
            .maybe("cidrBlock", cidr)
    };
    Fields::new()
        .text("vpcPeeringConnectionId", id)
        .below("requesterVpcInfo", side(&peering.requester))
        .below("accepterVpcInfo", side(&peering.accepter))
        .below(
            "status",
            Fields::new()
                .text("code", status(peering))
                .text("message", ""),
        )
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
}

pub(super) fn accept(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcPeeringConnectionId", Kind::Peering)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let mut peering = Kind::Peering.find(&world.peerings, &id)?;
    peering.active = true;
    let spread = world.spread();
    world.peerings.put(id.clone(), peering.clone(), spread);
    Ok(answer(world, &id, &peering))
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("VpcPeeringConnectionId", Kind::Peering)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Peering.find(&world.peerings, &id)?;
    let spread = world.spread();
    world.peerings.remove(&id, spread);
    world.drop_tags(&id);
    Ok(done())
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let known = [
        "accepter-vpc-info.vpc-id",
        "requester-vpc-info.vpc-id",
        "status-code",
        "vpc-peering-connection-id",
    ];
    let listing = request.listing(Kind::Peering, "VpcPeeringConnectionId", &known, 5..=1000)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) =
        Request::select(world, &world.peerings, &listing, |_, id, peering, name| {
            vec![match name {
                "accepter-vpc-info.vpc-id" => peering.accepter.clone(),
                "requester-vpc-info.vpc-id" => peering.requester.clone(),
                "status-code" => status(peering).to_owned(),
                _ => id.to_owned(),
            }]
        })?;
    let peerings = page
        .iter()
        .map(|(id, peering)| fields(world, world.seen(), id, peering));
    Ok(Fields::new()
        .list("vpcPeeringConnectionSet", peerings)
        .maybe("nextToken", token))
}
