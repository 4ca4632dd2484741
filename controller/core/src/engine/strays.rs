//! Writes of an earlier leadership of this process that may still land.
//!
//! A leader that loses its lease and wins it back forgets everything, but what it had sent is still
//! on its way. It waits for the answers, and for none longer than a write can take.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    Engine,
    api::ApiWrites,
    clock::{Due, Stamp},
    writes::Writes,
};
use crate::{Action, Time, cloud::TableId, node::NodeKey, routes::Step};

/// How long after a loss of leadership its writes may still be under way.
const LIMIT: Duration = Duration::from_secs(15);

/// Writes that were in flight when an earlier leadership of this process ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Strays {
    since: Time,
    routes: BTreeMap<u64, (TableId, IpNet)>,
    last_end: Stamp,
    setting: BTreeSet<NodeKey>,
    reporting: BTreeSet<NodeKey>,
    /// What was being set.
    pod_cidrs: BTreeMap<NodeKey, Vec<IpNet>>,
}

impl Strays {
    /// Takes over what is in flight.
    pub(super) fn keep(&mut self, writes: &mut Writes, api: &mut ApiWrites, now: Stamp) {
        let flights = writes.abandon();
        if flights.is_empty() && api.setting.is_empty() && api.reporting.is_empty() {
            return;
        }
        if now.at.since(self.since) > LIMIT {
            *self = Self {
                last_end: self.last_end,
                ..Self::default()
            };
        }
        self.since = now.at;
        let places = flights
            .into_iter()
            .map(|(write, it)| (write, (it.table().clone(), it.destination())));
        self.routes.extend(places);
        self.setting.extend(api.setting.keys().cloned());
        self.reporting.append(&mut api.reporting);
        self.pod_cidrs.append(&mut api.setting);
    }

    /// When the last route write ended; as an error, when they count as ended at the latest.
    pub(super) fn ended(&self) -> Result<Stamp, Time> {
        if self.routes.is_empty() {
            Ok(self.last_end)
        } else {
            Err(self.since.after(LIMIT))
        }
    }

    /// When none of them can be under way any more.
    pub(super) fn limit(&self) -> Time {
        self.since.after(LIMIT)
    }

    pub(super) fn route_writes(&self) -> usize {
        self.routes.len()
    }

    pub(super) fn api_writes(&self) -> usize {
        self.setting.len() + self.reporting.len()
    }

    /// The destination is being written.
    pub(super) fn writing(&self, table: &TableId, cidr: IpNet) -> bool {
        let mut places = self.routes.values();
        places.any(|(its_table, its_cidr)| its_table == table && *its_cidr == cidr)
    }

    /// The node's pod CIDRs are being written.
    pub(super) fn setting(&self, key: &NodeKey) -> bool {
        self.setting.contains(key)
    }

    /// The node's status is being written.
    pub(super) fn reporting(&self, key: &NodeKey) -> bool {
        self.reporting.contains(key)
    }

    /// What was being set on a node.
    pub(super) fn pod_cidrs(&mut self, key: &NodeKey, now: Time) -> Option<Vec<IpNet>> {
        let cidrs = self.pod_cidrs.remove(key)?;
        (now.since(self.since) <= LIMIT).then_some(cidrs)
    }
}

impl Engine {
    /// Says whether the answer was for a stray.
    pub(super) fn stray_setting_ended(&mut self, key: &NodeKey) -> bool {
        let stray = self.strays.setting.remove(key);
        if let (true, Some(id)) = (stray, self.nodes.id(key)) {
            // Whether it succeeded or not: the node shows what it has.
            self.actions.push(Action::ReadNode(key.clone()));
            self.nodes.mark(id);
        }
        stray
    }

    /// Says whether the answer was for a stray.
    pub(super) fn stray_report_ended(&mut self, key: &NodeKey) -> bool {
        let stray = self.strays.reporting.remove(key);
        if let (true, Some(id)) = (stray, self.nodes.id(key)) {
            self.nodes.mark(id);
        }
        stray
    }

    /// A route write of an earlier leadership has ended one way or the other.
    pub(super) fn stray_write_ended(&mut self, write: u64) {
        let Some((table, cidr)) = self.strays.routes.remove(&write) else {
            return;
        };
        let now = self.now;
        self.strays.last_end = now;
        let known = self.elected.and_then(|_| self.routes.table(&table));
        if let (Some(table), true) = (known, self.routes.get(cidr).is_some()) {
            self.routes.update(cidr, |destination| {
                destination.changed = now;
                let cell = destination.cell_mut(table);
                cell.written = Some(now);
                cell.proven = false;
                cell.step = Step::Uncertain;
            });
            self.listing.want(now.at);
        }
    }

    /// Has another look when strays count as ended.
    pub(super) fn await_strays(&mut self) {
        self.timers.set(self.strays.limit(), Due::Recheck);
    }

    /// Whatever was not answered by now has ended.
    pub(super) fn abandon_strays(&mut self) {
        if self.strays.limit() > self.now.at {
            return;
        }
        let writes: Vec<u64> = self.strays.routes.keys().copied().collect();
        for write in writes {
            self.stray_write_ended(write);
        }
        for key in self.strays.setting.clone() {
            self.stray_setting_ended(&key);
        }
        for key in self.strays.reporting.clone() {
            self.stray_report_ended(&key);
        }
    }
}
