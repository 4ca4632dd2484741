//! Synchronous netlink: links, addresses, routes, neighbours, namespaces, nftables.
//!
//! A [`Socket`] (rtnetlink) or [`nftables::Socket`] belongs to the network namespace of the thread
//! that opened it, for as long as it lives, wherever it is used from. [`Netns`] opens a namespace by
//! path and runs code in it, after which the thread is where it was.
//!
//! Each request waits for the kernel's answer; those that need none of each other's are sent together as
//! [`Request`]s. Errors carry the errno as a value and the kernel's own
//! explanation where it gives one. Everything here is safe code.

mod address;
mod bridge;
pub mod bridged;
mod channel;
mod default_route;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod link;
mod mac;
mod message;
mod monitor;
mod neighbour;
mod netns;
pub mod nftables;
mod removals;
mod request;
mod route;
mod route_message;
mod routing_rule;
pub mod settings;
mod settings_message;
mod socket;
mod subscription;
mod veth;
mod wiring;

pub use address::Address;
pub use default_route::WayOut;
pub use error::{Error, ErrorKind, Result};
pub use link::{Link, LinkChange};
pub use mac::Mac;
pub use monitor::{RouteEvent, RouteMonitor};
pub use neighbour::Neighbour;
pub use netns::Netns;
pub use nix::errno::Errno;
pub use removals::LinkRemovals;
pub use request::Request;
pub use route::{Family, Route, RouteFilter, RouteKind, Scope, table};
pub use socket::Socket;
pub use veth::VethEnd;
pub use wiring::{HOST_INTERFACE_PREFIX, PodLabel, ROUTE_PROTOCOL, pod_gateway, pod_route};
