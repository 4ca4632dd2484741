//! Instances of nodes.

use std::sync::Arc;

use signpost_cloud::Change;
use signpost_core::{Event, cloud::InstanceQuery};

use super::{Context, make};
use crate::ledger::Begun;

pub(super) async fn read(context: Arc<Context>, batch: u64, queries: Vec<InstanceQuery>) {
    let answers = context.cloud.read_instances(&queries).await;
    context
        .answer(Event::InstancesRead { batch, answers })
        .await;
}

pub(super) async fn enable_forwarding(context: Arc<Context>, query: InstanceQuery, write: Begun) {
    let Some(result) = make(&context, Change::Forwarding(&query), write).await else {
        return;
    };
    if result.is_ok() {
        tracing::info!(node = %query.node, "the instance forwards packets now");
    }
    let node = query.node;
    context
        .answer(Event::ForwardingEnabled { node, result })
        .await;
}
