//! `spec.podCIDR` and `spec.podCIDRs`.

use std::sync::Arc;

use ipnet::IpNet;
use serde_json::{Value, json};
use signpost_core::{Event, NodeKey, event::ApiErrorKind};

use super::{Context, in_doubt};
use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    ledger::Begun,
    nodes::NodeLite,
    watching::{Trouble, backoff},
};

pub(super) async fn set(context: Arc<Context>, node: NodeKey, cidrs: Vec<IpNet>, begun: Begun) {
    let result = write(&context.api, &node, &cidrs).await;
    match &result {
        Ok(()) => tracing::info!(node = %node, cidr = %list(&cidrs), "allocated"),
        Err(failure) => {
            tracing::debug!(node = %node, cidr = %list(&cidrs), "not allocated: {failure}");
        }
    }
    let result = result.map_err(ApiFailure::into_error);
    begun.end(in_doubt(&result));
    context.answer(Event::PodCidrsSet { node, result }).await;
}

/// Writes the pod CIDRs in one patch, which fails with `Conflict` if the node has others already or
/// is another node of that name.
///
/// The API server itself lets pod CIDRs be set once and never changed, and refuses a UID that is
/// not the object's.
pub async fn write(api: &KubeApi, node: &NodeKey, cidrs: &[IpNet]) -> Result<(), ApiFailure> {
    let path = format!("/api/v1/nodes/{}", node.name);
    let body = body(node, cidrs);
    let result = api.patch(PATCH, &path, PatchKind::Merge, &body).await;
    result.map(drop).map_err(ApiFailure::or_conflict)
}

fn body(node: &NodeKey, cidrs: &[IpNet]) -> Value {
    json!({
        "metadata": {"uid": &*node.uid},
        "spec": {
            "podCIDR": cidrs.first(),
            "podCIDRs": cidrs,
        },
    })
}

/// Reads one node until there is an answer that may be told.
pub(super) async fn read(context: Arc<Context>, node: NodeKey) {
    // After a break of the watch all nodes may be asked for at once.
    let Ok(_turn) = context.reads.acquire().await else {
        return;
    };
    let (api, path) = (&context.api, format!("/api/v1/nodes/{}", node.name));
    let mut trouble = Trouble::default();
    for delay in backoff() {
        let reading = context.sightings.begin_read(&node);
        let found = match api.get::<NodeLite>(GET, &path, api.bounds().wait).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.kind == ApiErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        };
        match found {
            Ok(found) => {
                if (context.sightings.answer(&reading, found, &context.events)).await {
                    return;
                }
            }
            Err(failure) => trouble.tell(&failure.message),
        }
        tokio::time::sleep(delay).await;
    }
}

fn list(cidrs: &[IpNet]) -> String {
    let cidrs: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
    cidrs.join(",")
}

const PATCH: Purpose = Purpose {
    action: "set_pod_cidrs",
    verb: "patch",
    resource: "nodes",
};
const GET: Purpose = Purpose {
    action: "read_node",
    verb: "get",
    resource: "nodes",
};
