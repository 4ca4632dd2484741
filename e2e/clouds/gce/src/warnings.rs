//! What reads say about routes that may lead nowhere: the warnings of
//! [Route](https://docs.cloud.google.com/compute/docs/reference/rest/v1/routes), by their descriptions.

use serde_json::{Value, json};
use signpost_emulator::View;

use crate::links;
use crate::model::World;

/// Adds to a route the warnings that it has for the current reader.
pub(crate) fn add(world: &World, route: &mut Value) {
    let view = world.warned();
    let path = route["selfLink"].as_str().unwrap_or_default().to_owned();
    // What was not there at that time had no warnings.
    if view.get(&world.resources, &path).is_none() {
        return;
    }
    let warnings: Vec<Value> = of(world, view, route)
        .into_iter()
        .map(|(code, message)| json!({"code": code, "message": message, "data": []}))
        .collect();
    if !warnings.is_empty() {
        route["warnings"] = warnings.into();
    }
}

/// The warnings of a route as the world is or was.
pub(crate) fn of(world: &World, view: View, route: &Value) -> Vec<(&'static str, String)> {
    let network = route["network"].as_str().unwrap_or_default();
    let instance = if let Some(path) = route["nextHopInstance"].as_str() {
        let Some(instance) = view.get(&world.resources, &path.to_owned()) else {
            let message = format!("Next hop instance '{path}' does not exist.");
            return vec![("NEXT_HOP_INSTANCE_NOT_FOUND", message)];
        };
        (path, instance)
    } else if let Some(address) = route["nextHopIp"].as_str() {
        let Some((path, instance)) = holder(world, view, network, address) else {
            let message =
                format!("Next hop ip '{address}' is not assigned to an instance on the network.");
            return vec![("NEXT_HOP_ADDRESS_NOT_ASSIGNED", message)];
        };
        (path.as_str(), instance)
    } else {
        return Vec::new();
    };
    let (path, instance) = instance;
    let mut found = Vec::new();
    if instance["status"] != "RUNNING" {
        let message = format!("Next hop instance '{path}' is not running.");
        found.push(("NEXT_HOP_NOT_RUNNING", message));
    }
    if instance["canIpForward"] != true {
        let message = format!("Next hop instance '{path}' cannot forward IP packets.");
        found.push(("NEXT_HOP_CANNOT_IP_FORWARD", message));
    }
    let interfaces = instance["networkInterfaces"].as_array();
    let interface = interfaces
        .into_iter()
        .flatten()
        .find(|of| of["network"] == network);
    match interface {
        None => {
            let message = format!("Next hop instance '{path}' is not on the route's network.");
            found.push(("NEXT_HOP_INSTANCE_NOT_ON_NETWORK", message));
        }
        Some(interface) => {
            let v6 = route["destRange"]
                .as_str()
                .is_some_and(|to| to.contains(':'));
            if v6 && interface["ipv6Address"].is_null() {
                let message = format!("Next hop instance '{path}' has no IPv6 interface.");
                found.push(("NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE", message));
            }
        }
    }
    found
}

/// The instance of any project that has an address as its primary one in a network.
pub(crate) fn holder<'w>(
    world: &'w World,
    view: View,
    network: &str,
    address: &str,
) -> Option<(&'w String, &'w Value)> {
    let has = |interface: &Value| {
        interface["network"] == network
            && (interface["networkIP"] == address || interface["ipv6Address"] == address)
    };
    let mut found = view
        .iter(&world.resources)
        .filter(|(path, _)| links::is_of(path, "instances"));
    found.find(|(_, instance)| {
        let interfaces = instance["networkInterfaces"].as_array();
        interfaces.into_iter().flatten().any(has)
    })
}
