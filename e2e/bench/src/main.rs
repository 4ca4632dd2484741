//! Measures the programs on real parts, ours and the incumbent alternately in one run.
//!
//! Each subject is a file that adds [`Row`](report::Row)s to one [`Report`]: a table on the terminal
//! and `bench.json` in cargo's target folder. Other programs' rows (the pure engine's benchmark is
//! one) are taken from their standard output, see [`external`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its terminal"
)]

mod agents;
mod allocate;
mod audit;
mod aws;
mod clouds;
mod cni;
mod external;
mod floor;
mod gcp;
mod idle;
mod join;
mod namespace;
mod nodes;
mod program;
mod report;
mod steady;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use report::Report;

/// Prints a table and writes bench.json. Needs root: everything runs in network namespaces of its
/// own.
#[derive(Parser)]
#[command(
    name = "signpost-bench",
    version,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Role {
    /// The bare loop that others are compared with.
    #[command(hide = true)]
    Floor(floor::FloorArgs),
}

/// What to measure, and how often.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How often each allocation is measured; ratios are medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,

    /// Measure only these subjects.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Subject>,

    /// A look in about five minutes: one round, 1,000 nodes, nothing at the manager's default limits,
    /// a small VPC, a small network of Google.
    #[arg(long)]
    quick: bool,

    /// Seconds of the idle hour that are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(10..=3600))]
    idle: u64,

    /// Where the CNI plugins ptp, bridge and host-local are that the plugin is compared with.
    #[arg(long, value_name = "FOLDER", default_value = "/usr/lib/cni")]
    reference: PathBuf,

    /// Where the result is written. Default: bench.json in cargo's target folder.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The engine alone.
    Core,
    /// A pod CIDR for each of many nodes, from the start of the process.
    Allocate,
    /// One node more in a large cluster.
    Join,
    /// A large cluster in which nothing changes.
    Idle,
    /// What an agent on each node of a large cluster costs the API server.
    Agents,
    /// Calls of the CNI plugin, and what pods see.
    Cni,
    /// Routes in a VPC of AWS, on an emulator of EC2 with EC2's rates.
    Aws,
    /// Routes in a VPC network of Google Cloud, on an emulator of Compute Engine with its rates.
    Gcp,
}

impl Options {
    fn wants(&self, subject: Subject) -> bool {
        self.only.is_empty() || self.only.contains(&subject)
    }

    /// Nodes of the large cluster.
    fn many(&self) -> u32 {
        if self.quick { 1_000 } else { 5_000 }
    }

    fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// Whether an API server is needed.
    fn wants_cluster(&self) -> bool {
        [
            Subject::Allocate,
            Subject::Join,
            Subject::Idle,
            Subject::Agents,
            Subject::Aws,
            Subject::Gcp,
        ]
        .into_iter()
        .any(|subject| self.wants(subject))
    }

    fn cni(&self) -> Result<cni::Extent> {
        let (calls, millis) = if self.quick { (10, 300) } else { (30, 1000) };
        Ok(cni::Extent {
            rounds: self.rounds(),
            calls,
            traffic: Duration::from_millis(millis),
            programs: target_folder()?.join("bench"),
            reference: self.reference.clone(),
        })
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::Floor(args)) => floor::main(&args),
        None => run(&cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.wants(Subject::Cni) {
        cni::check(&options.cni()?)?;
    }
    namespace::enter(|| {
        if options.wants_cluster() {
            world::build_missing()?;
        }
        Ok(())
    })?;
    let mut report = Report::default();
    // What was measured is shown and kept, also if what comes after it fails.
    let measured = measure(options, &mut report);
    println!("\n{report}");
    let json = match &options.json {
        Some(file) => file.clone(),
        None => target_folder()?.join("bench.json"),
    };
    report.write(&json)?;
    println!("written: {}", json.display());
    measured
}

fn measure(options: &Options, report: &mut Report) -> Result<()> {
    if options.wants(Subject::Core) {
        external::core(report)?;
    }
    if options.wants(Subject::Cni) {
        cni::measure(&options.cni()?, report)?;
    }
    let steady = [Subject::Join, Subject::Idle, Subject::Agents]
        .into_iter()
        .any(|subject| options.wants(subject));
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        if options.wants(Subject::Allocate) {
            allocate::measure(options, report).await?;
        }
        if steady {
            steady::measure(options, report).await?;
        }
        if options.wants(Subject::Aws) {
            aws::measure(options, report).await?;
        }
        if options.wants(Subject::Gcp) {
            gcp::measure(options, report).await?;
        }
        Ok(())
    })
}

/// Cargo's target folder, in which this program lies.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let folder = program.parent().and_then(|profile| profile.parent());
    folder
        .map(Into::into)
        .context("this program lies in no target folder. Remedy: --json FILE")
}
