//! Who is there, who is gone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    Due, Nodes,
    assignment::Cidrs,
    state::{NodeState, Seen},
};
use crate::{
    Action, Time,
    ids::NodeId,
    node::{Node, NodeKey},
    turn::Turn,
};

/// How long sightings of a node that is gone are taken for late ones.
const REMEMBER_GONE: Duration = Duration::from_secs(600);

/// How it was learnt that a node is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It was deleted, for good.
    Deleted,
    /// A list did not have it, which may have been older than what made it known.
    Unlisted,
}

/// What a sighting means for others.
#[derive(Debug)]
pub(crate) struct Sighting {
    pub(crate) id: NodeId,
    /// It was not known before.
    pub(crate) new: bool,
    /// Blocks that were chosen for it and are not its own, or are to be chosen anew.
    pub(crate) released: Cidrs,
    /// Pod CIDRs that it has and was not known to.
    pub(crate) claimed: Cidrs,
    /// What identifies its instance has changed.
    pub(crate) moved: bool,
    /// Its addresses were these before.
    pub(crate) addresses_before: Vec<IpAddr>,
}

/// UIDs of nodes that are gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Gone {
    by_uid: BTreeMap<Arc<str>, Departure>,
    order: VecDeque<(Time, Arc<str>)>,
}

impl Gone {
    fn add(&mut self, uid: &Arc<str>, departure: Departure, now: Time) {
        if self.by_uid.insert(uid.clone(), departure).is_none() {
            self.order.push_back((now, uid.clone()));
        }
        while let Some((at, _)) = self.order.front()
            && now.since(*at) > REMEMBER_GONE
        {
            if let Some((_, uid)) = self.order.pop_front() {
                self.by_uid.remove(&uid);
            }
        }
    }
}

impl Nodes {
    /// A full list begins. Older nodes get lower numbers, and what there is not enough of. Returns
    /// the nodes that are not in it.
    pub(crate) fn begin_list(&mut self, nodes: &mut [Node]) -> Vec<NodeId> {
        nodes.sort_by(|a, b| (a.created, &a.key.name).cmp(&(b.created, &b.key.name)));
        let listed: BTreeSet<&NodeKey> = nodes.iter().map(|node| &node.key).collect();
        let absent = self
            .living()
            .filter(|(_, state)| !listed.contains(&state.node.key))
            .map(|(id, _)| id)
            .collect();
        let known = self.living.len();
        self.living.reserve(nodes.len().saturating_sub(known));
        for node in nodes {
            self.gone.by_uid.remove(&node.key.uid);
        }
        self.listed = true;
        absent
    }

    /// The living node of the same name that is another one: of two, the one seen later lives, since
    /// what is told of nodes is never older than what was told before.
    pub(crate) fn namesake(&self, key: &NodeKey) -> Option<NodeId> {
        if self.gone.by_uid.get(&key.uid) == Some(&Departure::Deleted) {
            return None;
        }
        let id = *self.living.get(&key.name)?;
        let known = self.get(id)?;
        (known.node.key != *key).then_some(id)
    }

    /// Takes note of a node that lives, and of no other of its name. `fresh` says that it was read
    /// after that was asked for. `None` for a late sighting of one that is gone.
    pub(crate) fn sight(&mut self, turn: &mut Turn, node: Node, fresh: bool) -> Option<Sighting> {
        match self.gone.by_uid.get(&node.key.uid) {
            Some(Departure::Deleted) => return None,
            Some(Departure::Unlisted) => {
                self.gone.by_uid.remove(&node.key.uid);
                if !fresh {
                    turn.act(Action::ReadNode(node.key.clone()));
                }
            }
            None => {}
        }
        let (node, seen) = Seen::split(node);
        let mut sighting = match self.id(&node.key) {
            Some(id) => self.look_again(turn, id, node, fresh),
            None => self.first_sight(turn, node),
        };
        let id = sighting.id;
        self.mark(id);
        let assignment = &mut self.get_mut(id)?.assignment;
        if seen.is_empty() {
            let settle = turn.limits.api_settle;
            if let Some(at) = assignment.seen_without(fresh, turn.now.at, settle) {
                self.timers.set(at, Due::Node(id));
            }
        } else {
            let differences = assignment.seen_with(&seen);
            sighting.released.extend(differences.released);
            sighting.claimed = differences.claimed;
        }
        Some(sighting)
    }

    fn first_sight(&mut self, turn: &Turn, node: Seen) -> Sighting {
        let id = NodeId::new(self.all.len());
        self.living.insert(node.key.name.clone(), id);
        let state = NodeState::new(node, turn.now.at);
        self.all.push(Some(Box::new(state)));
        Sighting {
            id,
            new: true,
            released: Cidrs::new(),
            claimed: Cidrs::new(),
            moved: false,
            addresses_before: Vec::new(),
        }
    }

    fn look_again(&mut self, turn: &mut Turn, id: NodeId, node: Seen, fresh: bool) -> Sighting {
        let mut sighting = Sighting {
            id,
            new: false,
            released: Cidrs::new(),
            claimed: Cidrs::new(),
            moved: false,
            addresses_before: Vec::new(),
        };
        let Some(state) = self.get_mut(id) else {
            return sighting;
        };
        let before = std::mem::replace(&mut state.node, node);
        sighting.moved = before.provider_id != state.node.provider_id
            || before.internal_ips != state.node.internal_ips;
        let relabelled =
            before.labels != state.node.labels || before.uninitialized != state.node.uninitialized;
        let doubtful = state.condition.seen(&state.node, fresh, turn);
        let assignment = &mut state.assignment;
        let chosen = !assignment.held && assignment.is_unsent();
        if relabelled && chosen && assignment.uncertain().is_none() {
            // Other pools may match now.
            sighting.released = std::mem::take(&mut assignment.cidrs);
            assignment.choose(Cidrs::new());
        }
        sighting.addresses_before = before.internal_ips;
        if let Some(at) = doubtful {
            self.timers.set(at, Due::Node(id));
        }
        sighting
    }

    /// A node that was never known, or is already gone, was deleted.
    pub(crate) fn bury(&mut self, key: &NodeKey, now: Time) {
        self.gone.add(&key.uid, Departure::Deleted, now);
    }

    /// The node is gone. It stays known until [`remove`](Self::remove), for its routes.
    pub(crate) fn lose(&mut self, id: NodeId, departure: Departure, now: Time) {
        let Some(state) = self.get_mut(id) else {
            return;
        };
        state.gone = true;
        let key = state.node.key.clone();
        self.living.remove(&key.name);
        self.gone.add(&key.uid, departure, now);
        self.draining.insert(key, id);
        self.mark(id);
    }
}
