//! Instances that drop what is not addressed to themselves are told to forward it.

use super::{
    Engine,
    instances::{describe, query, wait},
    nodes::NodeId,
};
use crate::{
    Action,
    cloud::{CloudError, InstanceState},
    node::NodeKey,
};

impl Engine {
    /// The instance drops what is not addressed to itself, and that can be changed.
    pub(super) fn must_switch(&self, id: NodeId) -> bool {
        let found = self.nodes.get(id).and_then(|it| it.instance.found());
        self.limits.forwarding && found.is_some_and(|instance| !instance.forwarding)
    }

    pub(super) fn begin_switching(&mut self) {
        let teardown = self.config.as_ref().is_none_or(|config| config.teardown);
        while self.instances.switching.len() < self.limits.route_writes && !teardown {
            let Some(id) = self.instances.to_switch.pop_first() else {
                return;
            };
            if !self.must_switch(id) {
                continue;
            }
            let Some(state) = self.nodes.get_mut(id).filter(|state| !state.gone) else {
                continue;
            };
            if self.instances.switching.insert(state.node.key.clone()) {
                state.instance.switching = true;
                let query = query(&state.node);
                self.actions.push(Action::EnableForwarding(query));
            }
        }
    }

    pub(super) fn forwarding_enabled(&mut self, key: &NodeKey, result: Result<(), CloudError>) {
        self.instances.switching.remove(key);
        let Some(id) = self.nodes.id(key) else { return };
        let now = self.now.at;
        let backoff = self.backoff;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let instance = &mut state.instance;
        instance.switching = false;
        match result {
            Ok(()) => {
                if let Some(InstanceState::Found(found)) = &mut instance.state {
                    found.forwarding = true;
                }
                instance.trouble = None;
                instance.switch_failures = 0;
            }
            Err(error) => {
                instance.switch_failures = instance.switch_failures.saturating_add(1);
                let wait = wait(backoff, key, instance.switch_failures, Some(&error));
                instance.switch_not_before = now.after(wait);
                let what = "enabling forwarding of";
                instance.trouble = Some(Box::new(describe(what, key, &error)));
            }
        }
        self.nodes.mark(id);
    }
}
