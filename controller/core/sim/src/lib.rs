//! Deterministic simulation of the engine against a model of the world.

mod api;
mod api_calls;
mod apply;
mod apply_routes;
mod brain;
mod cloud;
mod cloud_calls;
mod coverage;
mod dice;
mod faults;
mod invariants;
mod knowledge;
mod queue;
pub mod report;
mod run;
mod scenario;
mod shell;
mod shrink;
mod trail;
mod world;

pub use brain::{Brain, MakeBrain, real};
pub use coverage::{Coverage, EXPECTED, Transition};
pub use faults::{Entry, Fault};
pub use invariants::{Invariant, Violation};
pub use run::{Options, Outcome, Walk, run, schedule, walk};
pub use shrink::shrink;
