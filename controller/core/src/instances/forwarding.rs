//! Instances that drop what is not addressed to themselves are made to forward it.

use super::{Due, Instances, Query, known::Known};
use crate::{
    Action,
    cloud::{CloudError, InstanceState},
    ids::NodeId,
    node::NodeKey,
    turn::Turn,
};

impl Instances {
    /// The instance drops what is not addressed to itself, and that can be changed.
    pub(crate) fn must_switch(&self, turn: &Turn, id: NodeId) -> bool {
        let found = self.get(id).and_then(Known::found);
        turn.limits.forwarding && found.is_some_and(|instance| !instance.forwarding)
    }

    pub(super) fn ensure_forwarding(&mut self, turn: &Turn, id: NodeId) {
        if !self.must_switch(turn, id) {
            return;
        }
        if let Some(until) = self.entry(id).switch.waits(turn.now.at) {
            self.timers.set(until, Due::Instance(id));
        } else {
            self.to_switch.insert(id);
        }
    }

    /// Begins what may begin.
    pub(crate) fn begin_switching(&mut self, turn: &mut Turn, query: Query<'_>) {
        while self.switching.len() < turn.limits.route_writes {
            let Some(id) = self.to_switch.pop_first() else {
                return;
            };
            if self.must_switch(turn, id)
                && let Some(query) = query(id)
                && self.switching.insert(query.node.clone())
            {
                turn.act(Action::EnableForwarding(query));
            }
        }
    }

    /// The answer to the switch of a node's instance; `id` is the node's number while it is known.
    pub(crate) fn switched(
        &mut self,
        turn: &Turn,
        id: Option<NodeId>,
        key: &NodeKey,
        result: Result<(), CloudError>,
    ) {
        self.switching.remove(key);
        let Some(id) = id else { return };
        let Some(known) = self.all.get_mut(id.place()).and_then(Option::as_mut) else {
            return;
        };
        match result {
            Ok(()) => {
                if let Some(InstanceState::Found(found)) = &mut known.state {
                    found.forwarding = true;
                }
                known.trouble = None;
                known.switch.reset();
            }
            Err(error) => {
                let verb = "enabling forwarding of";
                let trouble = Known::failed(&mut known.switch, turn, key, verb, &error);
                known.trouble = Some(Box::new(trouble));
            }
        }
        self.dirty.insert(id);
    }
}
