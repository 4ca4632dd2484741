//! The API server is killed, down, frozen, slow or cannot be reached.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::replicas::LEASE;
use super::route_log::RouteLog;
use super::{Arena, Fault, Mode, fault};
use crate::control_plane;
use crate::metrics;
use crate::wait::{self, LIMIT};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        api_server_killed,
        "SIGKILL for the API server while nodes join and leave"
    ),
    fault!(
        api_server_down,
        "The API server is down for longer than the lease"
    ),
    fault!(
        api_server_frozen,
        "SIGSTOP for the API server for some seconds: requests hang"
    ),
    fault!(
        connections_cut,
        "The replicas' connections to the API server are cut again and again"
    ),
    fault!(
        api_slow,
        "All that the replicas say to the API server and hear from it is late"
    ),
    fault!(
        leader_cut_off,
        "The leader alone cannot reach the API server, until another one leads"
    ),
    fault!(
        replicas_cut_off,
        "No replica reaches the API server for longer than the lease"
    ),
];

const SERVER: &str = "kube-apiserver";
const PASS: Mode = Mode::Pass { delay: 0 };

async fn ready(arena: &Arena) -> Result<()> {
    let cluster = arena.cluster();
    control_plane::ready(&cluster.client(), cluster.router()).await
}

async fn api_server_killed(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(4).await?;
    arena.leave_bare(&joined[..1]).await?;
    let pause = arena.moment(Duration::from_secs(1)).await;
    arena.cluster().router().kill(SERVER).await?;
    arena.did(format!("killed after {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[1..2]).await
}

async fn api_server_down(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(3).await?;
    arena.moment(Duration::from_millis(500)).await;
    arena.cluster().router().halt(SERVER).await?;
    let pause = Duration::from_secs(LEASE) + arena.moment(Duration::from_secs(4)).await;
    tokio::time::sleep(Duration::from_secs(LEASE)).await;
    arena.cluster().router().start_again(SERVER).await?;
    arena.did(format!("down for {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[..1]).await
}

async fn api_server_frozen(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(4).await?;
    arena.moment(Duration::from_millis(500)).await;
    let begin = Instant::now();
    arena
        .cluster()
        .router()
        .signal(SERVER, Signal::STOP)
        .await?;
    let pause = arena.moment(Duration::from_secs(9)).await;
    arena.api_was_held_up(begin.elapsed());
    arena
        .cluster()
        .router()
        .signal(SERVER, Signal::CONT)
        .await?;
    arena.did(format!("frozen for {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[..2]).await
}

async fn connections_cut(arena: &mut Arena) -> Result<()> {
    let times = arena.choose(5..=15);
    let mut joined = Vec::new();
    for _ in 0..times {
        joined.extend(arena.join_bare(1).await?);
        arena.moment(Duration::from_millis(700)).await;
        for replica in arena.replicas() {
            replica.cut_api().await?;
        }
    }
    arena.did(format!("cut {times} times"));
    arena.leave_bare(&joined[..times / 2]).await
}

async fn api_slow(arena: &mut Arena) -> Result<()> {
    let delay = u64::try_from(arena.choose(50..=350))?;
    for replica in arena.replicas() {
        replica.reach_api(Mode::Pass { delay }).await?;
    }
    let count = arena.choose(3..=8);
    let joined = arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_secs(6)).await;
    arena.leave_bare(&joined[..count / 2]).await?;
    arena.moment(Duration::from_secs(2)).await;
    for replica in arena.replicas() {
        replica.reach_api(PASS).await?;
    }
    arena.did(format!(
        "each way {delay} ms slower, {count} nodes joined, some left {pause:?} later"
    ));
    Ok(())
}

async fn leader_cut_off(arena: &mut Arena) -> Result<()> {
    let leader = arena.leader().await?;
    let mode = if arena.toss() {
        Mode::Hold
    } else {
        Mode::Refuse
    };
    let joined = arena.join_bare(4).await?;
    let pause = arena.moment(Duration::from_millis(500)).await;
    leader.reach_api(mode).await?;
    arena.did(format!(
        "{} cut off ({mode:?}) after {pause:?}",
        leader.service()
    ));
    arena.leave_bare(&joined[..2]).await?;
    arena.successor(&leader).await?;
    arena.join_bare(2).await?;
    super::invariants::routed(arena.cluster()).await?;
    let text = leader.metrics(arena.cluster()).await?;
    let leads = metrics::value(&text, "signpost_leader", &[]);
    ensure!(
        leads == Some(0.0),
        "{} cannot reach its lease, which another one holds, and says signpost_leader {leads:?}",
        leader.service()
    );
    let changes = RouteLog::start(arena.cluster().router()).await?;
    leader.reach_api(PASS).await?;
    arena.moment(Duration::from_secs(3)).await;
    changes.nothing_changed()
}

async fn replicas_cut_off(arena: &mut Arena) -> Result<()> {
    let mode = if arena.toss() {
        Mode::Hold
    } else {
        Mode::Refuse
    };
    let joined = arena.join_bare(3).await?;
    arena.moment(Duration::from_millis(500)).await;
    for replica in arena.replicas() {
        replica.reach_api(mode).await?;
    }
    wait::until("all to lead no more", LIMIT, async || {
        for replica in arena.replicas() {
            let text = replica.metrics(arena.cluster()).await?;
            let leads = metrics::value(&text, "signpost_leader", &[]);
            ensure!(
                leads == Some(0.0),
                "{} says signpost_leader {leads:?}",
                replica.service()
            );
        }
        Ok(())
    })
    .await?;
    arena.leave_bare(&joined[..1]).await?;
    let pause = arena.moment(Duration::from_secs(4)).await;
    for replica in arena.replicas() {
        replica.reach_api(PASS).await?;
    }
    arena.did(format!(
        "cut off ({mode:?}) until none led and for {pause:?} more"
    ));
    Ok(())
}
