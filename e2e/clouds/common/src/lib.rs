//! What all emulators of clouds have in common: one way of running, one clock, faults, a log of calls
//! and a control path.
//!
//! An emulator brings its [`World`], its kinds of faults and what it answers; see `signpost-ec2` and
//! `signpost-gce`.

mod calls;
mod clock;
mod control;
mod core;
mod course;
mod faults;
mod program;
mod request;
mod server;
mod settings;
mod store;

pub use calls::{Call, Calls};
pub use clock::{Clock, Time};
pub use control::{Answer, Controlled, answer, bad, parse, to_value};
pub use core::{Core, World};
pub use course::{Outcome, begin, end};
pub use faults::{Course, Fault, Faults, Kind, Subject, check_seconds, check_status};
pub use program::{main, until_ended};
pub use request::{Reply, send};
pub use server::{Arrival, Response, serve};
pub use settings::{changed, check_durations, from_file, seconds};
pub use store::{REMEMBERED, Spread, Store, View};
