//! How the cloud is changed: the provider's rate limits, the fence, the change, and what the cloud carries out.

use signpost_cloud::{Change, Progress};
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::Context;
use crate::{errors::Category, ledger::Begun};

/// Makes a change once it may begin. `None`: the leadership is over and nobody waits for what the cloud
/// carries out; the next leader is shown it.
pub(super) async fn make(
    context: &Context,
    change: Change<'_>,
    write: Begun,
) -> Option<Result<(), CloudError>> {
    let begun = match admitted(context, change).await {
        Ok(()) => context.cloud.begin(change).await,
        Err(error) => Err(error),
    };
    let doubt = matches!(&begun, Err(error) if error.kind == CloudErrorKind::Unknown);
    // What was accepted needs the lease no more.
    write.end(doubt);
    match begun {
        Ok(Progress::Done) => Some(Ok(())),
        Ok(Progress::Accepted(operation)) => {
            let finish = context.cloud.finish(operation);
            context.over.run_until_cancelled(finish).await
        }
        Err(error) => Some(Err(error)),
    }
}

/// Waits until `change` may begin; it must then begin at once.
///
/// The wait may be long, and the leadership may end meanwhile, or end and begin again: the fence is
/// looked at only after it, and with this leadership all its waits end.
async fn admitted(context: &Context, change: Change<'_>) -> Result<(), CloudError> {
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
