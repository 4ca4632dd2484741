//! Runs random schedules against the engine, or one of them again with its story.
#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::{
    io::Write,
    num::NonZeroUsize,
    process::ExitCode,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use clap::Parser;
use signpost_sim::{Options, Walk, real, report, run, schedule, seeds, walk};

/// Simulates Signpost's engine against a model of the API server and of the cloud.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many schedules to run
    #[arg(long, default_value_t = 20_000)]
    schedules: u64,
    /// Seed of the first schedule; the others follow it [default: from the date]
    #[arg(long)]
    first_seed: Option<u64>,
    /// Run this schedule only and tell its story
    #[arg(long, conflicts_with_all = ["schedules", "first_seed", "threads"])]
    seed: Option<u64>,
    /// With --seed: first remove all entries that the failure does not need
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Stop after so many failing schedules
    #[arg(long, default_value_t = 1)]
    failures: usize,
    /// How many to run at once [default: one for each processor]
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        make: &real,
        tell: false,
        unfenced: false,
    };
    match arguments.seed {
        Some(seed) => one(seed, arguments.shrink, options),
        None => many(&arguments, options),
    }
}

fn one(seed: u64, shrink: bool, options: Options<'_>) -> ExitCode {
    let mut entries = schedule(seed);
    if shrink && let Some((fewer, _)) = signpost_sim::shrink(seed, &entries, options) {
        entries = fewer;
    }
    let options = Options {
        tell: true,
        ..options
    };
    let outcome = run(seed, &entries, options);
    for line in &outcome.trail {
        println!("{line}");
    }
    if outcome.violation.is_none() {
        println!("seed {seed} keeps all promises");
        return ExitCode::SUCCESS;
    }
    println!("{}", report::failure(&outcome, options));
    ExitCode::FAILURE
}

fn many(arguments: &Arguments, options: Options<'_>) -> ExitCode {
    let began = Instant::now();
    let all = arguments.schedules;
    let progress = |done: u64| {
        if began.elapsed() > Duration::from_secs(5) && done.is_multiple_of(10_000) {
            // Progress that cannot be shown is no failure.
            let _ = writeln!(std::io::stderr(), "{done} of {all} schedules");
        }
    };
    let threads = arguments
        .threads
        .unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let first = arguments.first_seed.unwrap_or_else(seeds::of_today);
    println!("first seed {first}");
    let old = seeds::FIXED.iter().map(|(seed, _)| *seed);
    let old: Vec<_> = old
        .map(|seed| run(seed, &schedule(seed), options))
        .filter(|outcome| outcome.violation.is_some())
        .collect();
    let plan = Walk {
        first,
        schedules: all,
        threads,
        failures: arguments.failures,
    };
    let (coverage, mut failed) = walk(plan, options, &progress);
    failed.extend(old);
    print!("{}", report::counts(&coverage, began.elapsed()));
    if !failed.is_empty() {
        for outcome in failed {
            println!("{}", report::failure(&outcome, options));
        }
        return ExitCode::FAILURE;
    }
    let missing = coverage.missing();
    if all >= report::ENOUGH && !missing.is_empty() {
        println!("never met: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
