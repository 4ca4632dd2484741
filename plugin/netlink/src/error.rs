//! What can go wrong in a netlink exchange.

use std::io;

use nix::errno::Errno;

/// Result of a netlink operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed netlink operation: what was attempted, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {kind}")]
pub struct Error {
    operation: String,
    kind: ErrorKind,
}

/// Why a netlink operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel refused the request; the text is its extended acknowledgement, or empty.
    #[error("{}{}{}", .errno.desc(), if .explanation.is_empty() { "" } else { ": " }, .explanation)]
    Kernel {
        /// The errno of the answer.
        errno: Errno,
        /// The kernel's own explanation (`NLMSGERR_ATTR_MSG`), empty where it gave none.
        explanation: String,
    },
    /// A system call failed before the kernel saw the request, or while its answer was read.
    #[error("{}", .0.desc())]
    System(Errno),
    /// The kernel's answer could not be decoded.
    #[error("undecodable answer from the kernel: {0}")]
    Decode(String),
    /// A listing was disturbed by changes each time it was tried.
    #[error("the listing kept changing while it was read")]
    Unsteady,
    /// A route has an object as its next hop, and the kernel is set to show no more of it than its number.
    #[error(
        "its next hop is an object that the kernel only names: set the sysctl \
         net.ipv4.nexthop_compat_mode to 1"
    )]
    HiddenNextHop,
}

impl Error {
    pub(crate) fn new(operation: impl Into<String>, kind: ErrorKind) -> Self {
        Self {
            operation: operation.into(),
            kind,
        }
    }

    pub(crate) fn system(operation: impl Into<String>, errno: Errno) -> Self {
        Self::new(operation, ErrorKind::System(errno))
    }

    pub(crate) fn io(operation: impl Into<String>, error: &io::Error) -> Self {
        Self::system(
            operation,
            Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        )
    }

    pub(crate) fn decode(operation: impl Into<String>, detail: &impl ToString) -> Self {
        Self::new(operation, ErrorKind::Decode(detail.to_string()))
    }

    /// Names the operation in the caller's words, such as `add route 10.0.0.0/24`.
    pub(crate) fn during(mut self, operation: impl Into<String>) -> Self {
        self.operation = operation.into();
        self
    }

    /// Why the operation failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The errno, whether the kernel answered it or a system call returned it.
    pub fn errno(&self) -> Option<Errno> {
        match self.kind {
            ErrorKind::Kernel { errno, .. } | ErrorKind::System(errno) => Some(errno),
            ErrorKind::Decode(_) | ErrorKind::Unsteady | ErrorKind::HiddenNextHop => None,
        }
    }

    /// Whether the kernel has answered: what it refuses it has not done. Otherwise it may have done it, and
    /// its answer was lost.
    pub fn is_kernel_s(&self) -> bool {
        matches!(self.kind, ErrorKind::Kernel { .. })
    }

    /// Whether an exclusive creation met something that is already there (`EEXIST`).
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EEXIST)
    }

    /// Whether the thing named is not there: `ENOENT`, `ESRCH` (routes), `ENODEV` (links) or
    /// `EADDRNOTAVAIL` (addresses).
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.errno(),
            Some(Errno::ENOENT | Errno::ESRCH | Errno::ENODEV | Errno::EADDRNOTAVAIL)
        )
    }
}
