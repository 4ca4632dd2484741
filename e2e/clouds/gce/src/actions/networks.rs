//! VPC networks.

use serde_json::{Value, json};
use signpost_emulator::View;

use crate::error::Refusal;
use crate::model::{Effect, World, regions};
use crate::request::{Request, Result};
use crate::{fields, links, paging};

use super::{find, members, remove, subnetworks, target};

/// What readers see of a network: its subnetworks are listed in it.
fn shown(world: &World, path: &str, mut network: Value) -> Value {
    let project = links::project(path);
    let subnetworks = world.all(world.seen(), project, "subnetworks");
    let of = subnetworks.filter(|(_, subnetwork)| subnetwork["network"] == path);
    let of: Vec<&String> = of.map(|(path, _)| path).collect();
    if !of.is_empty() {
        network["subnetworks"] = json!(of);
    }
    network
}

pub(crate) fn list(request: &mut Request<'_>) -> Result<Value> {
    let collection = request.collection("networks");
    request.permit("compute.networks.list", &collection)?;
    let all = members(request, &collection).into_iter();
    let all = all.map(|(path, network)| {
        let network = shown(request.world, &path, network);
        (path, network)
    });
    let all = all.collect();
    paging::list(request, "network", &collection, &fields::NETWORK, all)
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let (path, network) = find(request, "networks", "network")?;
    request.permit("compute.networks.get", &path)?;
    Ok(shown(request.world, &path, network))
}

pub(crate) fn insert(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = request.fresh("networks")?;
    request.permit("compute.networks.create", &path)?;
    // Networks that are neither are legacy networks, of which no more can be made; the words are assumed.
    let Some(auto) = request.body["autoCreateSubnetworks"].as_bool() else {
        return Err(Refusal::bad("Legacy networks are no longer supported."));
    };
    let mut network = json!({
        "name": request.text("name"),
        "description": request.text("description"),
        "autoCreateSubnetworks": auto,
        "mtu": request.body["mtu"].as_u64().unwrap_or(1460),
        "routingConfig": {"routingMode": "REGIONAL"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    });
    for member in ["routingConfig", "networkFirewallPolicyEnforcementOrder"] {
        if let Some(value) = request.body.get(member).filter(|value| !value.is_null()) {
            network[member] = value.clone();
        }
    }
    if request.body["enableUlaInternalIpv6"] == true {
        let hex = request.world.hex(7);
        let given = request.text("internalIpv6Range").to_owned();
        // A /48 of fd20::/20 (discovery document).
        let range = if given.is_empty() {
            format!("fd20:{}:{}::/48", &hex[..3], &hex[3..])
        } else {
            given
        };
        network["enableUlaInternalIpv6"] = true.into();
        let range = super::ranges::canonical("resource.internalIpv6Range", &range)?;
        network["internalIpv6Range"] = range.to_string().into();
    }
    let now = request.now();
    request.world.stamp(&mut network, "network", &path, &now);
    let id = network["id"].as_str().unwrap_or_default();
    let with_id = format!("projects/{}/global/networks/{id}", request.project);
    network["selfLinkWithId"] = with_id.into();

    let mut made = vec![internet_route(request, &path, &now)];
    if auto {
        for (region, range) in regions() {
            let project = &request.project;
            let name = links::name(&path);
            let subnetwork = format!("projects/{project}/regions/{region}/subnetworks/{name}");
            let value = json!({"name": name, "ipCidrRange": range, "network": path});
            made.extend(subnetworks::made(request, &subnetwork, value, &now));
        }
    }
    made.insert(0, (path.clone(), network));
    let refusal = full(request);
    super::within(request, &path, Effect::Put(made), refusal)
}

fn full(request: &Request<'_>) -> Option<Refusal> {
    let world = &request.world;
    let quota = world.settings.quotas.networks;
    let count = world.all(View::Truth, &request.project, "networks").count();
    let created = world.creating("networks");
    let created = created.filter(|(path, _)| links::project(path) == request.project);
    (count + created.count() >= quota).then(|| Refusal::quota("NETWORKS", quota))
}

/// The route to the internet that every network begins with ("System-generated default routes").
fn internet_route(request: &mut Request<'_>, network: &str, now: &str) -> (String, Value) {
    let project = request.project.clone();
    let name = format!("default-route-{}", request.world.hex(16));
    let path = format!("projects/{project}/global/routes/{name}");
    let mut route = json!({
        "name": name,
        "description": "Default route to the Internet.",
        "network": network,
        "destRange": "0.0.0.0/0",
        "priority": 1000,
        "nextHopGateway": format!("projects/{project}/global/gateways/default-internet-gateway"),
    });
    request.world.stamp(&mut route, "route", &path, now);
    (path, route)
}

/// Deletes a network that nobody uses. Its own route to the internet goes with it (what gcloud's
/// `networks delete` needs).
pub(crate) fn delete(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = target(request, "networks", "network")?;
    request.permit("compute.networks.delete", &path)?;
    let world = &request.world;
    let project = &request.project;
    let auto = world
        .get(&path)
        .is_some_and(|of| of["autoCreateSubnetworks"] == true);
    let of = |value: &Value| value["network"] == path.as_str();
    let mut going = vec![path.clone()];
    for (subnetwork, value) in world.all(View::Truth, project, "subnetworks") {
        if of(value) && !auto {
            return Err(Refusal::in_use("network", &path, subnetwork));
        }
        if of(value) {
            going.push(subnetwork.clone());
        }
    }
    for (route, value) in world.all(View::Truth, project, "routes") {
        let own = !value["nextHopNetwork"].is_null() || !value["nextHopGateway"].is_null();
        if of(value) && !(own && links::name(route).starts_with("default-route-")) {
            return Err(Refusal::in_use("network", &path, route));
        }
        if of(value) {
            going.push(route.clone());
        }
    }
    for (instance, value) in world.every(View::Truth, "instances") {
        let interfaces = value["networkInterfaces"].as_array();
        if interfaces.into_iter().flatten().any(of) {
            return Err(Refusal::in_use("network", &path, instance));
        }
    }
    if going.len() == 1 {
        return Ok(remove(request, &path));
    }
    Ok(request.begin("delete", &path, Effect::Remove(going)))
}
