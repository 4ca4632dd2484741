//! What the emulator does, seen through HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

#[path = "../../../common/testing/http.rs"]
mod http;
mod scene;

mod callers;
mod control;
mod faulty;
mod instances;
mod metadata;
mod networks;
mod operations;
mod program;
mod reading;
mod routes;
mod warnings;
