//! Deterministic simulation of the engine against a model of the world.
//!
//! ```text
//!              schedule (faults, times)                  seed
//!                        │                                │
//!                        ▼                                ▼
//!   ┌─ API server ─────────────┐   messages with   ┌─ cloud ─────────────────┐
//!   │ nodes, log, lease        │   latencies by    │ route tables, machines  │
//!   └───▲──────────────────────┘   the dice        └──────────▲──────────────┘
//!       │ watch, list, read, write                            │ list, read, write
//!   ┌───┴─────────────────────────────────────────────────────┴──────────────┐
//!   │ controller 0: election (real), engine (real), shell (model)            │
//!   │ controller 1: the same, with another clock                             │
//!   └────────────────────────────────────────────────────────────────────────┘
//!                        │ every event and every action
//!                        ▼
//!              invariants I1 … I7, contract
//! ```
//!
//! A seed gives a world (kind of cloud, pools, nodes, clocks) and a schedule: a list of [`Fault`]s,
//! each with its time. Latencies are drawn for each message by what it is about, so that a schedule
//! that lost an entry still plays out much the same and a failing one can be shortened
//! ([`shrink`]). The same seed always tells the same story, on every machine.
//!
//! | question | module |
//! |---|---|
//! | what can happen to the world | `faults`, carried out in `apply` |
//! | what does a seed begin with | `scenario` |
//! | how does the API server behave | `api` |
//! | how does the cloud behave | `cloud` |
//! | how does a controller's process behave | `shell`, `actions` |
//! | what must hold | `invariants`, judged by what an engine could know (`knowledge`) |
//! | what did a walk meet | `coverage` |
//!
//! # Bounds of the world
//!
//! - A write ends within `Terms::longest_write()` (5 s) after it was sent: it has happened by then or
//!   never will. The shell says `Unknown` then at the latest; sometimes much earlier.
//! - A listing may show each table as it was up to `settle` minus 5 s before the listing was begun,
//!   each time another moment, so that every write shows within `settle` after it was sent. With
//!   `settle` zero (a kernel's table) it shows the present.
//! - Watches lag up to 8 s, repeat, and break; a relist follows within 30 s.
//! - The lease is not deleted within 15 s after it was created.
//! - Clocks differ in origin, not in rate. A stopped process goes on with what it had queued.
//! - A restoration of etcd takes the API server down for 20 s, longer than any lease, as such a
//!   repair does; revisions are bumped.
//! - After the last fault everything must be at rest within 10 simulated minutes: the engine tries
//!   again what somebody has to put right every 5 minutes, and reads instances anew every 10 check
//!   periods. At rest: every node that nothing stands in the way of is routed in every table and
//!   reported so, no route of ours is left over (but those that the deletion guard holds, until the
//!   operator allows their removal), nobody writes, and tables are listed once in a check period.
//!
//! # What the model's shell does, and the real one must
//!
//! - An action is begun only if [`Election::may_write`](signpost_core::lease::Election::may_write)
//!   says so at that moment; otherwise it is dropped, and `Deposed` follows.
//! - Reads of the Kubernetes API are repeated until they succeed.
//! - While a list is on its way no watch brings anything; the watch begins with the list, so that
//!   nothing that is told is older than the list before it (but for repetitions).
//! - The answer to `ReadNode` is not told if the watch has brought something newer of that node.
//! - The lease is released only when no write is under way any more.

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
mod met;
mod queue;
pub mod report;
mod rules;
mod run;
mod scenario;
pub mod seeds;
mod shell;
mod shrink;
mod trail;
mod world;

pub use brain::{Brain, MakeBrain, real};
pub use coverage::{Coverage, EXPECTED, Transition};
pub use faults::{Entry, Fault};
pub use invariants::{Invariant, Violation};
pub use rules::Rule;
pub use run::{Options, Outcome, Walk, run, schedule, walk};
pub use shrink::shrink;
