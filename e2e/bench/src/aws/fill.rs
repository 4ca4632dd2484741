//! All routes of a cluster, from empty tables: from the start of the process until every node says
//! that it is routed.

use anyhow::Result;

use super::vpc::Vpc;
use super::{CHECK_PERIOD, LATENCY, Scale};
use crate::clouds::{Emulated, Filling, filled, of, register_all, tell_filled};
use crate::program::Program;
use crate::report::{Against, Report, Row};
use crate::world::{World, say};

/// The bucket of `CreateRoute`, for each account and region ("Request throttling for the Amazon EC2
/// API").
const BURST: f64 = 50.0;
const PER_SECOND: f64 = 5.0;
/// Largest page of `DescribeRouteTables`.
const TABLES_A_PAGE: u32 = 100;

/// The controller goes on running.
pub(super) async fn measure(
    scale: &Scale,
    world: &World,
    vpc: &Vpc,
    report: &mut Report,
) -> Result<Program> {
    let routes = scale.nodes * scale.tables;
    let bound = bound(routes);
    let work = format!("aws, {} nodes x {} tables", scale.nodes, scale.tables);
    say(&format!("{work} from empty: {bound:.0} s at best"));
    register_all(vpc, &world.client, scale.nodes).await?;
    world.rest().await;
    vpc.ec2.fill_buckets();
    let mut program = world.start_ours_in(&vpc.environment()?)?;
    let filling = Filling {
        nodes: scale.nodes,
        routes,
        limit: 2.0 * bound + 120.0,
    };
    let took = filled(filling, world, vpc, &mut program).await?;
    let calls = vpc.calls();
    tell_filled(took, &program, vpc)?;

    let mut row = |what: &str, unit: &str, ours: f64, floor: f64, goal| {
        let work = format!("{work} from empty: {what}");
        report.add(Row::new(
            work,
            unit,
            &[ours],
            Against::Floor(&[floor]),
            goal,
        ));
    };
    row("time", "s", took, bound, scale.goal(1.05));
    let creations = of(&calls, "CreateRoute") / f64::from(routes);
    row(
        "CreateRoute calls a route",
        "calls",
        creations,
        1.0,
        scale.goal(1.0),
    );
    let listings = Listings::due(scale, took);
    let listed = of(&calls, "DescribeRouteTables");
    listings.tell(listed);
    row(
        "DescribeRouteTables calls",
        "calls",
        listed,
        listings.sum(),
        scale.goal(1.0),
    );
    let all = f64::from(calls.values().sum::<u32>()) / f64::from(routes);
    row("calls of any kind a route", "calls", all, 1.0, None);
    Ok(program)
}

/// Seconds that so many routes take at least: the bucket allows no more, and the first route needs
/// an instance, the last one to be read back.
fn bound(routes: u32) -> f64 {
    let bucket = (f64::from(routes) - BURST).max(0.0) / PER_SECOND;
    bucket.max(3.0 * LATENCY.as_secs_f64())
}

/// How often the tables have to be listed: a page for every hundred of them
/// each time.
struct Listings {
    pages: f64,
    /// Beginning and read-back.
    needed: f64,
    /// Looks for drift meanwhile.
    periodic: f64,
}

impl Listings {
    fn due(scale: &Scale, seconds: f64) -> Self {
        Self {
            pages: f64::from(scale.tables.div_ceil(TABLES_A_PAGE)),
            needed: 2.0,
            periodic: (seconds / CHECK_PERIOD.as_secs_f64()).floor(),
        }
    }

    fn sum(&self) -> f64 {
        self.pages * (self.needed + self.periodic)
    }

    /// The rest is what lets nodes be used while others still wait for their turn.
    fn tell(&self, listed: f64) {
        let pages = self.pages;
        eprintln!(
            "    of {listed} listings of the tables {} at the beginning and the end, {} as of every \
             {CHECK_PERIOD:?}, {} to read routes back meanwhile",
            pages * self.needed,
            pages * self.periodic,
            (listed - self.sum()).max(0.0)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::FULL;

    #[test]
    fn what_the_bucket_allows_bounds_the_time() {
        assert!((bound(1500) - 290.0).abs() < 1e-9);
        let few = bound(40);
        assert!((few - 3.0 * LATENCY.as_secs_f64()).abs() < 1e-9, "{few}");
    }

    #[test]
    fn tables_are_listed_a_hundred_on_a_page() {
        let sum = |tables| Listings::due(&Scale { tables, ..FULL }, 95.0).sum();
        assert!((sum(3) - 5.0).abs() < 1e-9);
        assert!((sum(101) - 10.0).abs() < 1e-9);
    }
}
