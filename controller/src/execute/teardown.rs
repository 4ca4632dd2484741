//! The finalizer that keeps the `PodNetwork` until our routes are gone.

use std::sync::Arc;

use serde_json::json;
use signpost_api::NAME;
use signpost_core::event::ApiErrorKind;

use super::Context;
use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    ledger::Begun,
    network::FINALIZER,
    watching::{Trouble, backoff},
};

/// Path of the one object.
pub(crate) fn network_path() -> String {
    format!("/apis/signpost.dev/v1alpha1/podnetworks/{NAME}")
}

/// Takes the finalizer off, until it is off or the leadership is over.
pub(super) async fn finish(context: Arc<Context>, begun: Begun) {
    let over = context.over.clone();
    let ended = over.run_until_cancelled(take_off(&context.api)).await;
    begun.end(ended.is_none());
}

async fn take_off(api: &KubeApi) {
    let mut trouble = Trouble::default();
    for delay in backoff() {
        match drop_finalizer(api).await {
            Ok(()) => {
                tracing::info!("every route is removed; the PodNetwork may go");
                return;
            }
            Err(failure) if failure.kind == ApiErrorKind::NotFound => return,
            // Somebody changed the object in between: it is read anew.
            Err(failure) if failure.kind == ApiErrorKind::Conflict => {}
            Err(failure) => trouble.tell(&failure.message),
        }
        tokio::time::sleep(delay).await;
    }
}

#[derive(serde::Deserialize)]
struct Read {
    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
}

/// Takes our finalizer off and leaves others in place. `Conflict`: the object changed meanwhile.
///
/// Does nothing with an object that is not being deleted: it was created under the same name after the
/// one whose routes were removed.
pub async fn drop_finalizer(api: &KubeApi) -> Result<(), ApiFailure> {
    let read: Read = api.get(GET, &network_path(), api.bounds().wait).await?;
    if read.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    let mut finalizers = read.metadata.finalizers.unwrap_or_default();
    let before = finalizers.len();
    finalizers.retain(|name| name != FINALIZER);
    if finalizers.len() == before {
        return Ok(());
    }
    let version = read.metadata.resource_version.unwrap_or_default();
    replace(api, &finalizers, &version).await
}

/// Adds our finalizer to those of the object of that version. `Conflict`: it changed meanwhile.
pub async fn put_finalizer(
    api: &KubeApi,
    others: &[String],
    version: &str,
) -> Result<(), ApiFailure> {
    let mut finalizers = others.to_vec();
    finalizers.push(FINALIZER.to_owned());
    replace(api, &finalizers, version).await
}

async fn replace(api: &KubeApi, finalizers: &[String], version: &str) -> Result<(), ApiFailure> {
    let body = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
    api.patch(PATCH, &network_path(), PatchKind::Merge, &body)
        .await
        .map(drop)
}

const GET: Purpose = Purpose {
    action: "read_network",
    verb: "get",
    resource: "podnetworks.signpost.dev",
};
const PATCH: Purpose = Purpose {
    action: "set_finalizer",
    verb: "patch",
    resource: "podnetworks.signpost.dev",
};
