//! Faults on a real cluster, while its pods ping each other across nodes all the time.
//!
//! A [`Fault`] does something bad in an [`Arena`]: a running cluster with two replicas of the
//! controller. After each one, the arena must come to rest by itself within a bounded time, and then
//! everything must tell the same story: Node objects, the kernel's routes, the `PodNetwork`'s status
//! and the leader's metrics. No packet between nodes that live may have been lost, and nobody may have
//! written who did not hold the lease. [`chaos`] runs many, as a seed chooses.

use std::fmt;

use anyhow::Result;
use futures::future::LocalBoxFuture;

mod api_server;
mod arena;
mod bare;
pub mod chaos;
mod controller;
mod edits;
mod etcd;
mod folders;
mod input;
mod invariants;
mod lease;
mod machines;
mod mesh;
mod node;
mod objects;
mod replicas;
mod route_log;
mod routes;
mod upgrade;
mod writes;

pub use crate::relay::Mode;
pub use arena::{Arena, Round};
pub use mesh::Mesh;
pub use replicas::Replica;

/// Something bad that can happen to a cluster, and that it must live through.
pub struct Fault {
    /// Name, as on the command line: lower-case words with underscores.
    pub name: &'static str,
    /// One line about what happens.
    pub about: &'static str,
    /// Does it. Returns when it is over or goes on by itself; what follows is looked at by the arena.
    /// An error says that the fault could not be made, or that something was wrong meanwhile.
    run: for<'a> fn(&'a mut Arena) -> LocalBoxFuture<'a, Result<()>>,
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// A fault from an asynchronous function over an arena, whose name it has.
macro_rules! fault {
    ($run:ident, $about:literal) => {
        $crate::faults::Fault {
            name: stringify!($run),
            about: $about,
            run: |arena| Box::pin($run(arena)),
        }
    };
}
use fault;

/// All faults, grouped by what they happen to.
pub fn all() -> Vec<&'static Fault> {
    [
        controller::FAULTS,
        lease::FAULTS,
        api_server::FAULTS,
        etcd::FAULTS,
        routes::FAULTS,
        objects::FAULTS,
        node::FAULTS,
        input::FAULTS,
        edits::FAULTS,
        folders::FAULTS,
        upgrade::FAULTS,
    ]
    .into_iter()
    .flatten()
    .collect()
}
