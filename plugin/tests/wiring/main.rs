//! The built plugin in real network namespaces: a node, pods, and packets between them. Needs root,
//! iproute2, busybox, nftables and strace.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

mod add;
mod adoption;
mod bridge;
mod bridge_services;
mod chain;
mod check;
mod claims;
mod del;
mod further;
mod gc;
mod input;
mod many;
mod node;
mod ready;
mod request;
mod scarce;
mod settings;
mod status;
