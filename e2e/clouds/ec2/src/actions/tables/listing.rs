//! Tables as they are listed.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::error::Refusal;
use crate::model::{Association, Kind, Route, Table, Target, View, World};
use crate::xml::Fields;

use crate::actions::{Request, tag_set};

use super::state;

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
            .maybe("gatewayId", association.gateway.as_ref())
            .text("main", association.is_main())
            .below("associationState", state())
    });
    let routes = world
        .routes_of(view, id)
        .map(|(to, route)| Shown::of(world, view, &table.vpc, *to, route));
    let propagated = world.propagated_of(view, id);
    let propagated = propagated.map(|(to, gateway)| Shown::propagated(*to, gateway));
    let routes = routes.chain(propagated).map(|shown| shown.fields());
    let listed = world.listed_of(view, id).map(|(list, gateway)| {
        Fields::new()
            .text("destinationPrefixListId", list)
            .text("gatewayId", gateway)
            .text("origin", "CreateRoute")
            .text("state", "active")
    });
    let routes = routes.chain(listed);
    let gateways: BTreeSet<&String> = world.propagated_of(view, id).map(|(_, of)| of).collect();
    let gateways = gateways
        .into_iter()
        .map(|gateway| Fields::new().text("gatewayId", gateway));
    Fields::new()
        .text("routeTableId", id)
        .text("vpcId", &table.vpc)
        .text("ownerId", &world.account)
        .list("routeSet", routes)
        .list("associationSet", associations)
        .list("propagatingVgwSet", gateways)
        .list("tagSet", tag_set(&world.shown_tags(view, id)))
}

/// A route as it is listed.
struct Shown {
    to: IpNet,
    gateway: Option<String>,
    peering: Option<String>,
    interface: Option<String>,
    instance: Option<String>,
    /// The account of the instance.
    owner: Option<String>,
    /// A target of another kind, by the name of its member.
    other: Option<(&'static str, String)>,
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
            owner: None,
            other: None,
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
            Target::Other { member, id } => shown.other = Some((member, id.clone())),
            Target::Interface(id) => {
                shown.interface = Some(id.clone());
                // The instance is not part of the route: it is whoever has the interface now.
                if let Some(interface) = view.get(&world.interfaces, id)
                    && let Some(attachment) = &interface.attachment
                {
                    shown.instance = Some(attachment.instance.clone());
                    shown.owner = Some(interface.owner.clone());
                }
            }
        }
        shown
    }

    fn propagated(to: IpNet, gateway: &str) -> Self {
        Self {
            to,
            gateway: Some(gateway.to_owned()),
            peering: None,
            interface: None,
            instance: None,
            owner: None,
            other: None,
            origin: "EnableVgwRoutePropagation",
            state: "active",
        }
    }

    fn fields(&self) -> Fields {
        let name = match self.to {
            IpNet::V4(_) => "destinationCidrBlock",
            IpNet::V6(_) => "destinationIpv6CidrBlock",
        };
        let fields = Fields::new().text(name, self.to);
        let fields = match &self.other {
            Some((member, id)) => fields.text(member, id),
            None => fields,
        };
        fields
            .maybe("gatewayId", self.gateway.as_ref())
            .maybe("instanceId", self.instance.as_ref())
            .maybe("instanceOwnerId", self.owner.as_ref())
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
            "main" => Some(association.is_main().to_string()),
            "route-table-association-id" => Some(of.clone()),
            "route-table-id" => Some(id.to_owned()),
            "subnet-id" => association.subnet.clone(),
            "gateway-id" => association.gateway.clone(),
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

pub(in crate::actions) fn describe(request: &mut Request<'_>) -> Result<Fields, Refusal> {
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
