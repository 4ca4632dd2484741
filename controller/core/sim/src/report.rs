//! What a walk says in the end.

use std::{fmt::Write, time::Duration};

use crate::{
    coverage::{Coverage, arrow},
    faults::{Entry, Fault},
    invariants::Violation,
    rules::Rule,
    run::{Options, Outcome, schedule},
    shrink::shrink,
};

/// From this many schedules on, everything must have been met.
pub const ENOUGH: u64 = 10_000;

/// A failure with its shortened schedule, in lines.
pub fn failure(outcome: &Outcome, options: Options<'_>) -> String {
    let all = schedule(outcome.seed);
    let seed = outcome.seed;
    match shrink(seed, &all, options) {
        Some((entries, violation)) => describe(seed, all.len(), &entries, &violation),
        None => format!("seed {seed} failed once and not again\n"),
    }
}

fn describe(seed: u64, of: usize, entries: &[Entry], violation: &Violation) -> String {
    let mut text = String::new();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let at = violation.at as f64 / 1_000.0;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "seed {seed} breaks {}", violation.invariant);
    let _ = writeln!(text, "after {at:.3} s: {}", violation.what);
    let _ = writeln!(
        text,
        "shortened schedule ({} of {of} entries):",
        entries.len()
    );
    for entry in entries {
        let _ = writeln!(text, "  {entry}");
    }
    let _ = writeln!(text, "its story: signpost-sim --seed {seed}");
    text
}

/// The counts of a walk, in lines.
pub fn counts(coverage: &Coverage, wall: Duration) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "faults that had an effect:");
    for fault in Fault::ALL {
        let count = coverage.faults.get(fault).copied().unwrap_or(0);
        let _ = writeln!(text, "  {:<26} {count:>10}", fault.name());
    }
    let _ = writeln!(text, "engine transitions:");
    for (transition, count) in &coverage.transitions {
        let name = arrow(*transition);
        let pad = 26_usize.saturating_sub(name.chars().count());
        let _ = writeln!(text, "  {name}{:pad$} {count:>10}", "");
    }
    let _ = writeln!(text, "rules at work:");
    for rule in Rule::ALL {
        let count = coverage.rules.get(rule).copied().unwrap_or(0);
        let name = format!("{rule:?}");
        let _ = writeln!(text, "  {name:<28} {count:>8}  {}", rule.sentence());
    }
    let hours = coverage.simulated / 3_600_000;
    let (rest, slowest) = coverage.longest_rest;
    let rest = rest / 1_000;
    let _ = writeln!(
        text,
        "{} schedules, {} steps, {} events, {hours} h simulated in {:.1} s; \
         longest way to rest {rest} s (seed {slowest}); deletions held at the end of {}",
        coverage.schedules,
        coverage.steps,
        coverage.events,
        wall.as_secs_f64(),
        coverage.held
    );
    text
}
