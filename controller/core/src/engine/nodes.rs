//! Who is there, and who is gone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    Engine, clock::Due, instances::Known, pod_cidrs::Assignment, status::StatusWrites,
    waiting::Wait,
};
use crate::{
    Action, Time,
    action::Reason,
    cloud::InstanceState,
    node::{NetworkCondition, Node, NodeKey},
    routes::Trouble,
    summary::Phase,
};

/// Number of a node within one leadership; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    #[expect(
        clippy::expect_used,
        reason = "no leadership lasts until so many nodes were born"
    )]
    fn new(place: usize) -> Self {
        Self(u32::try_from(place).expect("fewer than 2^32 nodes in one leadership"))
    }

    fn place(self) -> usize {
        self.0 as usize
    }
}

/// How long sightings of a node that is gone are taken for late ones.
const REMEMBER_GONE: Duration = Duration::from_secs(600);

/// How it was learnt that a node is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Departure {
    /// It was deleted, for good.
    Deleted,
    /// A list did not have it, which may have been older than what made it known.
    Unlisted,
}

/// How far a node is on its way to its first read-back in this leadership.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress {
    /// First seen at that time.
    Since(Time),
    /// It took so long.
    Took(Duration),
}

/// A node as last seen, without its pod CIDRs.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) key: NodeKey,
    pub(super) created: i64,
    pub(super) labels: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) provider_id: Option<Arc<str>>,
    pub(super) internal_ips: Vec<IpAddr>,
    pub(super) network: NetworkCondition,
    pub(super) excluded: bool,
}

impl Seen {
    /// Splits off the pod CIDRs.
    fn split(node: Node) -> (Self, Vec<IpNet>) {
        let seen = Self {
            key: node.key,
            created: node.created,
            labels: node.labels,
            provider_id: node.provider_id,
            internal_ips: node.internal_ips,
            network: node.network,
            excluded: node.excluded,
        };
        (seen, node.pod_cidrs)
    }
}

/// All that is known of a node.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    pub(super) node: Seen,
    pub(super) last_seen: Time,
    /// It was routed before this leadership.
    pub(super) was_available: bool,
    pub(super) gone: bool,
    pub(super) marked: bool,
    pub(super) phase: Phase,
    pub(super) wait: Wait,
    pub(super) trouble: Option<Box<Trouble>>,
    /// The cause that people were told last.
    pub(super) told: Option<Reason>,
    pub(super) progress: Progress,
    pub(super) assignment: Assignment,
    pub(super) instance: Known,
    pub(super) status: StatusWrites,
}

/// All nodes of this leadership.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    /// A full list was seen.
    pub(super) listed: bool,
    /// By number; a node that is gone leaves its place empty.
    all: Vec<Option<Box<NodeState>>>,
    /// By name. Only looked up, since its order means nothing; the hasher is the same in every run.
    living: HashMap<Arc<str>, NodeId, BuildHasherDefault<DefaultHasher>>,
    draining: BTreeMap<NodeKey, NodeId>,
    marked: VecDeque<NodeId>,
    /// Nodes that began to wait for their routes, and until when nobody is told of that.
    pub(super) waiting: VecDeque<(Time, NodeId)>,
    /// UIDs of nodes that are gone.
    gone: BTreeMap<Arc<str>, Departure>,
    gone_order: VecDeque<(Time, Arc<str>)>,
}

impl Nodes {
    pub(super) fn get(&self, id: NodeId) -> Option<&NodeState> {
        self.all.get(id.place())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut NodeState> {
        self.all.get_mut(id.place())?.as_deref_mut()
    }

    /// The living node of that name and UID.
    pub(super) fn id(&self, key: &NodeKey) -> Option<NodeId> {
        let id = *self.living.get(&key.name)?;
        (self.get(id)?.node.key == *key).then_some(id)
    }

    /// The living node, or the one whose routes are still being removed.
    pub(super) fn any_id(&self, key: &NodeKey) -> Option<NodeId> {
        self.id(key).or_else(|| self.draining.get(key).copied())
    }

    /// Living nodes in the order in which they became known.
    pub(super) fn living(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        let all = self.all.iter().enumerate();
        all.filter_map(|(place, state)| {
            let state = state.as_deref().filter(|it| !it.gone)?;
            Some((NodeId::new(place), state))
        })
    }

    pub(super) fn draining(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        self.draining
            .values()
            .filter_map(|id| Some((*id, self.get(*id)?)))
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        self.all.iter().flatten().map(|state| state.phase)
    }

    /// The living node to which a write was answered; it is judged anew.
    pub(super) fn answered(&mut self, key: &NodeKey) -> Option<(NodeId, &mut NodeState)> {
        let id = self.id(key)?;
        self.mark(id);
        Some((id, self.get_mut(id)?))
    }

    /// Has the node judged anew.
    pub(super) fn mark(&mut self, id: NodeId) {
        if let Some(state) = self.get_mut(id)
            && !std::mem::replace(&mut state.marked, true)
        {
            self.marked.push_back(id);
        }
    }

    pub(super) fn mark_all(&mut self) {
        let Self { all, marked, .. } = self;
        for (place, state) in all.iter_mut().enumerate() {
            if let Some(state) = state
                && !std::mem::replace(&mut state.marked, true)
            {
                marked.push_back(NodeId::new(place));
            }
        }
    }

    pub(super) fn next_marked(&mut self) -> Option<NodeId> {
        loop {
            let id = self.marked.pop_front()?;
            if let Some(state) = self.get_mut(id) {
                state.marked = false;
                return Some(id);
            }
        }
    }

    fn bury(&mut self, uid: &Arc<str>, departure: Departure, now: Time) {
        if self.gone.insert(uid.clone(), departure).is_none() {
            self.gone_order.push_back((now, uid.clone()));
        }
        while let Some((at, _)) = self.gone_order.front()
            && now.since(*at) > REMEMBER_GONE
        {
            if let Some((_, uid)) = self.gone_order.pop_front() {
                self.gone.remove(&uid);
            }
        }
    }

    /// Its last route is gone.
    pub(super) fn remove(&mut self, id: NodeId) {
        if let Some(state) = self.all.get_mut(id.place()).and_then(Option::take)
            && self.draining.get(&state.node.key) == Some(&id)
        {
            self.draining.remove(&state.node.key);
        }
    }
}

impl Engine {
    pub(super) fn nodes_listed(&mut self, mut nodes: Vec<Node>) {
        // Older nodes get lower numbers, and what there is not enough of.
        nodes.sort_by(|a, b| (a.created, &a.key.name).cmp(&(b.created, &b.key.name)));
        let listed: BTreeSet<NodeKey> = nodes.iter().map(|node| node.key.clone()).collect();
        let absent: Vec<NodeId> = self
            .nodes
            .living()
            .filter(|(_, state)| !listed.contains(&state.node.key))
            .map(|(id, _)| id)
            .collect();
        for id in absent {
            self.lose(id, Departure::Unlisted);
        }
        let known = self.nodes.living.len();
        self.nodes.living.reserve(nodes.len().saturating_sub(known));
        for node in nodes {
            self.nodes.gone.remove(&node.key.uid);
            self.sight(node);
        }
        self.nodes.listed = true;
    }

    pub(super) fn node_seen(&mut self, node: Node) {
        match self.nodes.gone.get(&node.key.uid) {
            Some(Departure::Deleted) => return,
            Some(Departure::Unlisted) => {
                self.nodes.gone.remove(&node.key.uid);
                self.actions.push(Action::ReadNode(node.key.clone()));
            }
            None => {}
        }
        let known = self
            .nodes
            .living
            .get(&node.key.name)
            .and_then(|id| Some((*id, self.nodes.get(*id)?)));
        if let Some((id, known)) = known
            && known.node.key != node.key
        {
            match node.created.cmp(&known.node.created) {
                std::cmp::Ordering::Less => return,
                std::cmp::Ordering::Greater => self.lose(id, Departure::Deleted),
                // Which of the two lives only the API server can tell.
                std::cmp::Ordering::Equal => {
                    let known = known.node.key.clone();
                    self.actions.push(Action::ReadNode(known));
                    self.actions.push(Action::ReadNode(node.key));
                    return;
                }
            }
        }
        self.sight(node);
    }

    pub(super) fn node_gone(&mut self, key: &NodeKey) {
        match self.nodes.id(key) {
            Some(id) => self.lose(id, Departure::Deleted),
            None => self.nodes.bury(&key.uid, Departure::Deleted, self.now.at),
        }
    }

    /// Takes note of a node that lives, and of no other of its name.
    fn sight(&mut self, node: Node) {
        let (node, pod_cidrs) = Seen::split(node);
        let seen: Vec<IpNet> = pod_cidrs.iter().map(IpNet::trunc).collect();
        let now = self.now.at;
        let id = if let Some(id) = self.nodes.id(&node.key) {
            self.look_again(id, node);
            id
        } else {
            let id = NodeId::new(self.nodes.all.len());
            self.nodes.living.insert(node.key.name.clone(), id);
            self.transitions.count(None, Some(Phase::Pending));
            let state = NodeState {
                was_available: node.network == NetworkCondition::Available,
                node,
                last_seen: now,
                gone: false,
                marked: false,
                phase: Phase::Pending,
                wait: Wait::Short,
                trouble: None,
                told: None,
                progress: Progress::Since(now),
                assignment: Assignment::default(),
                instance: Known::default(),
                status: StatusWrites::default(),
            };
            self.nodes.all.push(Some(Box::new(state)));
            id
        };
        self.nodes.mark(id);
        if seen.is_empty() {
            self.seen_without_pod_cidrs(id);
        } else {
            self.seen_with_pod_cidrs(id, seen);
        }
    }

    fn look_again(&mut self, id: NodeId, node: Seen) {
        let now = self.now.at;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let moved = state.node.provider_id != node.provider_id
            || state.node.internal_ips != node.internal_ips;
        state.node = node;
        state.last_seen = now;
        let doubtful = state.status.doubt(&state.node, now);
        if let Some(at) = doubtful {
            self.timers.set(at, Due::Node(id));
        }
        if moved {
            self.instance_moved(id);
        }
    }

    /// The node is gone for good.
    fn lose(&mut self, id: NodeId, departure: Departure) {
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        state.gone = true;
        let dead = matches!(state.instance.state, Some(InstanceState::Gone));
        let key = state.node.key.clone();
        self.nodes.living.remove(&key.name);
        self.nodes.bury(&key.uid, departure, self.now.at);
        self.nodes.draining.insert(key.clone(), id);
        self.nodes.mark(id);
        self.unserved.remove(&id);
        if let Some(allocator) = &mut self.allocator {
            let released = allocator.release(&key);
            self.note_released(released, Some(id), dead);
        }
    }
}
