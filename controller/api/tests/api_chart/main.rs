//! The Helm chart: it renders what the overlays have, refuses what it does not know, and comes and goes on a
//! real API server.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod cluster;
mod overlays;
mod support;
mod values;
