//! R15: what the containers of a pod share.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use signpost_e2e::{Cluster, PodSpec, wait};

use crate::support::LIMIT;
use crate::support::place::Place;

/// Loopback is up, and a container reaches a server of its neighbour there and under the pod's address.
pub(crate) async fn r15_containers_of_a_pod_share_loopback(cluster: &Cluster) -> Result<()> {
    let script =
        "echo from the neighbour > /www/index.html && exec httpd -f -p 127.0.0.1:8000 -h /www";
    let spec = PodSpec::new("r15")
        .on("node-1")
        .container("neighbour", &["sh", "-c", script]);
    let pod = cluster.run_pod(spec).await?;
    let loopback = pod.exec(&["ip", "address", "show", "lo"]).await?;
    ensure!(
        loopback.contains("LOOPBACK,UP") && loopback.contains("inet 127.0.0.1/8"),
        "loopback should be up and have its address:\n{loopback}"
    );
    pod.ping(IpAddr::from([127, 0, 0, 1])).await?;

    let page = wait::until("the neighbour to answer on loopback", LIMIT, async || {
        Place::from(&pod)
            .fetch(([127, 0, 0, 1], 8000).into(), "index.html")
            .await
    })
    .await?;
    ensure!(
        page.trim() == "from the neighbour",
        "another server answered: {page}"
    );

    let namespace = ["readlink", "/proc/self/ns/net"];
    let (ours, theirs) = (
        pod.exec(&namespace).await?,
        pod.exec_in("neighbour", &namespace).await?,
    );
    ensure!(
        ours == theirs,
        "the containers are in two network namespaces: {ours} and {theirs}"
    );
    let show = ["ip", "-o", "address", "show", "eth0"];
    let (ours, theirs) = (
        pod.exec(&show).await?,
        pod.exec_in("neighbour", &show).await?,
    );
    ensure!(
        ours == theirs && ours.contains(&pod.address()?.to_string()),
        "both should have the pod's address: {ours} and {theirs}"
    );
    cluster.delete_pod("r15").await
}
