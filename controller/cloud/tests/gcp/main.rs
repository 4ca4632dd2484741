//! The provider on an emulated network.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod conflicts;
mod credentials;
mod forwarding;
mod instances;
mod limits;
mod operations;
mod roles;
mod routes;
mod scene;
