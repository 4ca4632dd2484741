//! What the refusals of AWS mean for us, and what to do about them.

use std::{collections::HashSet, error::Error, sync::Arc, time::Duration};

use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use signpost_core::cloud::{CloudError, CloudErrorKind as Kind};

use super::{action::Action, credentials};

/// Longest part of a message that is passed on.
const LONGEST: usize = 500;

/// What a write is about, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// What it changes, such as a table.
    pub(super) resource: &'a str,
    /// The tag that the policy in the manifests asks it to carry.
    pub(super) tag: &'a str,
}

/// What a failed request means.
pub(super) fn of<E>(
    action: Action,
    about: Option<About<'_>>,
    error: &SdkError<E, HttpResponse>,
) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(problem) = credentials::problem(error) {
        return CloudError::new(Kind::Denied, problem);
    }
    let response = error.raw_response();
    let status = response.map_or(0, |response| response.status().as_u16());
    let mut failure = match error {
        SdkError::ServiceError(refusal) => refused(action, about, status, refusal.err()),
        SdkError::ConstructionFailure(_) => CloudError::new(Kind::Invalid, describe(action, error)),
        SdkError::DispatchFailure(_) if never_sent(error) => {
            CloudError::new(Kind::Transient, describe(action, error))
        }
        // Sent, perhaps in full, perhaps answered: a time limit, a reset, an answer that makes no
        // sense.
        _ => CloudError::new(Kind::Unknown, describe(action, error)),
    };
    failure.retry_after = response
        .and_then(|response| response.headers().get("retry-after"))
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs);
    if !action.writes() && failure.kind == Kind::Unknown {
        // Nothing can have happened.
        failure.kind = Kind::Transient;
    }
    failure
}

fn refused(
    action: Action,
    about: Option<About<'_>>,
    status: u16,
    refusal: &impl ProvideErrorMetadata,
) -> CloudError {
    let code = refusal.code().unwrap_or("");
    let message = refusal.message().unwrap_or("");
    let kind = kind(status, code, message);
    let mut detail = format!("{}: {}", action.name(), shorten(code, message));
    match remedy(code) {
        Some(Remedy::Permission) => {
            detail = format!("{} ({detail})", denied(action, about, message));
        }
        Some(Remedy::Credentials) => {
            detail = format!("{detail}; {}", credentials::REMEDY);
        }
        None => {}
    }
    CloudError::new(kind, detail)
}

/// What to do about a permission that is missing. A policy that does not allow an action and one that
/// allows it for tagged resources only are refused in the same words.
fn denied(action: Action, about: Option<About<'_>>, message: &str) -> String {
    let permission = action.permission();
    if message.contains("explicit deny") {
        let on = about.map_or(String::new(), |about| format!(" on {}", about.resource));
        return format!(
            "{permission}{on} is denied by a policy that no permission overrules, such as a service \
             control policy: have it changed by who set it"
        );
    }
    match about {
        None => format!(
            "the permission {permission} is missing: add it to the controller's IAM policy, see \
             manifests/aws/iam-policy.json"
        ),
        Some(About { resource, tag }) => format!(
            "{permission} on {resource} was denied: the controller's IAM policy must allow it, and \
             the one of manifests/aws/iam-policy.json does so only where {resource} carries the tag \
             {tag} = owned or shared; add that tag, or use manifests/aws/iam-policy-vpc.json"
        ),
    }
}

/// The ones of these ids of which the cloud says that they do not exist, or that they are no ids.
pub(super) fn absent(error: &CloudError, ids: &[Arc<str>]) -> HashSet<Arc<str>> {
    let says_so = |code: &str| error.detail.contains(code);
    if !says_so(".NotFound") && !says_so(".Malformed") {
        return HashSet::new();
    }
    let words: HashSet<&str> = error
        .detail
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
        .collect();
    let named = ids.iter().filter(|id| words.contains(&***id));
    named.cloned().collect()
}

/// The meaning of an error code ("Error codes for the Amazon EC2 API").
fn kind(status: u16, code: &str, message: &str) -> Kind {
    match code {
        "RouteAlreadyExists" => Kind::AlreadyExists,
        // The table, the interface or the instance may be too new to be known everywhere, or just
        // gone: in any case what we know is out of date.
        "InvalidRoute.NotFound"
        | "InvalidRouteTableID.NotFound"
        | "InvalidRouteTableId.NotFound"
        | "InvalidNetworkInterfaceID.NotFound"
        | "InvalidNetworkInterfaceId.NotFound"
        | "InvalidInstanceID.NotFound" => Kind::NotFound,
        // How ReplaceRoute says that there is no such route.
        "InvalidParameterValue" if message.contains("no route defined") => Kind::NotFound,
        "RouteLimitExceeded" => Kind::QuotaExceeded,
        "RequestLimitExceeded"
        | "EC2ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "SlowDown" => Kind::Throttled,
        "IncorrectState" | "DependencyViolation" | "ConcurrentModification" => Kind::Transient,
        _ if remedy(code).is_some() => Kind::Denied,
        _ if status == 429 => Kind::Throttled,
        _ if (400..500).contains(&status) => Kind::Invalid,
        // The servers failed, at what point nobody says.
        _ => Kind::Unknown,
    }
}

enum Remedy {
    Permission,
    Credentials,
}

fn remedy(code: &str) -> Option<Remedy> {
    match code {
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "Client.UnauthorizedOperation" => Some(Remedy::Permission),
        "AuthFailure"
        | "Blocked"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSecurityToken"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "PendingVerification"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Some(Remedy::Credentials),
        _ => None,
    }
}

/// Without the encoded explanation, which only its receiver's administrator can read and which is
/// another one each time.
fn shorten(code: &str, message: &str) -> String {
    let message = message
        .split("Encoded authorization failure message")
        .next()
        .unwrap_or_default()
        .trim();
    let text = format!("{code}: {message}");
    // It names what is absent, of which there may be many.
    if code.ends_with(".NotFound") {
        return text;
    }
    clip(text)
}

fn describe<E>(action: Action, error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + 'static,
{
    clip(format!("{}: {}", action.name(), DisplayErrorContext(error)))
}

fn clip(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// The connection could not be made, so nobody got the request.
fn never_sent(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|source| {
        source
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

/// An error and what caused it, from the outside in.
pub(super) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests;
