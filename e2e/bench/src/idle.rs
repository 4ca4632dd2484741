//! A large cluster in which nothing changes, for a part of an hour: only kubelets report, as they
//! do every five minutes each. Ours and the incumbent run side by side, as they are shipped, and
//! see the same; what they used is extrapolated to an hour.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::audit::{self, Calls, Request};
use crate::program::Program;
use crate::report::{Against, Report, Row};
use crate::world::{MANAGER, OURS, World, say};
use crate::{Options, nodes};

/// A kubelet reports an unchanged status this often (`nodeStatusReportFrequency`).
const REPORTS: Duration = Duration::from_secs(300);

pub(crate) async fn measure(
    options: &Options,
    world: &World,
    [ours, manager]: [&Program; 2],
    report: &mut Report,
) -> Result<()> {
    let size = options.many();
    let span = Duration::from_secs(options.idle);
    say(&format!(
        "{size} nodes and nothing to do, for {} s",
        options.idle
    ));
    let mut audit = world.audit()?;
    let before = [ours.usage()?, manager.usage()?];
    let end = Instant::now() + span;
    tokio::select! {
        result = heartbeats(world, size) => result?,
        () = sleep_until(end) => {}
    }
    let after = [ours.usage()?, manager.usage()?];
    let requests = audit.next()?;

    let hour = 3600.0 / span.as_secs_f64();
    let [cpu, peer_cpu] =
        [0, 1].map(|i| after[i].cpu.saturating_sub(before[i].cpu).as_secs_f64() * hour);
    let [calls, peer_calls] = [OURS, MANAGER].map(|user| f64::from(count(&requests, user)) * hour);
    let mut row = |work: &str, unit: &str, ours: f64, peer: f64| {
        let seconds = options.idle;
        let work = format!("{size} nodes, an idle hour (from {seconds} s): {work}");
        report.add(Row::new(work, unit, &[ours], Against::Peer(&[peer]), None));
    };
    row("CPU", "s", cpu, peer_cpu);
    row("API calls", "calls", calls, peer_calls);
    row("peak memory", "MB", after[0].peak_rss, after[1].peak_rss);
    Ok(())
}

/// How often it was called in all, by whatever call.
fn count(requests: &[Request], user: &str) -> u32 {
    let mut calls = Calls::new();
    for request in requests.iter().filter(|request| request.user == user) {
        audit::count(&mut calls, request);
    }
    eprintln!("    {user}: {}", audit::list(&calls));
    calls.values().sum()
}

/// All nodes' reports, evenly spread; never ends.
pub(crate) async fn heartbeats(world: &World, size: u32) -> Result<()> {
    let nodes: Api<Node> = Api::all(world.client.clone());
    let mut ticks = interval(REPORTS / size);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in (0..size).cycle() {
        ticks.tick().await;
        let now = Time(SystemTime::now().try_into()?);
        let kinds = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
        let conditions = kinds.map(|kind| json!({"type": kind, "lastHeartbeatTime": now}));
        let patch = Patch::Strategic(json!({"status": {"conditions": conditions}}));
        let name = nodes::name(number);
        nodes
            .patch_status(&name, &PatchParams::default(), &patch)
            .await?;
    }
    Ok(())
}
