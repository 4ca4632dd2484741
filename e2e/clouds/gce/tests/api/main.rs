//! What the emulator does, seen through HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod http;
mod scene;

mod control;
mod routes;
mod warnings;
