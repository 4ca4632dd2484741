//! Instances.

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::model::{Effect, zones};
use crate::request::{Request, Result};
use crate::{fields, links, paging};

use super::{addresses, find, members, target};

pub(crate) use super::update::update;

pub(crate) fn list(request: &mut Request<'_>) -> Result<Value> {
    known_zone(request)?;
    let collection = request.collection("instances");
    request.permit("compute.instances.list", &collection)?;
    let all = members(request, &collection);
    paging::list(request, "instance", &collection, &fields::INSTANCE, all)
}

pub(crate) fn aggregated(request: &mut Request<'_>) -> Result<Value> {
    let project = request.project.clone();
    request.permit("compute.instances.list", &format!("projects/{project}"))?;
    let world = &request.world;
    let all = world.all(world.seen(), &project, "instances");
    let all = all.map(|(path, value)| (path.clone(), value.clone()));
    let all = all.collect();
    let scopes = zones().map(|name| format!("zones/{name}")).collect();
    let kind = ("instance", "instances");
    paging::aggregated(request, kind, scopes, &fields::INSTANCE, all)
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let collection = request.collection("instances");
    let path = format!("{collection}/{}", request.parameter("instance"));
    request.permit("compute.instances.get", &path)?;
    Ok(find(request, "instances", "instance")?.1)
}

fn known_zone(request: &Request<'_>) -> Result<()> {
    let name = request.parameter("zone");
    if zones().any(|zone| zone == name) {
        Ok(())
    } else {
        Err(Refusal::invalid("zone", name, "Unknown zone."))
    }
}

pub(crate) fn insert(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    known_zone(request)?;
    let path = request.fresh("instances")?;
    request.permit("compute.instances.create", &path)?;
    let zone = request.parameter("zone").to_owned();
    let wanted = request.body["networkInterfaces"].as_array().cloned();
    let wanted = wanted.filter(|list| !list.is_empty()).ok_or_else(|| {
        let why = "At least one network interface is required.";
        Refusal::invalid("resource.networkInterfaces", "", why)
    })?;
    let mut interfaces: Vec<Value> = Vec::new();
    for (index, wanted) in wanted.iter().enumerate() {
        let made = interface(request, index, wanted, links::region_of(&zone))?;
        if interfaces.iter().any(|of| of["network"] == made["network"]) {
            let why = "Networks must be distinct for NICs attached to a VM.";
            let field = format!("resource.networkInterfaces[{index}].network");
            return Err(Refusal::invalid(&field, "", why));
        }
        interfaces.push(made);
    }
    // What is not looked at here stays as it was given.
    let mut value = request.body.clone();
    value["networkInterfaces"] = interfaces.into();
    value["zone"] = format!("projects/{}/zones/{zone}", request.project).into();
    value["status"] = "PROVISIONING".into();
    for (member, usual) in [
        ("canIpForward", json!(false)),
        (
            "machineType",
            json!(format!("zones/{zone}/machineTypes/e2-medium")),
        ),
        ("cpuPlatform", json!("Intel Skylake")),
        ("deletionProtection", json!(false)),
        ("startRestricted", json!(false)),
        ("tags", json!({})),
        ("metadata", json!({})),
    ] {
        if value[member].is_null() {
            value[member] = usual;
        }
    }
    let machine = value["machineType"].as_str().unwrap_or_default();
    let machine = links::path(&request.project, "resource.machineType", machine)?;
    value["machineType"] = machine.into();
    value["metadata"]["kind"] = "compute#metadata".into();
    for member in ["tags", "metadata"] {
        value[member]["fingerprint"] = request.world.fingerprint().into();
    }
    value["fingerprint"] = request.world.fingerprint().into();
    value["labelFingerprint"] = request.world.fingerprint().into();
    let now = request.now();
    value["lastStartTimestamp"] = now.as_str().into();
    request.world.stamp(&mut value, "instance", &path, &now);
    request.world.put(&path, value);
    Ok(request.begin("insert", &path, Effect::Status("RUNNING")))
}

/// One network interface, as it is then.
fn interface(
    request: &mut Request<'_>,
    index: usize,
    wanted: &Value,
    region: &str,
) -> Result<Value> {
    let field = |member: &str| format!("resource.networkInterfaces[{index}].{member}");
    let text = |member: &str| wanted[member].as_str().unwrap_or_default().to_owned();
    let network = match text("network").as_str() {
        "" => String::new(),
        link => links::path(&request.project, &field("network"), link)?,
    };
    let subnetwork = match (text("subnetwork").as_str(), network.as_str()) {
        ("", "") => return Err(Refusal::required(&field("network"))),
        ("", network) => {
            let value = request.ready(network)?;
            if value["autoCreateSubnetworks"] != true {
                let why = "Subnetwork should be specified for custom subnetmode network";
                return Err(Refusal::invalid(&field("subnetwork"), "", why));
            }
            let (project, name) = (links::project(network), links::name(network));
            format!("projects/{project}/regions/{region}/subnetworks/{name}")
        }
        (link, _) => links::path(&request.project, &field("subnetwork"), link)?,
    };
    let project = links::project(&subnetwork);
    if !request.world.may_use(&request.project, project) {
        let why = "Cross project referencing is not allowed for this resource.";
        return Err(Refusal::invalid(&field("subnetwork"), &subnetwork, why));
    }
    request.permit("compute.subnetworks.use", &subnetwork)?;
    let value = request.ready(&subnetwork)?.clone();
    if links::name(value["region"].as_str().unwrap_or_default()) != region {
        let why = "The subnetwork is not in the region of the instance.";
        return Err(Refusal::invalid(&field("subnetwork"), &subnetwork, why));
    }
    let of = value["network"].as_str().unwrap_or_default();
    if !network.is_empty() && network != of {
        let why = "The subnetwork is not in this network.";
        return Err(Refusal::invalid(&field("network"), &network, why));
    }
    let place = (subnetwork.as_str(), &value);
    let mut aliases: Vec<IpNet> = Vec::new();
    let mut made = wanted.clone();
    for (number, alias) in wanted["aliasIpRanges"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let range = addresses::alias(request.world, place, alias, &aliases)?;
        made["aliasIpRanges"][number]["ipCidrRange"] = range.to_string().into();
        aliases.push(range);
    }
    let address = addresses::primary(request.world, place, &text("networkIP"), &aliases)?;
    made["kind"] = "compute#networkInterface".into();
    made["name"] = format!("nic{index}").into();
    made["network"] = of.into();
    made["networkIP"] = address.to_string().into();
    if made["stackType"].is_null() {
        made["stackType"] = "IPV4_ONLY".into();
    }
    if made["stackType"] == "IPV4_IPV6" {
        let prefix = value["ipv6CidrRange"].as_str().unwrap_or_default();
        if prefix.is_empty() {
            let why = "The subnetwork has no IPv6 range.";
            return Err(Refusal::invalid(&field("stackType"), "IPV4_IPV6", why));
        }
        let wanted = text("ipv6Address");
        let ipv6 = addresses::ipv6(request.world, (&subnetwork, prefix), &wanted)?;
        made["ipv6Address"] = ipv6.to_string().into();
        made["internalIpv6PrefixLength"] = 96.into();
        made["ipv6AccessType"] = value["ipv6AccessType"].clone();
    }
    made["subnetwork"] = subnetwork.into();
    made["fingerprint"] = request.world.fingerprint().into();
    Ok(made)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = target(request, "instances", "instance")?;
    request.permit("compute.instances.delete", &path)?;
    let answer = super::remove(request, &path);
    if !request.fails() {
        request.world.set(&path, "status", "STOPPING".into());
    }
    Ok(answer)
}

pub(crate) fn stop(request: &mut Request<'_>) -> Result<Value> {
    turn(request, "stop", "STOPPING", "TERMINATED")
}

pub(crate) fn start(request: &mut Request<'_>) -> Result<Value> {
    turn(request, "start", "STAGING", "RUNNING")
}

/// Brings an instance from one status to another.
fn turn(
    request: &mut Request<'_>,
    kind: &'static str,
    on_the_way: &str,
    then: &'static str,
) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = target(request, "instances", "instance")?;
    request.permit(&format!("compute.instances.{kind}"), &path)?;
    let answer = request.begin(kind, &path, Effect::Status(then));
    // What is there already stays as it is; the operation does nothing then.
    let there = request
        .world
        .get(&path)
        .is_some_and(|of| of["status"] == then);
    if !there && !request.fails() {
        request.world.set(&path, "status", on_the_way.into());
    }
    Ok(answer)
}
