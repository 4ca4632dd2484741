//! Refusals, with EC2's codes.

use hyper::StatusCode;

/// A refusal as a client sees it: HTTP status, code and message.
///
/// The codes are those of the [API reference](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html);
/// clients decide by them, never by the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// EC2's error code, such as `InvalidRouteTableID.NotFound`.
    pub code: String,
    /// A text for people.
    pub message: String,
}

impl Refusal {
    /// A refusal because of what the client asked for: status 400.
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code, message)
    }

    /// A refusal with a status of its own.
    pub fn with_status(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// `MissingParameter` for the parameter `name`.
    pub fn missing(name: &str) -> Self {
        Self::client(
            "MissingParameter",
            format!(
                "The request must contain the parameter {}",
                lower_first(name)
            ),
        )
    }

    /// `InvalidParameterValue` for the parameter `name`.
    pub fn value(name: &str, value: &str, why: &str) -> Self {
        let name = lower_first(name);
        Self::client(
            "InvalidParameterValue",
            format!("Value ({value}) for parameter {name} is invalid. {why}"),
        )
    }

    /// `InvalidParameterCombination`.
    pub fn combination(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterCombination", message)
    }

    /// `DependencyViolation`: `id` is still in use.
    pub fn dependency(kind: &str, id: &str) -> Self {
        Self::client(
            "DependencyViolation",
            format!("The {kind} '{id}' has dependencies and cannot be deleted."),
        )
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
