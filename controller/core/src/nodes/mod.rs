//! The first machine: nodes, from what is seen of them to what is written to them.
//!
//! It is told what was seen, which blocks were chosen and how far a node's routes are; it decides what
//! is written to the Kubernetes API and when again. Whose a block is it does not know.
//!
//! | question | module |
//! |---|---|
//! | who is there, who is gone | `sightings` |
//! | all that is known of one node | `state` |
//! | which pod CIDRs does it have, what do late sightings and lost answers mean | `assignment` |
//! | what does its condition say | `condition` |
//! | which write is next, how did it end | `writes` |
//! | does it wait for long | `waiting` |

mod assignment;
mod condition;
mod sightings;
mod state;
#[cfg(test)]
mod tests;
mod waiting;
mod writes;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

pub(crate) use self::{
    condition::Voice,
    sightings::Departure,
    state::{NodeState, Standing, item},
};
use self::{sightings::Gone, state::Progress, writes::Queue};
use crate::{
    Action, Time,
    cloud::InstanceQuery,
    ids::NodeId,
    node::NodeKey,
    summary::Phase,
    timers::Timers,
    turn::{Trouble, Turn},
};

/// What wants attention at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A node's writes, or a doubtful sighting.
    Node(NodeId),
    /// Nodes have been waiting for their routes for long.
    Waiting,
}

/// All nodes of this leadership.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    /// A full list was seen.
    listed: bool,
    /// By number; a node that is gone leaves its place empty.
    all: Vec<Option<Box<NodeState>>>,
    /// By name. Only looked up, since its order means nothing; the hasher is the same in every run.
    living: HashMap<Arc<str>, NodeId, BuildHasherDefault<DefaultHasher>>,
    /// Nodes that are gone and whose routes may be left.
    draining: BTreeMap<NodeKey, NodeId>,
    dirty: VecDeque<NodeId>,
    /// Nodes that wait for their routes, and since when.
    waiting: VecDeque<(Time, NodeId)>,
    gone: Gone,
    queue: Queue,
    voice: Voice,
    timers: Timers<Due>,
}

/// What changed when a node was judged.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// From this phase to that.
    pub(crate) moved: Option<(Phase, Phase)>,
    pub(crate) trouble_before: Option<Trouble>,
    /// Trouble that is another one than before.
    pub(crate) news: Option<Trouble>,
}

impl Nodes {
    /// A full list was seen.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// What may be said of nodes from now on.
    pub(crate) fn set_voice(&mut self, voice: Voice) {
        if self.voice != voice {
            self.voice = voice;
            self.mark_all();
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&NodeState> {
        self.all.get(id.place())?.as_deref()
    }

    fn get_mut(&mut self, id: NodeId) -> Option<&mut NodeState> {
        self.all.get_mut(id.place())?.as_deref_mut()
    }

    /// The living node of that name and UID.
    pub(crate) fn id(&self, key: &NodeKey) -> Option<NodeId> {
        let id = *self.living.get(&key.name)?;
        (self.get(id)?.node.key == *key).then_some(id)
    }

    /// The living node, or the one whose routes are still being removed.
    pub(crate) fn any_id(&self, key: &NodeKey) -> Option<NodeId> {
        self.id(key).or_else(|| self.draining.get(key).copied())
    }

    /// By which a node's instance is found. One that was gone and is back is known twice until its old
    /// routes are removed, and only the later life tells where its instance is.
    pub(crate) fn query(&self, id: NodeId) -> Option<InstanceQuery> {
        let state = self.get(id)?;
        let latest = !state.is_gone() || self.any_id(state.key()) == Some(id);
        latest.then(|| state.query())
    }

    /// Living nodes in the order in which they became known.
    pub(crate) fn living(&self) -> impl Iterator<Item = (NodeId, &NodeState)> {
        let all = self.all.iter().enumerate();
        all.filter_map(|(place, state)| {
            let state = state.as_deref().filter(|it| !it.gone)?;
            Some((NodeId::new(place), state))
        })
    }

    /// Nodes that are gone and whose routes are still being removed.
    pub(crate) fn draining(&self) -> impl Iterator<Item = &NodeState> {
        self.draining.values().filter_map(|id| self.get(*id))
    }

    /// The living node to which a write was answered; it is judged anew.
    fn answered(&mut self, key: &NodeKey) -> Option<(NodeId, &mut NodeState)> {
        let id = self.id(key)?;
        self.mark(id);
        Some((id, self.get_mut(id)?))
    }

    /// Has the node judged anew.
    pub(crate) fn mark(&mut self, id: NodeId) {
        if let Some(state) = self.get_mut(id)
            && !std::mem::replace(&mut state.dirty, true)
        {
            self.dirty.push_back(id);
        }
    }

    pub(crate) fn mark_all(&mut self) {
        let Self { all, dirty, .. } = self;
        for (place, state) in all.iter_mut().enumerate() {
            if let Some(state) = state
                && !std::mem::replace(&mut state.dirty, true)
            {
                dirty.push_back(NodeId::new(place));
            }
        }
    }

    /// The next that waits to be judged.
    pub(crate) fn next_dirty(&mut self) -> Option<NodeId> {
        loop {
            let id = self.dirty.pop_front()?;
            if let Some(state) = self.get_mut(id) {
                state.dirty = false;
                return Some(id);
            }
        }
    }

    pub(crate) fn any_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// These blocks were chosen for a node.
    pub(crate) fn assign(&mut self, id: NodeId, cidrs: Vec<ipnet::IpNet>) {
        if let Some(state) = self.get_mut(id) {
            state.assignment.choose(cidrs);
        }
    }

    /// No block was found for a node, for that cause.
    pub(crate) fn without_block(&mut self, id: NodeId, trouble: Option<Trouble>) {
        if let Some(state) = self.get_mut(id) {
            state.assignment.trouble = trouble.map(Box::new);
        }
    }

    /// Where a node stands from now on.
    pub(crate) fn set_standing(
        &mut self,
        turn: &mut Turn,
        id: NodeId,
        standing: Standing,
    ) -> Judged {
        let mut judged = Judged::default();
        let now = turn.now.at;
        let Some(state) = self.get_mut(id) else {
            return judged;
        };
        let Standing {
            phase,
            trouble,
            unreachable,
        } = standing;
        state.unreachable = unreachable;
        let before = std::mem::replace(&mut state.phase, phase);
        if before != phase {
            judged.moved = Some((before, phase));
            state.phase_since = now;
            state.waits_long = false;
        }
        if phase == Phase::Routed {
            report(turn, state);
        }
        if state.trouble.as_deref() == trouble.as_ref() {
            judged.trouble_before = trouble;
        } else {
            judged.trouble_before = state.trouble.take().map(|trouble| *trouble);
            state.trouble = trouble.clone().map(Box::new);
            judged.news = trouble.filter(|trouble| trouble.lasting);
        }
        if judged.moved.is_some() && phase == Phase::Routing {
            self.begin_waiting(turn, id);
        }
        judged
    }

    /// The last route of a node that is gone is gone too.
    pub(crate) fn remove(&mut self, id: NodeId) {
        if let Some(state) = self.all.get_mut(id.place()).and_then(Option::take)
            && self.draining.get(&state.node.key) == Some(&id)
        {
            self.draining.remove(&state.node.key);
        }
    }

    /// Has those judged anew whose time has come.
    pub(crate) fn tick(&mut self, turn: &Turn) {
        while let Some(due) = self.timers.pop(turn.now.at) {
            match due {
                Due::Node(id) => self.mark(id),
                Due::Waiting => self.note_long_waits(turn),
            }
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.timers.first()
    }
}

/// Tells once how long it took until a node was routed.
fn report(turn: &mut Turn, state: &mut NodeState) {
    if let Progress::Since(first_seen) = state.progress {
        let took = turn.now.at.since(first_seen);
        state.progress = Progress::Took(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        if !state.was_available {
            let node = state.node.key.clone();
            turn.act(Action::NodeRouted { node, took });
        }
    }
}
