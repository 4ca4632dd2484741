//! The conditions of the `PodNetwork`.

#[cfg(test)]
mod tests;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use signpost_api::{ConditionType, PodNetworkStatus};
use signpost_core::{
    Config, PoolState, Summary,
    action::Reason,
    summary::{PoolUse, QuotaLevel},
};

use super::figures::quotas;

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

/// What is known beside the engine's figures.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// False for provider `none`.
    pub routes: bool,
    /// Routes that nobody looks after any more, for people.
    pub left: Option<&'a str>,
}

/// All conditions, in the order of [`ConditionType::ALL`].
pub fn judge(summary: &Summary, config: &Config, judging: Judging<'_>) -> Vec<Judged> {
    let routes = judging.routes;
    let parts = [
        pools(summary, config),
        synced(summary, judging),
        quota(summary, routes),
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
    // Before that no pool is known to have anything free.
    if summary.pools.is_empty() || !summary.recovered {
        return judged(available, None, "Recovering", "the pools are being read");
    }
    let configured = |name: &str| config.pools.iter().find(|pool| &*pool.name == name);
    let is_active = |pool: &&PoolUse| {
        configured(&pool.name).is_some_and(|pool| pool.state == PoolState::Active)
    };
    let is_removed = |pool: &&PoolUse| configured(&pool.name).is_none();
    let problems = |pools: Vec<&PoolUse>| -> Vec<String> {
        let problem = |pool: &PoolUse| Some(format!("{}: {}", pool.name, pool.problem.as_ref()?));
        pools.into_iter().filter_map(problem).collect()
    };
    let active: Vec<&PoolUse> = summary.pools.iter().filter(is_active).collect();
    let full: Vec<&str> = active
        .iter()
        .filter(|pool| pool.free == 0)
        .map(|pool| &*pool.name)
        .collect();
    // A pool's problem says more than its figures, which may follow from it.
    let problem = problems(active);
    if !problem.is_empty() {
        return judged(available, false, "PoolNeedsAttention", problem.join("; "));
    }
    if !full.is_empty() {
        let message = format!(
            "no free block in {}: add a pool to spec.pools, or free reserved blocks",
            full.join(", ")
        );
        return judged(available, false, Reason::PoolExhausted.as_str(), message);
    }
    let removed = problems(summary.pools.iter().filter(is_removed).collect());
    if !removed.is_empty() {
        let reason = Reason::PoolRemoved.as_str();
        return judged(available, false, reason, removed.join("; "));
    }
    let message = "every active pool has a free block";
    judged(available, true, "BlocksFree", message)
}

fn synced(summary: &Summary, judging: Judging<'_>) -> Judged {
    let synced = ConditionType::RoutesSynced;
    if let Some(left) = judging.left {
        return judged(synced, false, Reason::TableForgotten.as_str(), left);
    }
    if !judging.routes {
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
    if let Some(error) = &summary.deletion_error {
        let message = format!("routes that should go cannot be removed: {error}");
        return judged(synced, false, Reason::CloudDenied.as_str(), message);
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

fn quota(summary: &Summary, routes: bool) -> Judged {
    let available = ConditionType::QuotaAvailable;
    if !routes {
        let message = "provider none: routes are somebody else's work";
        return judged(available, true, "NotManaged", message);
    }
    if !summary.recovered {
        let message = "nodes and route tables are being read";
        return judged(available, None, "Recovering", message);
    }
    let near: Vec<_> = quotas(summary)
        .filter(|(_, _, quota)| quota.level > QuotaLevel::Ample)
        .collect();
    let level = near.iter().map(|(_, _, quota)| quota.level).max();
    let Some(reason) = level.and_then(QuotaLevel::reason) else {
        let message = "no route table is known to be near its quota";
        return judged(available, true, "QuotaAmple", message);
    };
    let each = near.iter().map(|(table, family, quota)| {
        let (used, limit) = (quota.used, quota.limit.unwrap_or(quota.used));
        format!("{table} has {used} of {limit} {family} routes")
    });
    let message = format!("{}: raise the quota", each.collect::<Vec<_>>().join(", "));
    let full = level == Some(QuotaLevel::Full);
    judged(available, !full, reason.as_str(), message)
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
    let others = before.conditions.iter();
    conditions.extend(
        others
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
