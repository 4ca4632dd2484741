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
//!              invariants I1 … I9, contract
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
//! | what did a walk meet | `coverage`, `rules`, seen in `met` |
//! | which seeds | [`seeds`] |
//!
//! # Bounds of the world
//!
//! - A write to the cloud ends within 5 s after it was sent: it has happened by then or never will. The
//!   shell says `Unknown` then at the latest; sometimes much earlier.
//! - In some clouds a write only begins then: it is carried out within 30 s more, whatever becomes of who
//!   asked, or fails then; who asked is told within 1.5 s, unless it leads no more or loses sight of it. No
//!   other write for the destination is accepted meanwhile, and none leads a route elsewhere in one step.
//!   Listings show what was under way when they were begun, or up to `settle` minus 5 s before, and routes
//!   as they were at that moment or later. Somebody's removal by hand is carried out in the same way.
//! - A write to the API server is waited for, and may land after it was given up, as long as the lease's
//!   terms allow (`Bounds::of` in the program): 3 s and 2 s with the default lease.
//! - A listing may show each table as it was up to `settle` minus 5 s before the listing was begun,
//!   each time another moment, so that every write shows within `settle` after it was sent. With
//!   `settle` zero (a kernel's table) it shows the present. It shows nothing outside the ranges asked
//!   for but, in a kernel's table, what carries our mark; without a mark ours are told from others only
//!   there. It may take two minutes, and lack a table.
//! - Watches lag up to 8 s, repeat, and break; a relist follows within 30 s.
//! - The lease is not deleted within its duration after it was created, and not replaced.
//! - Clocks differ in origin, not in rate. A stopped process goes on with what it had queued. One that
//!   is stopped between its look at the fence and its write may write under another's lease, and what
//!   it does then counts as done by hand: nothing can keep it from that, but everything must come to
//!   rest all the same.
//! - A restoration of etcd takes the API server down for longer than any lease and the settling time,
//!   and revisions are bumped or set back; or it takes seconds, and revisions are set back, as
//!   `etcdutl snapshot restore` does unless it is told otherwise. Meanwhile something is written
//!   every half second elsewhere in the cluster. What was stored after the snapshot is not restored
//!   later. Not in this world, since no process could notice it: that seconds bring back an unheld
//!   record, which a process that starts afresh takes at once while somebody leads, or, beneath
//!   revisions that were bumped, a record just as a candidate saw it last. What a leader writes before
//!   it has listed the nodes anew counts as done by hand.
//! - After the last fault everything must be at rest within what it follows from (`Rest::bound`): what
//!   somebody has to put right is tried again every 5 minutes, and instances are read anew every 10
//!   check periods. At rest: every node that nothing stands in the way of is routed in every table and
//!   reported so, no route of ours is left over (but those that the deletion guard holds, until the
//!   operator allows their removal), nobody writes, and tables are listed once in a check period. Then
//!   a node joins, which must be routed within seconds.
//!
//! # What the model's shell does, and the real one must
//!
//! - What needs the lease, what is told of nodes after what, and when a leadership may follow another
//!   one of the same process comes from [`signpost_core::shell`], as in the program.
//! - An action that needs the lease is begun only if
//!   [`Election::may_write`](signpost_core::lease::Election::may_write) says so at that moment;
//!   otherwise it is dropped, and the engine soon after.
//! - Each leadership has an engine of its own, which is told the configuration that was read last and a
//!   list of nodes that was read after it was made.
//! - Reads of the Kubernetes API are repeated until they succeed.
//! - While a list is on its way no watch brings anything; the watch begins with the list, so that
//!   nothing that is told is older than the list before it (but for repetitions).
//! - The lease is written as by the program: whoever holds it renews what its last write left, without
//!   reading it, also while it stops. It is given back when no write is under way any more and none
//!   that was given up can still land, with the mark that all has settled only if that is so.

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
