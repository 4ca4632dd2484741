//! What the refusals of AWS mean for us, and what to do about them.

use std::{error::Error, time::Duration};

use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use signpost_core::cloud::{CloudError, CloudErrorKind as Kind};

use super::{action::Action, credentials};

/// Longest part of a message that is passed on.
const LONGEST: usize = 500;

/// What a failed request means.
pub(super) fn of<E>(action: Action, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(problem) = credentials::problem(error) {
        return CloudError::new(Kind::Denied, problem);
    }
    let response = error.raw_response();
    let status = response.map_or(0, |response| response.status().as_u16());
    let mut failure = match error {
        SdkError::ServiceError(refusal) => refused(action, status, refusal.err()),
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

fn refused(action: Action, status: u16, refusal: &impl ProvideErrorMetadata) -> CloudError {
    let code = refusal.code().unwrap_or("");
    let message = refusal.message().unwrap_or("");
    let kind = kind(status, code, message);
    let mut detail = format!("{}: {}", action.name(), shorten(code, message));
    match remedy(code) {
        Some(Remedy::Permission) => {
            detail = format!(
                "the permission {} is missing: add it to the controller's IAM policy, see \
                 manifests/aws/iam-policy.json ({detail})",
                action.permission()
            );
        }
        Some(Remedy::Credentials) => {
            detail = format!("{detail}; {}", credentials::REMEDY);
        }
        None => {}
    }
    CloudError::new(kind, detail)
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
    clip(format!("{code}: {message}"))
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
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_engine_acts_on() {
        for (status, code, message, expected) in [
            (400, "RouteAlreadyExists", "", Kind::AlreadyExists),
            (400, "InvalidRoute.NotFound", "", Kind::NotFound),
            (400, "InvalidRouteTableID.NotFound", "", Kind::NotFound),
            (
                400,
                "InvalidNetworkInterfaceID.NotFound",
                "",
                Kind::NotFound,
            ),
            (
                400,
                "InvalidParameterValue",
                "There is no route defined for '10.0.0.0/24' in the route table.",
                Kind::NotFound,
            ),
            (400, "InvalidParameterValue", "bad", Kind::Invalid),
            (400, "RouteLimitExceeded", "", Kind::QuotaExceeded),
            (503, "RequestLimitExceeded", "", Kind::Throttled),
            (503, "EC2ThrottledException", "", Kind::Throttled),
            (400, "Throttling", "", Kind::Throttled),
            (403, "UnauthorizedOperation", "", Kind::Denied),
            (400, "AccessDeniedException", "", Kind::Denied),
            (401, "AuthFailure", "", Kind::Denied),
            (400, "RequestExpired", "", Kind::Denied),
            (400, "SomethingNew", "", Kind::Invalid),
            (429, "SomethingNew", "", Kind::Throttled),
            (500, "InternalError", "", Kind::Unknown),
            (503, "Unavailable", "", Kind::Unknown),
            (200, "", "", Kind::Unknown),
        ] {
            assert_eq!(kind(status, code, message), expected, "{status} {code}");
        }
    }

    #[test]
    fn the_encoded_part_of_a_denial_is_left_out() {
        let message = "You are not authorized to perform this operation. User: u is not \
                       authorized to perform: ec2:CreateRoute. Encoded authorization failure \
                       message: AAAA";
        let text = shorten("UnauthorizedOperation", message);
        assert!(text.ends_with("perform: ec2:CreateRoute."), "{text}");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let text = clip("é".repeat(LONGEST + 1));
        assert_eq!(text.chars().count(), LONGEST + 1);
    }
}
