//! Instances of nodes.

use std::sync::Arc;

use signpost_cloud::Change;
use signpost_core::{
    Event,
    cloud::{CloudErrorKind, InstanceQuery},
};

use super::{Context, admitted};
use crate::ledger::Begun;

pub(super) async fn read(context: Arc<Context>, batch: u64, queries: Vec<InstanceQuery>) {
    let answers = context.cloud.read_instances(&queries).await;
    context
        .answer(Event::InstancesRead { batch, answers })
        .await;
}

pub(super) async fn enable_forwarding(context: Arc<Context>, query: InstanceQuery, write: Begun) {
    let result = match admitted(&context, Change::Forwarding(&query)).await {
        Ok(()) => context.cloud.enable_forwarding(&query).await,
        Err(error) => Err(error),
    };
    let doubt = matches!(&result, Err(error) if error.kind == CloudErrorKind::Unknown);
    write.end(doubt);
    if result.is_ok() {
        tracing::info!(node = %query.node, "the instance forwards packets now");
    }
    let node = query.node;
    context
        .answer(Event::ForwardingEnabled { node, result })
        .await;
}
