//! Errors as the CNI specification has them: a number, a message, details.

use serde_json::{Value, json};

/// Result of serving a verb.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The specification's numbers, and from 100 the plugin's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum ErrorCode {
    /// The configuration asks for a CNI version that is not spoken here.
    IncompatibleVersion = 1,
    /// A `CNI_*` variable is missing or invalid.
    Environment = 4,
    /// A system call or the kernel refused something.
    Io = 5,
    /// Standard input is not the JSON expected.
    Decode = 6,
    /// The configuration has an invalid value.
    Config = 7,
    /// What is missing comes by itself: the runtime may try again.
    TryLater = 11,
    /// No pod can be added (STATUS).
    Unavailable = 50,
    /// The interface that ADD should create is there already.
    InterfaceExists = 101,
    /// CHECK found the pod's wiring damaged.
    Damaged = 102,
    /// The address asked for is somebody else's.
    AddressTaken = 103,
    /// A fault of this program.
    Internal = 999,
}

/// Why a verb failed: what is wrong and, in the details, what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}{details}", if details.is_empty() { "" } else { ": " })]
pub(crate) struct Error {
    code: ErrorCode,
    message: String,
    details: String,
}

impl Error {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: String::new(),
        }
    }

    /// An invalid value of the configuration field `field`.
    pub(crate) fn config(field: &str, fault: &str, remedy: &str) -> Self {
        Self::new(
            ErrorCode::Config,
            format!("network configuration: {field}: {fault}"),
        )
        .with_details(remedy)
    }

    /// Somebody has removed an interface that was just made.
    pub(crate) fn vanished(interface: &str) -> Self {
        Self::new(ErrorCode::Io, format!("interface {interface} vanished"))
    }

    pub(crate) fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// Both errors in one, with the code of the first.
    pub(crate) fn and(self, other: &Self) -> Self {
        Self {
            code: self.code,
            message: format!("{}; {}", self.message, other.message),
            details: format!("{}; {}", self.details, other.details),
        }
    }

    /// The error as the runtime reads it on standard output.
    pub(crate) fn to_json(&self, version: &str) -> Value {
        json!({
            "cniVersion": version,
            "code": self.code as u16,
            "msg": self.message,
            "details": self.details,
        })
    }
}

impl From<signpost_netlink::Error> for Error {
    fn from(error: signpost_netlink::Error) -> Self {
        Self::new(ErrorCode::Io, error.to_string())
    }
}
