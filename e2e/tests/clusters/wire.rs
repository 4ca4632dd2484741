//! What the tests of requirements rely on: the wire hides nothing, pods are real, services live.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signpost_e2e::addresses::{API_V4, EXTERNAL_V4, EXTERNAL_V6};
use signpost_e2e::{Cluster, PodSpec, wait};

/// A packet from an address to which the router has no route by that link gets no answer; with the
/// route it does.
pub(crate) async fn router_drops_what_comes_from_where_it_does_not_lead(
    cluster: &Cluster,
) -> Result<()> {
    let node = cluster.node("node-1")?;
    let router = cluster.router();
    for (source, target, gateway) in [
        (
            "10.244.99.1/32",
            node.link().router_v4().to_string(),
            node.link().node_v4().to_string(),
        ),
        (
            "fd44:0:0:99::1/128",
            node.link().router_v6().to_string(),
            node.link().node_v6().to_string(),
        ),
    ] {
        node.machine()
            .run(&["ip", "address", "add", source, "dev", "lo", "nodad"])
            .await?;
        let (address, _) = source.split_once('/').context("a source has a length")?;
        let ping = [
            "busybox", "ping", "-c", "1", "-W", "1", "-I", address, &target,
        ];
        ensure!(
            node.machine().run(&ping).await.is_err(),
            "{address} was answered without a route"
        );
        router
            .run(&["ip", "route", "add", source, "via", &gateway])
            .await?;
        node.machine().run(&ping).await?;
        router.run(&["ip", "route", "delete", source]).await?;
        node.machine()
            .run(&["ip", "address", "delete", source, "dev", "lo"])
            .await?;
    }
    Ok(())
}

/// The external host reaches nodes and is reached by them, and has no route to a pod's address.
pub(crate) async fn external_host_knows_nodes_and_no_pods(cluster: &Cluster) -> Result<()> {
    let node = cluster.node("node-2")?;
    for (external, address) in [EXTERNAL_V4.into(), EXTERNAL_V6.into()]
        .into_iter()
        .zip(node.link().node_addresses(cluster.dual_stack()))
    {
        node.machine().ping(external).await?;
        cluster.external().ping(address).await?;
    }
    for pod in ["10.244.0.2", "fd44::2"] {
        let lookup = cluster.external().run(&["ip", "route", "get", pod]).await;
        ensure!(
            lookup.is_err(),
            "the external host has a route to {pod}: {lookup:?}"
        );
    }
    Ok(())
}

/// Without a pod network only pods in their node's network run; they have both containers, the tool
/// image's programs and the API server's ear.
pub(crate) async fn pods_are_run_and_entered(cluster: &Cluster) -> Result<()> {
    let spec = PodSpec::new("entered").on("node-2").host_network();
    let pod = cluster
        .run_pod(spec.container("second", &["sleep", "1000"]))
        .await?;
    ensure!(pod.node().name() == "node-2");
    ensure!(pod.addresses() == pod.node().link().node_addresses(cluster.dual_stack()));
    pod.ping(API_V4.into()).await?;
    let arguments = pod.exec_in("second", &["cat", "/proc/1/cmdline"]).await?;
    ensure!(arguments == "sleep\x001000\0", "process 1 is {arguments:?}");
    let through_api = cluster
        .kubectl(&["exec", "entered", "--", "hostname"])
        .await?;
    ensure!(through_api.trim() == "node-2", "{through_api}");
    cluster.delete_pod("entered").await
}

/// A killed service comes back and a pod outlives its container runtime; a stopped one stays away.
pub(crate) async fn services_are_restarted_unless_stopped(cluster: &Cluster) -> Result<()> {
    let pod = cluster
        .run_pod(PodSpec::new("survivor").on("node-1").host_network())
        .await?;
    let machine = pod.node().machine();
    machine.kill("containerd").await?;
    wait::until(
        "containerd to be back",
        Duration::from_secs(20),
        async || {
            let services = machine.services().await?;
            let containerd = services.get("containerd").context("there is none")?;
            ensure!(
                containerd.pid.is_some() && containerd.restarts == 1,
                "{containerd:?}"
            );
            Ok(())
        },
    )
    .await?;
    pod.exec(&["true"]).await?;

    machine.stop("kube-proxy").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let services = machine.services().await?;
    ensure!(
        services
            .get("kube-proxy")
            .is_some_and(|proxy| proxy.pid.is_none()),
        "{services:?}"
    );
    cluster.delete_pod("survivor").await
}
