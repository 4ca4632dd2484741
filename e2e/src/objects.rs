//! Objects of the API server, as tests look at them and change them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::Cluster;
use crate::wait::{self, LIMIT};
use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Event, Node, Service};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// The Node objects that Signpost has to do with, sorted by name: not that of the control plane.
pub async fn nodes(cluster: &Cluster) -> Result<Vec<Node>> {
    let nodes: Api<Node> = Api::all(cluster.client());
    let params = ListParams::default().labels("!signpost.dev/exclude");
    Ok(nodes.list(&params).await?.items)
}

/// One Node object.
pub async fn node(cluster: &Cluster, name: &str) -> Result<Node> {
    let nodes: Api<Node> = Api::all(cluster.client());
    nodes
        .get(name)
        .await
        .with_context(|| format!("reading node {name}"))
}

/// The name of an object for messages.
pub fn name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

/// `spec.podCIDRs`; empty if it is not set yet.
pub fn pod_cidrs(node: &Node) -> Result<Vec<IpNet>> {
    let cidrs = node
        .spec
        .as_ref()
        .and_then(|spec| spec.pod_cidrs.clone())
        .unwrap_or_default();
    let parse = |cidr: String| {
        cidr.parse()
            .with_context(|| format!("{cidr} in spec.podCIDRs of {}", name(node)))
    };
    cidrs.into_iter().map(parse).collect()
}

/// Waits until a node has its pod CIDRs, and gives them.
pub async fn allocated(cluster: &Cluster, name: &str) -> Result<Vec<IpNet>> {
    wait::until(&format!("{name} to have a pod CIDR"), LIMIT, async || {
        let cidrs = pod_cidrs(&node(cluster, name).await?)?;
        ensure!(!cidrs.is_empty(), "spec.podCIDRs is empty");
        Ok(cidrs)
    })
    .await
}

/// The node's addresses of type `InternalIP`.
pub fn internal_ips(node: &Node) -> Vec<IpAddr> {
    let addresses = node
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref());
    let addresses = addresses
        .into_iter()
        .flatten()
        .filter(|address| address.type_ == "InternalIP");
    addresses
        .filter_map(|address| address.address.parse().ok())
        .collect()
}

/// A condition's status and reason, such as `("False", "SignpostRouteCreated")`.
pub fn condition(node: &Node, kind: &str) -> Option<(String, String)> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some((
        condition.status.clone(),
        condition.reason.clone().unwrap_or_default(),
    ))
}

/// Creates one Node object that no machine stands behind (in a cloud an instance does), with labels.
/// `number` chooses its address, from behind those of [`Cluster::create_bare_nodes`].
pub async fn create_bare_node(
    cluster: &Cluster,
    name: &str,
    number: u8,
    labels: &[(&str, &str)],
) -> Result<()> {
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let address = Ipv4Addr::new(172, 29, 255, number);
    let provider_id = cluster.launch_bare(address, name).await?;
    let object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": true, "providerID": provider_id},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    });
    let nodes: Api<Node> = Api::all(cluster.client());
    let object = serde_json::from_value(object)?;
    nodes
        .create(&PostParams::default(), &object)
        .await
        .with_context(|| format!("creating {name}"))?;
    Ok(())
}

/// A Service with a cluster IP of each family, port 80 to port `to` of pods with the label `app`.
pub async fn create_service(cluster: &Cluster, app: &str, to: u16) -> Result<Vec<IpAddr>> {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app},
        "spec": {
            "selector": {"app": app},
            "ports": [{"port": 80, "targetPort": to}],
            "ipFamilyPolicy": "PreferDualStack",
        },
    });
    let services: Api<Service> = Api::namespaced(cluster.client(), "default");
    let service = services
        .create(&PostParams::default(), &serde_json::from_value(object)?)
        .await?;
    let addresses = service
        .spec
        .and_then(|spec| spec.cluster_ips)
        .unwrap_or_default();
    let parse = |address: String| address.parse().context("a cluster IP");
    addresses.into_iter().map(parse).collect()
}

/// The `PodNetwork`.
pub fn pod_networks(cluster: &Cluster) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("signpost.dev", "v1alpha1", "PodNetwork");
    Api::all_with(
        cluster.client(),
        &ApiResource::from_gvk_with_plural(&kind, "podnetworks"),
    )
}

/// The `PodNetwork` as JSON.
pub async fn pod_network(cluster: &Cluster) -> Result<Value> {
    let object = pod_networks(cluster).get("default").await?;
    Ok(serde_json::to_value(object)?)
}

/// Merges a patch into the `spec` of the `PodNetwork`.
pub async fn change_pod_network(cluster: &Cluster, spec: &Value) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": spec}));
    let params = PatchParams::default();
    pod_networks(cluster)
        .patch("default", &params, &patch)
        .await
        .with_context(|| format!("changing the PodNetwork: {spec}"))?;
    Ok(())
}

/// A number of the status by its JSON pointer below `/status`, such as `/routes/desired`.
pub async fn status_number(cluster: &Cluster, pointer: &str) -> Result<u64> {
    let network = pod_network(cluster).await?;
    let pointer = format!("/status{pointer}");
    let number = network.pointer(&pointer).and_then(Value::as_u64);
    number.with_context(|| format!("the PodNetwork has no {pointer}: {}", network["status"]))
}

/// Waits until a number of the status is as expected.
pub async fn status_becomes(cluster: &Cluster, pointer: &str, expected: u64) -> Result<()> {
    let what = format!("status{pointer} of the PodNetwork to be {expected}");
    wait::until(&what, LIMIT, async || {
        let seen = status_number(cluster, pointer).await?;
        ensure!(seen == expected, "it is {seen}");
        Ok(())
    })
    .await
}

/// Waits until a condition of the `PodNetwork` has this status and reason, and gives its message.
pub async fn network_says(
    cluster: &Cluster,
    kind: &str,
    status: &str,
    reason: &str,
) -> Result<String> {
    let what = format!("condition {kind} of the PodNetwork to be {status}, {reason}");
    wait::until(&what, LIMIT, async || {
        let network = pod_network(cluster).await?;
        let conditions = network["status"]["conditions"].as_array();
        let condition = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == kind);
        let condition = condition.context("it has no such condition")?;
        ensure!(
            condition["status"] == status && condition["reason"] == reason,
            "it is {condition}"
        );
        Ok(condition["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// Waits until the condition `NetworkUnavailable` of a node has this status and reason, and gives its
/// message.
pub async fn node_says(
    cluster: &Cluster,
    name: &str,
    status: &str,
    reason: &str,
) -> Result<String> {
    let what = format!("NetworkUnavailable of {name} to be {status}, {reason}");
    wait::until(&what, LIMIT, async || {
        let node = node(cluster, name).await?;
        let conditions = node.status.and_then(|status| status.conditions);
        let mut conditions = conditions.into_iter().flatten();
        let condition = conditions.find(|condition| condition.type_ == "NetworkUnavailable");
        let condition = condition.context("it has no such condition")?;
        ensure!(
            condition.status == status && condition.reason.as_deref() == Some(reason),
            "it is {condition:?}"
        );
        Ok(condition.message.unwrap_or_default())
    })
    .await
}

/// Waits until there is an event about an object without a namespace, and gives its message.
pub async fn told(cluster: &Cluster, name: &str, reason: &str) -> Result<String> {
    let events: Api<Event> = Api::all(cluster.client());
    let about = format!("involvedObject.name={name},reason={reason}");
    let about = ListParams::default().fields(&about);
    wait::until(
        &format!("an event {reason} about {name}"),
        LIMIT,
        async || {
            let found = events.list(&about).await?.items.pop();
            let event = found.context("there is none")?;
            Ok(event.message.unwrap_or_default())
        },
    )
    .await
}
