//! Which block is free, who has it.
//!
//! The `Ledger` cuts the ranges of the configuration into blocks and knows of each network who
//! claims it, or since when nobody does. It is the only place that does: routes and nodes ask it. It
//! stores nothing: after a restart it learns everything from what nodes claim and what listings show.
//!
//! | question | module |
//! |---|---|
//! | who claims, who owns, what is quarantined | `ledger` |
//! | which block does a node get | `ledger::allocate` |
//! | what stands in a block's way | `ledger::marks` |
//! | what must listings cover, what have they covered | `ledger::coverage` |
//! | how full are the pools, what is wrong with them | `ledger::figures` |
//! | how a range is cut into blocks | `pool` |
//! | which block of a pool is the next free one | `bitmap` |
//! | which networks overlap a network | `netmap` |
//! | what a network is in numbers | `span` |

mod bitmap;
mod ledger;
mod netmap;
mod pool;
mod span;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use ledger::Ledger;
pub use types::Family;
pub(crate) use types::{AllocateError, Claim, Claimant, Fate};
