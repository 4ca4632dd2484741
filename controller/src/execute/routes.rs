//! Routes.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use signpost_cloud::Change;
use signpost_core::{
    Event,
    cloud::{Range, RouteChange},
};

use super::{Context, make};
use crate::ledger::Begun;

pub(super) async fn list(context: Arc<Context>, listing: u64, ranges: Arc<[Range]>) {
    let result = context.cloud.list_routes(&ranges).await;
    let complete = result
        .as_ref()
        .is_ok_and(|tables| tables.iter().all(|table| table.routes.is_ok()));
    if complete && let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
        context.api.metrics().last_sync.set(now.as_secs_f64());
    }
    context
        .answer(Event::RoutesListed { listing, result })
        .await;
}

pub(super) async fn write(context: Arc<Context>, number: u64, change: RouteChange, write: Begun) {
    let Some(result) = make(&context, Change::Route(&change), write).await else {
        return;
    };
    let (cidr, table) = (change.destination(), change.table());
    match (&result, &change) {
        (Ok(()), RouteChange::Create { route, .. }) => {
            tracing::debug!(node = %route.node, %cidr, %table, "route created");
        }
        (Ok(()), RouteChange::Replace { route, .. }) => {
            tracing::info!(node = %route.node, %cidr, %table, "route led elsewhere, mended");
        }
        (Ok(()), RouteChange::Delete { .. }) => tracing::info!(%cidr, %table, "route removed"),
        (Err(error), _) => tracing::debug!(%cidr, %table, "route not written: {error}"),
    }
    context
        .answer(Event::RouteWritten {
            write: number,
            result,
        })
        .await;
}
