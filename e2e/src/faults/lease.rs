//! The lease object is deleted, taken by a stranger, or written by others.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::replicas::LEASE;
use super::route_log::RouteLog;
use super::{Arena, Fault, fault};
use crate::identity::CONTROLLER;
use crate::metrics;
use crate::wait::{self, LIMIT};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        lease_deleted,
        "The lease object is deleted while nodes join and leave"
    ),
    fault!(
        lease_stolen,
        "A stranger writes itself into the lease as holder, and never renews it"
    ),
    fault!(
        lease_contended,
        "Others change the lease object all the time, so that renewals meet conflicts"
    ),
];

async fn lease_deleted(arena: &mut Arena) -> Result<()> {
    for _ in 0..arena.choose(1..=2) {
        let joined = arena.join_bare(3).await?;
        let pause = arena.moment(Duration::from_millis(1500)).await;
        arena
            .leases()
            .delete(CONTROLLER, &DeleteParams::default())
            .await?;
        arena.did(format!("deleted after {pause:?}"));
        arena.leave_bare(&joined[..1]).await?;
        arena.leader().await?;
    }
    Ok(())
}

async fn lease_stolen(arena: &mut Arena) -> Result<()> {
    let leader = arena.leader().await?;
    arena.moment(Duration::from_millis(1500)).await;
    let lease = arena.lease().await?;
    let seconds = LEASE + 2;
    let patch = json!({
        "metadata": {"resourceVersion": lease.metadata.resource_version},
        "spec": {
            "holderIdentity": "stranger",
            "leaseDurationSeconds": seconds,
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    let params = PatchParams::default();
    let stolen = wait::until("the lease to be stolen", LIMIT, async || {
        let mut patch = patch.clone();
        let version = arena.lease().await?.metadata.resource_version;
        patch["metadata"]["resourceVersion"] = json!(version);
        let patch = Patch::Merge(&patch);
        Ok(arena.leases().patch(CONTROLLER, &params, &patch).await?)
    });
    stolen.await?;
    wait::until("the leader to notice", LIMIT, async || {
        let text = leader.metrics(arena.cluster()).await?;
        let leads = metrics::value(&text, "signpost_leader", &[]);
        ensure!(leads == Some(0.0), "signpost_leader is {leads:?}");
        Ok(())
    })
    .await?;
    // Nobody works as long as the stranger may do.
    let changes = RouteLog::start(arena.cluster().router()).await?;
    let count = arena.choose(1..=4);
    arena.join_bare(count).await?;
    let pause = arena.moment(Duration::from_secs(3)).await;
    changes.nothing_changed()?;
    arena.did(format!(
        "taken from {} for {seconds} s; {count} nodes joined, nothing written within {pause:?}",
        leader.service()
    ));
    arena.leader().await.map(drop)
}

async fn lease_contended(arena: &mut Arena) -> Result<()> {
    let rounds = arena.choose(20..=60);
    let mut joined = arena.join_bare(2).await?;
    for round in 0..rounds {
        let patch = json!({"metadata": {"annotations": {"e2e/round": round.to_string()}}});
        let params = PatchParams::default();
        arena
            .leases()
            .patch(CONTROLLER, &params, &Patch::Merge(&patch))
            .await
            .context("annotating the lease")?;
        if round % 10 == 0 {
            joined.extend(arena.join_bare(1).await?);
        }
        arena.moment(Duration::from_millis(200)).await;
    }
    arena.did(format!("written {rounds} times by others"));
    arena.leave_bare(&joined[..2]).await
}
