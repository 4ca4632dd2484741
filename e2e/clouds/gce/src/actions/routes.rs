//! Routes. See [Route](https://docs.cloud.google.com/compute/docs/reference/rest/v1/routes) and
//! [static routes](https://docs.cloud.google.com/vpc/docs/static-routes).

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::model::Effect;
use crate::request::{Request, Result};
use crate::{fields, links, paging, warnings};

use super::{find, members, projects, ranges, remove, target};

/// What a route can lead to, by the members of the request.
const HOPS: [&str; 6] = [
    "nextHopInstance",
    "nextHopIp",
    "nextHopGateway",
    "nextHopIlb",
    "nextHopVpnTunnel",
    "nextHopNetwork",
];

/// The range that is kept for subnets of networks in auto mode ("Auto mode IPv4 ranges").
const AUTO: &str = "10.128.0.0/9";

pub(crate) fn list(request: &mut Request<'_>) -> Result<Value> {
    let collection = request.collection("routes");
    request.permit("compute.routes.list", &collection)?;
    let mut all = members(request, &collection);
    for (_, route) in &mut all {
        warnings::add(request.world, route);
    }
    paging::list(request, "route", &collection, &fields::ROUTE, all)
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let path = format!(
        "{}/{}",
        request.collection("routes"),
        request.parameter("route")
    );
    request.permit("compute.routes.get", &path)?;
    let (_, mut route) = find(request, "routes", "route")?;
    warnings::add(request.world, &mut route);
    Ok(route)
}

pub(crate) fn insert(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    known(request)?;
    let name = request.text("name").to_owned();
    let path = format!("{}/{name}", request.collection("routes"));
    request.permit("compute.routes.create", &path)?;
    let text = request.required("network")?;
    let network = links::path(&request.project, "resource.network", &text)?;
    let destination = request.required("destRange")?;
    let path = request.fresh("routes")?;
    if links::project(&network) != request.project {
        return Err(foreign("resource.network", &text));
    }
    request.permit("compute.networks.updatePolicy", &network)?;
    let auto = request.ready(&network)?["autoCreateSubnetworks"] == true;
    let destination = ranges::canonical("resource.destRange", &destination)?;
    visible(request, &network, destination, auto)?;
    let priority = priority(request)?;
    let hop = hop(request, &network, destination)?;

    let mut route = json!({
        "name": name,
        "description": request.text("description"),
        "network": network,
        "destRange": destination.to_string(),
        "priority": priority,
    });
    route[hop.0] = hop.1.into();
    let tags = request.body["tags"].as_array().cloned().unwrap_or_default();
    if !tags.is_empty() {
        route["tags"] = tags.into();
    }
    let now = request.now();
    request.world.stamp(&mut route, "route", &path, &now);
    let effect = Effect::Put(vec![(path.clone(), route)]);
    let refusal = full(request, &network);
    super::within(request, &path, effect, refusal)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = format!(
        "{}/{}",
        request.collection("routes"),
        request.parameter("route")
    );
    request.permit("compute.routes.delete", &path)?;
    let path = target(request, "routes", "route")?;
    let route = request.world.get(&path).cloned().unwrap_or_default();
    let network = route["network"].as_str().unwrap_or_default().to_owned();
    request.permit("compute.networks.updatePolicy", &network)?;
    if !route["nextHopNetwork"].is_null() {
        let why = "The default local route cannot be deleted.";
        return Err(Refusal::bad(why));
    }
    Ok(remove(request, &path))
}

/// Refuses members that a route does not have, in the words of Google's front end.
fn known(request: &Request<'_>) -> Result<()> {
    let Some(members) = request.body.as_object() else {
        return Err(Refusal::required("resource"));
    };
    match members
        .keys()
        .find(|name| !fields::ROUTE.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(Refusal::bad(format!(
            "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
        ))),
    }
}

/// That this is refused is documented of next hops (static routes, "Next hops and features"); the words are assumed.
fn foreign(field: &str, text: &str) -> Refusal {
    let why = "Cross project referencing is not allowed for this resource.";
    Refusal::invalid(field, text, why)
}

/// Refuses destinations that a subnet has, or that lie in one ("Interactions between subnet routes and
/// static routes"). The words are those of SUSE/ha-sap-terraform-deployments 655.
fn visible(request: &Request<'_>, network: &str, to: IpNet, auto: bool) -> Result<()> {
    let mut taken = ranges::of_network(request.world, network);
    taken.extend(
        AUTO.parse()
            .ok()
            .filter(|_| auto)
            .map(|net| (String::new(), net)),
    );
    match taken.iter().find(|(_, range)| range.contains(&to)) {
        None => Ok(()),
        Some((_, range)) => {
            let why = format!(
                "{to} hides the address space of the network ({range}). Cannot change the routing of packets destined for the network."
            );
            Err(Refusal::invalid(
                "resource.destRange",
                &to.to_string(),
                &why,
            ))
        }
    }
}

fn priority(request: &Request<'_>) -> Result<u64> {
    match &request.body["priority"] {
        Value::Null => Ok(1000),
        value => value
            .as_u64()
            .filter(|priority| *priority <= 65535)
            .ok_or_else(|| {
                let why = "Must be less than or equal to 65535";
                Refusal::invalid("resource.priority", &value.to_string(), why)
            }),
    }
}

/// The one next hop of a request: its member and what that becomes.
fn hop(request: &Request<'_>, network: &str, to: IpNet) -> Result<(&'static str, String)> {
    let named: Vec<&str> = HOPS
        .into_iter()
        .filter(|hop| !request.text(hop).is_empty())
        .collect();
    let [member] = named.as_slice() else {
        let why = "Exactly one next hop must be specified for a route.";
        return Err(Refusal::invalid("resource.nextHop", &named.join(", "), why));
    };
    let text = request.text(member).to_owned();
    let field = format!("resource.{member}");
    match *member {
        "nextHopInstance" => {
            let instance = links::path(&request.project, &field, &text)?;
            if links::project(&instance) != request.project {
                return Err(foreign(&field, &text));
            }
            if !links::is_of(&instance, "instances") {
                return Err(Refusal::invalid(&field, &text, "The URL is malformed."));
            }
            if request.world.get(&instance).is_none() {
                return Err(Refusal::not_found(&instance));
            }
            request.permit("compute.instances.use", &instance)?;
            Ok(("nextHopInstance", instance))
        }
        "nextHopIp" => Ok(("nextHopIp", address(request, &field, &text, network, to)?)),
        "nextHopGateway" => {
            let gateway = links::path(&request.project, &field, &text)?;
            if gateway.ends_with("/global/gateways/default-internet-gateway") {
                Ok(("nextHopGateway", gateway))
            } else {
                Err(Refusal::not_found(&gateway))
            }
        }
        // What lies behind these is not there, and is not looked for.
        "nextHopIlb" => Ok(("nextHopIlb", text)),
        "nextHopVpnTunnel" => {
            let tunnel = links::path(&request.project, &field, &text)?;
            Ok(("nextHopVpnTunnel", tunnel))
        }
        _ => {
            let why = "Routes to a network are made with its subnetworks.";
            Err(Refusal::invalid(&field, &text, why))
        }
    }
}

/// An address as next hop: of the destination's family, and in a subnet of the network.
fn address(
    request: &Request<'_>,
    field: &str,
    text: &str,
    network: &str,
    to: IpNet,
) -> Result<String> {
    let address: Option<IpAddr> = text.parse().ok();
    let Some(address) = address.filter(|of| of.is_ipv6() == matches!(to, IpNet::V6(_))) else {
        let why = "Must be an IP address of the destination's family.";
        return Err(Refusal::invalid(field, text, why));
    };
    let mut subnets = ranges::of_network(request.world, network).into_iter();
    if subnets.any(|(_, range)| range.contains(&address)) {
        Ok(address.to_string())
    } else {
        // The words are those of terraform-provider-google 5945.
        let why = format!("{address} must lie within the address spaces of ({network}).");
        Err(Refusal::invalid(field, text, &why))
    }
}

/// The refusal of one more static route. What is being created counts.
fn full(request: &Request<'_>, network: &str) -> Option<Refusal> {
    let world = &request.world;
    let quotas = &world.settings.quotas;
    let project = &request.project;
    let created = |of: Option<&str>| {
        let created = world.creating("routes");
        let created = created.filter(|(path, route)| {
            links::project(path) == project
                && route["nextHopNetwork"].is_null()
                && of.is_none_or(|network| route["network"] == network)
        });
        created.count()
    };
    let of_network =
        projects::static_routes(world, project, Some(network)) + created(Some(network));
    if of_network >= quotas.static_routes_per_network {
        let limit = quotas.static_routes_per_network;
        return Some(Refusal::quota("STATIC_ROUTES_PER_NETWORK", limit));
    }
    let all = projects::static_routes(world, project, None) + created(None);
    (all >= quotas.routes).then(|| Refusal::quota("ROUTES", quotas.routes))
}
