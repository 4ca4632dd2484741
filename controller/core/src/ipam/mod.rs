//! Which block is free, who owns it.
//!
//! [`Allocator`] cuts the ranges of the configuration into blocks and knows of each block who
//! claims it. It stores nothing: after a restart it learns everything from what nodes claim and
//! which routes are observed. A block is handed out only if no node claims it, no quarantine holds
//! it back, no observed route overlaps it and no reserved range does.
//!
//! | question | module |
//! |---|---|
//! | who claims, owns, waits | `allocator` |
//! | how a range is cut into blocks | `pool` |
//! | which block of a pool is the next free one | `bitmap` |
//! | which networks overlap a network | `netmap` |
//! | what a network is in numbers | `span` |
//! | what callers get to see | `types` |

mod allocator;
mod bitmap;
mod netmap;
mod pool;
mod span;
#[cfg(test)]
mod tests;
mod types;

pub use allocator::Allocator;
pub use types::{AllocateError, Claim, Family, Fate, OutOfRange, Released};
