//! What comes before each change of the cloud: the provider's rate limits, then the fence.

use signpost_cloud::Change;
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::Context;
use crate::errors::Category;

/// Waits until `change` may begin; it must then begin at once.
///
/// The wait may be long, and the leadership may end meanwhile, or end and begin again: the fence is
/// looked at only after it, and with this leadership all its waits end.
pub(super) async fn admitted(context: &Context, change: Change<'_>) -> Result<(), CloudError> {
    let admission = context.cloud.admit(change);
    let admission = context.over.run_until_cancelled(admission).await;
    let Some(admission) = admission.filter(|_| !context.over.is_cancelled()) else {
        return Err(fenced(context));
    };
    admission?;
    if context.api.may_write() {
        Ok(())
    } else {
        Err(fenced(context))
    }
}

/// What a call to the cloud ends with that was not begun.
fn fenced(context: &Context) -> CloudError {
    context.api.metrics().error(Category::Fenced);
    CloudError::new(
        CloudErrorKind::Transient,
        "not begun: the lease is not held any more",
    )
}
