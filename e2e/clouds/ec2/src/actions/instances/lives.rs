//! Starting, stopping and ending instances.

use crate::error::Refusal;
use crate::model::{InstanceState, Kind};
use crate::xml::Fields;

use crate::actions::Request;

use super::state;

/// Reads the instances that a request names, all of which must exist.
fn named(request: &mut Request<'_>) -> Result<Vec<String>, Refusal> {
    let mut ids = request.params.list("InstanceId");
    ids.dedup();
    if ids.is_empty() {
        return Err(Refusal::missing("InstanceId"));
    }
    for id in &ids {
        Kind::Instance.check(id)?;
    }
    let unknown: Vec<&String> = ids
        .iter()
        .filter(|id| request.world.instances.get(id).is_none())
        .collect();
    if unknown.is_empty() {
        Ok(ids)
    } else {
        Err(Kind::Instance.unknown(&unknown))
    }
}

/// Brings all named instances on their way to another state, or none of them.
fn change(
    request: &mut Request<'_>,
    next: impl Fn(InstanceState) -> Option<InstanceState>,
) -> Result<Fields, Refusal> {
    let ids = named(request)?;
    request
        .params
        .ignore(&["Force", "Hibernate", "SkipOsShutdown", "AdditionalInfo"]);
    request.params.finish()?;
    let world = &mut *request.world;
    let mut steps = Vec::new();
    for id in ids {
        let before = Kind::Instance.find(&world.instances, &id)?.state;
        let after = next(before).ok_or_else(|| {
            let why = format!(
                "The instance '{id}' is not in a state from which it can be started or stopped."
            );
            Refusal::client("IncorrectInstanceState", why)
        })?;
        steps.push((id, before, after));
    }
    let mut changes = Vec::new();
    for (id, before, after) in steps {
        if before != after {
            world.begin(&id, after);
        }
        changes.push(
            Fields::new()
                .text("instanceId", id)
                .below("currentState", state(after))
                .below("previousState", state(before)),
        );
    }
    Ok(Fields::new().list("instancesSet", changes))
}

pub(in crate::actions) fn start(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    change(request, |state| match state {
        InstanceState::Stopped => Some(InstanceState::Pending),
        InstanceState::Pending | InstanceState::Running => Some(state),
        _ => None,
    })
}

pub(in crate::actions) fn stop(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    change(request, |state| match state {
        InstanceState::Running | InstanceState::Pending => Some(InstanceState::Stopping),
        InstanceState::Stopping | InstanceState::Stopped => Some(state),
        _ => None,
    })
}

pub(in crate::actions) fn terminate(request: &mut Request<'_>) -> Result<Fields, Refusal> {
    change(request, |state| {
        Some(if state.ends() {
            state
        } else {
            InstanceState::ShuttingDown
        })
    })
}
