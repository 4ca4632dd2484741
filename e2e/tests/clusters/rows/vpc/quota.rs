//! R6: more nodes than a route table has room for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signpost_e2e::vpc::tables;
use signpost_e2e::{Cluster, ClusterOptions, PODS_V4, VpcOptions, pod_network, wait};

use crate::support::{LIMIT, objects, recorded};

/// Routes of one family that a table takes.
const QUOTA: usize = 50;
/// Routes of a table that are no node's but count: the one to the internet.
const OTHERS: usize = 1;
/// As many nodes make 82 % of the quota.
const LOW: usize = 40;
/// As many make 96 %.
const CRITICAL: usize = 47;
/// As many are more than fit: one has a machine, sixty have none.
const TOO_MANY: usize = 61;
/// Nodes that leave in the end.
const LEAVING: usize = 3;
/// How long the state with full tables is watched.
const WATCHED: Duration = Duration::from_secs(15);
/// Attempts to create a route for which there is no room, from the beginning to the end: one for each
/// table, in case that what is known of its quota is out of date.
const ATTEMPTS: usize = 2;

/// Nodes join until two tables with room for 49 of them are full, and beyond. That is told early, and again
/// before it is too late. The nodes that have no route know why and stay the same ones, EC2 is not asked
/// again and again, and when there is room they are routed.
pub(crate) async fn r06_a_full_table_is_told_early_and_once() -> Result<()> {
    let mut spec = pod_network(&[("pods", PODS_V4, 24)]);
    spec["cloud"] = json!({"checkPeriod": "2s"});
    let mut vpc = VpcOptions::default();
    vpc.settings.quotas.routes_per_table = QUOTA;
    let options = ClusterOptions::new("quota").nodes(1).pod_network(spec);
    let cluster = Cluster::start(options.in_vpc(vpc)).await?;
    let result = Box::pin(fill(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn fill(cluster: &Cluster) -> Result<()> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc);
    objects::network_says(cluster, "QuotaAvailable", "True", "QuotaAmple").await?;
    ensure!(
        warnings(cluster).await?.is_empty(),
        "one node is no reason for events"
    );

    bare_nodes(cluster, 1, LOW).await?;
    used(cluster, LOW).await?;
    tables::settle(cluster, &both).await?;
    objects::network_says(cluster, "QuotaAvailable", "True", "QuotaLow").await?;
    warned(cluster, 1).await?;

    bare_nodes(cluster, LOW, CRITICAL).await?;
    used(cluster, CRITICAL).await?;
    tables::settle(cluster, &both).await?;
    objects::network_says(cluster, "QuotaAvailable", "True", "QuotaCritical").await?;
    warned(cluster, 2).await?;

    bare_nodes(cluster, CRITICAL, TOO_MANY).await?;
    let waiting = waiting(cluster, TOO_MANY - (QUOTA - OTHERS)).await?;
    used(cluster, QUOTA - OTHERS).await?;
    objects::network_says(cluster, "QuotaAvailable", "False", "QuotaExceeded").await?;
    warned(cluster, 3).await?;
    stays(cluster, &waiting).await?;
    told_once(cluster).await?;

    let leaving: Vec<String> = (0..LEAVING)
        .map(|number| format!("bare-{number}"))
        .collect();
    cluster.delete_bare_nodes(&leaving).await?;
    let fewer = self::waiting(cluster, waiting.len() - LEAVING).await?;
    ensure!(
        fewer.is_subset(&waiting),
        "of {waiting:?} should still wait some, not {fewer:?}"
    );
    used(cluster, QUOTA - OTHERS).await?;
    let attempts = attempts_in_vain(cluster)?;
    ensure!(
        attempts <= ATTEMPTS,
        "{attempts} attempts to create a route for which there was no room"
    );
    Ok(())
}

/// Creates bare nodes until the cluster has `to` nodes, one of them with a machine.
async fn bare_nodes(cluster: &Cluster, from: usize, to: usize) -> Result<()> {
    let numbers = u32::try_from(from - 1)?..u32::try_from(to - 1)?;
    cluster.create_bare_nodes_of(numbers).await.map(drop)
}

/// Waits until the status of the `PodNetwork` says that each table has the routes of so many nodes.
async fn used(cluster: &Cluster, nodes: usize) -> Result<()> {
    let vpc = cluster.vpc()?;
    let figures = (nodes + OTHERS, QUOTA);
    let expected: BTreeMap<String, (usize, usize)> = tables::of_zones(vpc)
        .map(|table| (table.to_owned(), figures))
        .into();
    wait::until(
        &format!("the quotas to be shown as {expected:?}"),
        2 * LIMIT,
        async || {
            let network = objects::pod_network(cluster).await?;
            let quotas = network["status"]["quotas"].as_array().cloned();
            let quotas = quotas.unwrap_or_default();
            let shown = quotas.iter().filter(|quota| quota["family"] == "IPv4");
            let shown: Option<BTreeMap<String, (usize, usize)>> = shown
                .map(|quota| {
                    let number = |name: &str| usize::try_from(quota[name].as_u64()?).ok();
                    let table = quota["table"].as_str()?.to_owned();
                    Some((table, (number("used")?, number("limit")?)))
                })
                .collect();
            ensure!(shown.as_ref() == Some(&expected), "they are {quotas:?}");
            Ok(())
        },
    )
    .await
}

/// Waits until the `PodNetwork` was warned of each table so many times, and fails if it was more often.
async fn warned(cluster: &Cluster, times: u64) -> Result<()> {
    let tables = tables::of_zones(cluster.vpc()?);
    let expected: BTreeMap<String, u64> = tables.map(|table| (table.to_owned(), times)).into();
    let what = format!("{times} warnings about each table");
    wait::until(&what, LIMIT, async || {
        let seen = warnings(cluster).await?;
        ensure!(seen == expected, "there are {seen:?}");
        Ok(())
    })
    .await
}

/// How often the `PodNetwork` was warned of each table's quota.
async fn warnings(cluster: &Cluster) -> Result<BTreeMap<String, u64>> {
    let mut warnings = BTreeMap::new();
    for event in events(cluster).await? {
        // Events about nodes, and those about the network as a whole, name no table.
        if let Some(table) = event["related"]["name"].as_str() {
            // One that repeats is counted rather than written anew.
            let times = event["series"]["count"].as_u64().unwrap_or(1);
            *warnings.entry(table.to_owned()).or_default() += times;
        }
    }
    Ok(warnings)
}

/// All events whose reason is a quota.
async fn events(cluster: &Cluster) -> Result<Vec<Value>> {
    let events = cluster
        .kubectl(&["get", "events", "--all-namespaces", "--output=json"])
        .await?;
    let mut events: Value = serde_json::from_str(&events)?;
    let events = events["items"].as_array_mut().map(std::mem::take);
    let mut events = events.context("a list of events")?;
    events.retain(|event| {
        let reason = event["reason"].as_str();
        reason.is_some_and(|reason| reason.starts_with("Quota"))
    });
    Ok(events)
}

/// Waits until all nodes but so many are routed and these know why they are not; gives their names.
async fn waiting(cluster: &Cluster, count: usize) -> Result<BTreeSet<String>> {
    let what = format!("{count} nodes to wait for room, and all others to be routed");
    wait::until(&what, 2 * LIMIT, async || {
        let unrouted = unrouted(cluster).await?;
        ensure!(unrouted.len() == count, "those that wait are {unrouted:?}");
        Ok(unrouted)
    })
    .await
}

/// Nodes that say that they have no route since a table is full. Fails if one says anything else but
/// that it is routed.
async fn unrouted(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let mut unrouted = BTreeSet::new();
    for node in objects::nodes(cluster).await? {
        let name = objects::name(&node).to_owned();
        let (status, reason) = objects::condition(&node, "NetworkUnavailable")
            .with_context(|| format!("{name} was not told yet"))?;
        match (&*status, &*reason) {
            ("False", "SignpostRouteCreated") => {}
            ("True", "QuotaExceeded") => {
                unrouted.insert(name);
            }
            other => anyhow::bail!("{name} says {other:?}"),
        }
    }
    Ok(unrouted)
}

/// Full tables stay as they are and the same nodes wait, while EC2 is asked little.
async fn stays(cluster: &Cluster, waiting: &BTreeSet<String>) -> Result<()> {
    let emulator = cluster.vpc()?.emulator();
    let before = routes(cluster)?;
    let last = emulator.calls().last().map_or(0, |call| call.id);
    tokio::time::sleep(WATCHED).await;
    let calls = emulator.calls_after(last);
    let listed = calls
        .iter()
        .any(|call| call.action == "DescribeRouteTables");
    ensure!(
        listed,
        "the tables were not looked at within {WATCHED:?}: {calls:?}"
    );
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| !call.action.starts_with("Describe"))
        .map(|call| (&call.action, &call.parameters))
        .collect();
    ensure!(
        writes.len() <= ATTEMPTS,
        "within {WATCHED:?}, with both tables full, there were writes: {writes:?}"
    );
    let still = unrouted(cluster).await?;
    ensure!(
        still == *waiting,
        "the nodes without a route should stay {waiting:?}, now they are {still:?}"
    );
    let after = routes(cluster)?;
    ensure!(
        after == before,
        "the routes should be as before, {before:?}, and are {after:?}"
    );
    Ok(())
}

/// That nodes have no route is told once for all of them, by an event of the `PodNetwork`.
async fn told_once(cluster: &Cluster) -> Result<()> {
    let events = events(cluster).await?;
    let about: Vec<(&Value, u64)> = events
        .iter()
        .filter(|event| event["reason"] == "QuotaExceeded" && event["related"].is_null())
        .map(|event| {
            let times = event["series"]["count"].as_u64().unwrap_or(1);
            (&event["involvedObject"]["kind"], times)
        })
        .collect();
    ensure!(
        about == [(&json!("PodNetwork"), 1)],
        "there should be one event, not {about:?}"
    );
    Ok(())
}

/// How often EC2 had no room for a route that was to be created.
fn attempts_in_vain(cluster: &Cluster) -> Result<usize> {
    let calls = cluster.vpc()?.emulator().calls();
    let refused = calls
        .iter()
        .filter(|call| call.error.as_deref() == Some("RouteLimitExceeded"));
    Ok(refused.count())
}

fn routes(cluster: &Cluster) -> Result<Vec<(String, tables::Routes)>> {
    let vpc = cluster.vpc()?;
    let both = tables::of_zones(vpc).into_iter();
    both.map(|table| Ok((table.to_owned(), tables::routes(vpc, table)?)))
        .collect()
}
