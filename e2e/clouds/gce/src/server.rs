//! Which part of the emulator answers what arrives.

use std::sync::Arc;

use signpost_emulator::{Arrival, Response};

use crate::control::Control;
use crate::core::Core;
use crate::{api, batch, metadata};

/// Answers what arrives at the API's address; nothing if the connection is to end instead.
pub(crate) async fn answer(core: Arc<Core>, arrival: Arrival) -> Option<Response> {
    if let Some(path) = arrival.path.strip_prefix("/_control") {
        return Some(signpost_emulator::answer(&Control(core), path, &arrival).await);
    }
    if arrival.path.starts_with("/batch") {
        return batch::answer(core, arrival).await;
    }
    api::answer(core, arrival).await
}

/// Answers what arrives at the metadata server's address.
#[expect(clippy::unused_async, reason = "servers await every answer")]
pub(crate) async fn metadata(core: Arc<Core>, arrival: Arrival) -> Option<Response> {
    Some(metadata::answer(&core, &arrival))
}
