//! The controller is killed.

use std::time::Duration;

use anyhow::Result;

use super::{Arena, Fault, fault};

pub(super) const FAULTS: &[Fault] = &[fault!(
    leader_killed,
    "SIGKILL for the replica that leads, at a random moment while nodes join and leave"
)];

async fn leader_killed(arena: &mut Arena) -> Result<()> {
    let leader = arena.leader().await?;
    let count = arena.choose(2..=6);
    let joined = arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_millis(800)).await;
    arena.cluster().router().kill(leader.service()).await?;
    arena.did(format!(
        "{} killed {pause:?} after {count} nodes joined",
        leader.service()
    ));
    arena.leave_bare(&joined[..1]).await
}
