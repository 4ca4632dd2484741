//! What has to hold on every machine at rest: what is wired there is wired for pods that live.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::Arena;
use crate::node::Node;
use crate::objects;

/// Where the container runtime looks for network configurations.
pub(super) const CONFIGURATIONS: &str = "/etc/cni/net.d";
/// The one that the agent writes.
pub(super) const CONFIGURATION: &str = "00-signpost.conflist";
/// Where plugins are.
const PLUGINS: &str = "/opt/cni/bin";
/// The protocol number that marks the plugin's routes.
const PROTOCOL: &str = "144";

/// Looks at all machines. Fails with the first thing that is not as it has to be.
pub(super) async fn look(arena: &Arena, nodes: &[NodeObject]) -> Result<()> {
    let mut pods = pods(arena).await?;
    let machines = arena.cluster().nodes();
    let looks = machines.iter().map(|machine| {
        let theirs = pods.remove(machine.name()).unwrap_or_default();
        let object = nodes
            .iter()
            .find(|node| objects::name(node) == machine.name());
        async move {
            let object = object.context("it has no Node object")?;
            configured(machine, &objects::pod_cidrs(object)?)?;
            wired(machine, &theirs).await
        }
    });
    let looks = looks
        .zip(&machines)
        .map(async |(look, machine)| look.await.with_context(|| format!("on {}", machine.name())));
    try_join_all(looks).await.map(drop)
}

/// The addresses of living pods with a network of their own, by node and pod.
async fn pods(arena: &Arena) -> Result<BTreeMap<String, BTreeMap<String, Vec<IpAddr>>>> {
    let pods: Api<Pod> = Api::all(arena.cluster().client());
    let mut found = BTreeMap::<_, BTreeMap<_, _>>::new();
    for pod in pods.list(&ListParams::default()).await? {
        let name = pod.metadata.name.unwrap_or_default();
        let (Some(spec), Some(status)) = (pod.spec, pod.status) else {
            continue;
        };
        let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let Some(node) = spec.node_name.filter(|_| !ended) else {
            continue;
        };
        if spec.host_network != Some(true) {
            let ips = status.pod_ips.into_iter().flatten();
            let ips: Result<_, _> = ips.map(|ip| ip.ip.parse()).collect();
            found.entry(node).or_default().insert(name, ips?);
        }
    }
    Ok(found)
}

/// One configuration with the node's subnets, one plugin, and nothing half written beside them.
fn configured(machine: &Node, subnets: &[IpNet]) -> Result<()> {
    let files = files(machine, CONFIGURATIONS)?;
    ensure!(
        files == [CONFIGURATION],
        "{CONFIGURATIONS} should have one configuration, it has {files:?}"
    );
    let path = machine.path(CONFIGURATIONS).join(CONFIGURATION);
    let conflist: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let written: Vec<IpNet> =
        serde_json::from_value(conflist["plugins"][0]["subnets"].clone()).unwrap_or_default();
    ensure!(
        written == subnets,
        "the node has {subnets:?}, its configuration {written:?}"
    );
    let plugins = files_of_ours(machine)?;
    ensure!(
        plugins == ["signpost-cni"],
        "{PLUGINS} should have one plugin of ours, it has {plugins:?}"
    );
    Ok(())
}

fn files_of_ours(machine: &Node) -> Result<Vec<String>> {
    let mut files = files(machine, PLUGINS)?;
    files.retain(|name| name.contains("signpost"));
    Ok(files)
}

/// The names of the files in a folder of the machine, hidden ones too.
pub(super) fn files(machine: &Node, folder: &str) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(machine.path(folder)).with_context(|| format!("reading {folder}"))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Every living pod has a link and a route for each address; no link and no route is for another.
async fn wired(machine: &Node, pods: &BTreeMap<String, Vec<IpAddr>>) -> Result<()> {
    let run = async |argv: &[&str]| {
        let printed = machine.machine().run(argv).await?;
        serde_json::from_str::<Vec<Value>>(&printed).with_context(|| format!("{argv:?}: {printed}"))
    };
    let mut routes = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for family in ["-4", "-6"] {
        for route in run(&["ip", family, "-json", "route", "show", "proto", PROTOCOL]).await? {
            let text = |field: &str| route[field].as_str().unwrap_or_default().to_owned();
            let address: IpAddr = text("dst").parse().with_context(|| format!("{route}"))?;
            routes.insert(address);
            devices.insert(text("dev"));
        }
    }
    let used: BTreeSet<IpAddr> = pods.values().flatten().copied().collect();
    ensure!(
        routes == used,
        "pods have the addresses {used:?} ({pods:?}), routes lead to {routes:?}"
    );
    let links = run(&["ip", "-json", "link", "show", "type", "veth"]).await?;
    let names = links.iter().filter_map(|link| link["ifname"].as_str());
    let names: BTreeSet<String> = names
        .filter(|name| *name != crate::NODE_DEVICE)
        .map(str::to_owned)
        .collect();
    ensure!(
        names == devices && names.len() == pods.len(),
        "{} pods, routes by {devices:?}, and these links: {names:?}",
        pods.len()
    );
    Ok(())
}
