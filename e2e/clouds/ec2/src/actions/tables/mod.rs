//! Route tables and their associations.

use ipnet::IpNet;

use crate::error::Refusal;
use crate::model::{Association, Kind, Table, View, World};
use crate::xml::Fields;

use super::{Request, done, tags, vpcs};

mod listing;

pub(super) use listing::describe;

use listing::fields;

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let vpc_id = request.id("VpcId", Kind::Vpc)?;
    let tags = tags::on_creation(&mut request.params, Kind::Table)?;
    let token = request.params.text("ClientToken");
    request.params.finish()?;
    let world = &mut *request.world;
    let vpc = Kind::Vpc.find(&world.vpcs, &vpc_id)?;
    let limit = world.habits.quotas.tables_per_vpc;
    if world
        .tables
        .iter()
        .filter(|(_, table)| table.vpc == vpc_id)
        .count()
        >= limit
    {
        let why = "The maximum number of route tables has been reached.";
        return Err(Refusal::client("RouteTableLimitExceeded", why));
    }
    let id = vpcs::new_table(world, &vpc_id, &vpc);
    world.set_tags(&id, &tags);
    let table = Table { vpc: vpc_id };
    let fields = fields(world, View::Truth, &id, &table);
    Ok(Fields::new()
        .below("routeTable", fields)
        .maybe("clientToken", token))
}

/// Removes a table with its routes and tags.
pub(super) fn drop_table(world: &mut World, id: &str) {
    let destinations: Vec<IpNet> = world
        .routes_of(View::Truth, id)
        .map(|(to, _)| *to)
        .collect();
    let spread = world.spread();
    for destination in destinations {
        world.routes.remove(&(id.to_owned(), destination), spread);
    }
    let propagated: Vec<IpNet> = world
        .propagated_of(View::Truth, id)
        .map(|(to, _)| *to)
        .collect();
    for destination in propagated {
        world
            .propagated
            .remove(&(id.to_owned(), destination), spread);
    }
    world.tables.remove(&id.to_owned(), spread);
    world.drop_tags(id);
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("RouteTableId", Kind::Table)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Table.find(&world.tables, &id)?;
    if world
        .associations
        .iter()
        .any(|(_, association)| association.table == id)
    {
        return Err(Refusal::dependency("routeTable", &id));
    }
    drop_table(world, &id);
    Ok(done())
}

fn state() -> Fields {
    Fields::new().text("state", "associated")
}

pub(super) fn associate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let table_id = request.id("RouteTableId", Kind::Table)?;
    if let Some(gateway) = request.params.text("GatewayId") {
        return associate_gateway(request, table_id, gateway);
    }
    let subnet_id = request.id("SubnetId", Kind::Subnet)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let table = Kind::Table.find(&world.tables, &table_id)?;
    let subnet = Kind::Subnet.find(&world.subnets, &subnet_id)?;
    if table.vpc != subnet.vpc {
        return Err(other_network(&table_id, "subnet", &subnet_id));
    }
    let existing = world
        .associations
        .iter()
        .find(|(_, association)| association.subnet.as_ref() == Some(&subnet_id))
        .map(|(id, association)| (id.clone(), association.table.clone()));
    let id = match existing {
        Some((id, of)) if of == table_id => id,
        Some(_) => {
            let why = format!(
                "the specified association for route table {table_id} conflicts with an existing association"
            );
            return Err(Refusal::client("Resource.AlreadyAssociated", why));
        }
        None => {
            let id = world.new_id(Kind::Association);
            let spread = world.spread();
            let association = Association {
                table: table_id,
                vpc: table.vpc,
                subnet: Some(subnet_id),
                gateway: None,
            };
            world.associations.put(id.clone(), association, spread);
            id
        }
    };
    Ok(Fields::new()
        .text("associationId", id)
        .below("associationState", state()))
}

/// Has a table decide about what comes in at a gateway ("Gateway route tables" in the guide).
fn associate_gateway(
    request: &mut Request<'_>,
    table_id: String,
    gateway: String,
) -> Result<Fields, Refusal> {
    request.params.finish()?;
    let world = &mut *request.world;
    let table = Kind::Table.find(&world.tables, &table_id)?;
    let attached = Kind::Gateway.find(&world.gateways, &gateway)?;
    if attached.vpc.as_ref() != Some(&table.vpc) {
        return Err(other_network(&table_id, "gateway", &gateway));
    }
    let id = world.new_id(Kind::Association);
    let spread = world.spread();
    let association = Association {
        table: table_id,
        vpc: table.vpc,
        subnet: None,
        gateway: Some(gateway),
    };
    world.associations.put(id.clone(), association, spread);
    Ok(Fields::new()
        .text("associationId", id)
        .below("associationState", state()))
}

pub(super) fn disassociate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("AssociationId", Kind::Association)?;
    request.params.finish()?;
    let world = &mut *request.world;
    if Kind::Association.find(&world.associations, &id)?.is_main() {
        let why = format!("cannot disassociate the main route table association {id}");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    let spread = world.spread();
    world.associations.remove(&id, spread);
    Ok(done())
}

pub(super) fn replace_association(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let old = request.id("AssociationId", Kind::Association)?;
    let table_id = request.id("RouteTableId", Kind::Table)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let association = Kind::Association.find(&world.associations, &old)?;
    let table = Kind::Table.find(&world.tables, &table_id)?;
    if table.vpc != association.vpc {
        return Err(other_network(&table_id, "association", &old));
    }
    let id = world.new_id(Kind::Association);
    let spread = world.spread();
    world.associations.remove(&old, spread);
    world.associations.put(
        id.clone(),
        Association {
            table: table_id,
            ..association
        },
        spread,
    );
    Ok(Fields::new()
        .text("newAssociationId", id)
        .below("associationState", state()))
}

/// The refusal to join what lies in different VPCs.
pub(super) fn other_network(table: &str, kind: &str, id: &str) -> Refusal {
    Refusal::client(
        "InvalidParameterValue",
        format!("route table {table} and {kind} {id} belong to different networks"),
    )
}
