//! Shortens a schedule that fails, by delta debugging.

use crate::{
    faults::Entry,
    invariants::{Invariant, Violation},
    run::{Options, run},
};

/// Removes entries as long as the same promise is still broken. Returns what is left, from which no
/// single entry can be removed, and how it fails.
pub fn shrink(
    seed: u64,
    entries: &[Entry],
    options: Options<'_>,
) -> Option<(Vec<Entry>, Violation)> {
    let options = Options {
        tell: false,
        ..options
    };
    let mut violation = run(seed, entries, options).violation?;
    let mut left = entries.to_vec();
    let mut chunk = left.len().div_ceil(2);
    while chunk > 0 {
        let mut start = 0;
        let mut removed = false;
        while start < left.len() {
            let mut fewer = left.clone();
            fewer.drain(start..(start + chunk).min(left.len()));
            match fails(seed, &fewer, violation.invariant, options) {
                Some(found) => {
                    (left, violation, removed) = (fewer, found, true);
                }
                None => start += chunk,
            }
        }
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if !removed {
            chunk = 0;
        }
    }
    Some((left, violation))
}

fn fails(
    seed: u64,
    entries: &[Entry],
    invariant: Invariant,
    options: Options<'_>,
) -> Option<Violation> {
    run(seed, entries, options)
        .violation
        .filter(|violation| violation.invariant == invariant)
}
