//! I3 and I4 (and I2 as far as it concerns route writes): where routes lead, and whose they are.

use ipnet::IpNet;
use signpost_core::{
    NodeKey,
    cloud::{InstanceState, NextHop, ObservedRoute, Ownership, Route, RouteChange},
};

use super::Invariant;
use crate::{
    api::Origin,
    cloud::{MachineState, address_hop},
    queue::Sender,
    scenario::CloudKind,
    world::World,
};

/// A list follows a restoration within so many milliseconds.
const NOTICED: u64 = 10_000;

impl World<'_> {
    /// Where routes to the node have to lead, as things truly are.
    pub(crate) fn hop_of(&self, node: &NodeKey, destination: IpNet) -> Option<NextHop> {
        let node = &self.api.get(node)?.node;
        if self.scenario.cloud != CloudKind::Cloud {
            return address_hop(&node.internal_ips, destination);
        }
        let machine = self.cloud.machines.get(node.provider_id.as_ref()?)?;
        let running = machine.state == MachineState::Running;
        machine.hop(destination).filter(|_| running).cloned()
    }

    /// An engine is about to change a route.
    pub(crate) fn check_route_write(&mut self, shell: usize, change: &RouteChange) {
        match change {
            RouteChange::Create { route, .. } => self.check_leads(shell, route),
            RouteChange::Replace { old, route, .. } => {
                self.check_leads(shell, route);
                if old.next_hop.as_ref() == Some(&route.next_hop) {
                    // Of a blackhole that leads where it should the cause is elsewhere.
                    self.broken(Invariant::Contract, || {
                        format!("{} replaces the same", crate::trail::change(change))
                    });
                }
                self.check_was_ours(shell, change, old);
            }
            RouteChange::Delete { route, .. } => self.check_was_ours(shell, change, route),
        }
    }

    /// The route leads to the instance of the node that has the block, as the engine was told.
    fn check_leads(&mut self, shell: usize, route: &Route) {
        let known = &self.shells[shell].known;
        let owner = known
            .nodes
            .get(&route.node.name)
            .filter(|node| node.pod_cidrs.contains(&route.destination));
        let truly = self
            .api
            .nodes
            .get(&route.node.name)
            .filter(|node| node.node.pod_cidrs.contains(&route.destination));
        let Some(key) = owner
            .map(|node| &node.key)
            .or(truly.map(|node| &node.node.key))
        else {
            return self.broken(Invariant::I3, || {
                format!("{} has no {}", route.node, route.destination)
            });
        };
        let hop = match known.instances.get(&key.uid) {
            Some(InstanceState::Found(instance)) => match route.destination {
                IpNet::V4(_) => instance.next_hop_v4.clone(),
                IpNet::V6(_) => instance.next_hop_v6.clone(),
            },
            _ => None,
        };
        if hop.as_ref() != Some(&route.next_hop) {
            self.broken(Invariant::I3, || {
                let (destination, next_hop) = (route.destination, &route.next_hop);
                format!("{destination} is to lead to {next_hop}, its node is at {hop:?}")
            });
        }
    }

    /// A route that is changed was not listed as foreign, unless that listing was late.
    fn check_was_ours(&mut self, shell: usize, change: &RouteChange, old: &ObservedRoute) {
        let seen = self.shells[shell].known.tables.by_id.get(change.table());
        let shown = seen
            .and_then(|known| known.seen.last())
            .and_then(|seen| {
                let mut routes = seen.routes.iter();
                routes.find(|route| {
                    route.destination == old.destination && route.handle == old.handle
                })
            })
            .map(|route| route.ownership);
        let table = self.cloud.tables.get(change.table());
        let there = table.and_then(|table| table.routes.get(&old.destination));
        let foreign = shown == Some(Ownership::Foreign)
            && there.is_some_and(|held| {
                let mut all = held.all();
                !all.any(|held| held.ours && held.handle == old.handle)
            });
        if old.ownership != Ownership::Ours || foreign {
            self.broken(Invariant::I4, || {
                format!("{} is not ours", crate::trail::change(change))
            });
        }
    }

    /// A change arrives at the cloud.
    pub(crate) fn check_touches_ours(&mut self, from: Sender, change: &RouteChange) {
        let (RouteChange::Replace { old, .. } | RouteChange::Delete { route: old, .. }) = change
        else {
            return;
        };
        let table = self.cloud.tables.get(change.table());
        let there = table.and_then(|table| table.routes.get(&change.destination()));
        let same = there.is_some_and(|held| !held.ours && held.hop == old.next_hop);
        if same {
            self.broken(Invariant::I4, || {
                let change = crate::trail::change(change);
                format!("controller {}: {change} is foreign", from.shell)
            });
        }
    }

    /// A route was written: the block must not be somebody else's by now.
    pub(crate) fn check_leads_to_owner(&mut self, from: Sender, change: &RouteChange) {
        let (RouteChange::Create { route, .. } | RouteChange::Replace { route, .. }) = change
        else {
            return;
        };
        let nodes = self.api.nodes.values();
        let owners: Vec<_> = nodes
            .filter(|node| node.node.pod_cidrs.contains(&route.destination))
            .collect();
        if owners.iter().any(|owner| owner.origin == Origin::Hand) {
            return;
        }
        if self.restored.is_some_and(|at| from.sent <= at + NOTICED) {
            // It does not know yet who came back.
            return;
        }
        let place = &self.shells[from.shell];
        let believed = place.known.nodes.get(&route.node.name);
        let believed = believed.is_some_and(|node| node.pod_cidrs.contains(&route.destination));
        if believed && place.life == from.life {
            // It does not know yet that a duplicate made by hand is gone.
            return;
        }
        let given = (route.node.name.clone(), route.destination);
        if from.late || self.api.by_hand.contains_key(&given) {
            // The duplicate went while the write was on its way.
            return;
        }
        let other = owners
            .iter()
            .find(|owner| owner.node.key.name != route.node.name)
            .map(|owner| owner.node.key.clone());
        if let Some(other) = other {
            self.broken(Invariant::I2, || {
                let (shell, node, destination) = (from.shell, &route.node, route.destination);
                format!("controller {shell} led {destination} to {node} when {other} had it")
            });
        }
    }
}
