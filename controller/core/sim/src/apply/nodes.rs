//! Carries out the entries of a schedule.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use signpost_core::{Node, NodeKey, node::NetworkCondition};

use crate::{
    cloud::{Machine, MachineState},
    faults::{Entry, Fault},
    queue::Message,
    scenario::{NAMES, label},
    world::World,
};

pub(super) fn machine_id(node: &NodeKey) -> Arc<str> {
    format!("i-{}", node.uid).into()
}

/// The number of the node that joins when all is well.
const PROBE: u8 = NAMES;

type Labels = BTreeMap<Arc<str>, Arc<str>>;

fn addresses(node: u8, dual: bool) -> Vec<IpAddr> {
    let v4 = IpAddr::from([192, 168, 0, node + 10]);
    let v6 = IpAddr::from([0xfd99, 0, 0, 0, 0, 0, 0, u16::from(node)]);
    [v4].into_iter().chain(dual.then_some(v6)).collect()
}

pub(crate) fn name(node: u8) -> Arc<str> {
    format!("n{node}").into()
}

impl World<'_> {
    pub(super) fn apply_to_nodes(&mut self, entry: Entry) -> bool {
        let Entry { target, amount, .. } = entry;
        let several = || (0..amount % 5 + 2).map(move |nth| (target + nth) % NAMES);
        let id = name(target);
        match entry.fault {
            Fault::NodeAdded => self.join(target),
            Fault::NodeAddedBare => self.join_bare(target, entry.ends(), false),
            Fault::NodeUninitialized => self.join_bare(target, entry.ends(), true),
            Fault::NodesAdded => several().filter(|node| self.join(*node)).count() > 1,
            Fault::NodeDeleted => self.leave(target, amount.is_multiple_of(2)),
            Fault::NodesDeleted => {
                let left = several().filter(|node| self.leave(*node, amount.is_multiple_of(2)));
                left.count() > 1
            }
            Fault::NodeRecreated => self.recreate(target, amount),
            Fault::NodeRelabelled => {
                let zone = if amount.is_multiple_of(2) { "a" } else { "b" };
                self.api.change(&id, |node| node.node.labels = label(zone))
            }
            Fault::NodeExcluded => self
                .api
                .change(&id, |node| node.node.excluded = !node.node.excluded),
            Fault::AddressChanged => self.readdress(target, amount),
            Fault::StatusReset => {
                let to = match amount % 3 {
                    0 => NetworkCondition::Unavailable,
                    1 => NetworkCondition::Unknown,
                    _ => NetworkCondition::Foreign,
                };
                self.api.change(&id, |node| node.node.network = to)
            }
            Fault::AddressInsidePool => self.move_into_pool(target, amount, entry.ends()),
            Fault::ConditionContested => {
                let Some(node) = self.api.nodes.get(&id) else {
                    return false;
                };
                let key = node.node.key.clone();
                let until = entry.ends();
                self.queue.push(self.now, Message::Contest { key, until });
                true
            }
            fault => match self.claim(fault, &id, usize::from(amount)) {
                Some(claimed) => claimed,
                None => self.apply_to_machine(entry),
            },
        }
    }

    /// A node joins on a machine of its own.
    pub(crate) fn join(&mut self, target: u8) -> bool {
        let name = name(target);
        if self.api.nodes.contains_key(&name) {
            return false;
        }
        let uid = self.api.next_uid(&name);
        let mut rng = self.dice.rng(("joins", target));
        let key = NodeKey::new(name, uid);
        let machine = machine_id(&key);
        let node = Node {
            key,
            created: 1_700_000_000 + i64::try_from(self.now / 1_000).unwrap_or(0),
            labels: label(if rng.u8(0..3) == 0 { "b" } else { "a" }),
            provider_id: Some(machine.clone()),
            internal_ips: addresses(target, rng.u8(0..10) < 9),
            pod_cidrs: Vec::new(),
            network: NetworkCondition::Unknown,
            excluded: rng.u8(0..40) == 0,
            uninitialized: false,
        };
        let (v4, v6) = (rng.u8(0..40) > 0, rng.u8(0..10) > 0);
        let forwarding = rng.bool();
        self.api.put(node);
        let hop = self.cloud.next_hop();
        self.cloud.machines.insert(
            machine,
            Machine {
                state: MachineState::Running,
                v4: v4.then(|| hop.clone()),
                v6: v6.then_some(hop),
                forwarding,
                stopped: 0,
                changed: false,
            },
        );
        true
    }

    /// A node joins that nothing stands in the way of. False: nobody could give it a block.
    pub(crate) fn join_probe(&mut self) -> bool {
        if !self.join(PROBE) {
            return false;
        }
        let id = name(PROBE);
        let machine = self.machine_of(&id).and_then(|machine| {
            machine.v4 = machine.v4.take().or_else(|| machine.v6.clone());
            machine.v6 = machine.v6.take().or_else(|| machine.v4.clone());
            machine.v4.clone()
        });
        self.api.change(&id, |node| {
            node.node.excluded = false;
            node.node.internal_ips = addresses(PROBE, true);
        });
        let node = &self.api.nodes[&id];
        if machine.is_some() && self.must_be_served(node) {
            return true;
        }
        self.leave(PROBE, true);
        false
    }

    pub(crate) fn probe_key(&self) -> Option<NodeKey> {
        let node = self.api.nodes.get(&name(PROBE))?;
        Some(node.node.key.clone())
    }

    fn join_bare(&mut self, target: u8, complete: u64, uninitialized: bool) -> bool {
        let joined = self.join(target);
        if joined {
            let labels = self.api.nodes[&name(target)].node.labels.clone();
            self.api.change(&name(target), |node| {
                node.node.internal_ips.clear();
                node.node.provider_id = None;
                if uninitialized {
                    node.node.uninitialized = true;
                    node.node.labels.clear();
                }
            });
            // Nobody has seen it otherwise.
            let bare = self.api.log.pop();
            self.api.log.pop();
            self.api.log.extend(bare);
            let key = self.api.nodes[&name(target)].node.key.clone();
            self.queue.push(complete, Message::Complete { key, labels });
        }
        joined
    }

    /// A node that joined bare gets what it lacks.
    pub(crate) fn complete(&mut self, key: &NodeKey, labels: Labels) {
        if self.api.get(key).is_none() {
            return;
        }
        let number = key.name[1..].parse().unwrap_or(0);
        self.api.change(&key.name, |node| {
            node.node.internal_ips = addresses(number, true);
            // An ID that a node has never changes, also if the machine was another node's before.
            node.node.provider_id.get_or_insert_with(|| machine_id(key));
            if node.node.uninitialized {
                node.node.uninitialized = false;
                node.labelled_later = true;
                node.node.labels = labels;
            }
        });
    }

    /// Gives a node an address inside a pool until then.
    fn move_into_pool(&mut self, target: u8, amount: u8, until: u64) -> bool {
        let pools = &self.wishes.pools;
        let pool = pools[usize::from(amount) % pools.len()].cidr;
        let Some(address) = pool.hosts().nth(usize::from(amount)) else {
            return false;
        };
        let id = name(target);
        let Some(node) = self.api.nodes.get(&id) else {
            return false;
        };
        let (key, labels) = (node.node.key.clone(), node.node.labels.clone());
        self.queue.push(until, Message::Complete { key, labels });
        self.api
            .change(&id, |node| node.node.internal_ips.push(address))
    }

    /// Somebody else writes the condition of a node, and will again.
    pub(crate) fn contest(&mut self, key: &NodeKey, until: u64) {
        if self.now >= until || self.api.get(key).is_none() {
            return;
        }
        // One who always says the same, as an agent of another network does.
        let said = if until.is_multiple_of(2) {
            NetworkCondition::Unavailable
        } else {
            NetworkCondition::Foreign
        };
        self.api.change(&key.name, |node| node.node.network = said);
        let next = self.now + self.dice.span(1_000..=5_000, ("contest", key));
        let key = key.clone();
        self.queue.push(next, Message::Contest { key, until });
    }

    fn leave(&mut self, target: u8, machine_too: bool) -> bool {
        let name = name(target);
        let machine = self.machine_of(&name);
        if let (true, Some(machine)) = (machine_too, machine) {
            machine.state = MachineState::Gone;
        }
        self.api.remove(&name).is_some()
    }

    fn recreate(&mut self, target: u8, amount: u8) -> bool {
        let id = name(target);
        let Some(before) = self.api.nodes.get(&id).cloned() else {
            return false;
        };
        if amount.is_multiple_of(2) {
            // Another machine.
            self.leave(target, amount.is_multiple_of(4));
            return self.join(target);
        }
        self.api.remove(&id);
        let uid = self.api.next_uid(&id);
        let node = Node {
            key: NodeKey::new(id, uid),
            created: 1_700_000_000 + i64::try_from(self.now / 1_000).unwrap_or(0),
            pod_cidrs: Vec::new(),
            network: NetworkCondition::Unknown,
            ..before.node
        };
        self.api.put(node);
        true
    }

    fn readdress(&mut self, target: u8, amount: u8) -> bool {
        self.api.change(&name(target), |node| {
            if let Some(IpAddr::V4(address)) = node.node.internal_ips.first_mut() {
                let [a, b, _, d] = address.octets();
                *address = [a, b, amount, d].into();
            }
        })
    }
}
