//! Instances of nodes.

use std::sync::Arc;

use signpost_core::{
    Event,
    cloud::{CloudError, CloudErrorKind, InstanceQuery},
};

use super::Context;

pub(super) async fn read(context: Arc<Context>, queries: Vec<InstanceQuery>) {
    let answers = context.cloud.read_instances(&queries).await;
    context.answer(Event::InstancesRead(answers)).await;
}

pub(super) async fn enable_forwarding(context: Arc<Context>, query: InstanceQuery) {
    let result = if context.api.may_write() {
        context.cloud.enable_forwarding(&query).await
    } else {
        Err(fenced(&context))
    };
    if result.is_ok() {
        tracing::info!(node = %query.node, "the instance forwards packets now");
    }
    let node = query.node;
    context
        .answer(Event::ForwardingEnabled { node, result })
        .await;
}

/// What a call to the cloud ends with that was not begun.
pub(super) fn fenced(context: &Context) -> CloudError {
    context.api.metrics().error(crate::errors::Category::Fenced);
    CloudError::new(
        CloudErrorKind::Transient,
        "not begun: the lease is not held any more",
    )
}
