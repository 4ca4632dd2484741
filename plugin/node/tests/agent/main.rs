//! The agent's program beside a real API server, both in one fresh network namespace, under the
//! agent's own service account. Needs root, the API server's binaries, iproute2 and nftables.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod connection;
mod once;
mod set_up;
mod world;
