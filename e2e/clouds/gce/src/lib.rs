//! An emulator of the part of Compute Engine that route programming meets: strict, slow and faulty on
//! demand.
//!
//! It speaks the REST of version 1, so every client of Compute Engine can build scenes and read them. It
//! refuses what Compute Engine refuses, with its reasons, and what it accepts takes effect when an
//! operation is done, which takes as long as [`Settings::operations`] says.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use signpost_gce::{Client, Emulator, Fault, FaultKind, Options};
//!
//! let gce = Emulator::start(Options::default()).await?;
//! let client = Client::new(&gce.url());
//! let network = client.network("example", "net").await?;
//! let subnetwork = client.subnetwork(&network, "europe-west3", "sub", "10.0.0.0/24").await?;
//! let node = client.instance("example", "europe-west3-a", "node", &subnetwork).await?;
//! client.route(&network, "to-node", "10.1.0.0/24", &node).await?;
//! gce.add_fault(Fault::next(1, FaultKind::LostAfterCommit, &["routes.insert"]))?;
//! # Ok(())
//! # }
//! ```
//!
//! Bearer tokens are names of callers, nothing more. What is assumed rather than documented stands at
//! the place in question.

mod actions;
mod api;
mod batch;
mod client;
mod control;
mod core;
mod emulator;
mod error;
mod faults;
mod fields;
mod filter;
mod identity;
mod links;
mod mask;
mod metadata;
mod methods;
mod model;
mod paging;
mod permissions;
mod rates;
mod request;
mod server;
mod settings;
mod snapshot;
mod warnings;

pub use client::{CallError, Client};
pub use emulator::Emulator;
pub use error::Refusal;
pub use faults::{Fault, FaultKind};
pub use identity::Identity;
pub use settings::{Options, Quotas, Settings};
pub use signpost_emulator::Call;
pub use snapshot::{
    InstanceState, InterfaceState, NetworkState, NextHop, RouteState, Snapshot, SubnetworkState,
};
