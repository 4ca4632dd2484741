//! What the cloud would refuse, before anything is refused.

use std::sync::Arc;

use signpost_core::{
    action::{Notice, Reason, Subject},
    cloud::Range,
};

use super::Context;

/// Tells of each permission that is known to be missing.
pub(super) async fn check(context: Arc<Context>, ranges: Vec<Range>) {
    for error in context.cloud.missing_permissions(&ranges).await {
        context.tell(Notice {
            subject: Subject::Network,
            reason: Reason::CloudDenied,
            message: error.detail.to_string(),
        });
    }
}
