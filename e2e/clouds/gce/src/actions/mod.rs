//! What the methods do.

use serde_json::Value;

use crate::error::Refusal;
use crate::links;
use crate::model::{Effect, Failure, Pending};
use crate::request::{Request, Result};

mod addresses;
pub(crate) mod instances;
pub(crate) mod networks;
pub(crate) mod operations;
pub(crate) mod projects;
mod ranges;
pub(crate) mod routes;
pub(crate) mod subnetworks;
mod update;

/// What readers see of a collection that a path names.
fn members(request: &Request<'_>, collection: &str) -> Vec<(String, Value)> {
    let view = request.world.seen();
    let prefix = format!("{collection}/");
    view.from(&request.world.resources, prefix.clone())
        .take_while(|(path, _)| path.starts_with(&prefix))
        .map(|(path, value)| (path.clone(), value.clone()))
        .collect()
}

/// The path of the resource that a request names by its name or number, and what readers see of it.
fn find(request: &Request<'_>, collection: &str, parameter: &str) -> Result<(String, Value)> {
    let collection = request.collection(collection);
    let name = request.parameter(parameter);
    let path = format!("{collection}/{name}");
    let view = request.world.seen();
    if let Some(value) = view.get(&request.world.resources, &path) {
        return Ok((path, value.clone()));
    }
    let mut all = members(request, &collection).into_iter();
    all.find(|(_, value)| value["id"] == name)
        .ok_or_else(|| Refusal::not_found(&path))
}

/// The path of the resource that a request wants to change, if it exists and nothing is going on with
/// it. That other changes are refused meanwhile is assumed.
fn target(request: &Request<'_>, collection: &str, parameter: &str) -> Result<String> {
    let collection = request.collection(collection);
    let name = request.parameter(parameter);
    let path = format!("{collection}/{name}");
    let world = &request.world;
    let path = if world.get(&path).is_some() || world.pending.contains_key(&path) {
        path
    } else {
        let project = links::project(&path);
        let kind = collection.rsplit('/').next().unwrap_or_default();
        let mut all = world.all(signpost_emulator::View::Truth, project, kind);
        let found = all.find(|(of, value)| of.starts_with(&collection) && value["id"] == name);
        found
            .map(|(path, _)| path.clone())
            .ok_or_else(|| Refusal::not_found(&path))?
    };
    match world.pending.get(&path) {
        None => Ok(path),
        Some(Pending::Delete) if world.settings.repeated_deletion => Ok(path),
        Some(_) => Err(Refusal::not_ready(&path)),
    }
}

/// Creates what a quota has room for; without room, the operation fails or the call is refused.
fn within(
    request: &mut Request<'_>,
    path: &str,
    effect: Effect,
    refusal: Option<Refusal>,
) -> Result<Value> {
    match refusal {
        Some(refusal) if request.world.settings.late_quotas => {
            Ok(request.begin_failing("insert", path, effect, Failure::from(refusal)))
        }
        Some(refusal) => Err(refusal),
        None => Ok(request.begin("insert", path, effect)),
    }
}

/// Deletes one resource.
fn remove(request: &mut Request<'_>, path: &str) -> Value {
    let effect = Effect::Remove(vec![path.to_owned()]);
    request.begin("delete", path, effect)
}
