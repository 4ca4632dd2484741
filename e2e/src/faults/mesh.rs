//! Pods that ping each other across nodes, each pair of nodes in both directions, all the time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result};
use futures::future::{join_all, try_join_all};

use crate::traffic::Lap;
use crate::{Cluster, Pod, PodSpec, Traffic};

/// The pods, one on each node that takes part, and the pings between all pairs of them.
#[derive(Default)]
pub struct Mesh {
    /// Pods by node.
    pods: BTreeMap<String, Pod>,
    /// Pings by sender's node, receiver's node and address.
    pings: BTreeMap<(String, String, IpAddr), Traffic>,
    /// Counts of pings that have ended since the last lap.
    ended: BTreeMap<(String, String), Lap>,
}

/// A pod's name on its node.
pub(super) fn pod_name(node: &str) -> String {
    format!("mesh-{node}")
}

impl Mesh {
    /// Lets a node take part: runs its pod unless there is one, and pings between it and all others.
    pub(super) async fn add(&mut self, cluster: &Cluster, node: &str) -> Result<()> {
        let name = pod_name(node);
        // A pod that is there already, such as after a reboot, is taken as it is.
        let created = cluster.create_pod(&PodSpec::new(&name).on(node)).await;
        if created.is_err() {
            cluster.pod_exists(&name).await?;
        }
        let pod = cluster.pod(&name).await?;
        let others = self.pods.iter().filter(|(other, _)| *other != node);
        let mut starts = Vec::new();
        for (other_node, other) in others {
            let ways = [
                (&pod, node, other, other_node.as_str()),
                (other, other_node.as_str(), &pod, node),
            ];
            for (from, from_node, to, to_node) in ways {
                for address in to.addresses() {
                    starts.push(async move {
                        let pings = Traffic::start(from, *address).await?;
                        let key = (from_node.to_owned(), to_node.to_owned(), *address);
                        anyhow::Ok((key, pings))
                    });
                }
            }
        }
        let started = try_join_all(starts).await?;
        self.pings.extend(started);
        self.pods.insert(node.to_owned(), pod);
        Ok(())
    }

    /// Lets a node take part no more, before something happens to it. All that was sent from and to
    /// it up to now counts.
    pub(super) async fn remove(&mut self, node: &str) -> Result<()> {
        for (pair, lap) in self.count(Some(node)).await? {
            let sum = self.ended.entry(pair).or_default();
            sum.add(lap);
        }
        self.pings
            .retain(|(from, to, _), _| from != node && to != node);
        self.pods.remove(node);
        Ok(())
    }

    /// Whether a node takes part.
    pub fn has(&self, node: &str) -> bool {
        self.pods.contains_key(node)
    }

    /// The pod of a node that takes part.
    pub fn pod(&self, node: &str) -> Result<&Pod> {
        let pod = self.pods.get(node);
        pod.with_context(|| format!("{node} has no pod that pings"))
    }

    /// What was sent and lost since the last time, by sender's and receiver's node.
    pub(super) async fn lap(&mut self) -> Result<BTreeMap<(String, String), Lap>> {
        let mut laps = self.count(None).await?;
        for (pair, lap) in std::mem::take(&mut self.ended) {
            laps.entry(pair).or_default().add(lap);
        }
        Ok(laps)
    }

    /// Laps of the pairs with this node, or of all.
    async fn count(&mut self, node: Option<&str>) -> Result<BTreeMap<(String, String), Lap>> {
        let concerned = |(from, to, _): &(String, String, IpAddr)| {
            node.is_none_or(|node| from == node || to == node)
        };
        let pings = self.pings.iter_mut().filter(|(key, _)| concerned(key));
        let laps = pings.map(async |(key, pings)| (key, pings.lap().await));
        let mut sums = BTreeMap::<(String, String), Lap>::new();
        for ((from, to, address), lap) in join_all(laps).await {
            let lap = lap.with_context(|| format!("from {from} to {to} ({address})"))?;
            let pair = (from.clone(), to.clone());
            sums.entry(pair).or_default().add(lap);
        }
        Ok(sums)
    }
}
