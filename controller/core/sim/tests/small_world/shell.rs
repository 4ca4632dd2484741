//! How a controller's process carries out what its engine asks for.

use signpost_core::{
    Action, Event, NodeKey, Time,
    action::NetworkStatus,
    cloud::{Instance, InstanceState, Ownership},
    event::ApiErrorKind,
    node::NetworkCondition,
};

use crate::land::refused;
use crate::world::{Call, Entry, What, World, next_hop};

impl World {
    /// Hands an event to an engine and begins what it asks for.
    pub(crate) fn tell(&mut self, by: usize, event: Event) {
        if let Event::RoutesListed {
            result: Ok(tables), ..
        } = &event
        {
            let routes = tables
                .iter()
                .filter_map(|table| table.routes.as_ref().ok())
                .flatten();
            self.controllers[by].listed = routes
                .filter_map(|route| {
                    let entry = Entry {
                        next_hop: route.next_hop.clone()?,
                        ours: route.ownership == Ownership::Ours,
                    };
                    Some((route.destination, entry))
                })
                .collect();
        }
        let now = Time(self.now);
        let Some(engine) = &mut self.controllers[by].engine else {
            return;
        };
        for action in engine.handle(event, now) {
            self.begin(by, action);
        }
    }

    fn begin(&mut self, by: usize, action: Action) {
        match action {
            Action::SetPodCidrs { node, cidrs } => self.send(by, What::SetPodCidrs(node, cidrs)),
            Action::ListRoutes { listing, .. } => self.send(by, What::List(listing)),
            Action::WriteRoute { write, change } => self.send(by, What::Write(write, change)),
            Action::SetNetworkStatus { node, status } => self.set_status(by, &node, &status),
            Action::ReadNode(key) => {
                let node = self.node(&key).cloned();
                let place = World::place(&key);
                if let Some(node) = &node {
                    self.controllers[by].view[place] = Some(node.clone());
                }
                let event = Event::NodeRead { key, node };
                self.tell(by, event);
            }
            Action::ReadInstances { batch, queries } => {
                let answers = queries.into_iter().map(|query| {
                    let state = InstanceState::Found(Instance {
                        id: query.node.uid.clone(),
                        next_hop_v4: Some(next_hop(World::place(&query.node))),
                        next_hop_v6: None,
                        forwarding: true,
                    });
                    (query.node, Ok(state))
                });
                let answers = answers.collect();
                self.tell(by, Event::InstancesRead { batch, answers });
            }
            Action::EnableForwarding(query) => {
                let node = query.node;
                self.tell(
                    by,
                    Event::ForwardingEnabled {
                        node,
                        result: Ok(()),
                    },
                );
            }
            Action::Notify(_) | Action::NodeRouted { .. } | Action::TeardownDone => {}
        }
    }

    fn send(&mut self, by: usize, what: What) {
        self.calls.push(Call {
            by,
            life: self.controllers[by].life,
            sent: self.now,
            what,
            answer: None,
            given_up: false,
        });
    }

    /// Writes the condition at once: only what it says matters here, not when it gets there.
    fn set_status(&mut self, by: usize, key: &NodeKey, status: &NetworkStatus) {
        let result = if let Some(node) = self.node(key) {
            if status.available {
                let wanted = Entry {
                    next_hop: next_hop(World::place(key)),
                    ours: true,
                };
                let read = &self.controllers[by].listed;
                let leads =
                    |cidr| read.get(cidr) == Some(&wanted) && self.table.get(cidr) == Some(&wanted);
                if node.pod_cidrs.is_empty() || !node.pod_cidrs.iter().all(leads) {
                    self.break_promise(format!("{key} is called routed before it was read back"));
                }
            }
            if let Some(node) = &mut self.nodes[World::place(key)] {
                node.network = if status.available {
                    NetworkCondition::Available
                } else {
                    NetworkCondition::Unavailable
                };
            }
            Ok(())
        } else {
            Err(refused(ApiErrorKind::NotFound))
        };
        let node = key.clone();
        self.tell(by, Event::NetworkStatusSet { node, result });
    }
}
