//! Refusals, with Compute Engine's reasons.

use hyper::StatusCode;
use serde_json::{Value, json};

/// A refusal as a client sees it: HTTP status, reason and message.
///
/// The form is that of "API requests and responses" (`errors[].reason`); the newer form with
/// `google.rpc.ErrorInfo` is a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// Google's reason, such as `alreadyExists`.
    pub reason: String,
    /// A text for people.
    pub message: String,
    /// The metric and the limit of a quota, if it is one that refuses.
    pub(crate) limit: Option<(&'static str, usize)>,
}

impl Refusal {
    /// A refusal with a status of its own.
    pub fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
            limit: None,
        }
    }

    /// 400 `invalid`: a field has a value that cannot be.
    pub fn invalid(field: &str, value: &str, why: &str) -> Self {
        let message = format!("Invalid value for field '{field}': '{value}'. {why}");
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    /// 400 `required`: a field is missing.
    pub fn required(field: &str) -> Self {
        let message = format!("Required field '{field}' not specified");
        Self::new(StatusCode::BAD_REQUEST, "required", message)
    }

    /// 400 `badRequest`.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "badRequest", message)
    }

    /// 404 `notFound`.
    pub fn not_found(path: &str) -> Self {
        let message = format!("The resource '{path}' was not found");
        Self::new(StatusCode::NOT_FOUND, "notFound", message)
    }

    /// 409 `alreadyExists`.
    pub fn exists(path: &str) -> Self {
        let message = format!("The resource '{path}' already exists");
        Self::new(StatusCode::CONFLICT, "alreadyExists", message)
    }

    /// 400 `resourceNotReady`, as of a network that is being created (terraform-google-network 365).
    pub fn not_ready(path: &str) -> Self {
        let message = format!("The resource '{path}' is not ready");
        Self::new(StatusCode::BAD_REQUEST, "resourceNotReady", message)
    }

    /// 400 `resourceInUseByAnotherResource`.
    pub fn in_use(kind: &str, path: &str, by: &str) -> Self {
        let message = format!("The {kind} resource '{path}' is already being used by '{by}'");
        let reason = "resourceInUseByAnotherResource";
        Self::new(StatusCode::BAD_REQUEST, reason, message)
    }

    /// 403 `forbidden`: a permission is missing.
    pub fn forbidden(permission: &str, path: &str) -> Self {
        let message = format!("Required '{permission}' permission for '{path}'");
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403 `quotaExceeded`.
    pub fn quota(metric: &'static str, limit: usize) -> Self {
        let message = format!("Quota '{metric}' exceeded.  Limit: {limit}.0 globally.");
        let limit = Some((metric, limit));
        Self {
            limit,
            ..Self::new(StatusCode::FORBIDDEN, "quotaExceeded", message)
        }
    }

    /// 403 `rateLimitExceeded`, in the words of Service Infrastructure.
    pub fn rate(group: &str, number: u64) -> Self {
        let message = format!(
            "Quota exceeded for quota metric '{group}' and limit '{group} per minute' of service 'compute.googleapis.com' for consumer 'project_number:{number}'."
        );
        Self::new(StatusCode::FORBIDDEN, "rateLimitExceeded", message)
    }

    /// 401 `authError`.
    pub fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.";
        Self::new(StatusCode::UNAUTHORIZED, "authError", message)
    }

    /// The newer name of the reason, which operations have too: those of the
    /// [catalogue](https://docs.cloud.google.com/compute/docs/reference/rest/v1/errors), and the older
    /// ones in capitals where it was not to be had (assumed).
    pub(crate) fn code(&self) -> String {
        match self.reason.as_str() {
            "forbidden" => "PERMISSIONS_ERROR",
            "invalid" => "INVALID_FIELD_VALUE",
            "required" => "MISSING_REQUIRED_FIELD",
            "alreadyExists" => "RESOURCE_ALREADY_EXISTS",
            "notFound" => "RESOURCE_NOT_FOUND",
            reason => return screaming(reason),
        }
        .to_owned()
    }

    /// The body of the answer; with `details`, also in the newer form.
    pub(crate) fn body(&self, details: bool) -> Value {
        let domain = match self.reason.as_str() {
            "rateLimitExceeded" | "quotaExceeded" => "usageLimits",
            _ => "global",
        };
        let mut error = json!({
            "code": self.status.as_u16(),
            "message": self.message,
            "errors": [{"message": self.message, "domain": domain, "reason": self.reason}],
        });
        if details {
            // Rates are the business of what all of Google's services share.
            let domain = match self.reason.as_str() {
                "rateLimitExceeded" => "googleapis.com",
                _ => "compute.googleapis.com",
            };
            error["status"] = status_name(self.status).into();
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": self.code(),
                "domain": domain,
                "metadatas": {"message": self.message},
            }]);
        }
        json!({ "error": error })
    }
}

/// `resourceNotReady` as `RESOURCE_NOT_READY`.
fn screaming(reason: &str) -> String {
    let mut name = String::new();
    for letter in reason.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The names of `google.rpc.Code` for the statuses that occur.
fn status_name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        412 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_form_has_both() {
        let body = Refusal::exists("projects/p/global/routes/r").body(true);
        assert_eq!(body["error"]["errors"][0]["reason"], "alreadyExists");
        assert_eq!(
            body["error"]["details"][0]["reason"],
            "RESOURCE_ALREADY_EXISTS"
        );
        assert_eq!(body["error"]["code"], 409);
    }
}
