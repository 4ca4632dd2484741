//! Starts and ends clusters by hand, and shows Signpost at work on one.
#![allow(
    clippy::print_stdout,
    reason = "a command line program talks on standard output"
)]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};
use signpost_e2e::demo::{self, Wire};
use signpost_e2e::faults::chaos;
use signpost_e2e::{Cluster, conformance, keeper, upstream};
use tokio::runtime::Runtime;

/// Real Kubernetes clusters in namespaces of this machine, with Signpost as their network.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show Signpost at work: nodes join, pods ping each other along every path, a node leaves.
    Demo {
        /// How many nodes it begins with; one more joins.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=20))]
        nodes: u8,
        /// What is between the nodes.
        #[arg(long, value_enum, env = "CLOUD", default_value_t = Wire::Linux)]
        cloud: Wire,
        /// Leave the cluster running in the end, and say how to use and to end it. A VPC runs as long
        /// as this program.
        #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
        keep: bool,
    },
    /// Start a cluster, say how to use it, and leave it running.
    Up {
        /// How many nodes it has.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=254))]
        nodes: u8,
        /// What is between the nodes. With aws this stays, as the VPC does only as long.
        #[arg(long, value_enum, env = "CLOUD", default_value_t = Wire::Linux)]
        cloud: Wire,
        /// Give nodes, pods and services IPv6 addresses too.
        #[arg(long)]
        dual_stack: bool,
        /// Start Kubernetes alone, without controller and agents.
        #[arg(long)]
        without_signpost: bool,
        /// Start Kubernetes alone, with all that installing Signpost takes: its images in the nodes, the
        /// router a node (linux).
        #[arg(long, conflicts_with = "without_signpost")]
        to_install: bool,
        /// Stay, and end the cluster on Ctrl-C.
        #[arg(long)]
        foreground: bool,
    },
    /// Make one fault after the other happen to a cluster while its pods ping each other.
    Chaos {
        /// How many faults.
        #[arg(long, default_value_t = 20)]
        rounds: u64,
        /// Where all choices come from: the same one chooses the same faults. Default: chance.
        #[arg(long)]
        seed: Option<u64>,
        /// Only these faults, by their names, with commas between them.
        #[arg(long, value_delimiter = ',')]
        fault: Vec<String>,
    },
    /// Run Kubernetes' own end-to-end tests of networking on clusters of three nodes, one after the other.
    Conformance(conformance::Options),
    /// Run Kubernetes' own end-to-end tests on a cluster of two nodes with Signpost and
    /// kube-network-policies.
    Upstream {
        /// Only tests whose names match this.
        #[arg(long, default_value = r"\[sig-network\] Netpol")]
        focus: String,
        /// None of those whose names match this.
        #[arg(long, default_value = "SCTPConnectivity")]
        skip: String,
    },
    /// End a cluster that was left running.
    Down {
        /// Its id; needed only if several are running.
        id: Option<String>,
    },
}

fn main() -> ExitCode {
    signpost_e2e::run_hidden_role();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let runtime = Runtime::new().context("starting the runtime")?;
    signpost_e2e::end_on_signals(&runtime);
    match Cli::parse().command {
        Command::Demo { nodes, cloud, keep } => {
            let cluster = runtime.block_on(demo::run(nodes, cloud))?;
            if keep {
                let foreground = cloud != Wire::Linux;
                let how = how_to(&cluster, foreground);
                println!("\ncluster {} stays.\n{how}", cluster.id());
                stay(&runtime, cluster, foreground);
            }
            Ok(())
        }
        Command::Up {
            nodes,
            cloud,
            dual_stack,
            without_signpost,
            to_install,
            foreground,
        } => {
            let mut options = cloud.options("up").nodes(nodes);
            if dual_stack {
                options = options.dual_stack();
            }
            if without_signpost {
                options = options.without_signpost();
            }
            if to_install {
                options = options.without_signpost();
                options.router_joins = cloud == Wire::Linux;
            }
            let cluster = runtime.block_on(Cluster::start(options))?;
            if to_install {
                for node in cluster.all_nodes() {
                    runtime.block_on(cluster.load_images(&node))?;
                }
            }
            let foreground = foreground || cloud != Wire::Linux;
            describe(&cluster, foreground);
            stay(&runtime, cluster, foreground);
            Ok(())
        }
        Command::Chaos {
            rounds,
            seed,
            fault,
        } => {
            let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
            runtime.block_on(chaos::run(rounds, seed, &fault))
        }
        Command::Conformance(options) => runtime.block_on(conformance::run(&options)),
        Command::Upstream { focus, skip } => runtime.block_on(upstream::run(&focus, &skip)),
        Command::Down { id } => down(id),
    }
}

/// Lets the cluster outlive this process, or this process stay with it.
fn stay(runtime: &Runtime, cluster: Cluster, foreground: bool) {
    if foreground {
        // It ends the process and with it the cluster.
        runtime.block_on(std::future::pending::<()>());
    }
    cluster.detach();
}

fn describe(cluster: &Cluster, foreground: bool) {
    println!("cluster {} is up:", cluster.id());
    for (step, time) in cluster.timings() {
        println!("  {:6.1} s  {step}", time.as_secs_f32());
    }
    println!("{}", how_to(cluster, foreground));
}

/// How a cluster that is left running is used and ended.
fn how_to(cluster: &Cluster, foreground: bool) -> String {
    let kubectl = cluster.kubectl_path().unwrap_or_else(|_| "kubectl".into());
    let end = if foreground {
        "Ctrl-C".into()
    } else {
        let exe = std::env::current_exe();
        let exe = exe.map_or("signpost-e2e".into(), |path| path.display().to_string());
        format!("{exe} down {}", cluster.id())
    };
    let enter = format!(
        "nsenter --target {} --net --mount --pid --uts",
        cluster.router().pid()
    );
    let ec2 = cluster.vpc().map_or(String::new(), |vpc| {
        let emulator = vpc.emulator();
        format!(
            "call the emulated EC2, from the router:\n  \
             export AWS_ENDPOINT_URL={} AWS_DEFAULT_REGION={} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any\n  \
             aws ec2 describe-route-tables\n",
            emulator.url(),
            emulator.region()
        )
    });
    let gce = cluster.network().map_or(String::new(), |network| {
        format!(
            "call the emulated Compute Engine, from the router:\n  \
             curl {}/compute/v1/{}\n",
            network.emulator().url(),
            "projects/e2e-host/global/routes"
        )
    });
    format!(
        "use it:\n  export KUBECONFIG={}\n  {kubectl} get podnetwork,nodes,pods -A\n\
         enter the router:\n  {enter}\n\
         {ec2}{gce}\
         end it:\n  {end}",
        cluster.kubeconfig().display(),
    )
}

fn down(id: Option<String>) -> Result<()> {
    let id = match (id, keeper::running()?.as_slice()) {
        (Some(id), _) => id,
        (None, [id]) => id.clone(),
        (None, []) => {
            keeper::sweep()?;
            println!("no cluster is running");
            return Ok(());
        }
        (None, several) => bail!(
            "several clusters are running, name one: {}",
            several.join(", ")
        ),
    };
    keeper::end(&id)?;
    println!("cluster {id} is gone");
    Ok(())
}
