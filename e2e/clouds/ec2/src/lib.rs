//! An emulator of the part of EC2 that route programming meets: strict, slow and faulty on demand.
//!
//! It speaks the Query protocol of version 2016-11-15, so every EC2 client can build scenes and read
//! them. It refuses what EC2 refuses, with EC2's codes: unknown parameters and filters, routes of
//! another target, instances of several interfaces, what exceeds quotas or rates. Writes are decided
//! on the true state at once; readers see them later if [`Settings::propagation`] says so.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use signpost_ec2::{Client, Emulator, Fault, FaultKind, Options};
//!
//! let ec2 = Emulator::start(Options::default()).await?;
//! let client = Client::new(&ec2.url(), ec2.region());
//! let vpc = client.call("CreateVpc", &[("CidrBlock", "10.0.0.0/16")]).await?;
//! println!("{}", vpc.text("vpcId"));
//! ec2.add_fault(Fault::next(1, FaultKind::LostAfterCommit, &["CreateRoute"]))?;
//! # Ok(())
//! # }
//! ```
//!
//! Signatures are read, not verified; their region, service and date must be right. What is assumed
//! rather than documented stands at the place in question.

mod actions;
mod api;
mod auth;
mod buckets;
mod client;
mod control;
mod core;
mod emulator;
mod error;
mod faults;
mod filters;
mod imds;
mod metadata;
mod model;
mod paging;
mod participants;
mod policy;
mod protocol;
mod quotas;
mod server;
mod service_quotas;
mod settings;
mod snapshot;
mod xml;

pub use buckets::Rate;
pub use client::{Answer, CallError, Client};
pub use emulator::{Emulator, OtherTarget};
pub use error::Refusal;
pub use faults::{Fault, FaultKind};
pub use metadata::Identity;
pub use participants::Participant;
pub use policy::Policy;
pub use quotas::Quotas;
pub use settings::{Options, Settings};
pub use signpost_emulator::Call;
pub use snapshot::{
    InstanceView, InterfaceState, RouteState, Snapshot, SubnetState, TableState, TargetState,
    VpcState,
};
