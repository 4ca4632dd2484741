//! Projects, regions and zones.

use serde_json::{Value, json};
use signpost_emulator::View;

use crate::error::Refusal;
use crate::model::{World, regions, zones};
use crate::request::{Request, Result};
use crate::{fields, links, paging};

/// When the project, its regions and zones came to be.
const LONG_AGO: &str = "2024-01-01T00:00:00.000-08:00";

/// How many static routes a project has, those of single networks too: all but those of subnets.
pub(super) fn static_routes(world: &World, project: &str, network: Option<&str>) -> usize {
    let made = world.all(View::Truth, project, "routes");
    let made = made.filter(|(_, route)| {
        route["nextHopNetwork"].is_null() && network.is_none_or(|of| route["network"] == of)
    });
    made.count()
}

fn project(world: &World, id: &str) -> Value {
    let quotas = &world.settings.quotas;
    let count = |collection| world.all(View::Truth, id, collection).count();
    let number = world.projects.get(id).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are these")]
    let quota = |metric: &str, limit: usize, usage: usize| json!({"metric": metric, "limit": limit as f64, "usage": usage as f64});
    let mut value = json!({
        "kind": "compute#project",
        "id": number.to_string(),
        "creationTimestamp": LONG_AGO,
        "name": id,
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA="},
        "quotas": [
            quota("NETWORKS", quotas.networks, count("networks")),
            quota("SUBNETWORKS", quotas.subnetworks, count("subnetworks")),
            quota("ROUTES", quotas.routes, static_routes(world, id, None)),
        ],
        "selfLink": format!("projects/{id}"),
        "defaultServiceAccount": format!("{number}-compute@developer.gserviceaccount.com"),
        "defaultNetworkTier": "PREMIUM",
        "vmDnsSetting": "ZONAL_ONLY",
    });
    let hosts = world.hosts.values().any(|host| host == id);
    value["xpnProjectStatus"] = if hosts {
        "HOST"
    } else {
        "UNSPECIFIED_XPN_PROJECT_STATUS"
    }
    .into();
    value
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let id = &request.project;
    request.permit("compute.projects.get", &format!("projects/{id}"))?;
    Ok(project(request.world, id))
}

/// The host of a service project; an empty answer for others.
pub(crate) fn host(request: &mut Request<'_>) -> Result<Value> {
    let id = &request.project;
    request.permit("compute.projects.get", &format!("projects/{id}"))?;
    let host = request.world.hosts.get(id);
    Ok(host.map_or(json!({}), |host| project(request.world, host)))
}

fn number(name: &str) -> String {
    let digits = name.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    (1000 + digits % 9000).to_string()
}

fn zone(project: &str, name: &str) -> Value {
    json!({
        "kind": "compute#zone",
        "id": number(name),
        "creationTimestamp": LONG_AGO,
        "name": name,
        "description": name,
        "status": "UP",
        "region": format!("projects/{project}/regions/{}", links::region_of(name)),
        "selfLink": format!("projects/{project}/zones/{name}"),
        "availableCpuPlatforms": ["Intel Skylake"],
    })
}

fn region(project: &str, name: &str) -> Value {
    let of = zones().filter(|zone| links::region_of(zone) == name);
    let of: Vec<String> = of
        .map(|zone| format!("projects/{project}/zones/{zone}"))
        .collect();
    json!({
        "kind": "compute#region",
        "id": number(name),
        "creationTimestamp": LONG_AGO,
        "name": name,
        "description": name,
        "status": "UP",
        "zones": of,
        "quotas": [{"metric": "CPUS", "limit": 1000.0, "usage": 0.0}],
        "selfLink": format!("projects/{project}/regions/{name}"),
    })
}

pub(crate) fn get_zone(request: &mut Request<'_>) -> Result<Value> {
    let name = request.parameter("zone").to_owned();
    let path = format!("projects/{}/zones/{name}", request.project);
    request.permit("compute.zones.get", &path)?;
    if zones().any(|zone| zone == name) {
        Ok(zone(&request.project, &name))
    } else {
        Err(Refusal::not_found(&path))
    }
}

pub(crate) fn get_region(request: &mut Request<'_>) -> Result<Value> {
    let name = request.parameter("region").to_owned();
    let path = format!("projects/{}/regions/{name}", request.project);
    request.permit("compute.regions.get", &path)?;
    if regions().any(|(region, _)| region == name) {
        Ok(region(&request.project, &name))
    } else {
        Err(Refusal::not_found(&path))
    }
}

pub(crate) fn list_zones(request: &mut Request<'_>) -> Result<Value> {
    let collection = format!("projects/{}/zones", request.project);
    request.permit("compute.zones.list", &collection)?;
    let mut all: Vec<_> = zones()
        .map(|name| (name.clone(), zone(&request.project, &name)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    paging::list(request, "zone", &collection, &fields::ZONE, all)
}

pub(crate) fn list_regions(request: &mut Request<'_>) -> Result<Value> {
    let collection = format!("projects/{}/regions", request.project);
    request.permit("compute.regions.list", &collection)?;
    let all = regions().map(|(name, _)| (name.to_owned(), region(&request.project, name)));
    let all = all.collect();
    paging::list(request, "region", &collection, &fields::REGION, all)
}
