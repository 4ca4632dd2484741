//! Updating instances: a whole instance replaces the one that there is. See
//! [updating instance properties](https://docs.cloud.google.com/compute/docs/instances/update-instance-properties).

use hyper::StatusCode;
use serde_json::Value;

use crate::error::Refusal;
use crate::model::Effect;
use crate::request::{Request, Result};

use super::target;

/// Members that a client cannot change by this: the server's, and those that other methods change.
const FIXED: [&str; 12] = [
    "kind",
    "id",
    "creationTimestamp",
    "selfLink",
    "zone",
    "status",
    "name",
    "cpuPlatform",
    "lastStartTimestamp",
    "lastStopTimestamp",
    "networkInterfaces",
    "labelFingerprint",
];

/// What a change needs, from the least disruptive on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    NoEffect,
    Refresh,
    Restart,
}

impl Action {
    fn read(request: &Request<'_>, parameter: &str) -> Result<Option<Self>> {
        Ok(Some(match request.parameter(parameter) {
            "" => return Ok(None),
            "NO_EFFECT" => Self::NoEffect,
            "REFRESH" => Self::Refresh,
            "RESTART" => Self::Restart,
            text => {
                let why = "Must be NO_EFFECT, REFRESH or RESTART.";
                return Err(Refusal::invalid(parameter, text, why));
            }
        }))
    }

    /// What the change of a member needs. That of `canIpForward` is documented (REFRESH); others are
    /// assumed.
    fn of(member: &str) -> Self {
        match member {
            "description" | "labels" | "metadata" | "tags" | "deletionProtection" => Self::NoEffect,
            "machineType" | "minCpuPlatform" | "advancedMachineFeatures" => Self::Restart,
            _ => Self::Refresh,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::NoEffect => "NO_EFFECT",
            Self::Refresh => "REFRESH",
            Self::Restart => "RESTART",
        }
    }
}

pub(crate) fn update(request: &mut Request<'_>) -> Result<Value> {
    if let Some(before) = request.repeated()? {
        return Ok(before);
    }
    let path = target(request, "instances", "instance")?;
    request.permit("compute.instances.update", &path)?;
    let most = Action::read(request, "mostDisruptiveAllowedAction")?;
    let least = Action::read(request, "minimalAction")?.unwrap_or(Action::NoEffect);
    let before = request.ready(&path)?.clone();
    if request.body["name"] != before["name"] {
        let name = request.text("name");
        let why = "The name of an instance cannot be changed.";
        return Err(Refusal::invalid("resource.name", name, why));
    }
    // "You must always provide an up-to-date fingerprint hash in order to update the instance"
    // (discovery document); 412 conditionNotMet is the answer to all fingerprints that are not.
    if request.body["fingerprint"] != before["fingerprint"] {
        let why = "Supplied fingerprint does not match current metadata fingerprint.";
        let status = StatusCode::PRECONDITION_FAILED;
        return Err(Refusal::new(status, "conditionNotMet", why));
    }
    let mut after = request.body.clone();
    for member in FIXED {
        after[member] = before[member].clone();
    }
    let machine = after["machineType"].as_str().unwrap_or_default();
    let machine = crate::links::path(&request.project, "resource.machineType", machine)?;
    after["machineType"] = machine.into();
    if let Some(members) = after.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let needed = changed(&before, &after).map(|(_, action)| action).max();
    let needed = needed.unwrap_or(Action::NoEffect).max(least);
    if most.is_some_and(|most| needed > most) {
        let member = changed(&before, &after).max_by_key(|(_, action)| *action);
        let member = member.map_or("minimalAction", |(member, _)| member);
        let message = format!(
            "Update of '{member}' requires {}, which is more disruptive than what is allowed.",
            needed.name()
        );
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid", message));
    }
    if needed == Action::Restart && before["status"] == "RUNNING" {
        // A restart is not played: the instance runs on, with what was changed.
        after["lastStartTimestamp"] = request.now().into();
    }
    after["fingerprint"] = request.world.fingerprint().into();
    let effect = Effect::Put(vec![(path.clone(), after)]);
    Ok(request.begin("update", &path, effect))
}

/// The members that differ, and what each needs.
fn changed<'a>(before: &'a Value, after: &'a Value) -> impl Iterator<Item = (&'a str, Action)> {
    let names = [before, after].into_iter().filter_map(Value::as_object);
    names
        .flat_map(|members| members.keys())
        .filter(|name| {
            name.as_str() != "fingerprint" && before[name.as_str()] != after[name.as_str()]
        })
        .map(|name| (name.as_str(), Action::of(name)))
}
