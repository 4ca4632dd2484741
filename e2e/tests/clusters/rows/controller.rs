//! What the controller tells is what is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use signpost_e2e::metrics::value;
use signpost_e2e::{Cluster, wait};

use crate::support::{LIMIT, objects, routes};

/// Where the controller serves its metrics, in the router's namespaces.
const METRICS: &str = "http://127.0.0.1:9450/metrics";

/// Status, the columns of kubectl, metrics and the kernel's table agree, and again once a node more is
/// there.
pub(crate) async fn status_tells_the_truth(cluster: &Cluster) -> Result<()> {
    let real = cluster.nodes().len();
    agree(cluster, real).await?;
    let timed = timed_nodes(cluster).await?;
    objects::create_bare_node(cluster, "status-1", 21, &[]).await?;
    objects::allocated(cluster, "status-1").await?;
    agree(cluster, real + 1).await?;
    let now_timed = timed_nodes(cluster).await?;
    ensure!(
        (now_timed - timed - 1.0).abs() < 0.5,
        "one node more was routed, and of {timed} timed ones there are now {now_timed}"
    );
    cluster.delete_bare_nodes(&["status-1".into()]).await?;
    agree(cluster, real).await
}

async fn agree(cluster: &Cluster, nodes: usize) -> Result<()> {
    let table = routes::settle(cluster).await?;
    ensure!(
        table.len() == nodes,
        "{nodes} nodes, and these routes: {table:?}"
    );
    wait::until("the status to be up to date", LIMIT, async || {
        status(&objects::pod_network(cluster).await?, nodes)
    })
    .await?;
    let printed = cluster.kubectl(&["get", "podnetworks"]).await?;
    columns(&printed, nodes).with_context(|| format!("kubectl prints:\n{printed}"))?;
    wait::until("the metrics to be up to date", LIMIT, async || {
        metrics(&scrape(cluster).await?, nodes)
    })
    .await
}

fn status(network: &Value, nodes: usize) -> Result<()> {
    let status = &network["status"];
    let expect = |pointer: &str, expected: Value| {
        let seen = status.pointer(pointer).unwrap_or(&Value::Null);
        ensure!(
            *seen == expected,
            "status{pointer} should be {expected}, it is {seen}: {status}"
        );
        Ok(())
    };
    expect(
        "/observedGeneration",
        network["metadata"]["generation"].clone(),
    )?;
    let numbers = [
        ("/nodes/total", nodes),
        ("/nodes/routed", nodes),
        ("/routes/desired", nodes),
        ("/routes/programmed", nodes),
        ("/routes/missing", 0),
        ("/routes/stale", 0),
        ("/routes/foreign", 0),
        ("/pools/0/total", 64),
        ("/pools/0/free", 64),
        ("/pools/1/total", 256),
        ("/pools/1/allocated", nodes),
        ("/pools/1/quarantined", 0),
        ("/pools/1/reserved", 0),
        ("/pools/1/free", 256 - nodes),
    ];
    for (pointer, expected) in numbers {
        expect(pointer, expected.into())?;
    }
    expect("/pools/0/name", "small".into())?;
    expect("/pools/1/name", "pods".into())?;
    let conditions = status["conditions"]
        .as_array()
        .context("the status has conditions")?;
    for kind in [
        "Ready",
        "PoolsAvailable",
        "RoutesSynced",
        "QuotaAvailable",
        "CloudReachable",
    ] {
        let condition = conditions
            .iter()
            .find(|condition| condition["type"] == kind);
        ensure!(
            condition.is_some_and(|condition| condition["status"] == "True"),
            "the condition {kind} should be True: {condition:?}"
        );
    }
    Ok(())
}

fn columns(printed: &str, nodes: usize) -> Result<()> {
    let mut lines = printed.lines().map(str::split_whitespace);
    let names = lines.next().context("a line of names")?;
    let values: Vec<&str> = lines.next().context("a line of values")?.collect();
    let column = |name: &str| {
        let place = names.clone().position(|column| column == name);
        place.and_then(|place| values.get(place).copied())
    };
    let count = nodes.to_string();
    let expected = [
        ("NAME", "default"),
        ("READY", "True"),
        ("PROVIDER", "linux"),
        ("NODES", &count),
        ("ROUTED", &count),
        ("ROUTES", &count),
        ("PROGRAMMED", &count),
        ("FOREIGN", "0"),
    ];
    for (name, expected) in expected {
        ensure!(
            column(name) == Some(expected),
            "{name} should be {expected}: {:?}",
            column(name)
        );
    }
    Ok(())
}

fn metrics(text: &str, nodes: usize) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let count = nodes as f64;
    let blocks = "signpost_pool_blocks";
    for (name, labels, expected) in [
        ("signpost_leader", &[][..], 1.0),
        ("signpost_deletions_held", &[], 0.0),
        ("signpost_nodes", &["phase=\"routed\""], count),
        ("signpost_routes", &["state=\"programmed\""], count),
        ("signpost_routes", &["state=\"missing\""], 0.0),
        ("signpost_routes", &["state=\"stale\""], 0.0),
        ("signpost_routes", &["state=\"foreign\""], 0.0),
        (blocks, &["pool=\"pods\"", "state=\"allocated\""], count),
        (blocks, &["pool=\"pods\"", "state=\"free\""], 256.0 - count),
        (blocks, &["pool=\"small\"", "state=\"free\""], 64.0),
    ] {
        let seen = value(text, name, labels);
        ensure!(
            seen.is_some_and(|seen| (seen - expected).abs() < 0.5),
            "{name}{labels:?} should be {expected}, it is {seen:?} in:\n{}",
            text.lines()
                .filter(|line| line.starts_with(name))
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let synced =
        value(text, "signpost_last_sync_timestamp_seconds", &[]).context("no last sync")?;
    let age = now.saturating_sub(Duration::from_secs_f64(synced));
    ensure!(
        age < Duration::from_secs(60),
        "the tables were last read {age:?} ago"
    );
    Ok(())
}

/// How many nodes the controller has seen become routed since it started.
async fn timed_nodes(cluster: &Cluster) -> Result<f64> {
    let name = "signpost_node_routing_duration_seconds_count";
    value(&scrape(cluster).await?, name, &[]).with_context(|| format!("there is no {name}"))
}

async fn scrape(cluster: &Cluster) -> Result<String> {
    cluster
        .router()
        .run(&["busybox", "wget", "-q", "-O", "-", METRICS])
        .await
}
