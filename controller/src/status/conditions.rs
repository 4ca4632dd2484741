//! The conditions of the `PodNetwork`.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use signpost_api::{ConditionType, PodNetworkStatus};
use signpost_core::{Config, PoolState, Summary, action::Reason};

/// What one condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Which one.
    pub type_: ConditionType,
    /// `None`: not known yet.
    pub status: Option<bool>,
    /// In `CamelCase`; stable.
    pub reason: &'static str,
    /// For people: what is wrong and what to do.
    pub message: String,
}

fn judged(
    type_: ConditionType,
    status: impl Into<Option<bool>>,
    reason: &'static str,
    message: impl Into<String>,
) -> Judged {
    Judged {
        type_,
        status: status.into(),
        reason,
        message: message.into(),
    }
}

/// All conditions, in the order of [`ConditionType::ALL`]. `routes` is false for provider `none`.
pub fn judge(summary: &Summary, config: &Config, routes: bool) -> Vec<Judged> {
    let parts = [
        pools(summary, config),
        synced(summary, routes),
        reachable(summary, routes),
    ];
    let ready = ready(summary, config, &parts);
    std::iter::once(ready).chain(parts).collect()
}

fn ready(summary: &Summary, config: &Config, parts: &[Judged]) -> Judged {
    let ready = ConditionType::Ready;
    if config.teardown {
        let message = "the PodNetwork is being deleted: every route is removed first";
        return judged(ready, false, "Deleting", message);
    }
    if !summary.recovered {
        // What keeps the cloud from being read also keeps the state from being recovered.
        let message = summary.cloud_error.as_ref().map_or_else(
            || "nodes and route tables are being read".to_owned(),
            |error| format!("the route tables cannot be read: {error}"),
        );
        return judged(ready, false, "Recovering", message);
    }
    if let Some((reason, nodes)) = summary.problems.first() {
        let message = format!(
            "{nodes} of {} nodes wait for somebody's help: see the events of the nodes \
             (kubectl get events --field-selector reason={})",
            summary.nodes_total,
            reason.as_str()
        );
        return judged(ready, false, reason.as_str(), message);
    }
    if let Some(part) = parts.iter().find(|part| part.status != Some(true)) {
        return judged(ready, false, part.reason, part.message.clone());
    }
    let (routed, total) = (summary.nodes_routed, summary.nodes_total);
    if routed < total {
        let message = format!("{routed} of {total} nodes are routed");
        return judged(ready, false, Reason::RoutePending.as_str(), message);
    }
    let message = format!("all {total} nodes are routed");
    judged(ready, true, "AllNodesRouted", message)
}

fn pools(summary: &Summary, config: &Config) -> Judged {
    let available = ConditionType::PoolsAvailable;
    let full: Vec<&str> = summary
        .pools
        .iter()
        .filter(|pool| pool.free == 0)
        .map(|pool| &*pool.name)
        .filter(|name| {
            config
                .pools
                .iter()
                .any(|pool| &*pool.name == *name && pool.state == PoolState::Active)
        })
        .collect();
    if summary.pools.is_empty() {
        return judged(available, None, "Recovering", "the pools are being read");
    }
    if full.is_empty() {
        let message = "every active pool has a free block";
        return judged(available, true, "BlocksFree", message);
    }
    let message = format!(
        "no free block in {}: add a pool to spec.pools, or free reserved blocks",
        full.join(", ")
    );
    judged(available, false, Reason::PoolExhausted.as_str(), message)
}

fn synced(summary: &Summary, routes: bool) -> Judged {
    let synced = ConditionType::RoutesSynced;
    if !routes {
        let message = "provider none: routes are somebody else's work";
        return judged(synced, true, "NotManaged", message);
    }
    if !summary.recovered {
        let message = "nodes and route tables are being read";
        return judged(synced, None, "Recovering", message);
    }
    if summary.deletions_held > 0 {
        let message = format!(
            "{} route deletions at once are held back: if they are meant, raise \
             spec.safety.maxDeletionPercent",
            summary.deletions_held
        );
        return judged(synced, false, Reason::DeletionsHeld.as_str(), message);
    }
    let missing: usize = summary.tables.iter().map(|table| table.missing).sum();
    let stale: usize = summary.tables.iter().map(|table| table.stale).sum();
    if missing + stale > 0 {
        let message = format!("{missing} routes are missing, {stale} are to be removed");
        return judged(synced, false, Reason::RoutePending.as_str(), message);
    }
    let message = "the route tables have what they should";
    judged(synced, true, "Synced", message)
}

fn reachable(summary: &Summary, routes: bool) -> Judged {
    let reachable = ConditionType::CloudReachable;
    if !routes {
        let message = "provider none: no cloud is asked";
        return judged(reachable, true, "NotManaged", message);
    }
    match &summary.cloud_error {
        Some(error) => {
            let reason = Reason::CloudUnavailable.as_str();
            judged(reachable, false, reason, error.clone())
        }
        None if summary.recovered => {
            judged(reachable, true, "Listed", "the last listing succeeded")
        }
        None => judged(reachable, None, "Recovering", "not listed yet"),
    }
}

/// The status of an object that cannot be used: everything else is left as it was.
pub fn invalid(
    reason: &'static str,
    problem: &str,
    generation: i64,
    before: &PodNetworkStatus,
) -> PodNetworkStatus {
    let judged = [judged(ConditionType::Ready, false, reason, problem)];
    let mut conditions = write(&judged, generation, &before.conditions);
    conditions.extend(
        before
            .conditions
            .iter()
            .filter(|condition| condition.type_ != ConditionType::Ready.as_str())
            .cloned(),
    );
    PodNetworkStatus {
        observed_generation: Some(generation),
        conditions,
        ..before.clone()
    }
}

/// In the form of the API, with transition times kept where the status did not change.
pub(super) fn write(judged: &[Judged], generation: i64, before: &[Condition]) -> Vec<Condition> {
    // The API server keeps whole seconds.
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    judged
        .iter()
        .map(|judged| {
            let type_ = judged.type_.as_str();
            let status = match judged.status {
                Some(true) => "True",
                Some(false) => "False",
                None => "Unknown",
            };
            let last_transition_time = before
                .iter()
                .find(|old| old.type_ == type_ && old.status == status)
                .map_or(Time(now), |old| old.last_transition_time.clone());
            Condition {
                last_transition_time,
                message: shortened(&judged.message),
                observed_generation: Some(generation),
                reason: judged.reason.to_owned(),
                status: status.to_owned(),
                type_: type_.to_owned(),
            }
        })
        .collect()
}

/// The API allows 32768 characters; nobody reads that many.
fn shortened(message: &str) -> String {
    const LONGEST: usize = 1000;
    message.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use signpost_core::{
        PoolConfig,
        cloud::TableId,
        summary::{PoolUse, TableUse},
    };

    use super::*;

    fn config() -> Config {
        Config {
            generation: 2,
            pools: vec![PoolConfig {
                name: "main".into(),
                cidr: "10.0.0.0/16".parse().unwrap(),
                node_prefix_length: 24,
                node_selector: BTreeMap::new(),
                state: PoolState::Active,
            }],
            reserved: Vec::new(),
            check_period: Duration::from_secs(30),
            max_deletion_percent: 30,
            teardown: false,
        }
    }

    fn healthy() -> Summary {
        Summary {
            generation: 2,
            pools: vec![PoolUse {
                name: "main".into(),
                total: 256,
                allocated: 3,
                quarantined: 0,
                reserved: 0,
                free: 253,
            }],
            tables: vec![TableUse {
                table: TableId("t".into()),
                desired: 3,
                programmed: 3,
                missing: 0,
                stale: 0,
                foreign: 0,
            }],
            nodes_total: 3,
            nodes_routed: 3,
            recovered: true,
            ..Summary::default()
        }
    }

    fn said(summary: &Summary, config: &Config) -> Vec<(Option<bool>, &'static str)> {
        judge(summary, config, true)
            .into_iter()
            .map(|judged| (judged.status, judged.reason))
            .collect()
    }

    #[test]
    fn all_is_well() {
        let expected = [
            (Some(true), "AllNodesRouted"),
            (Some(true), "BlocksFree"),
            (Some(true), "Synced"),
            (Some(true), "Listed"),
        ];
        assert_eq!(said(&healthy(), &config()), expected);
    }

    #[test]
    fn each_fault_shows_in_its_condition_and_in_ready() {
        type Fault = fn(&mut Summary);
        let faults: [(usize, &str, Fault); 4] = [
            (1, "PoolExhausted", |summary| summary.pools[0].free = 0),
            (2, "RoutePending", |summary| summary.tables[0].missing = 1),
            (2, "DeletionsHeld", |summary| summary.deletions_held = 9),
            (3, "CloudUnavailable", |summary| {
                summary.cloud_error = Some("no".to_owned());
            }),
        ];
        for (position, reason, fault) in faults {
            let mut summary = healthy();
            fault(&mut summary);
            let said = said(&summary, &config());
            assert_eq!(said[position], (Some(false), reason));
            assert_eq!(said[0], (Some(false), reason));
        }
    }

    #[test]
    fn a_full_pool_that_drains_is_no_fault() {
        let mut summary = healthy();
        summary.pools[0].free = 0;
        let mut config = config();
        config.pools[0].state = PoolState::Draining;
        assert_eq!(said(&summary, &config)[1].0, Some(true));
    }

    #[test]
    fn nothing_is_claimed_before_everything_was_read() {
        let summary = Summary::default();
        let expected = [
            (Some(false), "Recovering"),
            (None, "Recovering"),
            (None, "Recovering"),
            (None, "Recovering"),
        ];
        assert_eq!(said(&summary, &config()), expected);
    }

    #[test]
    fn transition_times_move_only_with_the_status() {
        let judged = judge(&healthy(), &config(), true);
        let mut before = write(&judged, 1, &[]);
        let old = Time(Timestamp::from_second(1_000).unwrap());
        for condition in &mut before {
            condition.last_transition_time = old.clone();
        }
        before[2].status = "False".to_owned();
        let after = write(&judged, 2, &before);
        assert_eq!(after[0].last_transition_time, old);
        assert_ne!(after[2].last_transition_time, old);
        assert_eq!(after[0].observed_generation, Some(2));
    }

    #[test]
    fn an_invalid_object_keeps_the_figures() {
        let before = PodNetworkStatus {
            conditions: write(&judge(&healthy(), &config(), true), 2, &[]),
            nodes: Some(signpost_api::NodeCounts {
                total: 3,
                routed: 3,
            }),
            ..PodNetworkStatus::default()
        };
        let status = invalid("Invalid", "spec.pools[0].cidr: wrong", 5, &before);
        assert_eq!(status.conditions.len(), 4);
        assert_eq!(status.conditions[0].reason, "Invalid");
        assert_eq!(status.observed_generation, Some(5));
        assert_eq!(status.nodes, before.nodes);
    }
}
