//! Replicas of the controller are killed, stopped, restarted, or have a wrong clock.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, WatchEvent, WatchParams};
use rustix::process::Signal;

use super::invariants;
use super::replicas::LEASE;
use super::route_log::RouteLog;
use super::{Arena, Fault, Mode, Replica, fault};
use crate::metrics;
use crate::wait::{self, LIMIT};
use crate::{objects, routes};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        leader_killed,
        "SIGKILL for the replica that leads, at a random moment while nodes join and leave"
    ),
    fault!(
        replicas_killed,
        "SIGKILL for both replicas, several times while nodes join and leave"
    ),
    fault!(
        killed_between_writes,
        "SIGKILL for the leader when a node has its pod CIDR and before the route is written"
    ),
    fault!(
        leader_stopped,
        "SIGSTOP for the leader for longer than its lease, then SIGCONT: it must not write"
    ),
    fault!(
        leader_restarted,
        "SIGTERM for one leader after the other while nodes join and leave"
    ),
    fault!(
        clock_shifted,
        "One replica's wall clock and boot clock are hours off, and the lease changes hands"
    ),
];

/// Where Debian has the library; the loader knows what `$LIB` is.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketime.so.1";

async fn leader_killed(arena: &mut Arena) -> Result<()> {
    let leader = arena.leader().await?;
    let count = arena.choose(2..=6);
    let joined = arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_millis(800)).await;
    leader.kill(arena.cluster()).await?;
    arena.did(format!(
        "{} killed {pause:?} after {count} nodes joined",
        leader.service()
    ));
    arena.leave_bare(&joined[..1]).await
}

async fn replicas_killed(arena: &mut Arena) -> Result<()> {
    for _ in 0..arena.choose(2..=4) {
        let joined = arena.join_bare(2).await?;
        let pause = arena.moment(Duration::from_millis(1500)).await;
        for replica in arena.replicas() {
            replica.kill(arena.cluster()).await?;
        }
        arena.leave_bare(&joined[..1]).await?;
        arena.did(format!("both killed after {pause:?}"));
    }
    Ok(())
}

async fn killed_between_writes(arena: &mut Arena) -> Result<()> {
    let nodes: Api<Node> = Api::all(arena.cluster().client());
    for _ in 0..2 {
        let leader = arena.leader().await?;
        invariants::routed(arena.cluster()).await?;
        // It learns late that its write of the pod CIDR succeeded, so that there is time to kill it
        // before it goes on to the route.
        leader.reach_api(Mode::Pass { delay: 250 }).await?;
        let params = WatchParams::default().labels("signpost.dev/bare=true");
        let watch = nodes.watch(&params, "0").await?;
        let joined = arena.join_bare(1).await?;
        let has_cidr = watch.try_filter_map(async |event| {
            let (WatchEvent::Added(node) | WatchEvent::Modified(node)) = event else {
                return Ok(None);
            };
            let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone());
            let ours = joined.iter().any(|name| name == objects::name(&node));
            Ok(cidrs.filter(|cidrs| ours && !cidrs.is_empty()))
        });
        let mut has_cidr = std::pin::pin!(has_cidr);
        let seen = tokio::time::timeout(LIMIT, has_cidr.next()).await;
        let cidrs = seen.context("waiting for a pod CIDR")?;
        let cidrs = cidrs.context("the watch ended")??;
        leader.kill(arena.cluster()).await?;
        let table = routes::ours(arena.cluster()).await?;
        let written = table.keys().any(|route| cidrs.contains(&route.to_string()));
        leader.reach_api(Mode::Pass { delay: 0 }).await?;
        let when = if written { "after" } else { "before" };
        arena.did(format!(
            "{} killed {when} the route to {}",
            leader.service(),
            cidrs.join(" and ")
        ));
        arena.successor(&leader).await?;
    }
    Ok(())
}

async fn leader_stopped(arena: &mut Arena) -> Result<()> {
    let leader = arena.leader().await?;
    let count = arena.choose(2..=5);
    let joined = arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_millis(600)).await;
    leader.signal(Signal::STOP).await?;
    let begin = Instant::now();
    arena.did(format!(
        "{} stopped {pause:?} after {count} nodes joined",
        leader.service()
    ));
    arena.successor(&leader).await?;
    // What it knows is not true any more, so that whatever it writes shows.
    arena.leave_bare(&joined[..count / 2]).await?;
    let others = arena.choose(1..=3);
    arena.join_bare(others).await?;
    invariants::routed(arena.cluster()).await?;
    // Its last renewal was before it was stopped.
    tokio::time::sleep(Duration::from_secs(LEASE).saturating_sub(begin.elapsed())).await;

    let changes = RouteLog::start(arena.cluster().router()).await?;
    leader.signal(Signal::CONT).await?;
    arena.did(format!(
        "continued after {:.1} s",
        begin.elapsed().as_secs_f32()
    ));
    let what = format!("{} to notice that it leads no more", leader.service());
    wait::until(&what, LIMIT, async || {
        let text = leader.metrics(arena.cluster()).await?;
        let leads = metrics::value(&text, "signpost_leader", &[]);
        ensure!(leads == Some(0.0), "signpost_leader is {leads:?}");
        Ok(())
    })
    .await?;
    arena.moment(Duration::from_secs(2)).await;
    changes.nothing_changed()
}

async fn leader_restarted(arena: &mut Arena) -> Result<()> {
    for _ in 0..arena.choose(2..=3) {
        let leader = arena.leader().await?;
        let joined = arena.join_bare(3).await?;
        let pause = arena.moment(Duration::from_millis(800)).await;
        let begin = Instant::now();
        leader.stop().await?;
        arena.leave_bare(&joined[..2]).await?;
        arena.successor(&leader).await?;
        let took = begin.elapsed();
        leader.start().await?;
        arena.did(format!(
            "{} ended after {pause:?}, the other one led {:.1} s later",
            leader.service(),
            took.as_secs_f32()
        ));
    }
    Ok(())
}

async fn clock_shifted(arena: &mut Arena) -> Result<()> {
    let shifted = arena.standby().await?;
    let hours = arena.choose(1..=48);
    let sign = if arena.toss() { '+' } else { '-' };
    let boot = arena.choose(1_000..=1_000_000);
    shifted.stop().await?;
    // The boot clock, by which the controller counts.
    let by = [
        "unshare",
        "--time",
        &format!("--boottime={boot}"),
        &format!("--monotonic={boot}"),
    ];
    // The wall clock, which it only shows. Not by the program `faketime`, which would stay as its parent.
    let environment = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME", &format!("{sign}{hours}h")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let cluster = arena.cluster();
    shifted.start_under(cluster, &by, &environment).await?;
    arena.did(format!(
        "{} {sign}{hours} h by the wall clock and +{boot} s since boot",
        shifted.service()
    ));
    // The lease goes to the one with the wrong clock, and maybe back from it.
    arena.join_bare(2).await?;
    let leader = arena.leader().await?;
    leader.halt(arena.cluster()).await?;
    let successor = arena.successor(&leader).await?;
    shown_shifted(arena, sign, hours).await?;
    in_its_own_time(arena, &successor).await?;
    leader.start().await?;
    arena.join_bare(2).await?;
    successor.kill(arena.cluster()).await?;
    arena.successor(&successor).await?;
    invariants::routed(arena.cluster()).await?;
    let bare = arena.bare().to_vec();
    arena.leave_bare(&bare[..2]).await?;
    shifted.halt(arena.cluster()).await?;
    shifted.start().await
}

/// Fails unless the replica's boot clock is another one than the machine's. Kernels before 6.1 change
/// it only for children.
async fn in_its_own_time(arena: &Arena, replica: &Replica) -> Result<()> {
    let router = arena.cluster().router();
    let service = router.services().await?.remove(replica.service());
    let pid = service.and_then(|service| service.pid);
    let own = format!("/proc/{}/ns/time", pid.context("it runs")?);
    let links = router.run(&["readlink", &own, "/proc/1/ns/time"]).await?;
    let mut links = links.lines();
    ensure!(
        links.next() != links.next(),
        "{} has the machine's boot clock",
        replica.service()
    );
    Ok(())
}

/// Fails unless the lease's holder has written a time into it that is off as meant.
async fn shown_shifted(arena: &Arena, sign: char, hours: usize) -> Result<()> {
    let spec = arena.lease().await?.spec.unwrap_or_default();
    let shown = spec.renew_time.context("the lease has a time of renewal")?;
    let off = shown.0.as_second() - Timestamp::now().as_second();
    let meant = i64::try_from(hours)? * 3600 * if sign == '-' { -1 } else { 1 };
    ensure!(
        (off - meant).abs() < 60,
        "the holder's clock should be {meant} s off, it is {off} s: is libfaketime in force?"
    );
    Ok(())
}
