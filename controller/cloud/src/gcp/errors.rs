//! What the refusals of Google mean for us, and what to do about them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use google_cloud_auth::errors::CredentialsError;
use google_cloud_compute_v1::{Error, model::Operation};
use google_cloud_gax::error::rpc::StatusDetails;
use signpost_core::cloud::{CloudError, CloudErrorKind as Kind};

use super::action::Action;

/// Longest part of a message that is passed on.
const LONGEST: usize = 500;
/// What to do about credentials that do not work.
pub(super) const CREDENTIALS: &str = "give the controller a service account: workload identity for its \
    Kubernetes service account, or the service account of its instance with the scope cloud-platform, or \
    GOOGLE_APPLICATION_CREDENTIALS outside Google Cloud; and see that the clock is right";

/// What a failed request means.
pub(super) fn of(action: Action, error: &Error) -> CloudError {
    let mut failure = if error.is_authentication() {
        unauthenticated(action, error)
    } else if error.is_connect() {
        CloudError::new(Kind::Transient, describe(action, error))
    } else if error.is_serialization() || error.is_binding() {
        CloudError::new(Kind::Invalid, describe(action, error))
    } else {
        match (error.http_status_code(), error.status()) {
            (Some(code), Some(status)) => {
                let reason = reason(&status.details);
                refused(action, code, reason.unwrap_or(""), &status.message)
            }
            // A proxy's answer, or one that was cut off.
            (Some(code), None) => refused(action, code, "", &describe(action, error)),
            // Sent, perhaps in full, perhaps answered: a time limit, a reset, an answer that makes no
            // sense.
            _ => CloudError::new(Kind::Unknown, describe(action, error)),
        }
    };
    if !action.writes() && failure.kind == Kind::Unknown {
        // Nothing can have happened.
        failure.kind = Kind::Transient;
    }
    failure
}

/// What it means that an operation has ended so; `None` if it has succeeded.
pub(super) fn of_operation(action: Action, operation: &Operation) -> Option<CloudError> {
    let status = operation.http_error_status_code;
    let errors = operation.error.as_ref().map(|error| &error.errors);
    let first = errors.and_then(|errors| errors.first());
    if first.is_none() && status.is_none_or(|status| status < 400) {
        return None;
    }
    let code = first.and_then(|error| error.code.as_deref()).unwrap_or("");
    let said = first.and_then(|error| error.message.as_deref());
    let said = said.or(operation.http_error_message.as_deref());
    let status = status.and_then(|it| u16::try_from(it).ok()).unwrap_or(400);
    let mut error = refused(action, status, code, said.unwrap_or("no reason is given"));
    if error.kind == Kind::Unknown {
        // It has ended, and not as it should have.
        error.kind = Kind::Transient;
    }
    Some(error)
}

/// Google spells reasons in two ways: `errors[].reason` as in the API reference, and `ErrorInfo` of
/// `google.rpc`; the crate gives both as the latter.
fn reason(details: &[StatusDetails]) -> Option<&str> {
    details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(&*info.reason),
        _ => None,
    })
}

fn refused(action: Action, status: u16, reason: &str, message: &str) -> CloudError {
    let kind = kind(status, reason, message);
    let said = clip(format!("{}: {reason}: {message}", action.name()));
    let mut error = CloudError::new(kind, said.as_str());
    match kind {
        Kind::Denied => error.detail = denied(action, status, reason, message, &said).into(),
        Kind::Throttled => error.retry_after = Some(next_minute(now())),
        _ => {}
    }
    error
}

fn kind(status: u16, reason: &str, message: &str) -> Kind {
    // `rateLimitExceeded`, `RATE_LIMIT_EXCEEDED`, ….
    let reason: String = reason
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    match &*reason {
        "alreadyexists" | "resourcealreadyexists" | "duplicate" => Kind::AlreadyExists,
        "notfound" | "resourcenotfound" => Kind::NotFound,
        "ratelimitexceeded" | "userratelimitexceeded" | "operationratelimitexceeded" => {
            Kind::Throttled
        }
        "quotaexceeded" | "limitexceeded" => Kind::QuotaExceeded,
        "resourcenotready"
        | "resourceinuse"
        | "resourceinusebyanotherresource"
        | "resourceoperationrateexceeded"
        | "conditionnotmet"
        | "operationinprogress" => Kind::Transient,
        // Its reason is `badRequest` as a rule (terraform-provider-google 3034).
        _ if message.contains("operation in progress") => Kind::Transient,
        _ => match status {
            401 | 403 => Kind::Denied,
            404 => Kind::NotFound,
            409 => Kind::AlreadyExists,
            412 => Kind::Transient,
            429 => Kind::Throttled,
            400..500 => Kind::Invalid,
            // The servers failed, at what point nobody says.
            _ => Kind::Unknown,
        },
    }
}

/// What to do about a refusal for want of rights.
fn denied(action: Action, status: u16, reason: &str, message: &str, said: &str) -> String {
    match reason {
        "accessNotConfigured" | "SERVICE_DISABLED" => {
            return format!(
                "the Compute Engine API is not enabled: gcloud services enable \
                 compute.googleapis.com ({said})"
            );
        }
        "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => {
            return format!(
                "the credentials' access scopes do not allow it, whatever the role does: give the \
                 instance the scope cloud-platform, or use workload identity ({said})"
            );
        }
        _ => {}
    }
    // "Required 'compute.routes.create' permission for 'projects/p/global/routes/r'".
    let quoted: Vec<&str> = message.split('\'').collect();
    let named = quoted
        .iter()
        .find(|it| it.starts_with("compute.") && !it.contains('/'));
    if status == 401 && named.is_none() {
        return format!("{said}; {CREDENTIALS}");
    }
    let permission = named.unwrap_or(&action.permissions()[0]);
    let resource = quoted.iter().find(|it| it.contains("projects/"));
    let on = resource.map_or(String::new(), |resource| format!(" on {resource}"));
    let role = if action.of_nodes() || permission.starts_with("compute.instances.") {
        "manifests/gcp/role-nodes.yaml in the project of the nodes"
    } else {
        "manifests/gcp/role-network.yaml in the project of the network"
    };
    format!(
        "the permission {permission}{on} is missing: grant the controller's service account the role of \
         {role}, or see that the resource is the right one ({said})"
    )
}

fn unauthenticated(action: Action, error: &Error) -> CloudError {
    let passing = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<CredentialsError>())
        .is_some_and(CredentialsError::is_transient);
    let said = describe(action, error);
    if passing {
        CloudError::new(Kind::Transient, said)
    } else {
        CloudError::new(
            Kind::Denied,
            format!("no credentials: {said}; {CREDENTIALS}"),
        )
    }
}

/// Until the next whole minute, at which Google's rate quotas begin anew ("at the start of the next
/// synchronized interval"), and a little more, for clocks that differ.
fn next_minute(now: Duration) -> Duration {
    const SLACK: Duration = Duration::from_secs(1);
    let into = Duration::from_nanos(u64::try_from(now.as_nanos() % 60_000_000_000).unwrap_or(0));
    (Duration::from_secs(60) + SLACK).saturating_sub(into)
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn describe(action: Action, error: &Error) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{}: {error}", action.name());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // Writing to a string does not fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    clip(text)
}

fn clip(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
