//! Kubernetes' own end-to-end tests of networking, on clusters with Signpost.
#![allow(clippy::print_stdout, reason = "it is watched while it goes on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::binaries::own_folder;
use crate::cluster::ProxyMode;

mod arena;
mod report;
mod suite;

use report::Outcome;
use suite::Tests;

/// Which of those tests run, and on what clusters: on one for each combination of what is named.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Signpost's datapaths.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ptp,bridge")]
    mode: Vec<Mode>,
    /// kube-proxy's modes.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "iptables,nftables"
    )]
    proxy: Vec<ProxyMode>,
    /// What the nodes' firewall does with what it forwards.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "drop")]
    forward: Vec<Policy>,
    /// Families of addresses. IPv4 clusters get the conformance tests, dual-stack ones those of dual stack.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "ipv4,dual")]
    family: Vec<Family>,
    /// Tests whose names match this, instead.
    #[arg(long)]
    focus: Option<String>,
    /// None of those whose names match this.
    #[arg(long)]
    skip: Option<String>,
    /// How many tests run at once.
    #[arg(long, default_value_t = 4)]
    procs: u8,
    /// Where reports and what the tests say go, a folder for each cluster.
    #[arg(long, default_value = "target/conformance")]
    reports: PathBuf,
}

/// Signpost's datapaths: `spec.datapath.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Ptp,
    Bridge,
}

/// Policies of the nodes' FORWARD chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    Accept,
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    Ipv4,
    Dual,
}

impl Family {
    /// What matches the names of the tests for such a cluster.
    fn focus(self) -> &'static str {
        match self {
            Self::Ipv4 => r"\[sig-network\].*\[Conformance\]",
            Self::Dual => r"\[Feature:IPv6DualStack\]",
        }
    }
}

/// What one cluster is like.
#[derive(Clone, Copy, Debug)]
struct Setup {
    mode: Mode,
    proxy: ProxyMode,
    forward: Policy,
    family: Family,
}

impl Setup {
    fn words(self) -> [String; 4] {
        [
            word(&self.mode),
            word(&self.proxy),
            word(&self.forward),
            word(&self.family),
        ]
    }
}

/// Tests of each kind that take little time: between pods and from nodes, Services, host ports, names.
const FEW: &str = concat!(
    r"\[sig-network\] (",
    "Networking Granular Checks: Pods should function for (intra-pod|node-pod) communication: http|",
    "Services should (serve a basic endpoint from pods|be able to create a functioning NodePort)|",
    "HostPort validates|DNS should provide DNS for services)",
);

impl Options {
    /// A few of the conformance tests, on one cluster.
    ///
    /// # Errors
    ///
    /// If it is not known where this program lies.
    pub fn few() -> Result<Self> {
        Ok(Self {
            mode: vec![Mode::Ptp],
            proxy: vec![ProxyMode::Nftables],
            forward: vec![Policy::Drop],
            family: vec![Family::Ipv4],
            focus: Some(FEW.into()),
            skip: None,
            procs: 4,
            reports: own_folder()?.join("conformance"),
        })
    }

    fn setups(&self) -> Vec<Setup> {
        let mut setups = Vec::new();
        for &family in &self.family {
            for &forward in &self.forward {
                for &proxy in &self.proxy {
                    setups.extend(self.mode.iter().map(|&mode| Setup {
                        mode,
                        proxy,
                        forward,
                        family,
                    }));
                }
            }
        }
        setups
    }
}

/// Runs them on one cluster after the other and prints a table. Fails if a test does.
pub async fn run(options: &Options) -> Result<()> {
    let tests = Tests::get(options.procs, options.skip.as_deref()).await?;
    let (setups, mut rows) = (options.setups(), Vec::new());
    for (number, &setup) in (1..).zip(&setups) {
        let words = setup.words();
        let folder = options.reports.join(words.join("-"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let focus = options.focus.as_deref().unwrap_or(setup.family.focus());
        let chosen = tests.choose(focus, &folder).await?;
        ensure!(
            !chosen.is_empty(),
            "no test has a name that matches {focus:?}"
        );
        println!(
            "==> {number}/{}: {}: {} tests",
            setups.len(),
            words.join(", "),
            chosen.len()
        );
        let begin = Instant::now();
        // What is wrong with one cluster keeps no other from being tried.
        let outcome = on_cluster(setup, &tests, focus, &chosen, &folder).await;
        let outcome = outcome.unwrap_or_else(|error| Outcome::of_none(&error));
        let took = begin.elapsed();
        println!("    {outcome}, {:.0} s in all", took.as_secs_f32());
        for failed in &outcome.failed {
            println!("    FAILED {}: {}", failed.name, failed.why);
        }
        rows.push((words, outcome, took));
    }
    summary(&tests, &rows);
    let failed: usize = rows.iter().map(|row| row.1.failed.len()).sum();
    if failed > 0 {
        bail!(
            "{failed} failed; what the tests said is in {}",
            options.reports.display()
        );
    }
    Ok(())
}

async fn on_cluster(
    setup: Setup,
    tests: &Tests,
    focus: &str,
    chosen: &[String],
    folder: &Path,
) -> Result<Outcome> {
    let begin = Instant::now();
    let cluster = arena::start(setup).await?;
    let outcome = async {
        arena::prepare(&cluster, setup, tests).await?;
        let up = begin.elapsed().as_secs_f32();
        println!("    the cluster is up after {up:.0} s");
        tests.run(&cluster, focus, chosen, folder).await
    };
    let outcome = outcome.await;
    if !outcome.as_ref().is_ok_and(|it| it.failed.is_empty()) {
        let logs = cluster.record_failure().await;
        println!("    logs of the cluster: {}", logs.display());
    }
    outcome
}

fn summary(tests: &Tests, rows: &[([String; 4], Outcome, Duration)]) {
    println!(
        "\n{:<8} {:<9} {:<8} {:<7} {:>7} {:>7} {:>8} {:>7}",
        "mode", "proxy", "FORWARD", "family", "passed", "failed", "skipped", "time"
    );
    for ([mode, proxy, forward, family], outcome, took) in rows {
        println!(
            "{mode:<8} {proxy:<9} {forward:<8} {family:<7} {:>7} {:>7} {:>8} {:>5.0} s",
            outcome.passed,
            outcome.failed.len(),
            outcome.skipped.len(),
            took.as_secs_f32()
        );
    }
    let mut skipped: Vec<_> = rows.iter().flat_map(|row| &row.1.skipped).collect();
    skipped.sort();
    skipped.dedup();
    for test in skipped {
        println!("skipped: {}: {}", test.name, tests.reason(test));
    }
}

/// The word by which a value is named on the command line.
fn word(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
