//! A filled VPC in which nothing changes, and then somebody removes a route by hand.

use std::time::Duration;

use anyhow::Result;

use super::vpc::Vpc;
use super::{CHECK_PERIOD, Scale};
use crate::clouds::{Emulated, put_back};
use crate::report::{Against, Report, Row};
use crate::world::say;

/// Calls an hour of the incumbent: it lists every five seconds, whatever happens.
const INCUMBENT: f64 = 720.0;
/// `GetServiceQuota` is called at the start and then every hour, so in a part of an hour as a rule
/// not at all.
const HOURLY: f64 = 1.0;
/// What the nodes before have set off ends first.
const REST: Duration = Duration::from_secs(10);

pub(super) async fn measure(scale: &Scale, vpc: &Vpc, report: &mut Report) -> Result<()> {
    let nodes = scale.nodes + scale.joining;
    let seconds = scale.quiet.as_secs();
    say(&format!(
        "aws, {nodes} nodes and nothing to do, for {seconds} s"
    ));
    tokio::time::sleep(REST).await;
    vpc.ec2.clear_calls();
    tokio::time::sleep(scale.quiet).await;
    let calls = vpc.calls();
    eprintln!("    {}", vpc.list_calls());
    let called = f64::from(calls.values().sum::<u32>());
    let hour = called * 3600.0 / scale.quiet.as_secs_f64() + HOURLY;
    report.add(Row::new(
        format!("aws, {nodes} nodes, an idle hour (from {seconds} s): calls, peer as cited"),
        "calls",
        &[hour],
        Against::Peer(&[INCUMBENT]),
        scale.goal(0.2),
    ));

    say("aws, a route is removed by hand");
    let mut taken = Vec::new();
    for turn in 0..scale.removed {
        // The last one came back just after a listing: these moments are spread over the time
        // between two listings, of which the worst would be the whole.
        let share = (f64::from(turn) + 0.5) / f64::from(scale.removed);
        tokio::time::sleep(CHECK_PERIOD.mul_f64(share)).await;
        taken.push(put_back(vpc).await?);
    }
    report.add(Row::new(
        "aws, a route removed by hand: back",
        "s",
        &taken,
        Against::Bound(CHECK_PERIOD.as_secs_f64()),
        None,
    ));
    Ok(())
}
