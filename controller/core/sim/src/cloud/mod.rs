//! The model cloud: route tables and machines, as they truly are.

pub(crate) mod calls;
mod machine;
pub(crate) mod operations;
mod reads;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use signpost_core::{
    Limits,
    cloud::{
        Blackhole, CloudError, CloudErrorKind, NextHop, ObservedRoute, Route, RouteChange, TableId,
    },
};

pub(crate) use self::{
    machine::{Machine, MachineState},
    table::{Held, Routes, Table, count},
};
use self::{operations::Operation, table::take};
use crate::scenario::Habits;

/// Until when the cloud misbehaves, and how.
#[derive(Debug, Default)]
pub(crate) struct CloudModes {
    pub(crate) down: u64,
    pub(crate) throttles: u64,
    pub(crate) denies: u64,
    pub(crate) answers_lost: u64,
    pub(crate) slow: u64,
    pub(crate) listing_fails: u64,
    pub(crate) listing_hangs: u64,
    pub(crate) denies_deletions: u64,
}

/// The cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) limits: Limits,
    pub(crate) tables: BTreeMap<TableId, Table>,
    /// By `spec.providerID`.
    pub(crate) machines: BTreeMap<Arc<str>, Machine>,
    pub(crate) modes: CloudModes,
    /// Where somebody else ever had a route.
    pub(crate) foreign_ever: BTreeSet<IpNet>,
    /// Where somebody ever had one that ours take precedence over.
    pub(crate) propagated_ever: BTreeSet<IpNet>,
    pub(crate) habits: Habits,
    /// What is carried out, or was, in the order in which it was accepted.
    operations: Vec<Operation>,
    named: u64,
    hops: u64,
}

impl Cloud {
    pub(crate) fn new(limits: Limits, habits: Habits) -> Self {
        Self {
            limits,
            tables: BTreeMap::new(),
            machines: BTreeMap::new(),
            modes: CloudModes::default(),
            foreign_ever: BTreeSet::new(),
            propagated_ever: BTreeSet::new(),
            habits,
            operations: Vec::new(),
            named: 0,
            hops: 0,
        }
    }

    /// Somebody has a route that ours take precedence over.
    pub(crate) fn propagate(&mut self, id: &TableId, block: IpNet) -> bool {
        self.propagated_ever.insert(block);
        let table = self.tables.get_mut(id);
        table.is_some_and(|table| table.propagated.insert(block))
    }

    /// A network interface that was never there before.
    pub(crate) fn next_hop(&mut self) -> NextHop {
        self.hops += 1;
        NextHop::Target(format!("eni-{}", self.hops).into())
    }

    /// A number that no table had before, and the table.
    pub(crate) fn add_table(&mut self) -> TableId {
        self.named += 1;
        let id = TableId(format!("table-{}", self.named).into());
        self.tables.insert(id.clone(), Table::default());
        id
    }

    /// The table with that number, counted round.
    pub(crate) fn pick(&self, target: u8) -> Option<TableId> {
        let count = self.tables.len().max(1);
        self.tables.keys().nth(usize::from(target) % count).cloned()
    }

    /// Changes a table and keeps what it held before for late readers.
    pub(crate) fn edit(&mut self, id: &TableId, now: u64, edit: impl FnOnce(&mut Routes)) -> bool {
        let late = !self.limits.settle.is_zero();
        let Some(table) = self.tables.get_mut(id) else {
            return false;
        };
        let before = table.routes.clone();
        edit(&mut table.routes);
        if table.routes == before {
            return false;
        }
        let Table {
            routes,
            foreign_since,
            changed,
            ..
        } = table;
        for (net, held) in routes.iter() {
            if before.get(net) != Some(held) {
                changed.insert(*net, now);
            }
        }
        for net in before.keys().filter(|net| !routes.contains_key(net)) {
            changed.insert(*net, now);
        }
        foreign_since.retain(|net, _| routes.get(net).is_some_and(|held| !held.ours));
        for (net, _) in routes.iter().filter(|(_, held)| !held.ours) {
            foreign_since.entry(*net).or_insert(now);
            self.foreign_ever.insert(*net);
        }
        if late {
            table.past.push((now, table.routes.clone()));
        }
        true
    }

    /// The hop is no machine's that is there.
    pub(crate) fn leads_nowhere(&self, hop: &NextHop) -> bool {
        matches!(hop, NextHop::Target(_))
            && !self.machines.values().any(|machine| {
                machine.state != MachineState::Gone
                    && (machine.v4.as_ref() == Some(hop) || machine.v6.as_ref() == Some(hop))
            })
    }

    /// Whether packets along the route are dropped, and why.
    pub(crate) fn blackhole(
        &self,
        table: &Table,
        destination: &IpNet,
        route: &Held,
        now: u64,
    ) -> Option<Blackhole> {
        let hop = route.hop.as_ref().filter(|_| route.ours)?;
        if self.leads_nowhere(hop) {
            return Some(Blackhole::TargetGone);
        }
        let dropped = table.dropped.get(destination);
        if dropped.is_some_and(|until| now < *until) {
            return Some(Blackhole::Other);
        }
        let mut machines = self.machines.values();
        let machine = machines
            .find(|it| it.v4.as_ref() == Some(hop) || it.v6.as_ref() == Some(hop))
            .filter(|_| matches!(hop, NextHop::Target(_)))?;
        if now < machine.stopped {
            Some(Blackhole::TargetStopped)
        } else if self.habits.tells_forwarding && self.limits.forwarding && !machine.forwarding {
            Some(Blackhole::NotForwarding)
        } else {
            None
        }
    }

    /// A second route of ours for the destination, in clouds whose routes have names: it leads
    /// elsewhere or to the same place, and either may be the one that was there before.
    pub(crate) fn double(&mut self, id: &TableId, destination: IpNet, now: u64, how: u8) -> bool {
        let Some(handle) = self.handle() else {
            return false;
        };
        self.edit(id, now, |routes| {
            let Some(held) = routes
                .get_mut(&destination)
                .filter(|it| it.double.is_none())
            else {
                return;
            };
            let elsewhere = Some(NextHop::Target("somewhere-else".into()));
            let mut double = Held {
                hop: if how.is_multiple_of(3) {
                    held.hop.clone()
                } else {
                    elsewhere
                },
                handle: Some(handle),
                ..held.clone()
            };
            if how.is_multiple_of(2) {
                std::mem::swap(held, &mut double);
            }
            held.double = Some(Box::new(double));
        })
    }

    fn handle(&mut self) -> Option<Arc<str>> {
        self.named += 1;
        self.habits
            .handles
            .then(|| format!("r-{}", self.named).into())
    }

    /// Why a change is refused, as a provider promises it.
    fn refusal(&self, change: &RouteChange, now: u64) -> Option<CloudError> {
        let fail = |kind, detail: &str| Some(CloudError::new(kind, detail));
        let Some(table) = self.tables.get(change.table()) else {
            return fail(CloudErrorKind::NotFound, "no such table");
        };
        let there = table.routes.get(&change.destination());
        let common = self.habits.common_quota;
        let held = count(&table.routes, &change.destination(), common);
        let full = now < table.tight.0 && held >= table.tight.1;
        let is = |old: &ObservedRoute| {
            let mut all = there.into_iter().flat_map(Held::all);
            all.any(|held| held.ours && held.handle == old.handle)
        };
        let missing = |route: &Route| {
            let nowhere = self.leads_nowhere(&route.next_hop);
            nowhere.then(|| CloudError::new(CloudErrorKind::NotFound, "no such network interface"))
        };
        match change {
            RouteChange::Create { route, .. } => match there {
                Some(_) => fail(CloudErrorKind::AlreadyExists, "the destination has a route"),
                None if full => fail(CloudErrorKind::QuotaExceeded, "the table is full"),
                None => missing(route),
            },
            RouteChange::Replace { old, route, .. } if is(old) => missing(route),
            RouteChange::Delete { route, .. } if is(route) => None,
            RouteChange::Replace { .. } | RouteChange::Delete { .. } => {
                fail(CloudErrorKind::NotFound, "no such route of ours")
            }
        }
    }

    /// Carries out a change.
    pub(crate) fn write(&mut self, change: &RouteChange, now: u64) -> Result<(), CloudError> {
        if let Some(error) = self.refusal(change, now) {
            return Err(error);
        }
        match change {
            RouteChange::Create { table, route } => self.set(table, route, None, now),
            RouteChange::Replace { table, old, route } => self.set(table, route, Some(old), now),
            RouteChange::Delete { table, route } => {
                self.edit(table, now, |routes| {
                    take(routes, route);
                });
            }
        }
        Ok(())
    }

    /// Half of a replacement in a cloud that has to remove the old route first.
    pub(crate) fn write_half(&mut self, change: &RouteChange, now: u64) {
        if let RouteChange::Replace { table, old, .. } = change
            && self.habits.handles
        {
            let delete = RouteChange::Delete {
                table: table.clone(),
                route: old.clone(),
            };
            // Nothing to remove is fine here.
            let _ = self.write(&delete, now);
        }
    }

    fn set(&mut self, table: &TableId, route: &Route, old: Option<&ObservedRoute>, now: u64) {
        let held = Held {
            hop: Some(route.next_hop.clone()),
            ours: true,
            handle: self.handle(),
            double: None,
        };
        self.edit(table, now, |routes| {
            let double = old.and_then(|old| take(routes, old)).map(Box::new);
            routes.insert(route.destination, Held { double, ..held });
        });
    }
}

/// The first address of the destination's family, as a next hop.
pub(crate) fn address_hop(addresses: &[IpAddr], destination: IpNet) -> Option<NextHop> {
    addresses
        .iter()
        .find(|address| address.is_ipv4() == matches!(destination, IpNet::V4(_)))
        .copied()
        .map(NextHop::Address)
}
