//! Errors as people and machines are told of them: a stable category and a message with a remedy.

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

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    fn answer(code: u16) -> Error {
        Error::Api(Status::failure("why", "Reason").with_code(code).boxed())
    }

    #[test]
    fn a_refusal_is_told_from_an_answer_that_says_nothing_about_the_outcome() {
        let expected = [
            (400, ApiErrorKind::Invalid),
            (403, ApiErrorKind::Denied),
            (404, ApiErrorKind::NotFound),
            (409, ApiErrorKind::Conflict),
            (422, ApiErrorKind::Invalid),
            (429, ApiErrorKind::Transient),
            (500, ApiErrorKind::Unknown),
            (503, ApiErrorKind::Unknown),
            (504, ApiErrorKind::Unknown),
        ];
        for (code, kind) in expected {
            let failure = ApiFailure::new(&answer(code), "patch", "nodes");
            assert_eq!(failure.kind, kind, "{code}");
        }
    }

    #[test]
    fn the_servers_own_503_comes_before_the_write_and_a_proxys_may_come_after_it() {
        let answer = |reason| Error::Api(Status::failure("why", reason).with_code(503).boxed());
        // As kube reads an answer that is no `Status`.
        let text = answer("Failed to parse error data");
        assert_eq!(kind(&text), ApiErrorKind::Unknown);
        assert_eq!(kind(&answer("ServiceUnavailable")), ApiErrorKind::Transient);
    }

    fn refused(field: &str, reason: &str) -> ApiErrorKind {
        let cause = StatusCause {
            field: field.to_owned(),
            reason: reason.to_owned(),
            message: String::new(),
        };
        let details = StatusDetails {
            name: "a".to_owned(),
            group: String::new(),
            kind: "nodes".to_owned(),
            uid: String::new(),
            causes: vec![cause],
            retry_after_seconds: 0,
        };
        let status = Status::failure("why", "Invalid").with_code(422);
        let error = Error::Api(status.with_details(details).boxed());
        ApiFailure::new(&error, "patch", "nodes").or_conflict().kind
    }

    #[test]
    fn only_other_pod_cidrs_and_another_uid_are_a_conflict() {
        let conflict = ApiErrorKind::Conflict;
        assert_eq!(refused("spec.podCIDRs", "FieldValueForbidden"), conflict);
        assert_eq!(refused("metadata.uid", "FieldValueInvalid"), conflict);
        let invalid = ApiErrorKind::Invalid;
        assert_eq!(refused("spec.podCIDRs", "FieldValueInvalid"), invalid);
        assert_eq!(refused("spec.providerID", "FieldValueForbidden"), invalid);
        for code in [400, 422] {
            let failure = ApiFailure::new(&answer(code), "patch", "nodes").or_conflict();
            assert_eq!(failure.kind, invalid, "as from a webhook");
        }
    }

    #[test]
    fn a_refused_connection_had_no_effect_and_a_lost_one_may_have() {
        let io = |kind| Error::Service(Box::new(std::io::Error::from(kind)));
        let wrapped = |kind| Error::ReadEvents(std::io::Error::from(kind));
        assert_eq!(
            kind(&wrapped(ErrorKind::ConnectionRefused)),
            ApiErrorKind::Transient
        );
        assert_eq!(kind(&io(ErrorKind::ConnectionReset)), ApiErrorKind::Unknown);
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
