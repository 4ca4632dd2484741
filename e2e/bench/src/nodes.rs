//! Node objects as kubelets register them; no machine stands behind them.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;

/// Requests at once.
const AT_ONCE: usize = 32;

/// The address of a node: one on the link of [`namespace`](crate::namespace).
pub(crate) fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xac10_0100 + number)
}

/// Its name.
pub(crate) fn name(number: u32) -> String {
    format!("node-{number}")
}

/// Creates nodes `0` to `count`.
pub(crate) async fn create(client: &Client, count: u32) -> Result<()> {
    stream::iter(0..count)
        .map(|number| create_one(client, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Creates one node.
pub(crate) async fn create_one(client: &Client, number: u32) -> Result<()> {
    create_node(client, &node(number)?).await
}

/// Creates one node that is this instance of a cloud.
pub(crate) async fn create_instance(
    client: &Client,
    number: u32,
    provider_id: String,
) -> Result<()> {
    let mut node = node(number)?;
    node.spec.get_or_insert_default().provider_id = Some(provider_id);
    create_node(client, &node).await
}

async fn create_node(client: &Client, node: &Node) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.create(&PostParams::default(), node).await?;
    Ok(())
}

/// Whether the node's conditions say that it is routed.
pub(crate) fn is_routed(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|it| it.conditions.iter());
    conditions
        .flatten()
        .any(|it| it.type_ == "NetworkUnavailable" && it.status == "False")
}

/// Deletes one node.
pub(crate) async fn delete_one(client: &Client, number: u32) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let none = DeleteParams::default();
    nodes.delete(&name(number), &none).await?;
    Ok(())
}

/// Deletes all nodes, and waits until they are gone.
pub(crate) async fn delete_all(client: &Client) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let (none, all) = (DeleteParams::default(), ListParams::default());
    nodes.delete_collection(&none, &all).await?;
    let left = nodes.list_metadata(&all.limit(1)).await?;
    ensure!(left.items.is_empty(), "nodes are left after their deletion");
    Ok(())
}

/// Fails unless each of `count` nodes has a pod CIDR that no other has.
pub(crate) async fn check(client: &Client, count: u32) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut cidrs: Vec<String> = nodes
        .list(&ListParams::default())
        .await?
        .into_iter()
        .filter_map(|node| node.spec?.pod_cidr)
        .collect();
    let held = cidrs.len();
    cidrs.sort_unstable();
    cidrs.dedup();
    ensure!(
        cidrs.len() == held && held == count as usize,
        "{held} of {count} nodes have a pod CIDR, {} of them different ones",
        cidrs.len()
    );
    Ok(())
}

/// With what a kubelet says of itself in the beginning, so that its size is a node's (some 3 kB).
fn node(number: u32) -> Result<Node> {
    let name = name(number);
    let zone = format!("eu-north-1{}", ["a", "b", "c"][number as usize % 3]);
    let resources = json!({
        "cpu": "8", "memory": "32461564Ki", "ephemeral-storage": "104845292Ki", "pods": "110",
        "hugepages-1Gi": "0", "hugepages-2Mi": "0",
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let image = |name: &str, digit: u8| {
        let digest = char::from(digit).to_string().repeat(64);
        json!({
            "names": [
                format!("registry.k8s.io/{name}@sha256:{digest}"),
                format!("registry.k8s.io/{name}:v1.36.3"),
            ],
            "sizeBytes": 30_000_000,
        })
    };
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name,
                "node.kubernetes.io/instance-type": "m5.2xlarge",
                "topology.kubernetes.io/region": "eu-north-1",
                "topology.kubernetes.io/zone": zone,
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {"unschedulable": true},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address(number)},
                {"type": "Hostname", "address": name},
            ],
            "capacity": resources,
            "allocatable": resources,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure",
                    "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID",
                    "kubelet has sufficient PID available"),
                condition("Ready", "False", "KubeletNotReady",
                    "container runtime network not ready: cni plugin not initialized"),
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "images": [image("pause", b'1'), image("kube-proxy", b'2')],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "11111111-2222-3333-4444-555555555555",
                "containerRuntimeVersion": "containerd://2.2.9",
                "kernelVersion": "6.1.0-49-amd64",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.36.3",
                "machineID": "0123456789abcdef0123456789abcdef",
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "systemUUID": "11111111-2222-3333-4444-555555555555",
            },
        },
    });
    Ok(serde_json::from_value(node)?)
}
