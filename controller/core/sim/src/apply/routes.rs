//! Carries out the entries of a schedule that concern route tables and blocks.

use ipnet::IpNet;
use signpost_core::cloud::{NextHop, TableId};

use crate::{
    cloud::{Held, MachineState, count, operations::Task},
    faults::{Entry, Fault},
    scenario::{CloudKind, blocks, net},
    world::World,
};

impl World<'_> {
    pub(crate) fn apply_to_table(&mut self, entry: Entry) -> bool {
        let Some(id) = self.cloud.pick(entry.target) else {
            return false;
        };
        let now = self.now;
        let tagged = self.cloud.tables.values();
        let several = tagged.filter(|table| now >= table.untagged).count() > 1;
        let ends = entry.ends();
        match entry.fault {
            Fault::TableAdded if self.cloud.tables.len() < 4 => {
                if self.scenario.cloud != CloudKind::Cloud {
                    return false;
                }
                self.cloud.add_table();
            }
            Fault::TableAdded => return false,
            Fault::TableRemoved => {
                if self.cloud.tables.len() < 2 {
                    return false;
                }
                self.cloud.tables.remove(&id);
            }
            Fault::ForeignRouteOutside => {
                return self.foreign(&id, net("172.31.0.0/16"));
            }
            Fault::ForeignRouteBeforePool => {
                let ranges = self.removed.iter().map(|pool| pool.cidr);
                let range = ranges.chain([self.next_pool().cidr]).last();
                let block = range.and_then(|range| {
                    let mut blocks = range.subnets(28.max(range.prefix_len())).ok()?;
                    blocks.nth(usize::from(entry.amount) % 2)
                });
                return block.is_some_and(|block| self.foreign(&id, block));
            }
            Fault::ForeignRoutesGone => {
                let now = self.now;
                let mut gone = self
                    .cloud
                    .edit(&id, now, |routes| routes.retain(|_, held| held.ours));
                if let Some(table) = self.cloud.tables.get_mut(&id) {
                    gone |= !std::mem::take(&mut table.propagated).is_empty();
                }
                return gone && self.changed_by_hand();
            }
            fault => {
                let Some(table) = self.cloud.tables.get_mut(&id) else {
                    return false;
                };
                if fault == Fault::TableFails {
                    table.fails = ends;
                } else if fault == Fault::TableHidden {
                    if self.scenario.cloud != CloudKind::Cloud {
                        return false;
                    }
                    (table.hidden, table.doubtful) = (ends, true);
                } else if fault == Fault::TableUntagged {
                    if !several {
                        return false;
                    }
                    let forever = entry.amount.is_multiple_of(2);
                    table.untagged = if forever { u64::MAX } else { ends };
                    table.doubtful = true;
                } else {
                    let families = [net("0.0.0.0/0"), net("::/0")];
                    let common = self.scenario.habits.common_quota;
                    let held = families.map(|family| count(&table.routes, &family, common));
                    let most = held[0].max(held[1]);
                    table.tight = (ends, most + usize::from(entry.amount % 3));
                }
            }
        }
        true
    }

    pub(crate) fn apply_to_block(&mut self, entry: Entry) -> bool {
        let Entry { target, amount, .. } = entry;
        let pools = &self.wishes.pools;
        let pool = &pools[usize::from(target) % pools.len()];
        let all = blocks(pool);
        let (cidr, length) = (pool.cidr, pool.node_prefix_length);
        let marks = self.scenario.habits.marks;
        let block = all[usize::from(target) / 2 % all.len()];
        let Some(id) = self.cloud.pick(amount) else {
            return false;
        };
        match entry.fault {
            Fault::ForeignRouteEqual => self.foreign(&id, block),
            Fault::ForeignRouteEqualsPool => self.foreign(&id, cidr),
            Fault::ForeignRoutePropagated => self.cloud.propagate(&id, block),
            Fault::RangeBarred => {
                // A block, the whole pool, or a part that the pool lies in.
                let wide = IpNet::new(cidr.addr(), cidr.prefix_len() - 1).map(|net| net.trunc());
                let range = match amount % 3 {
                    0 => block,
                    1 => cidr,
                    _ => wide.unwrap_or(cidr),
                };
                if let Some(table) = self.cloud.tables.get_mut(&id) {
                    table.barred.push((range, entry.ends()));
                }
                self.changed_by_hand()
            }
            Fault::SelectorChanged => self.change_selector(target, amount),
            Fault::ForeignRouteMoreSpecific => {
                let length = if amount.is_multiple_of(2) {
                    length + 2
                } else {
                    block.max_prefix_len()
                };
                let inner = block.subnets(length).ok();
                let inner = inner.and_then(|mut inner| inner.next());
                inner.is_some_and(|inner| self.foreign(&id, inner))
            }
            Fault::ForeignRouteLessSpecific => {
                let outer = IpNet::new(block.addr(), length - 1).map(|net| net.trunc());
                let outer = outer.ok().filter(|outer| *outer != cidr);
                outer.is_some_and(|outer| self.foreign(&id, outer))
            }
            Fault::RouteDeletedByHand
            | Fault::RouteAlteredByHand
            | Fault::RouteDoubled
            | Fault::RouteBlackholed
            | Fault::ForeignRouteInstead => {
                let table = self.cloud.tables.get(&id);
                let ours: Vec<IpNet> = table
                    .map(|table| {
                        let ours = table.routes.iter().filter(|(_, held)| held.ours);
                        ours.map(|(destination, _)| *destination).collect()
                    })
                    .unwrap_or_default();
                if ours.is_empty() {
                    return false;
                }
                let one = ours[usize::from(target) % ours.len()];
                let now = self.now;
                if entry.fault == Fault::RouteBlackholed {
                    if let Some(table) = self.cloud.tables.get_mut(&id) {
                        table.dropped.insert(one, entry.ends());
                    }
                    return self.changed_by_hand();
                }
                if entry.fault == Fault::RouteDeletedByHand {
                    return self.remove_by_hand(id, one);
                }
                let elsewhere = self.elsewhere(amount);
                if entry.fault == Fault::RouteDoubled {
                    return self.cloud.double(&id, one, now, amount) && self.changed_by_hand();
                }
                self.cloud.edit(&id, now, |routes| match entry.fault {
                    Fault::RouteAlteredByHand => {
                        routes.entry(one).and_modify(|held| {
                            // Without a mark it is ours only if it leads to an instance of ours.
                            held.ours &= marks || elsewhere.is_some();
                            held.hop = elsewhere;
                        });
                    }
                    _ => {
                        routes.insert(one, Held::foreign());
                    }
                });
                self.changed_by_hand()
            }
            Fault::PoolDrained => {
                self.toggle_pool(target);
                true
            }
            _ => {
                if self.wishes.reserved.contains(&block) {
                    return false;
                }
                self.configure(|config| config.reserved.push(block));
                true
            }
        }
    }

    fn remove_by_hand(&mut self, table: TableId, destination: IpNet) -> bool {
        if self.scenario.habits.operations {
            self.carry_out(None, None, Task::Removal { table, destination });
            return true;
        }
        let now = self.now;
        self.cloud.edit(&table, now, |routes| {
            routes.remove(&destination);
        });
        self.changed_by_hand()
    }

    /// Where somebody leads a route of ours.
    fn elsewhere(&self, how: u8) -> Option<NextHop> {
        if self.scenario.habits.marks {
            let other = NextHop::Target("somewhere-else".into());
            return (!how.is_multiple_of(4)).then_some(other);
        }
        let machines = self.cloud.machines.values();
        let hops: Vec<&NextHop> = machines.filter_map(|machine| machine.v4.as_ref()).collect();
        let nth = usize::from(how) % hops.len().max(1);
        let hop = hops.get(nth).copied().cloned();
        hop.filter(|_| !how.is_multiple_of(4))
    }

    fn foreign(&mut self, id: &TableId, destination: IpNet) -> bool {
        let now = self.now;
        let added = self.cloud.edit(id, now, |routes| {
            routes.entry(destination).or_insert_with(Held::foreign);
        });
        added && self.changed_by_hand()
    }

    fn changed_by_hand(&mut self) -> bool {
        self.routes_changed(100);
        true
    }

    /// Takes away what stands in the way of nodes.
    pub(crate) fn heal(&mut self) {
        let tables: Vec<TableId> = self.cloud.tables.keys().cloned().collect();
        for id in tables {
            let now = self.now;
            self.cloud
                .edit(&id, now, |routes| routes.retain(|_, held| held.ours));
        }
        let nodes = self.api.nodes.values();
        let machines: Vec<_> = nodes
            .filter_map(|node| node.node.provider_id.clone())
            .collect();
        for id in machines {
            // What comes back does so with another network interface.
            let hop = self.cloud.next_hop();
            if let Some(machine) = self.cloud.machines.get_mut(&id)
                && machine.state != MachineState::Running
            {
                machine.state = MachineState::Running;
                machine.changed = true;
                machine.v4 = machine.v4.is_some().then(|| hop.clone());
                machine.v6 = machine.v6.is_some().then_some(hop);
            }
        }
        self.changed_by_hand();
    }
}
