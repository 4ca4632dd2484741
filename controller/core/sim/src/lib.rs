//! Deterministic simulation of the engine against a model of the world.

mod actions;
mod api;

mod apply;

mod brain;
mod cloud;

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
