//! What people are told by the object itself: the engine's figures as `status` of the `PodNetwork`.

mod conditions;
mod figures;
mod writer;

pub use conditions::{Judged, Judging, invalid, judge};
pub use figures::publish;
pub use writer::{Put, Writer};

use signpost_api::{NodeCounts, PodNetworkStatus, PoolStatus, QuotaStatus, RouteCounts};
use signpost_core::{Config, Summary, summary::PoolUse};

/// The whole status. `before` gives the conditions their transition times.
pub fn status(
    summary: &Summary,
    config: &Config,
    judging: Judging<'_>,
    before: &PodNetworkStatus,
) -> PodNetworkStatus {
    let judged = judge(summary, config, judging);
    PodNetworkStatus {
        observed_generation: Some(summary.generation),
        conditions: conditions::write(&judged, summary.generation, &before.conditions),
        pools: summary
            .pools
            .iter()
            .enumerate()
            .map(|(place, pool)| PoolStatus {
                name: distinct_name(&summary.pools[..place], &pool.name),
                total: count(pool.total),
                allocated: count(pool.allocated),
                quarantined: count(pool.quarantined),
                blocked: count(pool.blocked),
                reserved: count(pool.reserved),
                free: count(pool.free),
                problem: pool.problem.clone(),
            })
            .collect(),
        routes: judging.routes.then(|| route_counts(summary)),
        deletion_error: summary.deletion_error.clone(),
        quotas: figures::quotas(summary)
            .map(|(table, family, quota)| QuotaStatus {
                table: table.to_owned(),
                family: family.to_string(),
                used: quota.used.into(),
                limit: quota.limit.map(u64::from),
            })
            .collect(),
        nodes: Some(NodeCounts {
            total: count(summary.nodes_total),
            routed: count(summary.nodes_routed),
        }),
    }
}

/// A name of its own for each pool: one that was removed may have the name of one that came after it.
fn distinct_name(before: &[PoolUse], name: &str) -> String {
    let namesakes = before.iter().filter(|pool| &*pool.name == name).count();
    match namesakes {
        0 => name.to_owned(),
        1 => format!("{name} (removed)"),
        more => format!("{name} (removed, {more})"),
    }
}

fn route_counts(summary: &Summary) -> RouteCounts {
    let mut sum = RouteCounts::default();
    for table in &summary.tables {
        sum.desired += count(table.desired);
        sum.programmed += count(table.programmed);
        sum.missing += count(table.missing);
        sum.stale += count(table.stale);
        sum.foreign += count(table.foreign);
    }
    sum
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
