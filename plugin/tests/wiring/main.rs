//! The built plugin in real network namespaces: a node, pods, and packets between them. Needs root,
//! iproute2, busybox and nftables.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod add;
mod check;
mod del;
mod node;
mod ready;
mod settings;
