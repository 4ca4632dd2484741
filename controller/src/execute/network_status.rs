//! The node condition `NetworkUnavailable`.

use std::sync::Arc;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Value, json};
use signpost_core::{Event, NodeKey, action::NetworkStatus, node::NetworkCondition};

use super::{Context, in_doubt};
use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    ledger::Begun,
    nodes::Sightings,
};

pub(super) async fn set(context: Arc<Context>, node: NodeKey, status: NetworkStatus, begun: Begun) {
    if !status.available {
        tracing::debug!(node = %node, reason = status.reason.as_str(), "{}", status.message);
    }
    let result = write(&context.api, &context.sightings, &node, &status).await;
    if let Err(failure) = &result {
        tracing::debug!(node = %node, "network status not written: {failure}");
    }
    let result = result.map_err(ApiFailure::into_error);
    begun.end(in_doubt(&result));
    context
        .answer(Event::NetworkStatusSet { node, result })
        .await;
}

/// Writes this one condition and leaves the others alone.
///
/// `lastTransitionTime` changes only if the condition said something else before, as far as
/// `sightings` knows. A node of that name with another UID is left alone and counts as a conflict.
pub async fn write(
    api: &KubeApi,
    sightings: &Sightings,
    node: &NodeKey,
    status: &NetworkStatus,
) -> Result<(), ApiFailure> {
    let wanted = if status.available {
        NetworkCondition::Available
    } else {
        NetworkCondition::Unavailable
    };
    let path = format!("/api/v1/nodes/{}/status", node.name);
    let moved = sightings.condition(&node.name) != Some(wanted);
    let body = body(node, status, moved, &Time(Timestamp::now()));
    api.patch(PATCH, &path, PatchKind::Strategic, &body)
        .await
        .map_err(ApiFailure::or_conflict)?;
    sightings.condition_written(&node.name, wanted);
    Ok(())
}

fn body(node: &NodeKey, status: &NetworkStatus, moved: bool, now: &Time) -> Value {
    let mut condition = json!({
        "type": "NetworkUnavailable",
        "status": if status.available { "False" } else { "True" },
        "reason": status.reason.as_str(),
        "message": status.message,
        "lastHeartbeatTime": now,
    });
    if moved {
        condition["lastTransitionTime"] = json!(now);
    }
    json!({
        "metadata": {"uid": &*node.uid},
        "status": {"conditions": [condition]},
    })
}

const PATCH: Purpose = Purpose {
    action: "set_network_status",
    verb: "patch",
    resource: "nodes/status",
};
