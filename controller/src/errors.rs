//! Errors as people and machines are told of them: a stable category and a message with a remedy.

#[cfg(test)]
mod tests;

use std::{error::Error as _, io::ErrorKind};

use kube::{Error, core::Status};
use signpost_core::{
    cloud::CloudErrorKind,
    event::{ApiError, ApiErrorKind},
};

use crate::connect::Fenced;

/// What grants every permission and installs every object that the controller needs.
pub const INSTALL: &str = "kubectl apply -k manifests/base";

/// The categories of `signpost_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// There is no `PodNetwork`, or no such kind.
    NetworkMissing,
    /// The `PodNetwork` cannot be used.
    NetworkInvalid,
    /// The cloud provider cannot be set up.
    Provider,
    /// A write was not begun, since the lease was lost.
    Fenced,
    /// A request to the Kubernetes API failed.
    Api(ApiErrorKind),
    /// A call to the cloud failed.
    Cloud(CloudErrorKind),
}

impl Category {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetworkMissing => "network_missing",
            Self::NetworkInvalid => "network_invalid",
            Self::Provider => "provider",
            Self::Fenced => "fenced",
            Self::Api(ApiErrorKind::Conflict) => "api_conflict",
            Self::Api(ApiErrorKind::NotFound) => "api_not_found",
            Self::Api(ApiErrorKind::Denied) => "api_denied",
            Self::Api(ApiErrorKind::Invalid) => "api_invalid",
            Self::Api(ApiErrorKind::Transient) => "api_transient",
            Self::Api(ApiErrorKind::Unknown) => "api_unknown",
            Self::Cloud(CloudErrorKind::AlreadyExists) => "cloud_already_exists",
            Self::Cloud(CloudErrorKind::NotFound) => "cloud_not_found",
            Self::Cloud(CloudErrorKind::Throttled) => "cloud_throttled",
            Self::Cloud(CloudErrorKind::QuotaExceeded) => "cloud_quota_exceeded",
            Self::Cloud(CloudErrorKind::Denied) => "cloud_denied",
            Self::Cloud(CloudErrorKind::Invalid) => "cloud_invalid",
            Self::Cloud(CloudErrorKind::Transient) => "cloud_transient",
            Self::Cloud(CloudErrorKind::Unknown) => "cloud_unknown",
        }
    }
}

/// A request to the Kubernetes API that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiFailure {
    /// What it means for us.
    pub kind: ApiErrorKind,
    /// For people: what is wrong and, where somebody can do something, what.
    pub message: String,
    /// What the API server said, or what kept us from hearing it.
    pub said: String,
    /// The API server says that the object is not what the write was meant for.
    differs: bool,
}

impl ApiFailure {
    /// Judges the answer to a request to `verb` the `resource`, such as `patch` and `nodes/status`.
    pub fn new(error: &Error, verb: &str, resource: &str) -> Self {
        let kind = kind(error);
        let said = said(error);
        let message = match kind {
            ApiErrorKind::Denied => format!(
                "may not {verb} {resource}: grant it with `{INSTALL}` (the API server says: {said})"
            ),
            _ if matches!(error, Error::Api(_)) => format!("cannot {verb} {resource}: {said}"),
            _ => format!(
                "cannot {verb} {resource}: the Kubernetes API cannot be reached ({said}); check \
                 --kubeconfig, and that the API server runs"
            ),
        };
        Self {
            kind,
            message,
            said,
            differs: matches!(error, Error::Api(status) if differs(status)),
        }
    }

    /// For a write that was meant for the node of one UID, and for pod CIDRs that it has or that
    /// nobody set: a refusal that says that they differ means that somebody else wrote first.
    ///
    /// Any other refusal (of an admission webhook, of a policy, of the schema) stays what it is: it
    /// says nothing of the object, and asking again is of no use.
    #[must_use]
    pub fn or_conflict(mut self) -> Self {
        if self.kind == ApiErrorKind::Invalid && self.differs {
            self.kind = ApiErrorKind::Conflict;
        }
        self
    }

    /// No answer came within the time limit.
    pub fn timeout(verb: &str, resource: &str) -> Self {
        Self {
            kind: ApiErrorKind::Unknown,
            message: format!("cannot {verb} {resource}: no answer in time"),
            said: "no answer in time".to_owned(),
            differs: false,
        }
    }

    /// The write was not begun, since this process does not hold the lease any more.
    pub fn fenced(verb: &str, resource: &str) -> Self {
        Self {
            kind: ApiErrorKind::Transient,
            message: format!("did not {verb} {resource}: the lease is not held any more"),
            said: "the lease is not held any more".to_owned(),
            differs: false,
        }
    }

    /// As the engine hears of it.
    pub fn into_error(self) -> ApiError {
        ApiError::new(self.kind, self.said)
    }
}

/// Whether the API server says that a node has other pod CIDRs already, or another UID: the causes that
/// its validation of updates names (`ValidateNodeUpdate`, `ValidateObjectMetaAccessorUpdate`).
fn differs(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .map(|cause| (cause.field.as_str(), cause.reason.as_str()))
        .any(|cause| {
            matches!(
                cause,
                ("spec.podCIDRs", "FieldValueForbidden") | ("metadata.uid", "FieldValueInvalid")
            )
        })
}

/// What an error means. `Unknown` where the request may have taken effect.
fn kind(error: &Error) -> ApiErrorKind {
    match error {
        Error::Api(status) => match status.code {
            401 | 403 => ApiErrorKind::Denied,
            404 => ApiErrorKind::NotFound,
            409 => ApiErrorKind::Conflict,
            // Answered before anything else is looked at (API Priority and Fairness, or a proxy's limit).
            429 => ApiErrorKind::Transient,
            503 if is_the_servers_own(status) => ApiErrorKind::Transient,
            400..500 => ApiErrorKind::Invalid,
            // The server's own store may time out after it has committed, and a proxy's connection to the
            // server (503, 502) may break after it has passed on the request.
            _ => ApiErrorKind::Unknown,
        },
        Error::BuildRequest(_) | Error::HttpError(_) => ApiErrorKind::Invalid,
        error if was_never_sent(error) => ApiErrorKind::Transient,
        _ => ApiErrorKind::Unknown,
    }
}

/// Whether the API server itself says that it is not available, in its own format: it does so when it is
/// shutting down, does not know the resource yet, or cannot call a webhook, and always before the
/// store is written. Proxies, also its own to other API servers, answer in text.
fn is_the_servers_own(status: &Status) -> bool {
    status.reason == "ServiceUnavailable"
}

fn was_never_sent(error: &Error) -> bool {
    const UNSENT: [ErrorKind; 3] = [
        ErrorKind::ConnectionRefused,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
    ];
    causes(error).any(|cause| {
        cause.is::<Fenced>()
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| UNSENT.contains(&io.kind()))
    })
}

fn said(error: &Error) -> String {
    match error {
        Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        Error::Api(status) => format!("status {} {}", status.code, status.reason),
        // The innermost cause is the one that names the address or the certificate.
        error => causes(error)
            .last()
            .map_or_else(|| error.to_string(), ToString::to_string),
    }
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error with its causes in one line. Some libraries repeat the cause in their own words, which
/// is said once here.
pub fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.ends_with(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}
