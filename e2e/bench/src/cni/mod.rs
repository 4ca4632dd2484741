//! What a pod's wiring costs, and what the pod gets by it: our CNI plugin, the reference plugins `ptp` and
//! `bridge` with `host-local`, and a floor that asks of the kernel what has to be asked and nothing else.
//!
//! Every call finds the same: a new network namespace for the pod, on a node of the plugin's own. All take
//! turns, call by call, each turn beginning with another. What they keep in files is on a tmpfs, which spares
//! `host-local` the disk, and goes with this process however that ends, as the namespaces do.

mod plugin;
mod traffic;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::plugin::{Node, Pod};
use crate::report::{Against, Report, Row, Series};
use crate::world::say;

/// Where files are kept that end with this process.
const FOLDER: &str = "/mnt";
/// After a removal the kernel is busy with it for some 20 ms, and after many of them longer.
const REST: Duration = Duration::from_millis(35);
const LONG_REST: Duration = Duration::from_secs(2);
/// Calls at once.
const AT_ONCE: usize = 8;
/// Calls of each of them, one after the other.
const EACH: usize = 8;

/// How much is measured, and with what.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) rounds: u32,
    /// Calls of each plugin in a round.
    pub(crate) calls: u32,
    /// How long packets are sent each time.
    pub(crate) traffic: Duration,
    /// Where the static plugin and the programs beside it are.
    pub(crate) programs: PathBuf,
    /// Where `ptp`, `bridge` and `host-local` are.
    pub(crate) reference: PathBuf,
}

/// Who is measured.
struct Nodes {
    ptp: Node,
    both: Node,
    bridge: Node,
    peer_ptp: Node,
    peer_bridge: Node,
    floor: Node,
}

/// Medians of each round.
#[derive(Debug, Default)]
struct Taken {
    add: Vec<f64>,
    del: Vec<f64>,
}

pub(crate) fn measure(extent: &Extent, report: &mut Report) -> Result<()> {
    say("the CNI plugin: calls");
    plugin::keep_files_in(Path::new(FOLDER))?;
    let nodes = Nodes::new(extent)?;
    let all = nodes.all();
    // Unmeasured: neither the programs nor what the kernel loads on demand have been used yet.
    round(&all, 3, &mut Default::default())?;
    let mut taken: [Taken; 6] = Default::default();
    for _ in 0..extent.rounds {
        round(&all, extent.calls, &mut taken)?;
    }
    let [ours, both, bridge, peer, peer_bridge, floor] = &taken;
    let mut row = |work: &str, ours: &[f64], against, goal| {
        report.add(Row::new(format!("CNI {work}"), "ms", ours, against, goal));
    };
    let (fifth, eighth) = (Some(0.2), Some(0.125));
    row("ADD, ptp", &ours.add, Against::Peer(&peer.add), fifth);
    row(
        "ADD, ptp, over the floor",
        &ours.add,
        Against::Floor(&floor.add),
        Some(1.6),
    );
    row("DEL, ptp", &ours.del, Against::Peer(&peer.del), eighth);
    row(
        "ADD, bridge",
        &bridge.add,
        Against::Peer(&peer_bridge.add),
        None,
    );
    row(
        "DEL, bridge",
        &bridge.del,
        Against::Peer(&peer_bridge.del),
        None,
    );
    let work = "ADD, ptp: dual stack over IPv4 alone";
    row(work, &both.add, Against::Floor(&ours.add), Some(1.15));

    say("the CNI plugin: several calls at once");
    let [mut ours, mut peer]: [Taken; 2] = Default::default();
    for _ in 0..extent.rounds {
        crowd(&nodes.ptp, &mut ours)?;
        crowd(&nodes.peer_ptp, &mut peer)?;
    }
    let mut row = |verb: &str, ours: &[f64], peer: &[f64]| {
        let work = format!("CNI {verb}, ptp, {AT_ONCE} at once");
        report.add(Row::rate(work, "per s", ours, peer, Some(0.2)));
    };
    row("ADD", &ours.add, &peer.add);
    row("DEL", &ours.del, &peer.del);

    sizes(extent, &nodes, report)?;
    say("the CNI plugin: what pods see");
    let peers = [&nodes.ptp, &nodes.bridge, &nodes.peer_bridge];
    traffic::measure(extent, peers, report)
}

impl Nodes {
    fn new(extent: &Extent) -> Result<Self> {
        let four = ["10.244.1.0/24"];
        let both = ["10.244.1.0/24", "fd00:0:0:1::/64"];
        let ours = |mode, subnets: &[&str]| {
            Node::ours(&extent.programs.join("signpost-cni"), mode, subnets)
        };
        let peer = |kind| Node::reference(&extent.reference, kind, four[0]);
        Ok(Self {
            ptp: ours("ptp", &four)?,
            both: ours("ptp", &both)?,
            bridge: ours("bridge", &four)?,
            peer_ptp: peer("ptp")?,
            peer_bridge: peer("bridge")?,
            floor: Node::floor(&extent.programs.join("floor"))?,
        })
    }

    fn all(&self) -> [&Node; 6] {
        let Self {
            ptp,
            both,
            bridge,
            peer_ptp,
            peer_bridge,
            floor,
        } = self;
        [ptp, both, bridge, peer_ptp, peer_bridge, floor]
    }
}

/// Pods come and go one after the other, on each node in turn.
fn round(nodes: &[&Node; 6], calls: u32, taken: &mut [Taken; 6]) -> Result<()> {
    let pods = (0..calls).map(|_| Pod::new()).collect::<Result<Vec<_>>>()?;
    let mut calls: [Taken; 6] = Default::default();
    for (turn, pod) in pods.iter().enumerate() {
        for position in 0..nodes.len() {
            let index = (turn + position) % nodes.len();
            calls[index]
                .add
                .push(nodes[index].add(pod)?.as_secs_f64() * 1e3);
            sleep(REST);
            calls[index]
                .del
                .push(nodes[index].del(pod)?.as_secs_f64() * 1e3);
            sleep(REST);
        }
    }
    drop(pods);
    sleep(LONG_REST);
    for (taken, calls) in taken.iter_mut().zip(calls) {
        taken
            .add
            .extend(Series::new(calls.add).map(|it| it.median()));
        taken
            .del
            .extend(Series::new(calls.del).map(|it| it.median()));
    }
    Ok(())
}

/// Several pods come at once, then go at once; what is taken is how many do in a second.
fn crowd(node: &Node, taken: &mut Taken) -> Result<()> {
    let pods = (0..AT_ONCE * EACH)
        .map(|_| Pod::new())
        .collect::<Result<Vec<_>>>()?;
    let rate = |call: &(dyn Fn(&Pod) -> Result<()> + Sync)| -> Result<f64> {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let workers: Vec<_> = pods
                .chunks(EACH)
                .map(|pods| scope.spawn(move || pods.iter().try_for_each(call)))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .map_err(|_| anyhow::anyhow!("a worker panicked"))?
            })
        })?;
        #[expect(clippy::cast_precision_loss, reason = "some dozens")]
        let count = pods.len() as f64;
        Ok(count / begun.elapsed().as_secs_f64())
    };
    taken.add.push(rate(&|pod| node.add(pod).map(drop))?);
    sleep(LONG_REST);
    taken.del.push(rate(&|pod| node.del(pod).map(drop))?);
    sleep(LONG_REST);
    drop(pods);
    sleep(LONG_REST);
    Ok(())
}

/// Memory and disk.
fn sizes(extent: &Extent, nodes: &Nodes, report: &mut Report) -> Result<()> {
    let peak = extent.programs.join("peak");
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..extent.rounds {
        ours.push(nodes.ptp.peak_of_add(&peak)?);
        peer.push(nodes.peer_ptp.peak_of_add(&peak)?);
    }
    let work = "CNI ADD, ptp: peak memory";
    report.add(Row::new(work, "MB", &ours, Against::Bound(2.0), None));
    report.add(Row::new(work, "MB", &ours, Against::Peer(&peer), None));
    let file = extent.programs.join("signpost-cni");
    let bytes = file
        .metadata()
        .with_context(|| format!("reading {}", file.display()))?
        .len();
    let bytes = u32::try_from(bytes).context("a plugin of 4 GB")?;
    let size = f64::from(bytes) / f64::from(1 << 20);
    let work = "CNI plugin: size of the program, static";
    report.add(Row::new(work, "MB", &[size], Against::Bound(1.0), None));
    Ok(())
}

/// Fails with the remedy where a program is missing.
pub(crate) fn check(extent: &Extent) -> Result<()> {
    for (folder, names, remedy) in [
        (
            &extent.programs,
            ["signpost-cni", "floor", "peak"],
            "./scripts/bench.sh, which builds it",
        ),
        (
            &extent.reference,
            ["ptp", "bridge", "host-local"],
            "apt-get install containernetworking-plugins, or --reference FOLDER",
        ),
    ] {
        for name in names {
            let file = folder.join(name);
            ensure!(
                file.is_file(),
                "{} is missing. Remedy: {remedy}",
                file.display()
            );
        }
    }
    Ok(())
}
