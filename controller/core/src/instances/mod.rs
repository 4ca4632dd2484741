//! The third machine: where routes to a node lead, as the cloud knows its instance.
//!
//! It is told which instances are wanted; it decides when they are read, and when one is made to
//! forward.
//!
//! | question | module |
//! |---|---|
//! | what is known of an instance | `known` |
//! | when are instances read | `reads` |
//! | which are made to forward | `forwarding` |

mod forwarding;
mod known;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ipnet::IpNet;

use self::{known::Known, reads::Reads};
use crate::{
    Time,
    cloud::{InstanceQuery, InstanceState, NextHop},
    ids::{NodeId, Stamp},
    node::NodeKey,
    timers::Timers,
    turn::{Trouble, Turn},
};

/// What wants attention at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// An instance is to be read, or switched.
    Instance(NodeId),
    /// All instances are to be read again.
    Refresh,
}

/// The instances of all nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Instances {
    /// By number of the node.
    all: Vec<Option<Box<Known>>>,
    reads: Reads,
    /// Being made to forward.
    switching: BTreeSet<NodeKey>,
    /// To be made to forward.
    to_switch: BTreeSet<NodeId>,
    timers: Timers<Due>,
    /// Nodes of whose instance something new is known.
    dirty: BTreeSet<NodeId>,
}

/// By which an instance is found, if its node may be asked for.
pub(crate) type Query<'a> = &'a dyn Fn(NodeId) -> Option<InstanceQuery>;

impl Instances {
    fn get(&self, id: NodeId) -> Option<&Known> {
        self.all.get(id.place())?.as_deref()
    }

    fn entry(&mut self, id: NodeId) -> &mut Known {
        if self.all.len() <= id.place() {
            self.all.resize_with(id.place() + 1, || None);
        }
        self.all[id.place()].get_or_insert_default()
    }

    /// What the cloud said last; `None` before it did.
    pub(crate) fn state(&self, id: NodeId) -> Option<&InstanceState> {
        self.get(id)?.state.as_ref()
    }

    /// Where a route for `cidr` leads if it leads to the node.
    pub(crate) fn hop(&self, id: NodeId, cidr: IpNet) -> Option<&NextHop> {
        match (self.state(id)?, cidr) {
            (InstanceState::Found(instance), IpNet::V4(_)) => instance.next_hop_v4.as_ref(),
            (InstanceState::Found(instance), IpNet::V6(_)) => instance.next_hop_v6.as_ref(),
            _ => None,
        }
    }

    /// When the reading was begun that said so.
    pub(crate) fn told(&self, id: NodeId) -> Stamp {
        self.get(id).map_or_else(Stamp::default, |known| known.told)
    }

    /// Why the instance could not be read or switched last.
    pub(crate) fn trouble(&self, id: NodeId) -> Option<&Trouble> {
        self.get(id)?.trouble.as_deref()
    }

    /// The cloud knows for certain that the instance exists no more.
    pub(crate) fn is_gone(&self, id: NodeId) -> bool {
        matches!(self.state(id), Some(InstanceState::Gone))
    }

    /// Sees to it that the instance of a node with blocks is known and forwards.
    pub(crate) fn ensure(&mut self, turn: &Turn, id: NodeId) {
        if !turn.limits.routes {
            return;
        }
        match self.get(id) {
            Some(known) if known.state.is_some() => self.ensure_forwarding(turn, id),
            // What is under way is what is wanted.
            Some(known) if known.batch.is_some() => {}
            _ => self.want(turn, id),
        }
    }

    /// Nodes of whose instance something new is known since this was last asked.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.dirty)
    }

    /// The node is not asked about any more.
    pub(crate) fn forget(&mut self, id: NodeId) {
        if let Some(known) = self.all.get_mut(id.place()) {
            *known = None;
        }
        self.reads.forget(id);
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, turn: &Turn, check_period: std::time::Duration) {
        while let Some(due) = self.timers.pop(turn.now.at) {
            match due {
                Due::Instance(id) => {
                    self.want_again(turn, id);
                    self.dirty.insert(id);
                }
                Due::Refresh => self.refresh(turn, check_period),
            }
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.timers.first()
    }
}
