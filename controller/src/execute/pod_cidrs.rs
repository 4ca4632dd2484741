//! `spec.podCIDR` and `spec.podCIDRs`.

use std::sync::Arc;

use ipnet::IpNet;
use serde_json::{Value, json};
use signpost_core::{Event, NodeKey, event::ApiError};

use super::Context;
use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    nodes::NodeLite,
    watching::{Trouble, backoff},
};

pub(super) async fn set(context: Arc<Context>, node: NodeKey, cidrs: Vec<IpNet>) {
    let result = write(&context.api, &node, &cidrs).await;
    match &result {
        Ok(()) => tracing::info!(node = %node, cidr = %list(&cidrs), "allocated"),
        Err(failure) => {
            tracing::debug!(node = %node, cidr = %list(&cidrs), "not allocated: {failure}");
        }
    }
    let result = result.map_err(|failure| failure.kind);
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
    result.map_err(ApiFailure::or_conflict)
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

/// Reads one node until there is an answer, or the leadership is over.
pub(super) async fn read(context: Arc<Context>, node: NodeKey) {
    let over = context.over.clone();
    let read = over
        .run_until_cancelled(read_until_known(&context.api, &node))
        .await;
    match read {
        Some(Some(read)) => context.conditions.tell_read(read, &context.events).await,
        Some(None) => context.answer(Event::NodeGone(node)).await,
        None => {}
    }
}

/// The node; `None` if it is gone.
async fn read_until_known(api: &KubeApi, node: &NodeKey) -> Option<NodeLite> {
    let path = format!("/api/v1/nodes/{}", node.name);
    let mut trouble = Trouble::default();
    for delay in backoff() {
        match api.get::<NodeLite>(GET, &path, api.bounds().wait).await {
            Ok(read) => return Some(read).filter(|read| read.key() == node),
            Err(failure) if failure.kind == ApiError::NotFound => return None,
            Err(failure) => trouble.tell(&failure.message),
        }
        tokio::time::sleep(delay).await;
    }
    // The delays never end.
    None
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
