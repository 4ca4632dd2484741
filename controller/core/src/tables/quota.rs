//! Room in tables whose routes the cloud bounds.
//!
//! Routes that found no room wait. Where the cloud tells how full a table is, nothing is created
//! that does not fit; where it does not, one at a time once a route was refused. Room goes to the
//! node that became known first, which is the oldest, so who waits does not change by itself.

use std::time::Duration;

use ipnet::IpNet;

use super::{
    Due, Tables,
    destination::Destination,
    room::{Ended, PROBE},
    table::Table,
};
use crate::{
    cloud::{CloudError, TableId, TableUsage, Usage},
    ids::Stamp,
    ipam::Family,
    retry::{Pace, hash},
    summary::QuotaLevel,
    turn::Turn,
};

/// The same level of a table's quota is not told more often: a table that is nearly full may be full
/// and have room again many times.
const QUOTA_SILENCE: Duration = Duration::from_secs(600);

impl Tables {
    pub(super) fn begin_filling(&mut self, turn: &Turn, cidr: IpNet, table: usize) {
        let room = self.all[table].room_mut(Family::of(&cidr));
        if let Some(until) = room.begin(turn.now.at) {
            self.timers.set(until, Due::FullTables);
        }
    }

    /// A creation ended.
    pub(super) fn filled(&mut self, turn: &Turn, cidr: IpNet, table: usize, how: Ended) {
        let room = self.all[table].room_mut(Family::of(&cidr));
        let waited = room.full();
        let until = room.ended(how, turn.now.at);
        let admits = room.admits();
        if let Some(until) = until {
            self.timers.set(until, Due::FullTables);
        }
        if waited && admits {
            self.fill(turn, table, Family::of(&cidr));
        }
    }

    /// A route of ours is gone.
    pub(super) fn emptied(&mut self, turn: &Turn, cidr: IpNet, table: usize) {
        let room = self.all[table].room_mut(Family::of(&cidr));
        let waited = room.full();
        room.deleted();
        if waited {
            self.fill(turn, table, Family::of(&cidr));
        }
    }

    /// The table has no room: nothing more is created there until a route goes or time has passed.
    pub(super) fn refused(&mut self, turn: &Turn, cidr: IpNet, table: usize, error: &CloudError) {
        let table = &mut self.all[table];
        let item = hash(table.id.0.bytes());
        let room = table.room_mut(Family::of(&cidr));
        let refusals = room.refuse(turn.now);
        let wait = turn.backoff.delay(item, refusals, Pace::Slow).min(PROBE);
        let wait = wait.max(error.retry_after.unwrap_or_default());
        let until = turn.now.at.after(wait);
        room.close(until);
        self.timers.set(until, Due::FullTables);
    }

    /// Time has passed: one more route is tried in each table that was full.
    pub(super) fn try_full_tables(&mut self, turn: &Turn) {
        for table in 0..self.all.len() {
            for &family in self.all[table].counted() {
                let room = self.all[table].room_mut(family);
                if room.due(turn.now.at) && room.reopen() {
                    self.fill(turn, table, family);
                }
            }
        }
    }

    /// Takes note of how full a listing showed a table to be.
    pub(super) fn note_usage(
        &mut self,
        turn: &mut Turn,
        table: usize,
        usage: TableUsage,
        begun: Stamp,
    ) {
        self.all[table].set_common(usage.common);
        for &family in self.all[table].counted() {
            let usage = match family {
                Family::V4 => usage.v4,
                Family::V6 => usage.v6,
            };
            let unshown = usage.map_or(0, |_| self.unshown(table, family));
            let known = &mut self.all[table];
            let id = known.id.clone();
            let room = known.room_mut(family);
            let (opened, until) = room.list(usage, unshown, begun, turn.now.at);
            let (rose, usage) = (room.rise(), room.usage());
            if let Some(until) = until {
                self.timers.set(until, Due::FullTables);
            }
            if let (Some(level), Some(usage)) = (rose, usage)
                && let Some(reason) = level.reason()
            {
                let which = self.all[table].which(family);
                let message = running_out(&id, which, usage, level);
                self.tell(turn, &id, reason, QUOTA_SILENCE, message);
            }
            if opened {
                self.fill(turn, table, family);
            }
        }
    }

    /// How many of our routes in a table were written and not shown by a listing yet.
    fn unshown(&self, table: usize, family: Family) -> u32 {
        let unshown = self.destinations.iter().filter(|(cidr, it)| {
            let cell = it.cell(table);
            let cell = cell.filter(|cell| !cell.ours.is_empty() && !cell.proven);
            self.all[table].shares(family, Family::of(cidr)) && cell.is_some()
        });
        u32::try_from(unshown.count()).unwrap_or(u32::MAX)
    }

    /// Creates what is missing in a table, for older nodes first.
    fn fill(&mut self, turn: &Turn, table: usize, family: Family) {
        let missing = |(cidr, it): &(IpNet, &Destination)| {
            self.all[table].shares(family, Family::of(cidr))
                && it.want().hop().is_some()
                && !it.is_right(table)
        };
        let mut missing: Vec<_> = self
            .destinations
            .iter()
            .filter(missing)
            .map(|(cidr, it)| (it.owner(), cidr))
            .collect();
        missing.sort_unstable();
        for (_, cidr) in missing {
            self.dirty.insert(cidr);
            self.requeue(turn, cidr);
        }
    }
}

/// Why a node has to wait.
pub(super) fn no_room(table: &Table, cidr: IpNet) -> String {
    let family = Family::of(&cidr);
    let limit = table.room(family).usage().and_then(|usage| usage.limit);
    let limit = limit.map_or(String::new(), |limit| {
        format!(" of {limit} {}", table.which(family))
    });
    let id = &table.id;
    format!("table {id} has no room for a route for {cidr}; raise its quota{limit}")
}

fn running_out(table: &TableId, which: &str, usage: Usage, level: QuotaLevel) -> String {
    let Usage { used, limit } = usage;
    let limit = limit.unwrap_or(used);
    let then = if level == QuotaLevel::Full {
        "nodes that join get no route"
    } else {
        "without room nodes that join get no route"
    };
    format!("table {table} has {used} of {limit} {which}; raise its quota: {then}")
}
