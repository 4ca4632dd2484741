//! R7, R12, R13: nodes that come and go.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use signpost_e2e::{Cluster, Node, PodSpec, Traffic, is_ready, wait};

use super::paths::{delete, externals};
use crate::support::place::{Place, run_server};
use crate::support::{LIMIT, blocks, objects, routes};

/// Where the agent puts the network configuration.
const CONFIGURATIONS: &str = "/etc/cni/net.d";

/// Pings between other nodes' pods lose nothing while a node joins and leaves; its pods are reachable
/// while it is there; its route and its block are free when it has left.
pub(crate) async fn r07_a_node_joins_and_leaves_under_traffic(cluster: &Cluster) -> Result<()> {
    let one = cluster
        .run_pod(PodSpec::new("r07-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("r07-two").on("node-2"))
        .await?;
    let three = cluster
        .run_pod(PodSpec::new("r07-three").on("node-3"))
        .await?;
    let before = routes::settle(cluster).await?;
    let allocated = objects::status_number(cluster, "/pools/1/allocated").await?;
    let traffic = try_join_all([
        Traffic::start(&one, two.address()?),
        Traffic::start(&two, three.address()?),
        Traffic::start(&three, one.address()?),
    ])
    .await?;

    let node = cluster.add_node("node-r07").await?;
    let subnets = objects::pod_cidrs(&objects::node(cluster, node.name()).await?)?;
    let [subnet] = subnets.as_slice() else {
        anyhow::bail!("{} should have one subnet: {subnets:?}", node.name());
    };
    let with = routes::ours(cluster).await?;
    let next_hop = IpAddr::V4(node.link().node_v4());
    ensure!(
        with.get(subnet) == Some(&next_hop) && with.len() == before.len() + 1,
        "a ready node has its route, {subnet} by {next_hop}: {with:?}"
    );
    let late = cluster
        .run_pod(PodSpec::new("r07-late").on(node.name()))
        .await?;
    for pod in [&one, &two, &three] {
        pod.ping(late.address()?).await?;
        late.ping(pod.address()?).await?;
    }

    cluster.remove_node(node.name()).await?;
    routes::wait_for(cluster, *subnet, None).await?;
    let after = routes::ours(cluster).await?;
    ensure!(
        after == before,
        "the routes should be {before:?} again: {after:?}"
    );
    objects::status_becomes(cluster, "/pools/1/allocated", allocated).await?;
    objects::status_becomes(cluster, "/pools/1/quarantined", 0).await?;
    for traffic in traffic {
        traffic.finish().await?;
    }
    delete(cluster, &[one, two, three]).await
}

/// While nobody routes to a node, its agent writes no configuration and it is not ready; it becomes
/// ready by itself once the controller has programmed and read back its route.
pub(crate) async fn r12_a_node_becomes_ready_once_it_is_routed(cluster: &Cluster) -> Result<()> {
    cluster.controller()?.stop().await?;
    let node = cluster.boot_node("node-r12").await?;
    cluster.join_node("node-r12").await?;
    cluster.wait_registered(&["node-r12"], LIMIT).await?;
    stays_unready(cluster, &node, false).await?;
    // Nor does a subnet make it ready, such as somebody may set: only its route does.
    let subnet = blocks::unused(cluster).await?;
    let patch = Patch::Merge(json!({"spec": {"podCIDR": subnet, "podCIDRs": [subnet]}}));
    let nodes: Api<NodeObject> = Api::all(cluster.client());
    nodes
        .patch("node-r12", &PatchParams::default(), &patch)
        .await?;
    stays_unready(cluster, &node, true).await?;
    let agent = cluster.agent("node-r12")?;
    agent.pid().context("the agent should run, and wait")?;
    let restarts = agent.restarts().await?;
    ensure!(restarts == 0, "the agent should wait: {restarts} restarts");
    ensure!(
        objects::condition(
            &objects::node(cluster, "node-r12").await?,
            "NetworkUnavailable"
        )
        .is_none(),
        "nobody should have said anything about its network yet"
    );

    cluster.controller()?.start().await?;
    let mut routed_when_ready = None;
    wait::until("node-r12 to be ready", LIMIT, async || {
        let object = objects::node(cluster, "node-r12").await?;
        ensure!(is_ready(&object), "it is not ready");
        let subnets = objects::pod_cidrs(&object)?;
        let routes = routes::ours(cluster).await?;
        routed_when_ready = Some(subnets.iter().all(|subnet| routes.contains_key(subnet)));
        Ok(())
    })
    .await?;
    ensure!(
        routed_when_ready == Some(true),
        "the node was ready before its route was there"
    );
    let object = objects::node(cluster, "node-r12").await?;
    let condition = objects::condition(&object, "NetworkUnavailable");
    let expected = Some(("False".to_owned(), "SignpostRouteCreated".to_owned()));
    ensure!(
        condition == expected,
        "NetworkUnavailable should be {expected:?}: {condition:?}"
    );
    let [(name, conflist)] = &*conflists(&node)? else {
        anyhow::bail!("there should be one configuration in {CONFIGURATIONS}");
    };
    let subnets: Vec<String> = objects::pod_cidrs(&object)?
        .iter()
        .map(ToString::to_string)
        .collect();
    let plugin = &conflist["plugins"][0];
    ensure!(
        plugin["type"] == "signpost-cni" && plugin["subnets"] == Value::from(subnets.clone()),
        "{name} should name the plugin and {subnets:?}: {conflist}"
    );
    ensure!(
        node.path("/opt/cni/bin/signpost-cni").exists(),
        "the plugin should be installed"
    );

    let pod = cluster.run_pod(PodSpec::new("r12").on("node-r12")).await?;
    cluster
        .node("node-1")?
        .machine()
        .ping(pod.address()?)
        .await?;
    cluster.delete_pod("r12").await?;
    cluster.remove_node("node-r12").await?;
    routes::settle(cluster).await.map(drop)
}

/// Watches for a while that a node gets no configuration and does not become ready.
async fn stays_unready(cluster: &Cluster, node: &Node, with_subnet: bool) -> Result<()> {
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(2) {
        let object = objects::node(cluster, node.name()).await?;
        let subnets = objects::pod_cidrs(&object)?;
        ensure!(
            !is_ready(&object),
            "without a route the node is ready, with {subnets:?}"
        );
        ensure!(
            subnets.is_empty() != with_subnet,
            "without a controller it has {subnets:?}"
        );
        let found = conflists(node)?;
        ensure!(
            found.is_empty(),
            "without a route there is a configuration: {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The configurations in the node's folder, by file name; nothing else may be there, such as a file
/// that is still being written.
fn conflists(node: &Node) -> Result<Vec<(String, Value)>> {
    let folder = node.path(CONFIGURATIONS);
    let mut found = Vec::new();
    // The folder is made by whoever comes first.
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        ensure!(
            path.extension()
                .is_some_and(|extension| extension == "conflist"),
            "{name} is there"
        );
        let text = std::fs::read_to_string(&path)?;
        found.push((name, serde_json::from_str(&text).context(text)?));
    }
    Ok(found)
}

/// A node whose firewall drops what it forwards, as Docker leaves it, forwards pods' packets all the
/// same once the agent has started: on every path and in both families.
pub(crate) async fn r13_pods_are_forwarded_where_the_policy_is_drop(
    cluster: &Cluster,
) -> Result<()> {
    let node = cluster.boot_node("node-r13").await?;
    for program in ["iptables", "ip6tables"] {
        node.machine()
            .run(&[program, "-P", "FORWARD", "DROP"])
            .await?;
    }
    cluster.join_node("node-r13").await?;
    cluster.wait_registered(&["node-r13"], LIMIT).await?;
    cluster.wait_ready(&["node-r13"], LIMIT).await?;

    let here = run_server(
        cluster,
        PodSpec::new("r13-here").on("node-r13").label("app", "r13"),
    )
    .await?;
    let beside = cluster
        .run_pod(PodSpec::new("r13-beside").on("node-r13"))
        .await?;
    let far = run_server(cluster, PodSpec::new("r13-far").on("node-1")).await?;
    for program in ["iptables", "ip6tables"] {
        let policy = node.machine().run(&[program, "-S", "FORWARD"]).await?;
        ensure!(
            policy.starts_with("-P FORWARD DROP"),
            "the policy is not the agent's to change: {policy}"
        );
    }
    let other = cluster.node("node-1")?;
    let mut pings = Vec::new();
    for family in 0..2 {
        let (here_ip, far_ip) = (here.addresses()[family], far.addresses()[family]);
        pings.push((Place::from(&beside), here_ip));
        pings.push((Place::from(&here), far_ip));
        pings.push((Place::from(&far), here_ip));
        pings.push((Place::from(&here), externals(cluster)[family]));
        pings.push((Place::from(&*other), here_ip));
    }
    for (from, to) in pings {
        from.ping(to)
            .await
            .with_context(|| format!("from {} to {to}", from.name()))?;
    }
    for family in 0..2 {
        Place::from(&far).seen_by(here.addresses()[family]).await?;
        Place::from(&here).seen_by(far.addresses()[family]).await?;
    }
    delete(cluster, &[here, beside, far]).await?;
    cluster.remove_node("node-r13").await?;
    routes::settle(cluster).await.map(drop)
}
