//! R11: a node's addresses are given out without duplicates, returned, and given out again in turn.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use futures::future::join_all;
use ipnet::IpNet;
use signpost_e2e::{Cluster, Pod, PodSpec, wait};

use super::addresses::first_addresses;
use super::paths::delete;
use crate::support::{LIMIT, objects};

const NODE: &str = "node-2";

/// An address given back is the last to be given out again; as many pods as a subnet has addresses all
/// get one of their own, and the next gets none.
pub(crate) async fn r11_addresses_are_unique_and_come_back_in_turn(
    cluster: &Cluster,
) -> Result<()> {
    let subnets = objects::pod_cidrs(&objects::node(cluster, NODE).await?)?;
    let [v4, v6] = subnets.as_slice() else {
        bail!("{NODE} should have two subnets, not {subnets:?}");
    };
    // All but the network's own, the gateway's and the broadcast address.
    let usable: BTreeSet<IpAddr> = v4
        .hosts()
        .filter(|host| !first_addresses(*v4, 2).contains(host))
        .collect();
    ensure!(
        usable.len() == 13,
        "a /28 has 13 addresses for pods: {usable:?}"
    );

    let mut pods = run(cluster, 0..9).await?;
    let held = first_of(&pods);
    ensure!(held.len() == 9, "nine pods share addresses: {held:?}");
    let free: BTreeSet<IpAddr> = usable.difference(&held).copied().collect();
    let mut turns = Vec::new();
    for _ in 0..=free.len() {
        let pod = cluster.run_pod(PodSpec::new("r11-turn").on(NODE)).await?;
        turns.push(pod.address()?);
        leave(cluster, &pod).await?;
    }
    let round: BTreeSet<IpAddr> = turns.iter().take(free.len()).copied().collect();
    ensure!(
        round == free && turns.last() == turns.first(),
        "one pod after the other should get each of {free:?} before any comes again: {turns:?}"
    );

    pods.extend(run(cluster, 9..13).await?);
    unique(&pods, &usable, *v6)?;
    cluster
        .create_pod(&PodSpec::new("r11-one-more").on(NODE))
        .await?;
    wait::until("the pod without an address to say so", LIMIT, async || {
        let selector = "--field-selector=involvedObject.name=r11-one-more";
        let events = cluster.kubectl(&["get", "events", selector]).await?;
        let told = events.contains(&format!("no address of {v4} is free"));
        ensure!(told, "its events are:\n{events}");
        Ok(())
    })
    .await?;
    cluster.delete_pod("r11-one-more").await?;
    let left = pods.pop().context("there are pods")?;
    leave(cluster, &left).await?;
    let next = cluster.run_pod(PodSpec::new("r11-next").on(NODE)).await?;
    let (only, seen) = (left.address()?, next.address()?);
    ensure!(
        seen == only,
        "{only} is the only free address, the pod has {seen}"
    );
    pods.push(next);
    delete(cluster, &pods).await
}

fn unique(pods: &[Pod], usable: &BTreeSet<IpAddr>, v6: IpNet) -> Result<()> {
    let all = first_of(pods);
    ensure!(
        all == *usable,
        "13 pods should have {usable:?}, they have {all:?}"
    );
    let second: BTreeSet<IpAddr> = pods
        .iter()
        .filter_map(|pod| pod.addresses().get(1).copied())
        .collect();
    ensure!(
        second.len() == 13 && second.iter().all(|address| v6.contains(address)),
        "13 pods should each have an address of {v6}, they have {second:?}"
    );
    Ok(())
}

/// The pods' first addresses.
fn first_of(pods: &[Pod]) -> BTreeSet<IpAddr> {
    pods.iter().filter_map(|pod| pod.address().ok()).collect()
}

/// Runs several pods at once.
async fn run(cluster: &Cluster, numbers: std::ops::Range<u32>) -> Result<Vec<Pod>> {
    let specs = numbers.map(|number| PodSpec::new(&format!("r11-{number}")).on(NODE));
    let pods = join_all(specs.map(|spec| cluster.run_pod(spec))).await;
    pods.into_iter().collect()
}

/// Deletes a pod, and waits until its node has no route to it any more: the object is gone before.
async fn leave(cluster: &Cluster, pod: &Pod) -> Result<()> {
    cluster.delete_pod(pod.name()).await?;
    let address = pod.address()?.to_string();
    wait::until(&format!("{address} to be given back"), LIMIT, async || {
        let routes = pod
            .node()
            .machine()
            .run(&["ip", "route", "show", &address])
            .await?;
        ensure!(routes.is_empty(), "the node has {routes}");
        Ok(())
    })
    .await
}
