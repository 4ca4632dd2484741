//! Subnetworks.

use std::net::Ipv6Addr;

use serde_json::{Value, json};
use signpost_emulator::View;

use crate::error::Refusal;
use crate::model::{Effect, regions};
use crate::request::{Request, Result};
use crate::{fields, links, paging};

use super::{find, members, ranges, target};

pub(crate) fn list(request: &mut Request<'_>) -> Result<Value> {
    known_region(request)?;
    let collection = request.collection("subnetworks");
    request.permit("compute.subnetworks.list", &collection)?;
    let all = members(request, &collection);
    paging::list(request, "subnetwork", &collection, &fields::SUBNETWORK, all)
}

pub(crate) fn aggregated(request: &mut Request<'_>) -> Result<Value> {
    let project = request.project.clone();
    request.permit("compute.subnetworks.list", &format!("projects/{project}"))?;
    let world = &request.world;
    let all = world.all(world.seen(), &project, "subnetworks");
    let all = all.map(|(path, value)| (path.clone(), value.clone()));
    let all = all.collect();
    let scopes = regions().map(|(name, _)| format!("regions/{name}"));
    let scopes = scopes.collect();
    let kind = ("subnetwork", "subnetworks");
    paging::aggregated(request, kind, scopes, &fields::SUBNETWORK, all)
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let (path, subnetwork) = find(request, "subnetworks", "subnetwork")?;
    request.permit("compute.subnetworks.get", &path)?;
    Ok(subnetwork)
}

fn known_region(request: &Request<'_>) -> Result<()> {
    let name = request.parameter("region");
    if regions().any(|(region, _)| region == name) {
        Ok(())
    } else {
        Err(Refusal::invalid("region", name, "Unknown region."))
    }
}

pub(crate) fn insert(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    known_region(request)?;
    let path = request.fresh("subnetworks")?;
    request.permit("compute.subnetworks.create", &path)?;
    let network = request.required("network")?;
    let network = links::path(&request.project, "resource.network", &network)?;
    if links::project(&network) != request.project {
        let why = "Cross project referencing is not allowed for this resource.";
        return Err(Refusal::invalid("resource.network", &network, why));
    }
    request.permit("compute.networks.updatePolicy", &network)?;
    let network_value = request.ready(&network)?.clone();
    let range = request.required("ipCidrRange")?;
    let range = ranges::canonical("resource.ipCidrRange", &range)?;
    let mut value = json!({
        "name": request.text("name"),
        "network": network,
        "ipCidrRange": range.to_string(),
    });
    let mut wanted = vec![range];
    let mut secondary = Vec::new();
    for (index, given) in request.body["secondaryIpRanges"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let field = format!("resource.secondaryIpRanges[{index}].ipCidrRange");
        let text = given["ipCidrRange"].as_str().unwrap_or_default();
        let range = ranges::canonical(&field, text)?;
        let name = given["rangeName"].as_str().unwrap_or_default();
        wanted.push(range);
        secondary.push(json!({"rangeName": name, "ipCidrRange": range.to_string()}));
    }
    if !secondary.is_empty() {
        value["secondaryIpRanges"] = secondary.into();
    }
    free(request, &network, &wanted)?;
    stack(request, &network_value, &mut value)?;
    for member in ["description", "privateIpGoogleAccess", "purpose"] {
        if let Some(given) = request.body.get(member).filter(|given| !given.is_null()) {
            value[member] = given.clone();
        }
    }
    let now = request.now();
    let made = made(request, &path, value, &now);
    let refusal = full(request);
    super::within(request, &path, Effect::Put(made), refusal)
}

fn full(request: &Request<'_>) -> Option<Refusal> {
    let world = &request.world;
    let quota = world.settings.quotas.subnetworks;
    let count = world
        .all(View::Truth, &request.project, "subnetworks")
        .count();
    let created = world.creating("subnetworks");
    let created = created.filter(|(path, _)| links::project(path) == request.project);
    (count + created.count() >= quota).then(|| Refusal::quota("SUBNETWORKS", quota))
}

/// Refuses ranges that overlap others of the network. Routes must not lie in them either, unless the
/// subnetwork allows it (`allowSubnetCidrRoutesOverlap`).
fn free(request: &Request<'_>, network: &str, wanted: &[ipnet::IpNet]) -> Result<()> {
    let world = &request.world;
    for range in wanted {
        let taken = ranges::of_network(world, network);
        if let Some((path, _)) = taken.iter().find(|(_, of)| ranges::overlap(of, range)) {
            let (name, scope) = (links::name(path), links::scope(path));
            let region = links::name(&scope);
            let message = format!(
                "Invalid IPCidrRange: {range} conflicts with existing subnetwork '{name}' in region '{region}'."
            );
            let status = hyper::StatusCode::BAD_REQUEST;
            return Err(Refusal::new(status, "invalid", message));
        }
        if request.body["allowSubnetCidrRoutesOverlap"] == true {
            continue;
        }
        let routes = world.all(View::Truth, &request.project, "routes");
        let mut routes = routes.filter(|(_, route)| {
            let to = route["destRange"].as_str().unwrap_or_default().parse();
            route["network"] == network && to.is_ok_and(|to: ipnet::IpNet| range.contains(&to))
        });
        if let Some((path, _)) = routes.next() {
            let why = format!("The range contains the destination of the route '{path}'.");
            return Err(Refusal::invalid(
                "resource.ipCidrRange",
                &range.to_string(),
                &why,
            ));
        }
    }
    Ok(())
}

/// Gives a subnetwork of two families its range of IPv6: a /64 of the network's own range, or one of
/// Google's.
fn stack(request: &mut Request<'_>, network: &Value, value: &mut Value) -> Result<()> {
    if request.text("stackType") != "IPV4_IPV6" {
        return Ok(());
    }
    let access = request.text("ipv6AccessType").to_owned();
    let (member, prefix) = match access.as_str() {
        "INTERNAL" => {
            let own = network["internalIpv6Range"].as_str().unwrap_or_default();
            let Ok(own) = own.parse::<ipnet::Ipv6Net>() else {
                let why = "The network has no internal IPv6 range.";
                return Err(Refusal::invalid("resource.ipv6AccessType", &access, why));
            };
            let member = "internalIpv6Prefix";
            let wanted = request.text(member).to_owned();
            if wanted.is_empty() {
                let part = u128::from_str_radix(&request.world.hex(4), 16).unwrap_or_default();
                let first = Ipv6Addr::from_bits(own.network().to_bits() | (part << 64));
                (member, format!("{first}/64"))
            } else {
                let network = value["network"].as_str().unwrap_or_default();
                (
                    member,
                    wanted_prefix(request, &wanted, own.into(), network)?,
                )
            }
        }
        "EXTERNAL" => {
            let hex = request.world.hex(8);
            let prefix = format!("2600:1900:{}:{}::/64", &hex[..4], &hex[4..]);
            ("externalIpv6Prefix", prefix)
        }
        _ => {
            let why = "Must be INTERNAL or EXTERNAL.";
            return Err(Refusal::invalid("resource.ipv6AccessType", &access, why));
        }
    };
    let prefix: ipnet::IpNet = prefix.parse().map_err(|_| Refusal::bad("no IPv6 range"))?;
    value["stackType"] = "IPV4_IPV6".into();
    value["ipv6AccessType"] = access.into();
    value[member] = prefix.to_string().into();
    value["ipv6CidrRange"] = prefix.to_string().into();
    Ok(())
}

/// The /64 that a subnetwork is to have (`--internal-ipv6-prefix` of gcloud compute networks subnets create):
/// one of the network's own range that no other has. What else Google asks of it is not documented.
fn wanted_prefix(
    request: &Request<'_>,
    wanted: &str,
    own: ipnet::IpNet,
    network: &str,
) -> Result<String> {
    let field = "resource.internalIpv6Prefix";
    let prefix = ranges::canonical(field, wanted)?;
    let all = ranges::of_network(request.world, network);
    let taken = all.iter().any(|(_, range)| ranges::overlap(range, &prefix));
    if prefix.prefix_len() != 64 || !own.contains(&prefix) || taken {
        let why = "Must be a free /64 of the network's internal IPv6 range.";
        return Err(Refusal::invalid(field, wanted, why));
    }
    Ok(prefix.to_string())
}

/// A subnetwork and its routes, as they are when it is made.
pub(super) fn made(
    request: &mut Request<'_>,
    path: &str,
    mut value: Value,
    now: &str,
) -> Vec<(String, Value)> {
    let scope = links::scope(path);
    value["region"] = format!("projects/{}/{scope}", request.project).into();
    let gateway = value["ipCidrRange"].as_str().and_then(|text| {
        let net: ipnet::IpNet = text.parse().ok()?;
        net.hosts().next()
    });
    value["gatewayAddress"] = gateway.map_or(Value::Null, |gateway| gateway.to_string().into());
    value["fingerprint"] = request.world.fingerprint().into();
    for (member, usual) in [
        ("stackType", json!("IPV4_ONLY")),
        ("purpose", json!("PRIVATE")),
        ("privateIpGoogleAccess", json!(false)),
        ("privateIpv6GoogleAccess", json!("DISABLE_GOOGLE_ACCESS")),
    ] {
        if value[member].is_null() {
            value[member] = usual;
        }
    }
    request.world.stamp(&mut value, "subnetwork", path, now);
    let mut all = Vec::new();
    let network = value["network"].clone();
    for range in ranges::of_subnetwork(&value) {
        let name = format!("default-route-r-{}", request.world.hex(16));
        let path = format!("projects/{}/global/routes/{name}", request.project);
        let mut route = json!({
            "name": name,
            "description": format!("Default local route to the subnetwork {range}."),
            "network": network,
            "destRange": range.to_string(),
            "priority": 0,
            "nextHopNetwork": network,
        });
        request.world.stamp(&mut route, "route", &path, now);
        all.push((path, route));
    }
    all.push((path.to_owned(), value));
    all
}

pub(crate) fn delete(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = target(request, "subnetworks", "subnetwork")?;
    request.permit("compute.subnetworks.delete", &path)?;
    let world = &request.world;
    for (instance, value) in world.every(View::Truth, "instances") {
        let interfaces = value["networkInterfaces"].as_array();
        let mut interfaces = interfaces.into_iter().flatten();
        if interfaces.any(|interface| interface["subnetwork"] == path.as_str()) {
            return Err(Refusal::in_use("subnetwork", &path, instance));
        }
    }
    let value = world.get(&path).cloned().unwrap_or_default();
    let network = value["network"].as_str().unwrap_or_default();
    request.permit("compute.networks.updatePolicy", network)?;
    let mut going = vec![path.clone()];
    for range in ranges::of_subnetwork(&value) {
        let routes = world.all(View::Truth, &request.project, "routes");
        let routes = routes.filter(|(_, route)| {
            route["nextHopNetwork"] == network && route["destRange"] == range.to_string().as_str()
        });
        going.extend(routes.map(|(path, _)| path.clone()));
    }
    Ok(request.begin("delete", &path, Effect::Remove(going)))
}
