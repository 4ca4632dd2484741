//! All routes of a cluster, from an empty network: from the start of the process until every node says
//! that it is routed.

use anyhow::Result;

use super::network::Network;
use super::{LATENCY, Scale};
use crate::clouds::{Emulated, Filling, filled, of, register_all, tell_filled};
use crate::program::Program;
use crate::report::{Against, Report, Row};
use crate::world::{World, say};

/// What the controller allows itself of changes as it is shipped: 750 a minute, half of the 1,500 that
/// Google allows a project ("Rate quotas" in Compute Engine's documentation). It sends so many at once
/// after a rest …
const BURST: f64 = 390.0;
/// … and so many a second from then on.
const PER_SECOND: f64 = 6.0;
/// Calls of which each needs the answer of the one before, beside the operation: the instances are read,
/// a route is inserted, and read back.
const IN_A_ROW: u32 = 3;
/// Seconds that a route takes the incumbent, because it polls operations five times a second.
const INCUMBENT_SECONDS: f64 = 0.2;
/// Calls that it makes for a route.
const INCUMBENT_CALLS: f64 = 3.0;

/// The controller goes on running.
pub(super) async fn measure(
    scale: &Scale,
    nodes: u32,
    world: &World,
    network: &Network,
    report: &mut Report,
) -> Result<Program> {
    let bound = bound(scale, nodes);
    say(&format!(
        "gcp, {nodes} nodes from empty: {bound:.0} s at best"
    ));
    register_all(network, &world.client, nodes).await?;
    world.rest().await;
    network.gce.fill_rates();
    let mut program = world.start_ours_in(&network.environment()?)?;
    let filling = Filling {
        nodes,
        routes: nodes,
        limit: 3.0 * bound + 120.0,
    };
    let took = filled(filling, world, network, &mut program).await?;
    let calls = network.calls();
    tell_filled(took, &program, network)?;
    tell_refused(network);

    let mut row = |what: &str, unit: &str, ours: f64, against: Against<'_>, goal| {
        let work = format!("gcp, {nodes} nodes from empty: {what}");
        report.add(Row::new(work, unit, &[ours], against, goal));
    };
    let incumbent = [INCUMBENT_SECONDS * f64::from(nodes)];
    row("time", "s", took, Against::Floor(&[bound]), None);
    row(
        "time, peer as cited",
        "s",
        took,
        Against::Peer(&incumbent),
        None,
    );
    let a_route = |calls: f64| calls / f64::from(nodes);
    row(
        "routes.insert calls a route",
        "calls",
        a_route(of(&calls, Network::CREATION)),
        Against::Floor(&[1.0]),
        scale.goal(1.0),
    );
    let all = a_route(f64::from(calls.values().sum::<u32>()));
    row(
        "calls of any kind a route",
        "calls",
        all,
        Against::Floor(&[1.0]),
        scale.goal(1.1),
    );
    row(
        "calls of any kind a route, peer as cited",
        "calls",
        all,
        Against::Peer(&[INCUMBENT_CALLS]),
        None,
    );
    Ok(program)
}

/// Seconds that so many routes take at least: the last one is asked for when the controller's share of
/// the quota allows it, and then it takes an operation.
fn bound(scale: &Scale, routes: u32) -> f64 {
    let quota = (f64::from(routes) - BURST).max(0.0) / PER_SECOND;
    quota + (scale.operation + LATENCY * IN_A_ROW).as_secs_f64()
}

/// Nothing is refused if the controller keeps to its share.
fn tell_refused(network: &Network) {
    let calls = network.calls_after(0);
    let refused: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.error.as_deref())
        .collect();
    if !refused.is_empty() {
        eprintln!("    {} calls were refused: {refused:?}", refused.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gcp::FULL;

    #[test]
    fn half_of_the_quota_and_one_operation_bound_the_time() {
        assert!((bound(&FULL, 200) - 5.3).abs() < 1e-9);
        assert!((bound(&FULL, 990) - 105.3).abs() < 1e-9);
    }
}
