//! What is measured in the same way in every emulated cloud: filling it, one node more, and a route
//! that somebody removes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use signpost_ec2::Call;

use crate::nodes;
use crate::program::Program;
use crate::world::World;

/// Registrations at once.
const AT_ONCE: usize = 32;
/// How often the nodes are looked at, once all their routes have been asked for.
const LOOK_AT_ALL: Duration = Duration::from_millis(100);
/// How often before, which is told.
const PROGRESS: Duration = Duration::from_secs(30);
/// How often one node is looked at.
const LOOK_AT_ONE: Duration = Duration::from_millis(5);
/// How often it is looked whether a route is back.
const LOOK_AT_ROUTE: Duration = Duration::from_millis(20);
/// How long one node may take.
const LONGEST_JOIN: Duration = Duration::from_secs(60);
/// How long a route may be away.
const LONGEST_ABSENCE: Duration = Duration::from_secs(120);

/// How often actions were called.
pub(crate) type Calls = BTreeMap<String, u32>;

/// A cloud in an emulator within this process, with an instance for every node that will be.
pub(crate) trait Emulated {
    /// Whose API is called.
    const API: &'static str;
    /// The action that creates a route.
    const CREATION: &'static str;

    /// What the node of this number says in `spec.providerID`.
    fn provider_id(&self, number: u32) -> Result<String>;

    /// The calls since the log was last emptied whose numbers are greater.
    fn calls_after(&self, number: u64) -> Vec<Call>;

    /// Where routes to instances lead, by destinations. Of several tables one is looked at.
    fn routes(&self) -> BTreeMap<String, String>;

    /// Takes one of them away, and returns when it is gone.
    async fn remove_route(&self, destination: &str) -> Result<()>;

    /// How often each action was called since the log was last emptied.
    fn calls(&self) -> Calls {
        let mut counts = Calls::new();
        for call in self.calls_after(0).iter().filter(|call| !call.is_dry_run()) {
            *counts.entry(call.action.clone()).or_default() += 1;
        }
        counts
    }

    /// The same for people: each action, and in all.
    fn list_calls(&self) -> String {
        let calls = self.calls();
        let mut text = format!("{} calls of {}", calls.values().sum::<u32>(), Self::API);
        for (action, count) in calls {
            let _ = write!(text, ", {count} {action}");
        }
        text
    }

    /// Registers the node of this number.
    async fn register(&self, client: &Client, number: u32) -> Result<()> {
        nodes::create_instance(client, number, self.provider_id(number)?).await
    }
}

/// How often one action was called.
pub(crate) fn of(calls: &Calls, action: &str) -> f64 {
    f64::from(calls.get(action).copied().unwrap_or(0))
}

/// Registers nodes `0` to `count`.
pub(crate) async fn register_all(cloud: &impl Emulated, client: &Client, count: u32) -> Result<()> {
    stream::iter(0..count)
        .map(|number| cloud.register(client, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// What there is to do until a cloud is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling {
    pub(crate) nodes: u32,
    /// Routes in all tables together.
    pub(crate) routes: u32,
    /// Seconds that it may take.
    pub(crate) limit: f64,
}

/// Waits until every node is routed, and says how many seconds after the program's start that was.
pub(crate) async fn filled<C: Emulated>(
    filling: Filling,
    world: &World,
    cloud: &C,
    program: &mut Program,
) -> Result<f64> {
    let Filling {
        nodes,
        routes,
        limit,
    } = filling;
    let mut told = Instant::now();
    let (mut last_call, mut created) = (0, 0);
    loop {
        tokio::time::sleep(LOOK_AT_ALL).await;
        program.check_alive()?;
        for call in cloud.calls_after(last_call) {
            last_call = call.id;
            created += u32::from(call.action == C::CREATION);
        }
        let tell = told.elapsed() > PROGRESS;
        let routed = if created >= routes || tell {
            routed(world).await?
        } else {
            0
        };
        let took = program.started.elapsed()?.as_secs_f64();
        if routed >= nodes as usize {
            return Ok(took);
        }
        if tell {
            told = Instant::now();
            eprintln!("    {took:.0} s: {created} routes asked for, {routed} nodes routed");
        }
        if took > limit {
            let calls = cloud.list_calls();
            let log = program.log_tail();
            bail!("only {routed} nodes are routed after {limit:.0} s; {calls}\n{log}");
        }
    }
}

/// How many nodes say that they are routed.
async fn routed(world: &World) -> Result<usize> {
    let nodes: Api<Node> = Api::all(world.client.clone());
    let list = nodes.list(&ListParams::default()).await?;
    Ok(list.iter().filter(|node| nodes::is_routed(node)).count())
}

/// Says what a full cloud has cost.
pub(crate) fn tell_filled(took: f64, program: &Program, cloud: &impl Emulated) -> Result<()> {
    let usage = program.usage()?;
    eprintln!(
        "    all nodes routed after {took:.1} s; {:.2} s of CPU, {:.0} MB\n    {}",
        usage.cpu.as_secs_f64(),
        usage.peak_rss,
        cloud.list_calls()
    );
    Ok(())
}

/// Seconds from the request that creates one node until it says that it is routed.
pub(crate) async fn join(world: &World, cloud: &impl Emulated, number: u32) -> Result<f64> {
    let nodes: Api<Node> = Api::all(world.client.clone());
    let name = nodes::name(number);
    let begun = Instant::now();
    cloud.register(&world.client, number).await?;
    while !nodes::is_routed(&nodes.get(&name).await?) {
        if begun.elapsed() > LONGEST_JOIN {
            let calls = cloud.list_calls();
            bail!("{name} is not routed after {LONGEST_JOIN:?}; {calls}");
        }
        tokio::time::sleep(LOOK_AT_ONE).await;
    }
    let took = begun.elapsed().as_secs_f64();
    eprintln!("    {took:.2} s, {}", cloud.list_calls());
    Ok(took)
}

/// Takes some route away by hand, and gives the seconds until it was back.
pub(crate) async fn put_back(cloud: &impl Emulated) -> Result<f64> {
    let last = cloud.routes().pop_last();
    let (destination, target) = last.context("there is no route to an instance")?;
    cloud.remove_route(&destination).await?;
    let begun = Instant::now();
    while cloud.routes().get(&destination) != Some(&target) {
        if begun.elapsed() > LONGEST_ABSENCE {
            bail!("the route for {destination} is not back after {LONGEST_ABSENCE:?}");
        }
        tokio::time::sleep(LOOK_AT_ROUTE).await;
    }
    let took = begun.elapsed().as_secs_f64();
    eprintln!("    {destination}: back after {took:.2} s");
    Ok(took)
}
