//! Route tables and their associations.

use ipnet::IpNet;

use crate::error::Refusal;
use crate::model::{Association, Kind, Route, Table, Target, View, World};
use crate::xml::Fields;

use super::{Request, done, tag_set, tags, vpcs};

const FILTERS: [&str; 21] = [
    "association.gateway-id",
    "association.main",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.network-interface-id",
    "route.origin",
    "route.state",
    "route.transit-gateway-id",
    "route.vpc-peering-connection-id",
    "transit-gateway-id",
    "vpc-id",
];

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
            };
            world.associations.put(id.clone(), association, spread);
            id
        }
    };
    Ok(Fields::new()
        .text("associationId", id)
        .below("associationState", state()))
}

pub(super) fn disassociate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let id = request.id("AssociationId", Kind::Association)?;
    request.params.finish()?;
    let world = &mut *request.world;
    if Kind::Association
        .find(&world.associations, &id)?
        .subnet
        .is_none()
    {
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

fn associations<'a>(
    world: &'a World,
    view: View,
    table: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Association)> {
    view.iter(&world.associations)
        .filter(move |(_, association)| association.table == table)
}

pub(super) fn fields(world: &World, view: View, id: &str, table: &Table) -> Fields {
    let associations = associations(world, view, id).map(|(of, association)| {
        Fields::new()
            .text("routeTableAssociationId", of)
            .text("routeTableId", id)
            .maybe("subnetId", association.subnet.as_ref())
            .text("main", association.subnet.is_none())
            .below("associationState", state())
    });
    let routes = world
        .routes_of(view, id)
        .map(|(to, route)| Shown::of(world, view, &table.vpc, *to, route).fields(world));
    Fields::new()
        .text("routeTableId", id)
        .text("vpcId", &table.vpc)
        .text("ownerId", &world.account)
        .list("routeSet", routes)
        .list("associationSet", associations)
        .list("propagatingVgwSet", [])
        .list("tagSet", tag_set(&world.tags_of(view, id)))
}

/// A route as it is listed.
struct Shown {
    to: IpNet,
    gateway: Option<String>,
    peering: Option<String>,
    interface: Option<String>,
    instance: Option<String>,
    origin: &'static str,
    state: &'static str,
}

impl Shown {
    fn of(world: &World, view: View, vpc: &str, to: IpNet, route: &Route) -> Self {
        let mut shown = Self {
            to,
            gateway: None,
            peering: None,
            interface: None,
            instance: None,
            origin: if route.implicit {
                "CreateRouteTable"
            } else {
                "CreateRoute"
            },
            state: "blackhole",
        };
        if world.is_active(view, vpc, &route.target) {
            shown.state = "active";
        }
        match &route.target {
            Target::Local => shown.gateway = Some("local".to_owned()),
            Target::Gateway(id) => shown.gateway = Some(id.clone()),
            Target::Peering(id) => shown.peering = Some(id.clone()),
            Target::Interface(id) => {
                shown.interface = Some(id.clone());
                // The instance is not part of the route: it is whoever has the interface now.
                shown.instance = view
                    .get(&world.interfaces, id)
                    .and_then(|interface| interface.attachment.as_ref())
                    .map(|attachment| attachment.instance.clone());
            }
        }
        shown
    }

    fn fields(&self, world: &World) -> Fields {
        let name = match self.to {
            IpNet::V4(_) => "destinationCidrBlock",
            IpNet::V6(_) => "destinationIpv6CidrBlock",
        };
        Fields::new()
            .text(name, self.to)
            .maybe("gatewayId", self.gateway.as_ref())
            .maybe("instanceId", self.instance.as_ref())
            .maybe(
                "instanceOwnerId",
                self.instance.as_ref().map(|_| &world.account),
            )
            .maybe("networkInterfaceId", self.interface.as_ref())
            .maybe("vpcPeeringConnectionId", self.peering.as_ref())
            .text("origin", self.origin)
            .text("state", self.state)
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "route.destination-cidr-block" => {
                matches!(self.to, IpNet::V4(_)).then(|| self.to.to_string())
            }
            "route.destination-ipv6-cidr-block" => {
                matches!(self.to, IpNet::V6(_)).then(|| self.to.to_string())
            }
            "route.gateway-id" => self.gateway.clone(),
            "route.instance-id" => self.instance.clone(),
            "route.network-interface-id" => self.interface.clone(),
            "route.origin" => Some(self.origin.to_owned()),
            "route.state" => Some(self.state.to_owned()),
            "route.vpc-peering-connection-id" => self.peering.clone(),
            _ => None,
        }
    }
}

fn values(world: &World, view: View, id: &str, table: &Table, name: &str) -> Vec<String> {
    if name.starts_with("route.") {
        let routes = world.routes_of(view, id);
        return routes
            .filter_map(|(to, route)| Shown::of(world, view, &table.vpc, *to, route).value(name))
            .collect();
    }
    if let Some(field) = name.strip_prefix("association.") {
        let values = associations(world, view, id).filter_map(|(of, association)| match field {
            "main" => Some(association.subnet.is_none().to_string()),
            "route-table-association-id" => Some(of.clone()),
            "route-table-id" => Some(id.to_owned()),
            "subnet-id" => association.subnet.clone(),
            _ => None,
        });
        return values.collect();
    }
    match name {
        "owner-id" => vec![world.account.clone()],
        "route-table-id" => vec![id.to_owned()],
        "vpc-id" => vec![table.vpc.clone()],
        _ => Vec::new(),
    }
}

pub(super) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let listing = request.listing(Kind::Table, "RouteTableId", &FILTERS, 5..=100)?;
    request.params.finish()?;
    let world = &*request.world;
    let (page, token) =
        Request::select(world, &world.tables, &listing, |view, id, table, name| {
            values(world, view, id, table, name)
        })?;
    let tables = page
        .iter()
        .map(|(id, table)| fields(world, world.seen(), id, table));
    Ok(Fields::new()
        .list("routeTableSet", tables)
        .maybe("nextToken", token))
}
