//! The demonstration: a cluster comes up, pods talk along every path, a node joins, one leaves.
#![allow(clippy::print_stdout, reason = "what it shows is its purpose")]

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use futures::future::try_join_all;
use kube::Api;
use signpost_api::PodNetwork;

use crate::{Binaries, Cluster, ClusterOptions, GcpOptions, Pod, PodSpec, VpcOptions};

mod board;
mod matrix;
mod paint;
mod shown;
mod watched;

use board::Board;
use matrix::Matrix;

/// How long a route may take to go after its node did.
const LIMIT: Duration = Duration::from_secs(30);

/// Finding programs takes less, building them more.
const BUILT: Duration = Duration::from_secs(5);

/// What is between the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wire {
    /// A router, whose kernel has the routes.
    Linux,
    /// An emulated AWS VPC: two subnets in two zones, each with a route table.
    Aws,
    /// An emulated VPC network of Google Cloud: a subnet for each of two zones, and routes.
    Gcp,
}

impl Wire {
    /// A cluster of this kind.
    pub fn options(self, name: &str) -> ClusterOptions {
        let options = ClusterOptions::new(name);
        match self {
            Self::Linux => options,
            Self::Aws => options.in_vpc(VpcOptions::default()),
            Self::Gcp => options.in_gcp(slow_gcp()),
        }
    }
}

/// Operations take as long as they do at Google, at best.
fn slow_gcp() -> GcpOptions {
    let mut options = GcpOptions::default();
    options.settings.operations = [2.0, 5.0];
    options
}

/// What was timed, in order.
type Timings = Vec<(String, Duration)>;

/// Runs the whole demonstration; the cluster is given back running.
///
/// Fails if anything that it shows does not work.
pub async fn run(nodes: u8, wire: Wire) -> Result<Cluster> {
    let mut timings = Timings::new();

    let begin = Instant::now();
    tokio::task::spawn_blocking(Binaries::ensure).await??;
    if begin.elapsed() > BUILT {
        note(&mut timings, "Kubernetes' programs built, once", begin);
    }

    heading("Starting a control plane, and installing Signpost in it");
    let begin = Instant::now();
    let cluster = Cluster::start(wire.options("demo").nodes(0)).await?;
    note(&mut timings, "control plane and controller up", begin);
    if let Some(folder) = cluster.applied() {
        println!("    kubectl apply --server-side -k {}", folder.display());
        println!(
            "    (manifests/{}, with where the controller finds the API server)",
            cluster.overlay_of().folder()
        );
    }

    if wire == Wire::Gcp {
        heading("The network that nodes join: pods reach each other only as its routes say");
        print!("{}", shown::subnets(&cluster)?);
        println!(
            "    Every change of a route is an operation, which here takes two to five seconds"
        );
    }
    if wire == Wire::Aws {
        heading("The VPC that nodes join: pods reach each other only as its route tables say");
        print!("{}", shown::subnets(&cluster)?);
        println!(
            "    EC2's listings may lag behind its writes: a new leader lets that time pass before it \
             hands out subnets"
        );
    }

    heading(format!(
        "{nodes} nodes join: containerd, kubelet, kube-proxy and Signpost's agent on each"
    ));
    let mut board = Board::new(&cluster).await?;
    let names: Vec<String> = (1..=nodes).map(|number| format!("node-{number}")).collect();
    let begin = Instant::now();
    board
        .follow(try_join_all(
            names.iter().map(|name| cluster.add_node(name)),
        ))
        .await?;
    note(&mut timings, format!("{nodes} nodes ready"), begin);

    heading("Pods, two for each node, where the scheduler puts them");
    let begin = Instant::now();
    let mut pods = schedule(&cluster, 1..=2 * usize::from(nodes)).await?;
    note(&mut timings, format!("{} pods ready", pods.len()), begin);
    show_paths(&cluster, &pods).await?;

    let joining = format!("node-{}", nodes + 1);
    heading(format!("One more node joins: {joining}"));
    let begin = Instant::now();
    board.follow(cluster.add_node(&joining)).await?;
    note(&mut timings, format!("{joining} ready"), begin);
    let first = pods.len() + 1;
    pods.push(
        cluster
            .run_pod(PodSpec::new(&format!("pod-{first}")).on(&joining))
            .await?,
    );
    show_paths(&cluster, &pods).await?;

    heading("A node leaves: node-1");
    let begin = Instant::now();
    board.follow(leave(&cluster, "node-1")).await?;
    note(&mut timings, "node-1 gone, and every route to it", begin);
    pods.retain(|pod| pod.node().name() != "node-1");
    show_paths(&cluster, &pods).await?;

    match wire {
        Wire::Linux => {}
        Wire::Aws => {
            heading("What the route tables of the VPC hold");
            print!("{}", shown::contents(&cluster)?);
        }
        Wire::Gcp => {
            heading("What the network has for routes");
            print!("{}", shown::contents(&cluster)?);
        }
    }

    heading("What kubectl says");
    wait_for_status(&cluster, usize::from(nodes)).await?;
    let tables = [
        "get",
        "podnetwork,nodes,pods",
        "--all-namespaces",
        "--output=wide",
    ];
    println!("{}", cluster.kubectl(&tables).await?);

    heading("Timings");
    for (what, took) in board::routed(&cluster) {
        timings.push((
            format!("{what}: from first sight of the node to its route read back"),
            took,
        ));
    }
    for (what, took) in timings {
        println!("  {:>9}  {what}", duration(took));
    }
    Ok(cluster)
}

/// Creates pods without saying where, and waits until all are ready.
async fn schedule(cluster: &Cluster, numbers: std::ops::RangeInclusive<usize>) -> Result<Vec<Pod>> {
    let specs: Vec<PodSpec> = numbers
        .map(|number| PodSpec::new(&format!("pod-{number}")))
        .collect();
    try_join_all(specs.into_iter().map(|spec| cluster.run_pod(spec))).await
}

/// Takes a node away and waits until no table leads there any more.
async fn leave(cluster: &Cluster, name: &str) -> Result<()> {
    let node = cluster.node(name)?;
    cluster.remove_node(name).await?;
    crate::wait::until("the route to go", LIMIT, async || {
        ensure!(
            !shown::leads_to(cluster, &node).await?,
            "a route to {name} is there"
        );
        Ok(())
    })
    .await
}

/// Pings along every path and prints who reaches whom.
async fn show_paths(cluster: &Cluster, pods: &[Pod]) -> Result<()> {
    let matrix = Matrix::measure(cluster, pods).await?;
    print!("{matrix}");
    ensure!(matrix.is_green(), "not every path works, see above");
    Ok(())
}

/// Waits until the `PodNetwork` tells of just these nodes and is ready: its status is written once a
/// second, and EC2 is believed that routes are gone only when its reads cannot lag any more.
async fn wait_for_status(cluster: &Cluster, nodes: usize) -> Result<()> {
    let network: Api<PodNetwork> = Api::all(cluster.client());
    crate::wait::until("the PodNetwork's status", LIMIT, async || {
        let status = network
            .get(signpost_api::NAME)
            .await?
            .status
            .unwrap_or_default();
        let counts = status.nodes.unwrap_or_default();
        ensure!(
            usize::try_from(counts.total) == Ok(nodes) && counts.routed == counts.total,
            "it says {} of {} nodes are routed",
            counts.routed,
            counts.total
        );
        let ready = status.conditions.iter().find(|it| it.type_ == "Ready");
        let ready = ready.context("it has no condition Ready")?;
        ensure!(ready.status == "True", "it says {}", ready.message);
        Ok(())
    })
    .await
}

fn heading(text: impl Display) {
    println!("\n{}", paint::bold(format!("==> {text}")));
}

fn note(timings: &mut Timings, what: impl Into<String>, begin: Instant) {
    let what = what.into();
    let took = begin.elapsed();
    println!("    {what} after {}", duration(took));
    timings.push((what, took));
}

/// Milliseconds below a second, tenths of seconds above.
fn duration(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}
