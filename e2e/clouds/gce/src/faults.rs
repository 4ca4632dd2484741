//! What goes wrong on demand.

use serde::{Deserialize, Serialize};
use signpost_emulator::{Course, Kind, check_seconds, check_status};

/// A rule by which calls go wrong. Actions are named by the method ids of the discovery document,
/// without `compute.`: `routes.insert`, or `routes.*`. Parameters are those of path and query, and `name`.
pub type Fault = signpost_emulator::Fault<FaultKind>;

/// What happens to a call that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// 403 `rateLimitExceeded`; nothing is done.
    Throttle,
    /// 500 `backendError`; nothing is done.
    Error500,
    /// 503 `backendError`; nothing is done.
    Error503,
    /// An error of one's choice; nothing is done.
    Error {
        /// The HTTP status.
        status: u16,
        /// Google's reason, such as `resourceNotReady`.
        reason: String,
    },
    /// 403 `forbidden`, as for a missing permission; nothing is done.
    Forbidden,
    /// 401 `authError`, as for an expired token; nothing is done.
    Unauthenticated,
    /// 400 `badRequest`, "There is a peering operation in progress on the local or peer network. Try again
    /// later."; nothing is done (terraform-provider-google 6361, of routes).
    Busy,
    /// The call is accepted and its operation ends with an error, without any effect.
    OperationFails {
        /// The error's code, such as `QUOTA_EXCEEDED`, `RESOURCE_NOT_READY` or
        /// `RESOURCE_IN_USE_BY_ANOTHER_RESOURCE`.
        code: String,
    },
    /// The call's operation takes so long.
    OperationTakes {
        /// Seconds of the emulator's clock.
        seconds: f64,
    },
    /// The connection ends before anything is done.
    ResetBefore,
    /// The call is done, then the connection ends without an answer.
    LostAfterCommit,
    /// A listing shows what others saw some time ago.
    Stale {
        /// Seconds of the emulator's clock, up to 600.
        seconds: f64,
    },
    /// The call is done only after a delay, whether the client still waits or not.
    Slow {
        /// Seconds of the emulator's clock.
        seconds: f64,
    },
    /// The call is done at once, its answer comes after a delay.
    SlowAnswer {
        /// Seconds of the emulator's clock.
        seconds: f64,
    },
}

impl FaultKind {
    /// The name under which the log of calls has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Error500 => "error500",
            Self::Error503 => "error503",
            Self::Error { .. } => "error",
            Self::Forbidden => "forbidden",
            Self::Unauthenticated => "unauthenticated",
            Self::Busy => "busy",
            Self::OperationFails { .. } => "operation_fails",
            Self::OperationTakes { .. } => "operation_takes",
            Self::ResetBefore => "reset_before",
            Self::LostAfterCommit => "lost_after_commit",
            Self::Stale { .. } => "stale",
            Self::Slow { .. } => "slow",
            Self::SlowAnswer { .. } => "slow_answer",
        }
    }
}

impl Kind for FaultKind {
    fn name(&self) -> &'static str {
        self.name()
    }

    fn course(&self) -> Course {
        match self {
            Self::ResetBefore => Course::ResetBefore,
            Self::LostAfterCommit => Course::LostAfterCommit,
            Self::Slow { seconds } => Course::Slow(*seconds),
            Self::SlowAnswer { seconds } => Course::SlowAnswer(*seconds),
            _ => Course::Undisturbed,
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Stale { seconds }
            | Self::Slow { seconds }
            | Self::SlowAnswer { seconds }
            | Self::OperationTakes { seconds } => check_seconds(*seconds),
            Self::Error { status, .. } => check_status(*status),
            _ => Ok(()),
        }
    }
}
