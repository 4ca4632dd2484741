//! I8: what a living node keeps.

use signpost_core::{
    Node, NodeKey, Time,
    action::Reason,
    cloud::{InstanceState, NextHop, ObservedRoute, RouteChange, TableId},
    node::NetworkCondition,
};

use super::Invariant;
use crate::world::World;

impl World<'_> {
    /// An engine is about to delete a route. It is not the last one for a block that a node has, unless it
    /// leads elsewhere and cannot be led to the node in one step.
    pub(crate) fn check_last_route(&mut self, shell: usize, change: &RouteChange) {
        let route = match change {
            RouteChange::Delete { route, .. } => route,
            RouteChange::Replace { old, route, .. } => {
                return self.check_led_away(shell, change, old, &route.next_hop);
            }
            RouteChange::Create { .. } => return,
        };
        let known = &self.shells[shell].known;
        if known.config.as_ref().is_none_or(|config| config.teardown) {
            return;
        }
        let has = |node: &Node| node.pod_cidrs.contains(&route.destination);
        // An etcd that was restored may have taken it away.
        let lives = |node: &&Node| {
            let truly = self.api.get(&node.key);
            truly.is_some_and(|truly| has(&truly.node))
        };
        let mut holders = known.nodes.values().filter(|node| has(node));
        let excluded = known.nodes.values().any(|node| node.excluded && has(node));
        let Some(holder) = holders.find(lives).map(|node| node.key.clone()) else {
            return;
        };
        let hop = self.hop_of(&holder, route.destination);
        let right = hop.is_some() && hop == route.next_hop;
        let known_right = known.leads_to(&holder, route);
        // Of several that have it the oldest is led to.
        let shared = known.nodes.values().filter(|node| has(node)).count() > 1;
        let right = !shared && (right || known_right);
        let elsewhere = !self.scenario.limits.replaces && !right;
        if self.is_last(change.table(), route) && !excluded && !elsewhere {
            self.loses(shell, change, &holder);
        }
    }

    /// An engine is about to lead a route elsewhere. It does not lead to the one node that has the block.
    fn check_led_away(
        &mut self,
        shell: usize,
        change: &RouteChange,
        old: &ObservedRoute,
        to: &NextHop,
    ) {
        let known = &self.shells[shell].known;
        let has = |node: &&Node| node.pod_cidrs.contains(&old.destination);
        let mut holders = known.nodes.values().filter(has);
        let (Some(holder), None) = (holders.next(), holders.next()) else {
            return;
        };
        // Its address may be the old one again, or a new one, which the engine was not told yet.
        let truly = self.api.get(&holder.key).map(|truly| &truly.node);
        let told = truly.is_some_and(|it| has(&it) && it.internal_ips == holder.internal_ips);
        let hop = self.hop_of(&holder.key, old.destination);
        let leads = hop.is_some() && hop == old.next_hop && hop.as_ref() != Some(to);
        if told && leads && !holder.excluded && self.is_last(change.table(), old) {
            let holder = holder.key.clone();
            self.loses(shell, change, &holder);
        }
    }

    /// The table has no other route for that destination.
    fn is_last(&self, table: &TableId, route: &ObservedRoute) -> bool {
        let table = self.cloud.tables.get(table);
        let held = table.and_then(|table| table.routes.get(&route.destination));
        held.is_some_and(|held| {
            let same = held.handle == route.handle && held.hop == route.next_hop;
            held.ours && held.double.is_none() && same
        })
    }

    fn loses(&mut self, shell: usize, change: &RouteChange, node: &NodeKey) {
        self.broken(Invariant::I8, || {
            let what = crate::trail::change(change);
            format!("controller {shell}: {what}, the last route of {node}")
        });
    }

    /// An engine is about to take a node out of service, or to say that it never was in service.
    pub(crate) fn check_withdrawal(&mut self, shell: usize, node: &NodeKey, reason: Reason) {
        if reason == Reason::RoutePending {
            return self.broken(Invariant::Contract, || {
                format!("{node} waits for its routes and is said to be out of service")
            });
        }
        let brain = self.shells[shell].brain.as_ref();
        if brain.is_some_and(|brain| !brain.summary().recovered) {
            return self.broken(Invariant::Contract, || {
                format!("{node} is said to be out of service before all was read")
            });
        }
        if let Some(table) = self.still_leads(shell, node) {
            self.broken(Invariant::I8, || {
                format!(
                    "{node} is taken out of service ({reason:?}); {table} leads there as before"
                )
            });
        }
    }

    /// A node that is in service, for whose service there is no less than ever in this leadership.
    fn still_leads(&self, shell: usize, key: &NodeKey) -> Option<String> {
        let known = &self.shells[shell].known;
        let limits = &self.scenario.limits;
        let node = known.knows(key)?;
        let truly = self.api.get(key)?;
        let in_service = node.network == NetworkCondition::Available
            && truly.node.network == NetworkCondition::Available;
        // Where an etcd that was restored took away its pod CIDRs, no route is known to be its own.
        if !in_service || node.excluded || !limits.routes || node.pod_cidrs.is_empty() {
            return None;
        }
        let others = known.nodes.values().filter(|other| other.key != *key);
        let shared = others.flat_map(|other| other.pod_cidrs.iter());
        let mut shared = shared.filter(|net| {
            let mut own = node.pod_cidrs.iter();
            own.any(|own| own.contains(*net) || net.contains(own))
        });
        let Some(InstanceState::Found(_)) = known.instances.get(&key.uid) else {
            return None;
        };
        if shared.next().is_some() || !self.runs(key) {
            return None;
        }
        // A restoration put back its service and its old instance: what the engine said is said again
        // until it has read of that instance.
        let put_back = known.out_of_service.get(&key.uid).is_some_and(|said| {
            let restored = self.restored.is_some_and(|restored| *said < restored);
            restored && known.instances.is_moved(&key.uid)
        });
        // Nor did the engine hear yet that the node has its old address again.
        let moved = self.restored.is_some() && node.internal_ips != truly.node.internal_ips;
        if put_back || moved {
            return None;
        }
        // Reads may be late, twice; whatever changed so lately does not count.
        let settled = |since: u64| self.now >= Time(since).after(limits.settle * 2).0 + 30_000;
        let mut leads = None;
        for (id, known) in known.tables.counting(limits.settle) {
            let table = self.cloud.tables.get(id)?;
            let mut all = true;
            for cidr in &node.pod_cidrs {
                let hop = self.hop_of(key, *cidr)?;
                let shown = known.shown.contains(&(*cidr, Some(hop.clone())));
                let held = table.routes.get(cidr);
                let right = held.is_some_and(|it| it.ours && it.hop.as_ref() == Some(&hop));
                let whole = held.is_some_and(|it| it.double.is_none());
                let dropped = table.dropped.contains_key(cidr);
                let still = table.changed.get(cidr).copied().unwrap_or(0);
                match (shown, right && whole && !dropped && settled(still)) {
                    (true, false) => return None,
                    (true, true) => {}
                    (false, _) => all = false,
                }
            }
            if all {
                leads = Some(id.to_string());
            }
        }
        leads
    }

    /// The node's instance runs, forwards, and has done so for a while.
    fn runs(&self, key: &NodeKey) -> bool {
        let node = self.api.get(key);
        let machine = node.and_then(|node| node.node.provider_id.as_ref());
        let machine = machine.and_then(|id| self.cloud.machines.get(id));
        machine.is_none_or(|it| {
            it.stopped == 0 && (it.forwarding || !self.scenario.limits.forwarding) && !it.changed
        })
    }
}
