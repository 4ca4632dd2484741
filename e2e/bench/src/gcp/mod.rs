//! Routes in a VPC network of Google Cloud: what a large cluster takes from empty, what one node more
//! takes, and what it costs while nothing happens.
//!
//! The cloud is this project's emulator of Compute Engine with Google's rates, every call of which takes
//! [`LATENCY`] and every operation [`Scale::operation`]; it is also the witness of calls. The incumbent
//! has no part in it: its numbers that are named here were measured elsewhere, with the route controller
//! of GCP's cloud-controller-manager alone, in clusters of 20 and 100 nodes. It polls operations five
//! times a second, so that a route takes it 0.2 s, for which it makes three calls.

mod fill;
mod join;
mod network;
mod quiet;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::Options;
use crate::program::Program;
use crate::report::Report;
use crate::world::{World, say};
use network::Network;

/// How long every call takes: an assumption, Google says nothing about it.
const LATENCY: Duration = Duration::from_millis(100);

/// How often the routes are listed without a reason, as is the default of `spec.cloud.checkPeriod`.
const CHECK_PERIOD: Duration = Duration::from_secs(30);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Nodes of clusters that are filled from empty, one after the other. What comes after that happens
    /// in the last one.
    fills: &'static [u32],
    /// Nodes that join one after the other.
    joining: u32,
    /// How long nothing happens.
    quiet: Duration,
    /// Routes that are removed by hand, one after the other.
    removed: u32,
    /// How long an operation takes. Google says nothing about it; some seconds are assumed.
    operation: Duration,
    /// Whether it is large enough for the goals.
    goals: bool,
}

const FULL: Scale = Scale {
    fills: &[200, 1000],
    joining: 5,
    quiet: Duration::from_secs(300),
    removed: 3,
    operation: Duration::from_secs(5),
    goals: true,
};

const QUICK: Scale = Scale {
    fills: &[40],
    joining: 2,
    quiet: Duration::from_secs(30),
    removed: 1,
    operation: Duration::from_secs(2),
    goals: false,
};

impl Scale {
    fn goal(&self, goal: f64) -> Option<f64> {
        self.goals.then_some(goal)
    }
}

/// A cluster whose network has been filled.
struct Filled {
    nodes: u32,
    world: World,
    network: Network,
    program: Program,
}

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let scale = if options.quick { QUICK } else { FULL };
    let (&largest, smaller) = scale.fills.split_last().context("nothing to fill")?;
    for &nodes in smaller {
        fill(&scale, nodes, report).await?.program.stop()?;
    }
    let cluster = fill(&scale, largest, report).await?;
    join::measure(&scale, &cluster, report).await?;
    quiet::measure(&scale, &cluster, report).await?;
    cluster.program.stop()
}

/// In an API server and a network of its own.
async fn fill(scale: &Scale, nodes: u32, report: &mut Report) -> Result<Filled> {
    say("building a network of Google");
    let network = Network::new(scale, nodes + scale.joining).await?;
    let period = format!("{}s", CHECK_PERIOD.as_secs());
    let cloud = json!({
        "provider": "gcp",
        "checkPeriod": period,
        "gcp": {"clusterName": "bench", "endpoint": network.gce.url()},
    });
    let world = World::start(cloud).await?;
    let program = fill::measure(scale, nodes, &world, &network, report).await?;
    Ok(Filled {
        nodes,
        world,
        network,
        program,
    })
}
