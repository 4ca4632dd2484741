//! Routes.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Refusal;
use crate::model::{Kind, Route, Table, Target, View, World};
use crate::protocol::Params;
use crate::xml::Fields;

use super::{Request, destinations, done, prefix_lists, tables::other_network};

/// Targets that exist in the API but not here.
const OTHER_TARGETS: [&str; 9] = [
    "VpcEndpointId",
    "TransitGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
    "EgressOnlyInternetGatewayId",
    "NatGatewayId",
    "DestinationPrefixListId",
];

/// The destination in its canonical form: host bits are cleared, not refused.
fn destination(params: &mut Params) -> Result<IpNet, Refusal> {
    let (v4, v6) = ("DestinationCidrBlock", "DestinationIpv6CidrBlock");
    match (params.text(v4), params.text(v6)) {
        (Some(text), None) => {
            let net = text
                .parse::<Ipv4Net>()
                .map_err(|_| not_a_block(v4, &text))?;
            Ok(net.trunc().into())
        }
        (None, Some(text)) => {
            let net = text
                .parse::<Ipv6Net>()
                .map_err(|_| not_a_block(v6, &text))?;
            Ok(net.trunc().into())
        }
        (None, None) => Err(Refusal::missing(v4)),
        (Some(_), Some(_)) => Err(Refusal::combination(
            "The parameters destinationCidrBlock and destinationIpv6CidrBlock cannot be used together",
        )),
    }
}

fn not_a_block(name: &str, text: &str) -> Refusal {
    Refusal::value(name, text, "This is not a valid CIDR block.")
}

/// What a request names as target.
enum Wanted {
    Gateway(String),
    Instance(String),
    Interface(String),
    Peering(String),
    Local,
}

fn wanted(params: &mut Params, with_local: bool) -> Result<Wanted, Refusal> {
    if let Some(name) = OTHER_TARGETS
        .into_iter()
        .find(|name| params.text(name).is_some())
    {
        let why = format!("This emulator has no targets of the kind {name}");
        return Err(Refusal::client("UnsupportedOperation", why));
    }
    let mut found: Vec<Wanted> = [
        params.text("GatewayId").map(Wanted::Gateway),
        params.text("InstanceId").map(Wanted::Instance),
        params.text("NetworkInterfaceId").map(Wanted::Interface),
        params.text("VpcPeeringConnectionId").map(Wanted::Peering),
    ]
    .into_iter()
    .flatten()
    .collect();
    if with_local && params.parsed("LocalTarget")? == Some(true) {
        found.push(Wanted::Local);
    }
    match (found.pop(), found.is_empty()) {
        (Some(target), true) => Ok(target),
        (Some(_), false) => Err(Refusal::combination(
            "The request must contain exactly one of gatewayId, networkInterfaceId, vpcPeeringConnectionId and instanceId",
        )),
        (None, _) => Err(Refusal::client(
            "MissingParameter",
            "The request must contain exactly one of gatewayId, networkInterfaceId, vpcPeeringConnectionId and instanceId",
        )),
    }
}

/// The target of a route, if it is one for this table.
fn resolve(world: &World, table_id: &str, vpc: &str, wanted: Wanted) -> Result<Target, Refusal> {
    let (target, kind, id, of) = match wanted {
        Wanted::Local => return Ok(Target::Local),
        // Terraform's provider knows this refusal by its code and these words.
        Wanted::Gateway(id) if id == "local" => {
            let why = "The gateway ID 'local' does not exist";
            return Err(Refusal::client("InvalidGatewayID.NotFound", why));
        }
        Wanted::Gateway(id) => {
            Kind::Gateway.check(&id)?;
            let gateway = world.gateways.get(&id).ok_or_else(|| {
                let why = format!("The gateway ID '{id}' does not exist");
                Refusal::client("InvalidGatewayID.NotFound", why)
            })?;
            let of = gateway.vpc.clone().unwrap_or_default();
            (Target::Gateway(id.clone()), "network gateway", id, of)
        }
        Wanted::Peering(id) => {
            let peering = Kind::Peering.find(&world.peerings, &id)?;
            let ours = [&peering.requester, &peering.accepter]
                .into_iter()
                .find(|of| *of == vpc);
            let of = ours.cloned().unwrap_or_default();
            (
                Target::Peering(id.clone()),
                "vpc peering connection",
                id,
                of,
            )
        }
        Wanted::Interface(id) => {
            let interface = Kind::Interface.find(&world.interfaces, &id)?;
            let late = world.habits.late_writes;
            if late && View::Seen(world.now).get(&world.interfaces, &id).is_none() {
                return Err(Kind::Interface.unknown(&[&id]));
            }
            (
                Target::Interface(id.clone()),
                "network interface",
                id,
                interface.vpc,
            )
        }
        Wanted::Instance(id) => {
            let interface = only_interface(world, &id)?;
            let of = Kind::Interface.find(&world.interfaces, &interface)?.vpc;
            (Target::Interface(interface), "instance", id, of)
        }
    };
    if of == vpc {
        Ok(target)
    } else {
        Err(other_network(table_id, kind, &id))
    }
}

/// The interface of an instance that has just one.
pub(super) fn only_interface(world: &World, id: &str) -> Result<String, Refusal> {
    let instance = Kind::Instance.find(&world.instances, id)?;
    match instance.interfaces.as_slice() {
        [interface] if !instance.state.ends() => Ok(interface.clone()),
        [] | [_] => {
            let why = format!("The instance '{id}' is not in a valid state for this operation.");
            Err(Refusal::client("IncorrectInstanceState", why))
        }
        _ => {
            let why = format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            );
            Err(Refusal::client("InvalidInstanceID", why))
        }
    }
}

fn key(request: &mut Request<'_>) -> Result<(String, IpNet), Refusal> {
    let table = request.id("RouteTableId", Kind::Table)?;
    Ok((table, destination(&mut request.params)?))
}

pub(super) fn create(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    if let Some(list) = request.params.text("DestinationPrefixListId") {
        return prefix_lists::lead(request, list);
    }
    let (id, to) = key(request)?;
    let wanted = wanted(&mut request.params, false)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let Table { vpc } = Kind::Table.find(&world.tables, &id)?;
    let target = resolve(world, &id, &vpc, wanted)?;
    match world.routes.get(&(id.clone(), to)) {
        Some(route)
            if world.habits.repeated_creation && route.target == target && !route.implicit =>
        {
            return Ok(done());
        }
        // Also the same route again: hashicorp/terraform 7038, terraform-aws-vpc 44 and
        // gardener-extension-provider-aws 5 show it, and CreateRoute is not among the actions that are
        // idempotent by default ("Ensuring idempotency in Amazon EC2 API requests").
        Some(_) => {
            let why = format!("The route identified by {to} already exists.");
            return Err(Refusal::client("RouteAlreadyExists", why));
        }
        None => destinations::check(world, (&id, &vpc), &to, &target)?,
    }
    let count = world.counted(&id, matches!(to, IpNet::V6(_)));
    if count >= world.habits.quotas.routes_per_table {
        let why = "The maximum number of routes has been reached.";
        return Err(Refusal::client("RouteLimitExceeded", why));
    }
    let spread = world.spread();
    world.routes.put(
        (id, to),
        Route {
            target,
            implicit: false,
        },
        spread,
    );
    Ok(done())
}

pub(super) fn replace(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    let (id, to) = key(request)?;
    let wanted = wanted(&mut request.params, true)?;
    request.params.finish()?;
    let world = &mut *request.world;
    let Table { vpc } = Kind::Table.find(&world.tables, &id)?;
    let Some(route) = world.routes.get(&(id.clone(), to)).cloned() else {
        let why = format!(
            "There is no route defined for '{to}' in the route table. Use CreateRoute instead."
        );
        return Err(Refusal::client("InvalidParameterValue", why));
    };
    let target = resolve(world, &id, &vpc, wanted)?;
    let allowed = match (&target, route.implicit) {
        // Only the VPC's own ranges can lead to it, or to an interface instead.
        (Target::Local, implicit) => implicit,
        (Target::Interface(_), true) => true,
        (_, true) => false,
        (_, false) => destinations::check(world, (&id, &vpc), &to, &target).map(|()| true)?,
    };
    if !allowed {
        let why = format!("The route for {to} cannot have this target");
        return Err(Refusal::client("InvalidParameterValue", why));
    }
    let spread = world.spread();
    world
        .routes
        .put((id, to), Route { target, ..route }, spread);
    Ok(done())
}

pub(super) fn delete(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    if let Some(list) = request.params.text("DestinationPrefixListId") {
        return prefix_lists::unlead(request, list);
    }
    let (id, to) = key(request)?;
    request.params.finish()?;
    let world = &mut *request.world;
    Kind::Table.find(&world.tables, &id)?;
    let key = (id.clone(), to);
    match world.routes.get(&key) {
        None => {
            let why = format!("no route with destination-cidr-block {to} in route table {id}");
            Err(Refusal::client("InvalidRoute.NotFound", why))
        }
        Some(route) if route.implicit => {
            let why = format!("cannot remove local route {to} in route table {id}");
            Err(Refusal::client("InvalidParameterValue", why))
        }
        Some(_) => {
            let spread = world.spread();
            world.routes.remove(&key, spread);
            Ok(done())
        }
    }
}
