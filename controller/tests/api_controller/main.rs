//! The controller against a real API server: what it writes, what it is refused, and what it says.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod agents;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "gcp")]
mod gcp;
mod lease;
mod memory;
mod patches;
mod program;
mod running;
mod sessions;
mod status;
mod support;
