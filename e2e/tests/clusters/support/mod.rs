//! What tests of requirements have in common: the cluster's objects, the kernel's routes, and programs
//! that send and answer packets.

pub(crate) mod objects;
pub(crate) mod place;
pub(crate) mod routes;
pub(crate) mod traffic;

use std::time::Duration;

/// How long what happens on one machine may take; many times what it does take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
