//! The API server's own word on the `PodNetwork`: what it refuses and with which message, which
//! defaults it stores, what it prints, and that the manifests can be applied.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod changes;
mod cloud;
mod manifests;
mod pools;
mod settings;
mod stored;
mod support;
