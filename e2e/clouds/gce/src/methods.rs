//! The methods of the API, as the discovery document names them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::actions::{instances, networks, operations, projects, routes, subnetworks};
use crate::request::{Request, Result};

/// A method.
pub(crate) struct Method {
    /// Its id, without the leading `compute.`.
    pub(crate) id: &'static str,
    verb: &'static str,
    /// Its path below `/compute/v1/projects/{project}/`.
    path: &'static str,
    /// What it takes in the query beside what all take.
    query: &'static [&'static str],
    pub(crate) run: Run,
}

/// How a method is answered.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// At once.
    Now(fn(&mut Request<'_>) -> Result<Value>),
    /// When an operation is done, or after some time.
    Wait,
}

const LIST: &[&str] = &[
    "filter",
    "maxResults",
    "orderBy",
    "pageToken",
    "returnPartialSuccess",
];
const AGGREGATED: &[&str] = &[
    "filter",
    "includeAllScopes",
    "maxResults",
    "orderBy",
    "pageToken",
    "returnPartialSuccess",
    "serviceProjectNumber",
];
const CHANGE: &[&str] = &["requestId"];
const UPDATE: &[&str] = &[
    "requestId",
    "minimalAction",
    "mostDisruptiveAllowedAction",
    "discardLocalSsd",
];
const INSERT: &[&str] = &["requestId", "sourceInstanceTemplate", "sourceMachineImage"];
const END: &[&str] = &["requestId", "noGracefulShutdown", "discardLocalSsd"];

const fn method(
    id: &'static str,
    verb: &'static str,
    path: &'static str,
    query: &'static [&'static str],
    run: fn(&mut Request<'_>) -> Result<Value>,
) -> Method {
    Method {
        id,
        verb,
        path,
        query,
        run: Run::Now(run),
    }
}

const fn wait(id: &'static str, path: &'static str) -> Method {
    Method {
        id,
        verb: "POST",
        path,
        query: &[],
        run: Run::Wait,
    }
}

#[rustfmt::skip]
static METHODS: &[Method] = &[
    method("projects.get", "GET", "", &[], projects::get),
    method("projects.getXpnHost", "GET", "getXpnHost", &[], projects::host),
    method("zones.get", "GET", "zones/{zone}", &[], projects::get_zone),
    method("zones.list", "GET", "zones", LIST, projects::list_zones),
    method("regions.get", "GET", "regions/{region}", &[], projects::get_region),
    method("regions.list", "GET", "regions", LIST, projects::list_regions),
    method("routes.list", "GET", "global/routes", LIST, routes::list),
    method("routes.get", "GET", "global/routes/{route}", &[], routes::get),
    method("routes.insert", "POST", "global/routes", CHANGE, routes::insert),
    method("routes.delete", "DELETE", "global/routes/{route}", CHANGE, routes::delete),
    method("networks.list", "GET", "global/networks", LIST, networks::list),
    method("networks.get", "GET", "global/networks/{network}", &[], networks::get),
    method("networks.insert", "POST", "global/networks", CHANGE, networks::insert),
    method("networks.delete", "DELETE", "global/networks/{network}", CHANGE, networks::delete),
    method("subnetworks.aggregatedList", "GET", "aggregated/subnetworks", AGGREGATED, subnetworks::aggregated),
    method("subnetworks.list", "GET", "regions/{region}/subnetworks", LIST, subnetworks::list),
    method("subnetworks.get", "GET", "regions/{region}/subnetworks/{subnetwork}", &[], subnetworks::get),
    method("subnetworks.insert", "POST", "regions/{region}/subnetworks", CHANGE, subnetworks::insert),
    method("subnetworks.delete", "DELETE", "regions/{region}/subnetworks/{subnetwork}", CHANGE, subnetworks::delete),
    method("instances.aggregatedList", "GET", "aggregated/instances", AGGREGATED, instances::aggregated),
    method("instances.list", "GET", "zones/{zone}/instances", LIST, instances::list),
    method("instances.get", "GET", "zones/{zone}/instances/{instance}", &[], instances::get),
    method("instances.insert", "POST", "zones/{zone}/instances", INSERT, instances::insert),
    method("instances.update", "PUT", "zones/{zone}/instances/{instance}", UPDATE, instances::update),
    method("instances.delete", "DELETE", "zones/{zone}/instances/{instance}", END, instances::delete),
    method("instances.stop", "POST", "zones/{zone}/instances/{instance}/stop", END, instances::stop),
    method("instances.start", "POST", "zones/{zone}/instances/{instance}/start", CHANGE, instances::start),
    method("globalOperations.aggregatedList", "GET", "aggregated/operations", AGGREGATED, operations::aggregated),
    method("globalOperations.list", "GET", "global/operations", LIST, operations::list),
    method("globalOperations.get", "GET", "global/operations/{operation}", &[], operations::get),
    method("globalOperations.delete", "DELETE", "global/operations/{operation}", &[], operations::delete),
    wait("globalOperations.wait", "global/operations/{operation}/wait"),
    method("regionOperations.list", "GET", "regions/{region}/operations", LIST, operations::list),
    method("regionOperations.get", "GET", "regions/{region}/operations/{operation}", &[], operations::get),
    method("regionOperations.delete", "DELETE", "regions/{region}/operations/{operation}", &[], operations::delete),
    wait("regionOperations.wait", "regions/{region}/operations/{operation}/wait"),
    method("zoneOperations.list", "GET", "zones/{zone}/operations", LIST, operations::list),
    method("zoneOperations.get", "GET", "zones/{zone}/operations/{operation}", &[], operations::get),
    method("zoneOperations.delete", "DELETE", "zones/{zone}/operations/{operation}", &[], operations::delete),
    wait("zoneOperations.wait", "zones/{zone}/operations/{operation}/wait"),
];

/// The ids of all methods.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|method| method.id)
}

/// The method that a request means, and the parameters of its path. `path` is what comes after the
/// project.
pub(crate) fn find(verb: &str, path: &str) -> Option<(&'static Method, BTreeMap<String, String>)> {
    METHODS
        .iter()
        .filter(|method| method.verb == verb)
        .find_map(|method| Some((method, captures(method.path, path)?)))
}

fn captures(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let mut found = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(wanted), Some(given)) => {
                let name = wanted.strip_prefix('{').and_then(|of| of.strip_suffix('}'));
                match name {
                    Some(name) if !given.is_empty() => {
                        found.insert(name.to_owned(), given.to_owned());
                    }
                    None if wanted == given => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

impl Method {
    /// Whether it takes a parameter in its query. All methods take those that are Google's own.
    pub(crate) fn takes(&self, name: &str) -> bool {
        const ALL: [&str; 11] = [
            "access_token",
            "alt",
            "callback",
            "fields",
            "key",
            "oauth_token",
            "prettyPrint",
            "quotaUser",
            "uploadType",
            "upload_protocol",
            "userIp",
        ];
        name.starts_with('$') || ALL.contains(&name) || self.query.contains(&name)
    }
}
