//! Routes in a VPC of AWS: what a large cluster takes from empty, what one node more takes, and what
//! it costs while nothing happens.
//!
//! The cloud is this project's emulator of EC2 with EC2's published rates, every call of which takes
//! [`LATENCY`]; it is also the witness of calls. The incumbent has no part in it: its numbers that
//! are named here were measured elsewhere, with the route controller of AWS's
//! cloud-controller-manager 1.37 alone. For 100 nodes and one table (it takes no more) at these rates
//! it needed 1.46 times what the bucket of `CreateRoute` allows, and 433 calls.

mod fill;
mod join;
mod quiet;
mod vpc;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::Options;
use crate::report::Report;
use crate::world::{World, say};
use vpc::Vpc;

/// How long every call takes: an assumption, EC2 says nothing about it.
const LATENCY: Duration = Duration::from_millis(150);

/// How often the tables are listed without a reason, as is the default of `spec.cloud.checkPeriod`.
const CHECK_PERIOD: Duration = Duration::from_secs(30);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    nodes: u32,
    tables: u32,
    /// Nodes that join one after the other.
    joining: u32,
    /// How long nothing happens.
    quiet: Duration,
    /// Routes that are removed by hand, one after the other.
    removed: u32,
    /// Whether it is large enough for the goals.
    goals: bool,
}

const FULL: Scale = Scale {
    nodes: 500,
    tables: 3,
    joining: 5,
    quiet: Duration::from_secs(300),
    removed: 3,
    goals: true,
};

const QUICK: Scale = Scale {
    nodes: 60,
    tables: 2,
    joining: 2,
    quiet: Duration::from_secs(30),
    removed: 1,
    goals: false,
};

impl Scale {
    fn goal(&self, goal: f64) -> Option<f64> {
        self.goals.then_some(goal)
    }
}

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let scale = if options.quick { QUICK } else { FULL };
    let period = format!("{}s", CHECK_PERIOD.as_secs());
    let cloud = json!({
        "provider": "aws",
        "checkPeriod": period,
        "aws": {"clusterName": vpc::CLUSTER},
    });
    let world = World::start(cloud).await?;
    say("building a VPC");
    let vpc = Vpc::new(&scale).await?;
    let program = fill::measure(&scale, &world, &vpc, report).await?;
    join::measure(&scale, &world, &vpc, report).await?;
    quiet::measure(&scale, &vpc, report).await?;
    program.stop()
}
