//! One node more in the filled VPC: from the request that creates it until it says that it is routed.

use std::time::Duration;

use anyhow::Result;

use super::vpc::Vpc;
use super::{LATENCY, Scale};
use crate::clouds::join;
use crate::report::{Against, Report, Row};
use crate::world::{World, say};

/// Calls of which each needs the answer of the one before: the instance is read, its routes are
/// created (in all tables at once, while its source/destination check is switched off), and read
/// back.
const IN_A_ROW: u32 = 3;
/// After filling, until the bucket of `CreateRoute` has some tokens again.
const REFILL: Duration = Duration::from_secs(12);
/// Between two of them; no divisor of the period in which tables are listed anyway.
const PAUSE: Duration = Duration::from_secs(7);

pub(super) async fn measure(
    scale: &Scale,
    world: &World,
    vpc: &Vpc,
    report: &mut Report,
) -> Result<()> {
    say(&format!("aws, one node joins {}", scale.nodes));
    tokio::time::sleep(REFILL).await;
    let mut taken = Vec::new();
    for number in scale.nodes..scale.nodes + scale.joining {
        vpc.ec2.clear_calls();
        taken.push(join(world, vpc, number).await?);
        tokio::time::sleep(PAUSE).await;
    }
    let floor = vec![(LATENCY * IN_A_ROW).as_secs_f64(); taken.len()];
    report.add(Row::new(
        format!("aws, one node joins {}: routed", scale.nodes),
        "s",
        &taken,
        Against::Floor(&floor),
        None,
    ));
    Ok(())
}
