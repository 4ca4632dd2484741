//! What the engine alone costs, from 1,000 to 100,000 nodes: allocate, plan, read back, then idle.
//!
//! The world answers at once and truthfully, so all time measured is the engine's (and the little
//! that the world's vectors take). CPU time and memory are the process's own, from `/proc`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark may stop, and printing is its purpose"
)]

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use signpost_core::{
    Action, Config, Engine, Event, Limits, Node, NodeKey, PoolConfig, PoolState, Time,
    cloud::{
        Instance, InstanceState, NextHop, ObservedRoute, Ownership, RouteChange, TableId,
        TableListing,
    },
    node::NetworkCondition,
};

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

fn main() {
    println!(
        "{:>8} {:>16} {:>16} {:>16} {:>12}",
        "nodes", "all routed", "per node", "idle pass", "peak RSS"
    );
    for nodes in SIZES {
        let before = cpu();
        let mut world = World::new(nodes);
        world.run();
        let routed = cpu().saturating_sub(before);
        assert_eq!(world.engine.summary().nodes_routed, nodes as usize);

        let before = cpu();
        let passes = 10;
        for _ in 0..passes {
            world.drift_check();
        }
        let idle = cpu().saturating_sub(before) / passes;
        println!(
            "{nodes:>8} {:>13} ms {:>13.1} µs {:>13} ms {:>9} MB",
            routed.as_millis(),
            routed.as_secs_f64() * 1e6 / f64::from(nodes),
            idle.as_millis(),
            peak_rss_mb(),
        );
    }
}

/// Nodes and one route table that obey.
struct World {
    engine: Engine,
    now: Time,
    routes: BTreeMap<signpost_core::IpNet, ObservedRoute>,
    todo: Vec<Action>,
}

impl World {
    fn new(nodes: u32) -> Self {
        let engine = Engine::new(Limits::LOCAL, 1);
        let mut world = Self {
            engine,
            now: Time(0),
            routes: BTreeMap::new(),
            todo: Vec::new(),
        };
        world.tell(Event::Configured(Some(config())));
        world.tell(Event::Elected);
        world.tell(Event::NodesListed((0..nodes).map(node).collect()));
        world
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now.after(Duration::from_millis(1));
        let actions = self.engine.handle(event, self.now);
        self.todo.extend(actions);
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
            Action::ReadInstances(queries) => {
                let answers = queries.into_iter().map(|query| {
                    let instance = Instance {
                        id: query.node.name.clone(),
                        next_hop_v4: query.internal_ips.first().copied().map(NextHop::Address),
                        next_hop_v6: None,
                        forwarding: true,
                    };
                    (query.node, Ok(InstanceState::Found(instance)))
                });
                Some(Event::InstancesRead(answers.collect()))
            }
            Action::ListRoutes { listing } => {
                let routes = Ok(self.routes.values().cloned().collect());
                let table = TableId("main".into());
                let result = Ok(vec![TableListing { table, routes }]);
                Some(Event::RoutesListed { listing, result })
            }
            Action::WriteRoute { write, change } => {
                if let RouteChange::Create { route, .. } = change {
                    let observed = ObservedRoute {
                        destination: route.destination,
                        next_hop: Some(route.next_hop),
                        ownership: Ownership::Ours,
                        blackhole: false,
                        handle: None,
                    };
                    self.routes.insert(route.destination, observed);
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
    let key = NodeKey {
        name: format!("node-{number}").into(),
        uid: Arc::from(format!("00000000-0000-4000-8000-{number:012}")),
    };
    Node {
        key,
        created: i64::from(number),
        labels: BTreeMap::new(),
        provider_id: None,
        internal_ips: vec![std::net::Ipv4Addr::from_bits(0xac10_0000 + number).into()],
        pod_cidrs: Vec::new(),
        network: NetworkCondition::Unknown,
        excluded: false,
    }
}

/// Time on a processor of this process's only thread.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("procfs");
    let nanoseconds = stat.split_whitespace().next().expect("a first field");
    Duration::from_nanos(nanoseconds.parse().expect("a number"))
}

fn peak_rss_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .expect("VmHWM");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .expect("kB")
        / 1_024
}
