//! What agents cost those whom they ask: one for each node of a large cluster, each following its own Node and
//! what the controller publishes, by the agent's own code. Their client is one, their connections are as many as
//! theirs would be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::watcher;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use signpost_api::NodeNetwork;
use signpost_node::cluster::{self, NodeView};
use signpost_node::kubernetes::{Seen, follow};
use tokio::sync::watch::{self, error::RecvError};
use tokio::task::JoinSet;

use crate::report::{Against, Report, Row};
use crate::world::{NAMESPACE, World, say};
use crate::{Options, idle, nodes};

/// What the API server does after it has told all of a change is over by then.
const TOLD: Duration = Duration::from_secs(10);
/// Descriptors that others than connections have.
const OTHERS: u64 = 500;

pub(crate) async fn measure(options: &Options, world: &World, report: &mut Report) -> Result<()> {
    let size = options.many();
    let span = Duration::from_secs(options.idle);
    allow_files(u64::from(size) * 2 + OTHERS)?;
    say(&format!(
        "{size} nodes without agents, for {} s",
        options.idle
    ));
    let alone = hourly(world, size, span).await?;

    say(&format!("{size} agents start"));
    let (begun, before) = (Instant::now(), world.servers_cpu()?);
    let mut agents = Agents::start(world, size).await?;
    agents.know().await?;
    let started = begun.elapsed().as_secs_f64();
    let start = world.servers_cpu()?.saturating_sub(before).as_secs_f64();
    world.rest().await;
    say(&format!(
        "{size} agents and nothing to do, for {} s",
        options.idle
    ));
    let beside = hourly(world, size, span).await?;
    let told = told(world).await?;

    let mut row = |work: &str, unit: &str, ours: f64, against: Against<'_>| {
        let work = format!("{size} agents: {work}");
        report.add(Row::new(work, unit, &[ours], against, None));
    };
    row(
        "all start at once, until each knows its subnets",
        "s",
        started,
        Against::Nothing,
    );
    row(
        "the same, CPU of API server and etcd",
        "s",
        start,
        Against::Nothing,
    );
    let seconds = options.idle;
    row(
        &format!(
            "an idle hour (from {seconds} s), CPU of API server and etcd, over that without agents"
        ),
        "s",
        beside,
        Against::Floor(&[alone]),
    );
    row(
        "what is published changes, CPU of API server and etcd",
        "s",
        told,
        Against::Nothing,
    );
    Ok(())
}

/// CPU time of API server and etcd in an hour in which kubelets report, from a part of it.
async fn hourly(world: &World, size: u32, span: Duration) -> Result<f64> {
    let before = world.servers_cpu()?;
    tokio::select! {
        result = idle::heartbeats(world, size) => result?,
        () = tokio::time::sleep(span) => {}
    }
    let used = world.servers_cpu()?.saturating_sub(before);
    Ok(used.as_secs_f64() * 3600.0 / span.as_secs_f64())
}

/// CPU time that it takes to tell all of a change of what is published.
async fn told(world: &World) -> Result<f64> {
    let before = world.servers_cpu()?;
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"bench": "told"}}}));
    maps.patch(NodeNetwork::CONFIG_MAP, &PatchParams::default(), &patch)
        .await?;
    tokio::time::sleep(TOLD).await;
    Ok(world.servers_cpu()?.saturating_sub(before).as_secs_f64())
}

/// They end with this value.
struct Agents {
    _following: JoinSet<()>,
    learning: JoinSet<Result<(), RecvError>>,
}

impl Agents {
    async fn start(world: &World, size: u32) -> Result<Self> {
        let client = world.agents_client().await?;
        let (mut following, mut learning) = (JoinSet::new(), JoinSet::new());
        let named =
            |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        for number in 0..size {
            let (sender, mut node) = watch::channel(None);
            let own = named(&nodes::name(number));
            let view = |node: &Node| NodeView::from(node);
            following.spawn(follow(Api::all(client.clone()), own, view, sender));
            let (sender, mut network) = watch::channel(None);
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
            following.spawn(follow(
                maps,
                named(NodeNetwork::CONFIG_MAP),
                cluster::network,
                sender,
            ));
            learning.spawn(async move {
                node.wait_for(is_known).await?;
                network.wait_for(is_known).await?;
                Ok(())
            });
        }
        Ok(Self {
            _following: following,
            learning,
        })
    }

    /// Until each has seen its Node and what is published.
    async fn know(&mut self) -> Result<()> {
        while let Some(learnt) = self.learning.join_next().await {
            learnt?.context("an agent ended")?;
        }
        Ok(())
    }
}

#[allow(clippy::ref_option, reason = "as a receiver calls it")]
fn is_known<V>(seen: &Seen<V>) -> bool {
    seen.as_ref().is_some_and(|objects| !objects.is_empty())
}

/// Lets this process have so many open files, if it may.
fn allow_files(wanted: u64) -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let maximum = now.maximum.map(|it| it.max(wanted));
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .with_context(|| format!("agents need {wanted} open files. Remedy: ulimit -n {wanted}"))
}
