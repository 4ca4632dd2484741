//! A pod CIDR for each of many nodes, from the start of a process until the last node has one.
//!
//! Everybody finds the same: nodes without pod CIDRs, newly created, on the same API server. They
//! take turns, each round beginning with another, and each begins as a new process. The controller
//! takes its lease and sends its first reports within the measured time; the incumbent is spared a
//! lease, and reports nothing.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::audit::{self, Calls, Request};
use crate::program::Program;
use crate::report::{Against, Report, Row};
use crate::world::{FLOOR, MANAGER, Manager, OURS, World, say};
use crate::{Options, nodes};

/// How often the audit log is looked at while a program works.
const LOOK: Duration = Duration::from_millis(100);
/// What follows the last write, such as the watch's last events, belongs to the work.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// Patches a second that the incumbent's default limits allow.
const LIMITED: u32 = 20;
/// Who takes turns.
const ALTERNATING: [Worker; 3] = [Worker::Ours, Worker::Lifted, Worker::Floor];
/// Nodes for which there are goals.
const GOALS_AT: u32 = 5_000;

/// Who works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    Ours,
    Lifted,
    Default,
    Floor,
}

impl Worker {
    fn user(self) -> &'static str {
        match self {
            Self::Ours => OURS,
            Self::Lifted | Self::Default => MANAGER,
            Self::Floor => FLOOR,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "signpost-controller",
            Self::Lifted => "kube-controller-manager, limits lifted",
            Self::Default => "kube-controller-manager, default limits",
            Self::Floor => "floor",
        }
    }

    fn start(self, world: &World, nodes: u32) -> Result<Program> {
        match self {
            Self::Ours => world.start_ours(),
            Self::Lifted => world.start_manager(Manager::LimitsLifted),
            Self::Default => world.start_manager(Manager::DefaultLimits),
            Self::Floor => world.start_floor(nodes),
        }
    }
}

/// What one worker took, round by round.
#[derive(Debug, Default)]
struct Taken {
    seconds: Vec<f64>,
    cpu: Vec<f64>,
    rss: Vec<f64>,
    servers: Vec<f64>,
    calls: Vec<f64>,
}

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let world = World::start(json!({"provider": "none"})).await?;
    // Unmeasured: the API server has answered nothing yet.
    round(&world, Worker::Floor, 1_000, &mut Taken::default()).await?;
    let sizes: &[u32] = if options.quick {
        &[1_000]
    } else {
        &[1_000, 5_000]
    };
    for &size in sizes {
        let mut limited = Taken::default();
        if !options.quick {
            let seconds = size / LIMITED;
            say(&format!(
                "{size} nodes, once with default limits: {seconds} s"
            ));
            round(&world, Worker::Default, size, &mut limited).await?;
        }
        let taken = alternate(&world, options.rounds(), size).await?;
        add(report, size, &taken, limited.seconds.first());
    }
    Ok(())
}

/// Rounds of all that are fast, each beginning with another.
async fn alternate(world: &World, rounds: u32, size: u32) -> Result<[Taken; 3]> {
    let mut taken: [Taken; 3] = Default::default();
    for turn in 0..rounds as usize {
        say(&format!("{size} nodes, round {} of {rounds}", turn + 1));
        for position in 0..taken.len() {
            let index = (turn + position) % taken.len();
            round(world, ALTERNATING[index], size, &mut taken[index]).await?;
        }
    }
    Ok(taken)
}

fn add(report: &mut Report, size: u32, [ours, lifted, floor]: &[Taken; 3], limited: Option<&f64>) {
    let goal = |goal: f64| (size == GOALS_AT).then_some(goal);
    let mut row = |work: &str, unit: &str, ours: &[f64], against: Against<'_>, goal| {
        let work = format!("allocate {size} nodes: {work}");
        report.add(Row::new(work, unit, ours, against, goal));
    };
    let time = &ours.seconds;
    let peer = Against::Peer(&lifted.seconds);
    row(
        "time, the manager's limits lifted",
        "s",
        time,
        peer,
        goal(0.5),
    );
    if let Some(&seconds) = limited {
        let peer = vec![seconds; time.len()];
        let work = "time, the manager's default limits";
        row(work, "s", time, Against::Peer(&peer), None);
    }
    let bare = Against::Floor(&floor.seconds);
    row("time, over the floor", "s", time, bare, goal(1.2));
    let peer = Against::Peer(&lifted.rss);
    row("peak memory", "MB", &ours.rss, peer, goal(1.0 / 3.0));
    row("CPU", "s", &ours.cpu, Against::Peer(&lifted.cpu), None);
    let bare = Against::Floor(&floor.cpu);
    row("CPU, over the floor", "s", &ours.cpu, bare, None);
    let servers = "CPU of API server and etcd";
    let peer = Against::Peer(&lifted.servers);
    row(servers, "s", &ours.servers, peer, None);
    let bare = Against::Floor(&floor.servers);
    let work = "CPU of API server and etcd, over the floor";
    row(work, "s", &ours.servers, bare, None);
    let peer = Against::Peer(&lifted.calls);
    row("API calls", "calls", &ours.calls, peer, None);
}

/// One worker gives all nodes their pod CIDRs.
async fn round(world: &World, worker: Worker, size: u32, taken: &mut Taken) -> Result<()> {
    nodes::delete_all(&world.client).await?;
    nodes::create(&world.client, size).await?;
    world.rest().await;

    let mut audit = world.audit()?;
    let before = world.servers_cpu()?;
    let mut program = worker.start(world, size)?;
    let limit = Duration::from_secs(u64::from(60 + 2 * size / LIMITED));
    let begun = Instant::now();
    let mut seen = Seen::default();
    let servers = loop {
        tokio::time::sleep(LOOK).await;
        for request in audit.next()? {
            if request.user == worker.user() {
                seen.add(request);
            }
        }
        let servers = world.servers_cpu()?.saturating_sub(before).as_secs_f64();
        if seen.served.len() >= size as usize && nodes::check(&world.client, size).await.is_ok() {
            break servers;
        }
        program.check_alive()?;
        if begun.elapsed() > limit {
            let (name, served, log) = (worker.name(), seen.served.len(), program.log_tail());
            bail!("{name} served {served} of {size} nodes in {limit:?}\n{log}");
        }
    };
    tokio::time::sleep(AFTERWARDS).await;
    let usage = program.usage()?;
    let started = program.started;
    program.stop()?;

    let took = seen.until_last(started)?;
    let (cpu, rss) = (usage.cpu.as_secs_f64(), usage.peak_rss);
    eprintln!(
        "    {}: {took:.2} s, the first write after {:.2} s, {cpu:.2} s of CPU, {rss:.0} MB, \
         {servers:.2} s of the servers' CPU; {}",
        worker.name(),
        seen.until_first(started)?,
        audit::list(&seen.calls)
    );
    taken.seconds.push(took);
    taken.cpu.push(cpu);
    taken.rss.push(rss);
    taken.servers.push(servers);
    taken
        .calls
        .push(f64::from(seen.calls.values().sum::<u32>()));
    Ok(())
}

/// What the API server saw of a worker.
#[derive(Debug, Default)]
struct Seen {
    served: HashSet<String>,
    calls: Calls,
    first: Option<SystemTime>,
    last: Option<SystemTime>,
}

impl Seen {
    fn add(&mut self, request: Request) {
        audit::count(&mut self.calls, &request);
        if request.patches_node() {
            self.first.get_or_insert(request.received);
            // Also one that took effect without an answer in time.
            self.last = self.last.max(Some(request.answered));
            self.served.insert(request.name);
        }
    }

    /// Seconds from `start` until the first pod CIDR began to be written.
    fn until_first(&self, start: SystemTime) -> Result<f64> {
        seconds(start, self.first)
    }

    /// Seconds from `start` until the last pod CIDR was written.
    fn until_last(&self, start: SystemTime) -> Result<f64> {
        seconds(start, self.last)
    }
}

fn seconds(from: SystemTime, to: Option<SystemTime>) -> Result<f64> {
    let span = to.context("nothing was written")?.duration_since(from)?;
    Ok(span.as_secs_f64())
}
