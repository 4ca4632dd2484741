//! The engine's figures as metrics.

use std::collections::BTreeMap;

use signpost_core::{Summary, summary::Phase};

use crate::metrics::Metrics;

/// Shows these figures from now on.
pub fn publish(metrics: &Metrics, summary: &Summary, nodes: &BTreeMap<Phase, usize>) {
    let pools: Vec<_> = summary
        .pools
        .iter()
        .flat_map(|pool| {
            let name = &*pool.name;
            [
                ([name, "allocated"], pool.allocated),
                ([name, "quarantined"], pool.quarantined),
                ([name, "reserved"], pool.reserved),
                ([name, "free"], pool.free),
            ]
        })
        .collect();
    metrics.set_pool_blocks(&pools);
    let routes: Vec<_> = summary
        .tables
        .iter()
        .flat_map(|table| {
            let name = &*table.table.0;
            [
                ([name, "programmed"], table.programmed),
                ([name, "missing"], table.missing),
                ([name, "stale"], table.stale),
                ([name, "foreign"], table.foreign),
            ]
        })
        .collect();
    metrics.set_routes(&routes);
    let phases = [
        ("pending", Phase::Pending),
        ("allocated", Phase::Allocated),
        ("routing", Phase::Routing),
        ("routed", Phase::Routed),
        ("draining", Phase::Draining),
    ]
    .map(|(name, phase)| ([name, ""], nodes.get(&phase).copied().unwrap_or_default()));
    metrics.set_nodes(&phases);
    let problems: Vec<_> = summary
        .problems
        .iter()
        .map(|(reason, nodes)| ([reason.as_str(), ""], *nodes))
        .collect();
    metrics.set_node_problems(&problems);
    let held = i64::try_from(summary.deletions_held).unwrap_or(i64::MAX);
    metrics.deletions_held.set(held);
}
