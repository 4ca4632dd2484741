//! Operations.

use serde_json::{Value, json};

use crate::error::Refusal;
use crate::model::{regions, zones};
use crate::request::{Request, Result};
use crate::{fields, links, paging};

/// The operations below a path, newest names last.
fn below(request: &Request<'_>, prefix: &str) -> Vec<(String, Value)> {
    let world = &request.world;
    world
        .operations
        .range(prefix.to_owned()..)
        .take_while(|(path, _)| path.starts_with(prefix))
        .map(|(path, operation)| (path.clone(), operation.show(world.now, request.date)))
        .collect()
}

fn permission(request: &Request<'_>, verb: &str) -> Result<()> {
    let collection = request.collection("operations");
    let kind = match links::scope(&format!("{collection}/")).split('/').next() {
        Some("zones") => "zone",
        Some("regions") => "region",
        _ => "global",
    };
    request.permit(&format!("compute.{kind}Operations.{verb}"), &collection)
}

pub(crate) fn list(request: &mut Request<'_>) -> Result<Value> {
    permission(request, "list")?;
    let collection = request.collection("operations");
    let all = below(request, &format!("{collection}/"));
    paging::list(request, "operation", &collection, &fields::OPERATION, all)
}

pub(crate) fn aggregated(request: &mut Request<'_>) -> Result<Value> {
    let project = request.project.clone();
    request.permit(
        "compute.globalOperations.list",
        &format!("projects/{project}"),
    )?;
    let all = below(request, &format!("projects/{project}/"));
    let mut scopes = vec!["global".to_owned()];
    scopes.extend(regions().map(|(name, _)| format!("regions/{name}")));
    scopes.extend(zones().map(|name| format!("zones/{name}")));
    let kind = ("operation", "operations");
    paging::aggregated(request, kind, scopes, &fields::OPERATION, all)
}

/// The path of the operation that a request names by its name or number.
pub(crate) fn find(request: &Request<'_>) -> Result<String> {
    permission(request, "get")?;
    let collection = request.collection("operations");
    let name = request.parameter("operation");
    let path = format!("{collection}/{name}");
    if request.world.operations.contains_key(&path) {
        return Ok(path);
    }
    let mut all = below(request, &format!("{collection}/")).into_iter();
    all.find(|(_, value)| value["id"] == name)
        .map(|(path, _)| path)
        .ok_or_else(|| Refusal::not_found(&path))
}

pub(crate) fn get(request: &mut Request<'_>) -> Result<Value> {
    let path = find(request)?;
    Ok(request.show(&path))
}

/// Forgets an operation. That one which is not done stays is assumed.
pub(crate) fn delete(request: &mut Request<'_>) -> Result<Value> {
    let path = find(request)?;
    permission(request, "delete")?;
    let operation = request.world.operations.get(&path);
    if operation.is_some_and(|operation| !operation.is_done()) {
        return Err(Refusal::not_ready(&path));
    }
    request.world.forget(&path);
    Ok(json!(null))
}
