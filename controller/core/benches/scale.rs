//! What the engine alone costs, from 1,000 to 100,000 nodes: allocate, plan, read back, then idle.
//!
//! The world answers at once and truthfully. Time is that of the whole process on a processor, apart
//! from what the world takes to put a listing together: the engine's, and the little that the world
//! takes besides. Memory is what is live on the heap
//! (requested bytes, counted by the allocator) apart from the world's own table of routes: all that
//! the engine keeps, and every event and action on its way between both. Beside it stands the peak
//! of resident memory, which is the whole process's.
//!
//! `--json` prints rows for 100,000 nodes in the form of `target/bench.json`. They have neither a
//! peer nor a floor to be compared with; `ratio` is `ours` over the bound that is part of the name.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop and prints figures of a few digits"
)]

use std::{collections::BTreeMap, fs, time::Duration};

use peak_alloc::PeakAlloc;
use serde_json::json;
use signpost_core::{
    Action, Config, Engine, Event, Handover, Limits, Node, NodeKey, PoolConfig, PoolState, Time,
    cloud::{
        Instance, InstanceState, NextHop, ObservedRoute, Ownership, RouteChange, TableId,
        TableListing, TableUsage,
    },
    node::NetworkCondition,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Sizes of cluster, and how often each is measured: the median counts.
const SIZES: [(u32, usize); 3] = [(1_000, 41), (10_000, 11), (100_000, 3)];

const MEBI: f64 = 1024.0 * 1024.0;

/// What one size of cluster cost.
struct Cost {
    nodes: u32,
    /// Processor time until every node was routed.
    routed: Duration,
    /// Processor time of one pass in which nothing had changed.
    idle: Duration,
    /// Most bytes of the engine and its messages at any moment.
    heap_peak: usize,
    /// Bytes of the engine when all is done.
    heap: usize,
    /// Most resident memory of the process until then.
    rss: u64,
}

impl Cost {
    fn per_node(&self) -> f64 {
        self.routed.as_secs_f64() * 1e6 / f64::from(self.nodes)
    }
}

fn main() {
    let costs = SIZES.map(|(nodes, times)| median(nodes, times));
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", rows(&costs));
        return;
    }
    println!(
        "{:>8} {:>11} {:>11} {:>11} {:>12} {:>12} {:>12}",
        "nodes",
        "all routed",
        "per node",
        "idle pass",
        "engine peak",
        "engine rest",
        "process peak"
    );
    for cost in &costs {
        println!(
            "{:>8} {:>8} ms {:>8.1} µs {:>8.1} ms {:>9.1} MiB {:>9.1} MiB {:>9.1} MiB",
            cost.nodes,
            cost.routed.as_millis(),
            cost.per_node(),
            cost.idle.as_secs_f64() * 1e3,
            megabytes(cost.heap_peak),
            megabytes(cost.heap),
            cost.rss as f64 / 1024.0,
        );
    }
}

fn median(nodes: u32, times: usize) -> Cost {
    let mut costs: Vec<Cost> = (0..times).map(|_| measure(nodes)).collect();
    costs.sort_by_key(|cost| cost.routed);
    costs.swap_remove(times / 2)
}

fn measure(nodes: u32) -> Cost {
    let before = cpu();
    let mut world = World::new(nodes);
    world.run();
    let routed = cpu().saturating_sub(before + world.own_cpu);
    assert_eq!(world.engine.summary().nodes_routed, nodes as usize);

    let before = cpu().saturating_sub(world.own_cpu);
    let passes = 10;
    for _ in 0..passes {
        world.drift_check();
    }
    Cost {
        nodes,
        routed,
        idle: cpu().saturating_sub(before + world.own_cpu) / passes,
        heap_peak: world.heap_peak,
        heap: world.others_heap(),
        rss: peak_rss_kb(),
    }
}

fn rows(costs: &[Cost]) -> serde_json::Value {
    let first = costs.first().expect("a smallest size");
    let last = costs.last().expect("a largest size");
    let row = |work: &str, ours: f64, unit: &str, bound: f64| {
        json!({
            "work": work, "ours": ours, "peer": null, "floor": null, "unit": unit,
            "ratio": ours / bound, "goal": 1.0,
        })
    };
    json!([
        row(
            "engine, 100,000 nodes from nothing to all routed, processor time, bound 1 s",
            last.routed.as_secs_f64(),
            "s",
            1.0
        ),
        row(
            "engine, 100,000 nodes, most heap of engine and messages, bound 100 MiB",
            megabytes(last.heap_peak),
            "MiB",
            100.0
        ),
        row(
            "engine, time for each node at 100,000 nodes, bound twice that at 1,000",
            last.per_node(),
            "µs",
            2.0 * first.per_node()
        ),
        row(
            "engine, 100,000 nodes, a pass in which nothing changed, bound 50 ms",
            last.idle.as_secs_f64() * 1e3,
            "ms",
            50.0
        ),
    ])
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / MEBI
}

/// Nodes and one route table that obey.
struct World {
    engine: Engine,
    now: Time,
    routes: BTreeMap<signpost_core::IpNet, ObservedRoute>,
    todo: Vec<Action>,
    /// Bytes of `routes`, and of all that was on the heap before.
    own_heap: usize,
    /// Most bytes of all the rest.
    heap_peak: usize,
    /// Processor time for answers to listings.
    own_cpu: Duration,
}

impl World {
    fn new(nodes: u32) -> Self {
        let own_heap = HEAP.current_usage();
        let engine = Engine::new(Limits::LOCAL, 1, Handover::Clean, Time(0));
        let mut world = Self {
            engine,
            now: Time(0),
            routes: BTreeMap::new(),
            todo: Vec::new(),
            own_heap,
            heap_peak: 0,
            own_cpu: Duration::ZERO,
        };
        world.tell(Event::Configured(Some(config())));
        world.tell(Event::NodesListed((0..nodes).map(node).collect()));
        world
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now.after(Duration::from_millis(1));
        HEAP.reset_peak_usage();
        let actions = self.engine.handle(event, self.now);
        self.todo.extend(actions);
        self.heap_peak = self.heap_peak.max(HEAP.peak_usage() - self.own_heap);
    }

    /// What is not the world's own.
    fn others_heap(&self) -> usize {
        HEAP.current_usage() - self.own_heap
    }

    /// Answers until nothing is asked any more.
    fn run(&mut self) {
        loop {
            for action in std::mem::take(&mut self.todo) {
                if let Some(event) = self.answer(action) {
                    self.tell(event);
                }
            }
            if self.todo.is_empty() {
                let soon = self.now.after(Duration::from_secs(1));
                match self.engine.next_wake() {
                    Some(wake) if wake < soon => {
                        self.now = self.now.max(wake);
                        self.tell(Event::Wake);
                    }
                    _ => return,
                }
            }
        }
    }

    /// Lets the check period pass: one listing that shows nothing new.
    fn drift_check(&mut self) {
        self.now = self.now.after(config().check_period);
        self.tell(Event::Wake);
        self.run();
    }

    fn answer(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::SetPodCidrs { node, .. } => Some(Event::PodCidrsSet {
                node,
                result: Ok(()),
            }),
            Action::SetNetworkStatus { node, .. } => Some(Event::NetworkStatusSet {
                node,
                result: Ok(()),
            }),
            Action::ReadInstances { batch, queries } => {
                let answers = queries.into_iter().map(|query| {
                    let instance = Instance {
                        id: query.node.name.clone(),
                        next_hop_v4: query.internal_ips.first().copied().map(NextHop::Address),
                        next_hop_v6: None,
                        forwarding: true,
                    };
                    (query.node, Ok(InstanceState::Found(instance)))
                });
                Some(Event::InstancesRead {
                    batch,
                    answers: answers.collect(),
                })
            }
            Action::ListRoutes { listing, .. } => {
                let before = cpu();
                let routes = Ok(self.routes.values().cloned().collect());
                self.own_cpu += cpu().saturating_sub(before);
                let table = TableId("main".into());
                let result = Ok(vec![TableListing {
                    table,
                    routes,
                    usage: TableUsage::default(),
                    barred: Vec::new(),
                    pending: Vec::new(),
                }]);
                Some(Event::RoutesListed { listing, result })
            }
            Action::WriteRoute { write, change } => {
                if let RouteChange::Create { route, .. } = change {
                    let observed = ObservedRoute {
                        destination: route.destination,
                        next_hop: Some(route.next_hop),
                        ownership: Ownership::Ours,
                        blackhole: None,
                        handle: None,
                    };
                    let before = HEAP.current_usage();
                    self.routes.insert(route.destination, observed);
                    self.own_heap += HEAP.current_usage() - before;
                }
                Some(Event::RouteWritten {
                    write,
                    result: Ok(()),
                })
            }
            _ => None,
        }
    }
}

fn config() -> Config {
    let pool = PoolConfig {
        name: "pods".into(),
        cidr: "10.0.0.0/8".parse().expect("a range"),
        node_prefix_length: 26,
        node_selector: BTreeMap::new(),
        state: PoolState::Active,
    };
    Config {
        generation: 1,
        pools: vec![pool],
        reserved: Vec::new(),
        check_period: Duration::from_secs(30),
        max_deletion_percent: 30,
        teardown: false,
    }
}

fn node(number: u32) -> Node {
    let key = NodeKey::new(
        format!("node-{number}"),
        format!("00000000-0000-4000-8000-{number:012}"),
    );
    Node {
        key,
        created: i64::from(number),
        labels: BTreeMap::new(),
        provider_id: None,
        internal_ips: vec![std::net::Ipv4Addr::from_bits(0xac10_0000 + number).into()],
        pod_cidrs: Vec::new(),
        network: NetworkCondition::Unknown,
        excluded: false,
        uninitialized: false,
    }
}

/// Time on a processor of this process.
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.try_into().expect("no negative time")
}

fn peak_rss_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .expect("VmHWM");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .expect("kB")
}
