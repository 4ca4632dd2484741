//! A filled network in which nothing changes, and then somebody removes a route by hand.

use std::time::Duration;

use anyhow::Result;
use signpost_gce::Call;

use super::network::Network;
use super::{CHECK_PERIOD, Filled, Scale};
use crate::clouds::{Emulated, put_back};
use crate::report::{Against, Report, Row};
use crate::world::say;

/// Listings an hour of the incumbent: it lists every ten seconds, whatever happens.
const INCUMBENT: f64 = 360.0;
/// Routes of one page; the default of the API too.
const PAGE: u32 = 500;
/// What is called so rarely that minutes say nothing about it, and how often in an hour: the network is
/// looked at every ten minutes, the project is asked for its quota every hour.
const RARE: [(&str, u32); 2] = [("networks.get", 6), ("projects.get", 1)];
/// What the nodes before have set off ends first. For a minute after a change operations are listed with
/// the routes, which belongs to that change.
const REST: Duration = Duration::from_secs(70);
/// The same where nothing depends on the numbers.
const SHORT_REST: Duration = Duration::from_secs(10);
/// How often it is looked whether the routes are listed.
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn measure(scale: &Scale, cluster: &Filled, report: &mut Report) -> Result<()> {
    let network = &cluster.network;
    let nodes = cluster.nodes + scale.joining;
    let seconds = scale.quiet.as_secs();
    say(&format!(
        "gcp, {nodes} nodes and nothing to do, for {seconds} s"
    ));
    tokio::time::sleep(if scale.goals { REST } else { SHORT_REST }).await;
    network.gce.clear_calls();
    tokio::time::sleep(scale.quiet).await;
    let mut calls = network.calls();
    eprintln!("    {}", network.list_calls());
    calls.retain(|action, _| RARE.iter().all(|(rare, _)| action != rare));
    let called = f64::from(calls.values().sum::<u32>());
    let rare = RARE.iter().map(|(_, hourly)| hourly).sum::<u32>();
    let hour = called * 3600.0 / scale.quiet.as_secs_f64() + f64::from(rare);
    report.add(Row::new(
        format!("gcp, {nodes} nodes, an idle hour (from {seconds} s): calls, peer as cited"),
        "calls",
        &[hour],
        Against::Peer(&[INCUMBENT * f64::from(nodes.div_ceil(PAGE))]),
        scale.goal(1.0 / 3.0),
    ));

    say("gcp, a route is removed by hand");
    let mut taken = Vec::new();
    for turn in 0..scale.removed {
        // Spread over the time between two listings, of which the worst would be the whole. It is gone
        // when its deletion has been carried out.
        let share = (f64::from(turn) + 0.5) / f64::from(scale.removed);
        listed(network).await;
        let pause = CHECK_PERIOD.mul_f64(share);
        tokio::time::sleep(pause.saturating_sub(scale.operation)).await;
        taken.push(put_back(network).await?);
    }
    report.add(Row::new(
        "gcp, a route removed by hand: back",
        "s",
        &taken,
        Against::Bound(CHECK_PERIOD.as_secs_f64()),
        None,
    ));
    Ok(())
}

/// Waits until the routes are listed.
async fn listed(network: &Network) {
    let last = network.calls_after(0).last().map_or(0, |call| call.id);
    let is_listing = |call: &Call| call.action == "routes.list";
    while !network.calls_after(last).iter().any(is_listing) {
        tokio::time::sleep(LOOK).await;
    }
}
