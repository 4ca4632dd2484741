//! What people are told by the object itself: the engine's figures as `status` of the `PodNetwork`.

mod conditions;
mod figures;
mod writer;

pub use conditions::{Judged, invalid, judge};
pub use figures::publish;
pub use writer::Writer;

use signpost_api::{NodeCounts, PodNetworkStatus, PoolStatus, QuotaStatus, RouteCounts};
use signpost_core::{Config, Summary};

/// The whole status. `before` gives the conditions their transition times.
pub fn status(
    summary: &Summary,
    config: &Config,
    routes: bool,
    before: &PodNetworkStatus,
) -> PodNetworkStatus {
    let judged = judge(summary, config, routes);
    PodNetworkStatus {
        observed_generation: Some(summary.generation),
        conditions: conditions::write(&judged, summary.generation, &before.conditions),
        pools: summary
            .pools
            .iter()
            .map(|pool| PoolStatus {
                name: pool.name.to_string(),
                total: count(pool.total),
                allocated: count(pool.allocated),
                quarantined: count(pool.quarantined),
                reserved: count(pool.reserved),
                free: count(pool.free),
            })
            .collect(),
        routes: routes.then(|| route_counts(summary)),
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
