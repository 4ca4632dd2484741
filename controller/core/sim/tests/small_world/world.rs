//! What there is in the small world.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    time::Duration,
};

use signpost_core::{
    Config, Engine, Handover, IpNet, Node, NodeKey, PoolConfig, PoolState, Time,
    cloud::{NextHop, RouteChange},
    event::Event,
    node::NetworkCondition,
};

use crate::{
    budget::{Budget, Lie},
    canon,
};

pub(crate) const NODES: usize = 2;
pub(crate) const CONTROLLERS: usize = 2;

/// The block in which the foreign route lies, and the reserved one.
const FOREIGN: &str = "10.0.0.16/28";
const RESERVED: &str = "10.0.0.48/28";

/// A request under way. Who asked may have crashed since.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) by: usize,
    /// The leadership that asked.
    pub(crate) life: u8,
    pub(crate) sent: u64,
    pub(crate) what: What,
    /// What comes back, once the request has taken effect.
    pub(crate) answer: Option<Event>,
    /// Who asked was told that nobody knows, and it may take effect yet.
    pub(crate) given_up: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    SetPodCidrs(NodeKey, Vec<IpNet>),
    List(u64),
    Write(u64, RouteChange),
}

impl Call {
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.what, What::List(_))
    }
}

/// One entry of the only route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) next_hop: NextHop,
    pub(crate) ours: bool,
}

/// A controller's process.
#[derive(Debug, Clone)]
pub(crate) struct Controller {
    /// `None` unless it leads.
    pub(crate) engine: Option<Engine>,
    /// Counts leaderships.
    pub(crate) life: u8,
    /// What its watch has shown.
    pub(crate) view: [Option<Node>; NODES],
    /// What its last listing showed.
    pub(crate) listed: BTreeMap<IpNet, Entry>,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) nodes: [Option<Node>; NODES],
    pub(crate) born: u8,
    pub(crate) table: BTreeMap<IpNet, Entry>,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) leader: Option<usize>,
    /// How the last leadership ended.
    pub(crate) handover: Handover,
    pub(crate) calls: Vec<Call>,
    pub(crate) budget: Budget,
    pub(crate) lie: Lie,
    /// Blocks that a node had that is gone.
    pub(crate) left: Vec<IpNet>,
    /// A node got a block that another one had before.
    pub(crate) reused: bool,
    /// The promise that was broken.
    pub(crate) breach: Option<String>,
    /// Identifies what can still happen from here on, and nothing else.
    seal: u64,
}

/// The world's only configuration.
pub(crate) fn config() -> Config {
    Config {
        generation: 1,
        pools: vec![PoolConfig {
            name: "pool".into(),
            cidr: net("10.0.0.0/26"),
            node_prefix_length: 28,
            node_selector: BTreeMap::new(),
            state: PoolState::Active,
        }],
        reserved: vec![net(RESERVED)],
        check_period: Duration::from_secs(30),
        max_deletion_percent: 100,
        teardown: false,
    }
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn foreign_route() -> (IpNet, Entry) {
    let entry = Entry {
        next_hop: NextHop::Address([192, 0, 2, 1].into()),
        ours: false,
    };
    (net(FOREIGN), entry)
}

/// Where routes to a node lead, whatever its UID.
pub(crate) fn next_hop(place: usize) -> NextHop {
    let last = u8::try_from(place).unwrap_or(u8::MAX);
    NextHop::Address([172, 16, 0, last].into())
}

impl Controller {
    pub(crate) fn new(life: u8) -> Self {
        Self {
            engine: None,
            life,
            view: [const { None }; NODES],
            listed: BTreeMap::new(),
        }
    }
}

impl World {
    /// Nobody has started yet.
    pub(crate) fn new(budget: Budget) -> Self {
        let mut world = Self {
            now: 0,
            nodes: [const { None }; NODES],
            born: 0,
            table: BTreeMap::from([foreign_route()]),
            controllers: (0..CONTROLLERS).map(|_| Controller::new(0)).collect(),
            leader: None,
            handover: Handover::Clean,
            calls: Vec::new(),
            budget,
            lie: Lie::None,
            left: Vec::new(),
            reused: false,
            breach: None,
            seal: 0,
        };
        world.seal();
        world
    }

    /// The same with other things that may happen from now on.
    pub(crate) fn with(mut self, budget: Budget, lie: Lie) -> Self {
        (self.budget, self.lie) = (budget, lie);
        self.seal();
        self
    }

    /// The place of a node by its name.
    pub(crate) fn place(key: &NodeKey) -> usize {
        usize::from(key.name.as_ref() != "n0")
    }

    pub(crate) fn node(&self, key: &NodeKey) -> Option<&Node> {
        self.nodes[Self::place(key)]
            .as_ref()
            .filter(|node| node.key == *key)
    }

    /// A node comes into being at a place, with a new UID.
    pub(crate) fn bear(&mut self, place: usize) {
        self.born += 1;
        let NextHop::Address(address) = next_hop(place) else {
            return;
        };
        self.nodes[place] = Some(Node {
            key: NodeKey::new(format!("n{place}"), format!("u{}", self.born)),
            created: self.born.into(),
            labels: BTreeMap::new(),
            provider_id: None,
            internal_ips: vec![address],
            pod_cidrs: Vec::new(),
            network: NetworkCondition::Unknown,
            excluded: false,
            uninitialized: false,
        });
    }

    pub(crate) fn blocks_are_owned_once(&self) -> bool {
        let [one, other] = &self.nodes;
        let (Some(one), Some(other)) = (one, other) else {
            return true;
        };
        one.pod_cidrs
            .iter()
            .all(|cidr| !other.pod_cidrs.contains(cidr))
    }

    pub(crate) fn foreign_route_is_untouched(&self) -> bool {
        let (destination, entry) = foreign_route();
        self.table.get(&destination) == Some(&entry)
    }

    /// How many nodes say that pods there can be reached.
    pub(crate) fn routed(&self) -> usize {
        let nodes = self.nodes.iter().flatten();
        nodes
            .filter(|node| node.network == NetworkCondition::Available)
            .count()
    }

    pub(crate) fn break_promise(&mut self, promise: String) {
        self.breach.get_or_insert(promise);
    }

    /// A request by what it asks for. Its number tells nothing more while its sender leads.
    fn title(&self, call: &Call) -> String {
        let who = (call.by, call.life, Time(call.sent));
        let number = match (&call.what, self.leader == Some(call.by)) {
            (What::List(number) | What::Write(number, _), false) => *number,
            _ => 0,
        };
        match &call.what {
            What::SetPodCidrs(node, cidrs) => format!("{who:?} {node:?} {cidrs:?}"),
            What::List(_) => format!("{who:?} list {number}"),
            What::Write(_, change) => format!("{who:?} write {number} {change:?}"),
        }
    }

    /// To be called after every change.
    pub(crate) fn seal(&mut self) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.sort_by_cached_key(|call| self.title(call));
        self.calls = calls;
        self.seal = canon::identity(&self.to_string(), self.now);
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", (&self.nodes, self.born, &self.table))?;
        let leader = (self.leader, self.handover);
        writeln!(f, "{leader:?} {:?} {:?}", self.budget, self.breach)?;
        writeln!(f, "{:?} {:?}", self.left, self.reused)?;
        for call in &self.calls {
            let Call {
                answer, given_up, ..
            } = call;
            writeln!(f, "{} {answer:?} {given_up}", self.title(call))?;
        }
        for controller in &self.controllers {
            writeln!(f, "{controller:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.seal == other.seal
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seal.hash(state);
    }
}
