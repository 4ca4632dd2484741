//! The cluster in which faults happen, and how it is found after each.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::writes::Writes;
use super::{Fault, Mesh, Replica, invariants};
use crate::addresses::EXTERNAL_V4;
use crate::routes::{self, Routes};
use crate::traffic::Lap;
use crate::{Cluster, ClusterOptions, blocks, pod_network};

/// How long a fault may go on.
const FAULT_LIMIT: Duration = Duration::from_secs(180);
/// How many replicas of the controller there are.
const REPLICAS: u8 = 2;
/// A route of somebody else that lies in no pool.
const OUTSIDE: &str = "198.51.100.0/24";

/// A running cluster of three nodes and two replicas of the controller, with traffic.
pub struct Arena {
    cluster: Cluster,
    pub(super) replicas: Vec<Replica>,
    writes: Writes,
    /// The pods and their pings. A fault takes a node out of it before it cuts that node off.
    mesh: Mesh,
    /// Routes of somebody else (protocol `static`) as they have to be at rest. A fault that changes
    /// them for good says so here.
    pub foreign: Routes,
    random: fastrand::Rng,
    story: Vec<String>,
    pub(super) bare: Vec<String>,
    pub(super) bare_created: u32,
}

/// What one fault did, and what came of it.
#[derive(Clone, Debug)]
pub struct Round {
    /// The fault's name.
    pub fault: &'static str,
    /// What its choices came from.
    pub seed: u64,
    /// What it did, step by step.
    pub story: Vec<String>,
    /// How long the fault itself took.
    pub took: Duration,
    /// From its end until everything told the same story.
    pub rest: Duration,
    /// Pings sent between nodes that had to be reachable.
    pub sent: u64,
    /// Pings that were not answered.
    pub lost: u64,
    /// Where answers are missing, in words.
    pub gaps: Vec<String>,
}

impl Arena {
    /// Starts a cluster, its replicas and its traffic, and waits until it is at rest.
    pub async fn start(name: &str) -> Result<Self> {
        let mut spec = pod_network(&[("pods", crate::PODS_V4, 24)]);
        // Rounds follow each other so fast that most nodes may go within a minute.
        spec["safety"] = json!({"maxDeletionPercent": 100});
        let cluster = Cluster::start(ClusterOptions::new(name).pod_network(spec)).await?;
        // The one that every cluster has makes room for several with a shorter lease.
        cluster.controller()?.stop().await?;
        let writes = Writes::from_now(&cluster)?;
        let mut arena = Self {
            cluster,
            replicas: Vec::new(),
            writes,
            mesh: Mesh::default(),
            foreign: Routes::new(),
            random: fastrand::Rng::with_seed(0),
            story: Vec::new(),
            bare: Vec::new(),
            bare_created: 0,
        };
        let started = arena.set_up().await;
        match started {
            Ok(()) => Ok(arena),
            Err(error) => {
                let logs = arena.record_failure().await;
                Err(error.context(format!("starting an arena; logs: {}", logs.display())))
            }
        }
    }

    async fn set_up(&mut self) -> Result<()> {
        for number in 1..=REPLICAS {
            self.replicas
                .push(Replica::new(&self.cluster, number).await?);
        }
        for replica in &self.replicas {
            replica.start().await?;
        }
        let via = EXTERNAL_V4.to_string();
        // Another one is a part of a block, which nobody gets then.
        let inside = Ipv4Net::new(blocks::unused(&self.cluster).await?.addr(), 26)?;
        for to in [OUTSIDE, &inside.to_string()] {
            let add = ["ip", "route", "add", to, "via", &via, "proto", "static"];
            self.cluster.router().run(&add).await?;
        }
        self.foreign = routes::of_protocol(self.cluster.router(), "static").await?;
        for node in self.cluster.nodes() {
            self.mesh.add(&self.cluster, node.name()).await?;
        }
        invariants::come_to_rest(self).await
    }

    /// The cluster itself.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Makes a fault happen, waits until the cluster is at rest, and looks at everything.
    ///
    /// Fails if the cluster does not come to rest or something is not as it has to be; lost packets
    /// are in the result. After a failure the arena is not fit for more.
    pub async fn round(&mut self, fault: &Fault, seed: u64) -> Result<Round> {
        self.random = fastrand::Rng::with_seed(seed);
        self.story.clear();
        let begin = Instant::now();
        let run = tokio::time::timeout(FAULT_LIMIT, (fault.run)(self)).await;
        let run = run.unwrap_or_else(|_| Err(anyhow!("it did not end within {FAULT_LIMIT:?}")));
        run.map_err(|error| self.in_words(error))?;
        let took = begin.elapsed();
        let begin = Instant::now();
        self.everybody_back().await?;
        let rest = invariants::come_to_rest(self).await;
        rest.map_err(|error| self.in_words(error))?;
        let rest = begin.elapsed();
        self.writes.judge().map_err(|error| self.in_words(error))?;
        let laps = self.mesh.lap().await;
        let laps = laps.map_err(|error| self.in_words(error))?;
        let round = Round::new(fault, seed, &self.story, laps);
        self.clean_up().await?;
        Ok(Round {
            took,
            rest,
            ..round
        })
    }

    /// A number from a range, as the seed chooses.
    pub fn choose(&mut self, from: RangeInclusive<usize>) -> usize {
        self.random.usize(from)
    }

    /// Whether to do something, as the seed chooses.
    pub fn toss(&mut self) -> bool {
        self.random.bool()
    }

    /// The name of a node that takes part in the traffic, as the seed chooses.
    pub fn choose_node(&mut self) -> Result<String> {
        let nodes = self.cluster.nodes();
        let mut names = nodes.iter().map(|node| node.name().to_owned());
        let number = self.random.usize(0..nodes.len().max(1));
        names.nth(number).context("the cluster has no node")
    }

    /// Sleeps for a time up to `longest`, as the seed chooses, and gives it in milliseconds.
    pub async fn moment(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let pause = Duration::from_millis(self.random.u64(0..=longest));
        tokio::time::sleep(pause).await;
        pause
    }

    /// Notes what was done or chosen, for whoever reads about the round.
    pub fn did(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    /// Before something cuts a node off: its pings count up to now, and no more until it is
    /// [`back`](Self::back), or until the fault has ended.
    pub async fn excuse(&mut self, node: &str) -> Result<()> {
        self.mesh.remove(node).await
    }

    /// From now on nothing may be lost from and to this node, which may have been excused.
    pub async fn back(&mut self, node: &str) -> Result<()> {
        if self.mesh.has(node) {
            return Ok(());
        }
        self.mesh.add(&self.cluster, node).await
    }

    /// The API server has read nothing for this long, up to now: what it reads next may have been sent
    /// long ago.
    pub(super) fn api_was_held_up(&mut self, span: Duration) {
        self.writes.were_held_up(span);
    }

    /// The pods and their pings.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The `PodNetwork` as JSON.
    pub async fn pod_network(&self) -> Result<Value> {
        crate::objects::pod_network(&self.cluster).await
    }

    /// Keeps logs and state of the cluster, and says where they will be when it has ended.
    pub async fn record_failure(&self) -> PathBuf {
        self.cluster.record_failure().await
    }

    async fn everybody_back(&mut self) -> Result<()> {
        for node in self.cluster.nodes() {
            self.back(node.name()).await?;
        }
        Ok(())
    }

    /// Every round begins with the nodes that have machines and no others.
    async fn clean_up(&mut self) -> Result<()> {
        let bare = self.bare.clone();
        self.leave_bare(&bare).await?;
        invariants::come_to_rest(self).await.context("cleaning up")
    }

    fn in_words(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("what happened: {}", self.story.join("; ")))
    }
}

impl Round {
    fn new(
        fault: &Fault,
        seed: u64,
        story: &[String],
        laps: BTreeMap<(String, String), Lap>,
    ) -> Self {
        let mut sum = Lap::default();
        for ((from, to), mut lap) in laps {
            for gap in &mut lap.gaps {
                *gap = format!("{from} to {to}: numbers {gap}");
            }
            sum.add(lap);
        }
        Self {
            fault: fault.name,
            seed,
            story: story.to_vec(),
            took: Duration::ZERO,
            rest: Duration::ZERO,
            sent: sum.sent,
            lost: sum.lost,
            gaps: sum.gaps,
        }
    }

    /// Fails if packets were lost.
    pub fn nothing_lost(&self) -> Result<()> {
        ensure!(self.sent > 0, "no packet was sent");
        if self.lost > 0 {
            bail!(
                "{} of {} pings were not answered:\n  {}\nwhat happened: {}",
                self.lost,
                self.sent,
                self.gaps.join("\n  "),
                self.story.join("; ")
            );
        }
        Ok(())
    }
}
