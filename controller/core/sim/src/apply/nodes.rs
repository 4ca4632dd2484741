//! Carries out the entries of a schedule.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use signpost_core::{Node, NodeKey, node::NetworkCondition};

use crate::{
    api::{ApiNode, Origin},
    cloud::{Machine, MachineState},
    faults::{Entry, Fault},
    queue::Message,
    scenario::{CloudKind, NAMES, blocks, label, net},
    world::World,
};

fn machine_id(node: &NodeKey) -> Arc<str> {
    format!("i-{}", node.uid).into()
}

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
            Fault::NodeAddedBare => self.join_bare(target, entry.ends()),
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
                let to = if amount.is_multiple_of(2) {
                    NetworkCondition::Unavailable
                } else {
                    NetworkCondition::Unknown
                };
                self.api.change(&id, |node| node.node.network = to)
            }
            Fault::CidrByHandFree => {
                let taken = self.taken();
                let free = blocks(&self.wishes.pools[0])
                    .into_iter()
                    .find(|block| !taken.contains(block));
                free.is_some_and(|block| self.by_hand(&id, vec![block]))
            }
            Fault::CidrByHandDuplicate => {
                let nth = usize::from(amount);
                let others = self.api.nodes.values();
                let with: Vec<&ApiNode> = others
                    .filter(|node| !node.node.pod_cidrs.is_empty())
                    .collect();
                let other = with.get(nth % with.len().max(1));
                let cidrs = other.map(|node| node.node.pod_cidrs.clone());
                cidrs.is_some_and(|cidrs| self.by_hand(&id, cidrs))
            }
            Fault::CidrByHandOutOfRange => self.by_hand(&id, vec![net("172.16.5.0/24")]),
            _ => self.apply_to_machine(entry),
        }
    }

    fn taken(&self) -> Vec<IpNet> {
        let nodes = self.api.nodes.values();
        nodes.flat_map(|node| node.node.pod_cidrs.clone()).collect()
    }

    fn by_hand(&mut self, name: &str, cidrs: Vec<IpNet>) -> bool {
        let given = cidrs.iter().map(|cidr| (Arc::from(name), *cidr));
        self.api.by_hand.extend(given);
        self.api.change(name, |node| {
            if node.node.pod_cidrs.is_empty() {
                node.node.pod_cidrs = cidrs;
                node.origin = Origin::Hand;
            }
        })
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
            },
        );
        true
    }

    fn join_bare(&mut self, target: u8, complete: u64) -> bool {
        let joined = self.join(target);
        if joined {
            self.api.change(&name(target), |node| {
                node.node.internal_ips.clear();
                node.node.provider_id = None;
            });
            // Nobody has seen it otherwise.
            let bare = self.api.log.pop();
            self.api.log.pop();
            self.api.log.extend(bare);
            let key = self.api.nodes[&name(target)].node.key.clone();
            self.queue.push(complete, Message::Complete { key });
        }
        joined
    }

    /// A node that joined bare gets what it lacks.
    pub(crate) fn complete(&mut self, key: &NodeKey) {
        if self.api.get(key).is_none() {
            return;
        }
        let number = key.name[1..].parse().unwrap_or(0);
        self.api.change(&key.name, |node| {
            node.node.internal_ips = addresses(number, true);
            node.node.provider_id = Some(machine_id(key));
        });
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

    pub(crate) fn machine_of(&mut self, name: &str) -> Option<&mut Machine> {
        let id = self.api.nodes.get(name)?.node.provider_id.as_ref()?;
        self.cloud.machines.get_mut(id)
    }

    fn apply_to_machine(&mut self, entry: Entry) -> bool {
        if self.scenario.cloud != CloudKind::Cloud {
            return false;
        }
        let hop = self.cloud.next_hop();
        let forwards = self.cloud.limits.forwarding;
        let Some(machine) = self.machine_of(&name(entry.target)) else {
            return false;
        };
        if machine.state != MachineState::Running {
            return false;
        }
        match entry.fault {
            Fault::InstanceGone => machine.state = MachineState::Gone,
            Fault::InstanceUnsupported => machine.state = MachineState::Unsupported,
            Fault::InstanceReplaced => {
                machine.v4 = machine.v4.is_some().then(|| hop.clone());
                machine.v6 = machine.v6.is_some().then_some(hop);
            }
            Fault::AddressFamilyLost if entry.amount.is_multiple_of(2) => machine.v4 = None,
            Fault::AddressFamilyLost => machine.v6 = None,
            _ if !forwards || !machine.forwarding => return false,
            _ => machine.forwarding = false,
        }
        true
    }
}
