//! A tiny world in which everything succeeds at once unless a test says otherwise.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use crate::{
    Action, Config, Engine, Event, Handover, IpNet, Limits, Node, NodeKey, PoolConfig, PoolState,
    Time,
    action::Reason,
    cloud::{
        CloudError, CloudErrorKind, Instance, InstanceState, NextHop, ObservedRoute, Ownership,
        Range, RouteChange, TableId, TableListing, TableUsage, Usage,
    },
    event::{ApiError, ApiErrorKind},
    node::NetworkCondition,
    summary::Phase,
};

pub(super) const LIMITS: Limits = Limits {
    settle: Duration::from_secs(1),
    listing_interval: Duration::from_millis(100),
    ..Limits::LOCAL
};

/// How a test lets an action end; `None`: as it should.
type Fault = Box<dyn FnMut(&Action) -> Option<Answer>>;

/// What a test answers in place of success.
pub(super) enum Answer {
    /// Nothing happens, and this is said.
    Cloud(CloudErrorKind),
    /// Nothing happens, and this is said.
    Api(ApiErrorKind),
    /// It happens, and "no answer" is said.
    Lost,
    /// Nothing happens or is said until [`Driver::release`].
    Held,
}

pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    pub(super) config: Config,
    pub(super) handover: Handover,
    pub(super) now: Time,
    pub(super) nodes: BTreeMap<Arc<str>, Node>,
    pub(super) tables: BTreeMap<TableId, BTreeMap<IpNet, ObservedRoute>>,
    pub(super) instances: BTreeMap<Arc<str>, InstanceState>,
    pub(super) log: Vec<Action>,
    pub(super) fault: Fault,
    /// Where no route of ours may lie.
    pub(super) barred: Vec<IpNet>,
    /// Listings do not show this yet.
    pub(super) hidden: Option<IpNet>,
    /// Listings name this table and cannot read it.
    pub(super) unreadable: Option<TableId>,
    /// Most routes of a table, and whether listings name that limit.
    pub(super) quota: Option<(usize, bool)>,
    /// The limit that listings name is none.
    pub(super) lenient: bool,
    queue: VecDeque<Action>,
    held: Vec<Action>,
}

pub(super) fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

pub(super) fn key(name: &str) -> NodeKey {
    NodeKey::new(name, format!("uid-{name}"))
}

pub(super) fn table(name: &str) -> TableId {
    TableId(name.into())
}

pub(super) fn hop(name: &str) -> NextHop {
    NextHop::Target(format!("i-{name}").into())
}

pub(super) fn route(cidr: &str, node: &str) -> ObservedRoute {
    ObservedRoute {
        destination: net(cidr),
        next_hop: Some(hop(node)),
        ownership: Ownership::Ours,
        blackhole: None,
        handle: None,
    }
}

pub(super) fn foreign(cidr: &str) -> ObservedRoute {
    ObservedRoute {
        ownership: Ownership::Foreign,
        next_hop: None,
        ..route(cidr, "nobody")
    }
}

/// One pool of `10.0.0.0/<length>` cut into /24 blocks.
pub(super) fn config(length: u8) -> Config {
    Config {
        generation: 1,
        pools: vec![PoolConfig {
            name: "main".into(),
            cidr: net(&format!("10.0.0.0/{length}")),
            node_prefix_length: 24,
            node_selector: BTreeMap::new(),
            state: PoolState::Active,
        }],
        reserved: Vec::new(),
        check_period: Duration::from_secs(30),
        max_deletion_percent: 30,
        teardown: false,
    }
}

pub(super) fn node(name: &str, pod_cidrs: &[&str]) -> Node {
    Node {
        internal_ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        pod_cidrs: pod_cidrs.iter().map(|cidr| net(cidr)).collect(),
        ..Node::bare(key(name))
    }
}

impl Driver {
    /// Not elected yet; one table `main`.
    pub(super) fn new(limits: Limits, config: Config) -> Self {
        let now = Time(1_000);
        let handover = Handover::Unclean;
        Self {
            engine: Engine::new(limits, 1, handover, now),
            limits,
            config,
            handover,
            now,
            nodes: BTreeMap::new(),
            tables: BTreeMap::from([(table("main"), BTreeMap::new())]),
            instances: BTreeMap::new(),
            log: Vec::new(),
            fault: Box::new(|_| None),
            barred: Vec::new(),
            hidden: None,
            unreadable: None,
            quota: None,
            lenient: false,
            queue: VecDeque::new(),
            held: Vec::new(),
        }
    }

    /// Elected and recovered, with these nodes.
    pub(super) fn leading(limits: Limits, config: Config, nodes: Vec<Node>) -> Self {
        let mut driver = Self::new(limits, config);
        driver.elect(nodes);
        driver.pass(Duration::from_secs(5));
        driver
    }

    pub(super) fn elect(&mut self, nodes: Vec<Node>) {
        for node in nodes {
            self.nodes.insert(node.key.name.clone(), node);
        }
        self.engine = Engine::new(self.limits, 1, self.handover, self.now);
        self.configure(|_| ());
        self.list_nodes();
    }

    /// Changes the configuration.
    pub(super) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.tell(Event::Configured(Some(self.config.clone())));
    }

    pub(super) fn list_nodes(&mut self) {
        let nodes = self.nodes.values().cloned().collect();
        self.tell(Event::NodesListed(nodes));
    }

    pub(super) fn add(&mut self, node: Node) {
        self.nodes.insert(node.key.name.clone(), node.clone());
        self.tell(Event::NodeSeen(node));
    }

    pub(super) fn delete(&mut self, name: &str) {
        let node = self.nodes.remove(name).expect("a node of that name");
        self.tell(Event::NodeGone(node.key));
    }

    pub(super) fn table(&mut self, name: &str) -> &mut BTreeMap<IpNet, ObservedRoute> {
        self.tables.entry(table(name)).or_default()
    }

    pub(super) fn put(&mut self, name: &str, route: ObservedRoute) {
        self.table(name).insert(route.destination, route);
    }

    /// Hands an event over and answers whatever follows, without time passing.
    pub(super) fn tell(&mut self, event: Event) {
        let actions = self.engine.handle(event, self.now);
        self.log.extend(actions.iter().cloned());
        self.queue.extend(actions);
        while let Some(action) = self.queue.pop_front() {
            if let Some(event) = self.carry_out(action) {
                let actions = self.engine.handle(event, self.now);
                self.log.extend(actions.iter().cloned());
                self.queue.extend(actions);
            }
        }
    }

    /// Lets time pass, waking the engine when it asks to be woken.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(due) = self.engine.next_wake().filter(|due| *due <= end) {
            let before = self.now;
            self.now = self.now.max(due);
            self.tell(Event::Wake);
            let next = self.engine.next_wake();
            assert!(
                self.now > before || next.is_none_or(|next| next > self.now),
                "woken for nothing at {before:?}"
            );
        }
        self.now = end;
    }

    /// Carries out what [`Answer::Held`] kept back.
    pub(super) fn release(&mut self) {
        self.fault = Box::new(|_| None);
        self.queue.extend(std::mem::take(&mut self.held));
        self.tell(Event::Wake);
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        let answer = (self.fault)(&action);
        if matches!(answer, Some(Answer::Held)) {
            self.held.push(action);
            return None;
        }
        let refused = matches!(answer, Some(Answer::Cloud(_) | Answer::Api(_)));
        let api = match answer {
            Some(Answer::Api(kind)) => Err(ApiError::new(kind, "as told")),
            Some(Answer::Lost) => Err(ApiError::new(ApiErrorKind::Unknown, "as told")),
            _ => Ok(()),
        };
        let cloud = match answer {
            Some(Answer::Cloud(kind)) => Err(CloudError::new(kind, "as told")),
            Some(Answer::Lost) => Err(CloudError::new(CloudErrorKind::Unknown, "as told")),
            _ => Ok(()),
        };
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                let result = match self.nodes.get_mut(&node.name) {
                    _ if refused => api,
                    Some(known) if known.key != node => {
                        Err(ApiError::new(ApiErrorKind::Conflict, "other"))
                    }
                    Some(known) if known.pod_cidrs.is_empty() => {
                        known.pod_cidrs = cidrs;
                        api
                    }
                    Some(known) if known.pod_cidrs == cidrs => api,
                    Some(_) => Err(ApiError::new(ApiErrorKind::Conflict, "other")),
                    None => Err(ApiError::new(ApiErrorKind::NotFound, "none")),
                };
                Some(Event::PodCidrsSet { node, result })
            }
            Action::ReadNode(key) => {
                let known = self.nodes.get(&key.name).filter(|it| it.key == key);
                let node = known.cloned();
                Some(Event::NodeRead { key, node })
            }
            Action::SetNetworkStatus { node, status } => {
                if let Some(known) = self.nodes.get_mut(&node.name).filter(|_| !refused) {
                    known.network = if status.available {
                        NetworkCondition::Available
                    } else {
                        NetworkCondition::Unavailable
                    };
                }
                Some(Event::NetworkStatusSet { node, result: api })
            }
            Action::ReadInstances { batch, queries } => {
                let answers = queries.into_iter().map(|query| {
                    let name = &query.node.name;
                    let state = self.instances.get(name).cloned();
                    let state = state.unwrap_or_else(|| found(name));
                    (query.node, cloud.clone().map(|()| state))
                });
                let answers = answers.collect();
                Some(Event::InstancesRead { batch, answers })
            }
            Action::EnableForwarding(query) => Some(Event::ForwardingEnabled {
                node: query.node,
                result: cloud,
            }),
            Action::ListRoutes { listing, ranges } => Some(Event::RoutesListed {
                listing,
                result: cloud.map(|()| self.list(&ranges)),
            }),
            Action::WriteRoute { write, change } => {
                let result = if refused {
                    cloud
                } else {
                    self.write(&change).and(cloud)
                };
                Some(Event::RouteWritten { write, result })
            }
            Action::Notify(_) | Action::NodeRouted { .. } | Action::TeardownDone => None,
        }
    }

    pub(super) fn list(&self, ranges: &[Range]) -> Vec<TableListing> {
        let covered = |route: &ObservedRoute| {
            let mut ranges = ranges.iter();
            ranges.any(|range| range.cidr.contains(&route.destination))
        };
        let shown = |table: &TableId, routes: &BTreeMap<_, ObservedRoute>| {
            if self.unreadable.as_ref() == Some(table) {
                return Err(CloudError::new(CloudErrorKind::Denied, "as told"));
            }
            let shown = routes.values();
            let shown = shown.filter(|it| Some(it.destination) != self.hidden && covered(it));
            Ok(shown.cloned().collect())
        };
        let listing = |(table, routes): (&TableId, &BTreeMap<_, ObservedRoute>)| TableListing {
            table: table.clone(),
            routes: shown(table, routes),
            usage: TableUsage {
                v4: self.quota.map(|(limit, told)| Usage {
                    used: u32::try_from(routes.len()).expect("few"),
                    limit: told.then(|| u32::try_from(limit).expect("few")),
                }),
                ..TableUsage::default()
            },
            barred: self.barred.clone(),
            pending: Vec::new(),
        };
        self.tables.iter().map(listing).collect()
    }

    fn write(&mut self, change: &RouteChange) -> Result<(), CloudError> {
        let cidr = change.destination();
        let routes = self.tables.entry(change.table().clone()).or_default();
        let there = routes.contains_key(&cidr);
        match change {
            RouteChange::Create { .. } if there => {
                return Err(CloudError::new(CloudErrorKind::AlreadyExists, "there"));
            }
            RouteChange::Create { .. }
                if !self.lenient && self.quota.is_some_and(|(most, _)| routes.len() >= most) =>
            {
                return Err(CloudError::new(CloudErrorKind::QuotaExceeded, "full"));
            }
            RouteChange::Replace { .. } | RouteChange::Delete { .. } if !there => {
                return Err(CloudError::new(CloudErrorKind::NotFound, "not there"));
            }
            RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } => {
                let written = ObservedRoute {
                    destination: cidr,
                    next_hop: Some(route.next_hop.clone()),
                    ownership: Ownership::Ours,
                    blackhole: None,
                    handle: None,
                };
                routes.insert(cidr, written);
            }
            RouteChange::Delete { .. } => {
                routes.remove(&cidr);
            }
        }
        Ok(())
    }

    pub(super) fn phase(&self, name: &str) -> Option<Phase> {
        self.engine.phase(&key(name))
    }

    pub(super) fn problem(&self, name: &str) -> Option<Reason> {
        let views = self.engine.nodes();
        views.iter().find(|it| it.key == key(name))?.problem
    }

    pub(super) fn cidrs(&self, name: &str) -> Vec<IpNet> {
        self.nodes[name].pod_cidrs.clone()
    }

    /// Writes that were begun since the log was cleared.
    pub(super) fn writes(&self) -> Vec<&RouteChange> {
        let write = self.log.iter().filter_map(|action| match action {
            Action::WriteRoute { change, .. } => Some(change),
            _ => None,
        });
        write.collect()
    }

    /// What was written as condition of a node, in order.
    pub(super) fn statuses(&self, name: &str) -> Vec<(bool, Reason)> {
        let told = self.log.iter().filter_map(|action| match action {
            Action::SetNetworkStatus { node, status } if *node.name == *name => {
                Some((status.available, status.reason))
            }
            _ => None,
        });
        told.collect()
    }

    pub(super) fn notices(&self, reason: Reason) -> usize {
        let told = |action: &&Action| matches!(action, Action::Notify(it) if it.reason == reason);
        self.log.iter().filter(told).count()
    }
}

/// An instance that routes can lead to.
pub(super) fn found(name: &str) -> InstanceState {
    instance(name, true)
}

/// And one that drops what they bring.
pub(super) fn not_forwarding(name: &str) -> InstanceState {
    instance(name, false)
}

fn instance(name: &str, forwarding: bool) -> InstanceState {
    InstanceState::Found(Instance {
        id: format!("i-{name}").into(),
        next_hop_v4: Some(hop(name)),
        next_hop_v6: None,
        forwarding,
    })
}
