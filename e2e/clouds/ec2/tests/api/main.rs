//! What the emulator does, seen through HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

#[path = "../../../common/testing/http.rs"]
mod http;
mod scene;

mod attachments;
mod consistency;
mod control;
mod describing;
mod faulty;
mod instances;
mod interfaces;
mod metadata;
mod network;
mod owners;
mod policies;
mod program;
mod rare;
mod rates;
mod routes;
mod sharing;
mod signatures;
mod tables;
mod tags;
