//! Who reaches whom: pings from every pod to every pod, every node and a host outside.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::paint;
use crate::addresses::EXTERNAL_V4;
use crate::{Cluster, Node, Pod};

/// How many pings are under way at once.
const AT_ONCE: usize = 8;

/// The five paths of a pod's packets, one of them twice where there are zones.
const PATHS: [&str; 6] = [
    "pod to its own node",
    "pod to another node",
    "pod to a pod on its node",
    "pod to a pod on another node",
    "pod to an external host",
    "pod to a pod in another zone",
];

/// A place to ping.
struct Target {
    name: String,
    address: IpAddr,
    /// The node that it is, or that it is on; none for the external host.
    node: Option<Arc<Node>>,
    is_pod: bool,
}

/// The outcome of one ping.
struct Cell {
    from: usize,
    to: usize,
    path: usize,
    reached: bool,
}

/// The outcome of all pings.
pub(super) struct Matrix {
    from: Vec<String>,
    to: Vec<String>,
    cells: Vec<Cell>,
}

impl Matrix {
    /// Pings along every path.
    pub(super) async fn measure(cluster: &Cluster, pods: &[Pod]) -> Result<Self> {
        let targets = targets(cluster, pods)?;
        let pairs = pods.iter().enumerate().flat_map(|(from, pod)| {
            targets
                .iter()
                .enumerate()
                .map(move |(to, target)| (from, pod, to, target))
        });
        let cells = stream::iter(pairs.filter(|(_, pod, _, target)| pod.name() != target.name))
            .map(|(from, pod, to, target)| async move {
                let path = path(pod, target);
                let reached = pod.ping(target.address).await.is_ok();
                anyhow::Ok(Cell {
                    from,
                    to,
                    path,
                    reached,
                })
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Self {
            from: pods
                .iter()
                .map(|pod| format!("{} on {}", pod.name(), pod.node().name()))
                .collect(),
            to: targets.into_iter().map(|target| target.name).collect(),
            cells,
        })
    }

    /// Whether every ping came back.
    pub(super) fn is_green(&self) -> bool {
        !self.cells.is_empty() && self.cells.iter().all(|cell| cell.reached)
    }
}

fn targets(cluster: &Cluster, pods: &[Pod]) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for pod in pods {
        targets.push(Target {
            name: pod.name().into(),
            address: pod.address()?,
            node: Some(Arc::clone(pod.node())),
            is_pod: true,
        });
    }
    targets.extend(cluster.nodes().iter().map(|node| Target {
        name: node.name().into(),
        address: IpAddr::V4(node.link().node_v4()),
        node: Some(Arc::clone(node)),
        is_pod: false,
    }));
    targets.push(Target {
        name: "external".into(),
        address: IpAddr::V4(EXTERNAL_V4),
        node: None,
        is_pod: false,
    });
    Ok(targets)
}

fn path(pod: &Pod, target: &Target) -> usize {
    let own = target
        .node
        .as_ref()
        .is_some_and(|node| node.name() == pod.node().name());
    match (&target.node, target.is_pod, own) {
        (None, ..) => 4,
        (Some(node), true, false) if node.link().zone() != pod.node().link().zone() => 5,
        (Some(_), true, false) => 3,
        (Some(_), true, true) => 2,
        (Some(_), false, false) => 1,
        (Some(_), false, true) => 0,
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {:<18}", "")?;
        for to in &self.to {
            write!(f, " {to:>8}")?;
        }
        writeln!(f)?;
        for (number, from) in self.from.iter().enumerate() {
            write!(f, "    {from:<18}")?;
            for to in 0..self.to.len() {
                let cell = self
                    .cells
                    .iter()
                    .find(|cell| (cell.from, cell.to) == (number, to));
                let shown = match cell.map(|cell| cell.reached) {
                    Some(true) => paint::green(format!("{:>8}", "ok")),
                    Some(false) => paint::red(format!("{:>8}", "LOST")),
                    None => format!("{:>8}", "·"),
                };
                write!(f, " {shown}")?;
            }
            writeln!(f)?;
        }
        for (path, name) in PATHS.iter().enumerate() {
            let all = self.cells.iter().filter(|cell| cell.path == path);
            let reached = all.clone().filter(|cell| cell.reached).count();
            let count = all.count();
            if count == 0 {
                continue;
            }
            let figures = format!("{reached:>3} of {count:>3}");
            let painted = if reached == count {
                paint::green(figures)
            } else {
                paint::red(figures)
            };
            writeln!(f, "    {painted}  {name}")?;
        }
        Ok(())
    }
}
