//! The engine's figures as metrics.

use std::collections::BTreeMap;

use signpost_core::{
    Summary,
    ipam::Family,
    summary::{Phase, QuotaUse},
};

use crate::metrics::Metrics;

/// The use of each quota that is known: table, family, figures.
pub(super) fn quotas(summary: &Summary) -> impl Iterator<Item = (&str, Family, QuotaUse)> {
    summary.tables.iter().flat_map(|table| {
        let each = [(Family::V4, table.v4), (Family::V6, table.v6)];
        let known = each.map(|(family, quota)| Some((&*table.table.0, family, quota?)));
        known.into_iter().flatten()
    })
}

fn label(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

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
                ([name, "blocked"], pool.blocked),
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
    let used: Vec<_> = quotas(summary)
        .map(|(table, family, quota)| ([table, label(family)], quota.used as usize))
        .collect();
    let limits: Vec<_> = quotas(summary)
        .filter_map(|(table, family, quota)| Some(([table, label(family)], quota.limit? as usize)))
        .collect();
    metrics.set_quotas(&used, &limits);
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
