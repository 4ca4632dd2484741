//! Errors as people and machines are told of them: a stable category and a message with a remedy.

use std::{error::Error as _, io::ErrorKind};

use kube::Error;
use signpost_core::{cloud::CloudErrorKind, event::ApiError};

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
    Api(ApiError),
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
            Self::Api(ApiError::Conflict) => "api_conflict",
            Self::Api(ApiError::NotFound) => "api_not_found",
            Self::Api(ApiError::Denied) => "api_denied",
            Self::Api(ApiError::Invalid) => "api_invalid",
            Self::Api(ApiError::Transient) => "api_transient",
            Self::Api(ApiError::Unknown) => "api_unknown",
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
    pub kind: ApiError,
    /// For people: what is wrong and, where somebody can do something, what.
    pub message: String,
}

impl ApiFailure {
    /// Judges the answer to a request to `verb` the `resource`, such as `patch` and `nodes/status`.
    pub fn new(error: &Error, verb: &str, resource: &str) -> Self {
        let kind = kind(error);
        let said = said(error);
        let message = match kind {
            ApiError::Denied => format!(
                "may not {verb} {resource}: grant it with `{INSTALL}` (the API server says: {said})"
            ),
            _ if matches!(error, Error::Api(_)) => format!("cannot {verb} {resource}: {said}"),
            _ => format!(
                "cannot {verb} {resource}: the Kubernetes API cannot be reached ({said}); check \
                 --kubeconfig, and that the API server runs"
            ),
        };
        Self { kind, message }
    }

    /// For a write that can only be refused as invalid because the object is not, or says not, what
    /// the write was meant for: the API server says so of a UID or a pod CIDR that differs.
    #[must_use]
    pub fn or_conflict(mut self) -> Self {
        if self.kind == ApiError::Invalid {
            self.kind = ApiError::Conflict;
        }
        self
    }

    /// No answer came within the time limit.
    pub fn timeout(verb: &str, resource: &str) -> Self {
        Self {
            kind: ApiError::Unknown,
            message: format!("cannot {verb} {resource}: no answer in time"),
        }
    }

    /// The write was not begun, since this process does not hold the lease any more.
    pub fn fenced(verb: &str, resource: &str) -> Self {
        Self {
            kind: ApiError::Transient,
            message: format!("did not {verb} {resource}: the lease is not held any more"),
        }
    }
}

/// What an error means. `Unknown` where the request may have taken effect.
fn kind(error: &Error) -> ApiError {
    match error {
        Error::Api(status) => match status.code {
            401 | 403 => ApiError::Denied,
            404 => ApiError::NotFound,
            409 => ApiError::Conflict,
            429 | 503 => ApiError::Transient,
            400..500 => ApiError::Invalid,
            // The server's own store may time out after it has committed.
            _ => ApiError::Unknown,
        },
        Error::BuildRequest(_) | Error::HttpError(_) => ApiError::Invalid,
        error if was_never_sent(error) => ApiError::Transient,
        _ => ApiError::Unknown,
    }
}

fn was_never_sent(error: &Error) -> bool {
    const UNSENT: [ErrorKind; 3] = [
        ErrorKind::ConnectionRefused,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
    ];
    causes(error).any(|cause| {
        cause
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

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answer(code: u16) -> Error {
        Error::Api(Status::failure("why", "Reason").with_code(code).boxed())
    }

    #[test]
    fn a_refusal_is_told_from_an_answer_that_says_nothing_about_the_outcome() {
        let expected = [
            (400, ApiError::Invalid),
            (403, ApiError::Denied),
            (404, ApiError::NotFound),
            (409, ApiError::Conflict),
            (422, ApiError::Invalid),
            (429, ApiError::Transient),
            (500, ApiError::Unknown),
            (503, ApiError::Transient),
            (504, ApiError::Unknown),
        ];
        for (code, kind) in expected {
            let failure = ApiFailure::new(&answer(code), "patch", "nodes");
            assert_eq!(failure.kind, kind, "{code}");
        }
    }

    #[test]
    fn a_refused_connection_had_no_effect_and_a_lost_one_may_have() {
        let io = |kind| Error::Service(Box::new(std::io::Error::from(kind)));
        let wrapped = |kind| Error::ReadEvents(std::io::Error::from(kind));
        assert_eq!(
            kind(&wrapped(ErrorKind::ConnectionRefused)),
            ApiError::Transient
        );
        assert_eq!(kind(&io(ErrorKind::ConnectionReset)), ApiError::Unknown);
    }

    #[test]
    fn a_missing_permission_is_named_with_its_remedy() {
        let failure = ApiFailure::new(&answer(403), "patch", "nodes/status");
        assert!(failure.message.contains("patch nodes/status"), "{failure}");
        assert!(failure.message.contains(INSTALL), "{failure}");
    }

    #[test]
    fn a_cause_that_its_context_repeats_is_said_once() {
        let error = anyhow::anyhow!("no such file")
            .context("cannot read: no such file")
            .context("--kubeconfig x");
        assert_eq!(chain(&error), "--kubeconfig x: cannot read: no such file");
    }
}
