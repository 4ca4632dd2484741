//! Room in tables whose routes the cloud bounds.
//!
//! Routes that found no room wait. Where the cloud tells how full a table is, nothing is created
//! that does not fit; where it does not, one at a time once a route was refused. Room goes to the
//! node that became known first, which is the oldest, so who waits does not change by itself.

use ipnet::IpNet;

use super::{
    Engine,
    clock::{Due, Stamp},
};
use crate::{
    Action,
    action::{Notice, Subject},
    backoff::{Pace, hash},
    cloud::{CloudError, TableId, TableUsage, Usage},
    ipam::Family,
    routes::{Ended, PROBE},
    summary::QuotaLevel,
};

impl Engine {
    pub(super) fn begin_filling(&mut self, cidr: IpNet, table: usize) {
        let now = self.now.at;
        if let Some(until) = self.routes.tables[table]
            .room_mut(Family::of(&cidr))
            .begin(now)
        {
            self.timers.set(until, Due::FullTables);
        }
    }

    /// A creation ended.
    pub(super) fn filled(&mut self, cidr: IpNet, table: usize, how: Ended) {
        let now = self.now.at;
        let room = self.routes.tables[table].room_mut(Family::of(&cidr));
        let waited = room.full();
        let until = room.ended(how, now);
        let admits = room.admits();
        if let Some(until) = until {
            self.timers.set(until, Due::FullTables);
        }
        if waited && admits {
            self.fill(table, Family::of(&cidr));
        }
    }

    /// A route of ours is gone.
    pub(super) fn emptied(&mut self, cidr: IpNet, table: usize) {
        let room = self.routes.tables[table].room_mut(Family::of(&cidr));
        let waited = room.full();
        room.deleted();
        if waited {
            self.fill(table, Family::of(&cidr));
        }
    }

    /// The table has no room: nothing more is created there until a route goes or time has passed.
    pub(super) fn refused(&mut self, cidr: IpNet, table: usize, error: &CloudError) {
        let (now, backoff) = (self.now, self.backoff);
        let table = &mut self.routes.tables[table];
        let item = hash(table.id.0.bytes());
        let room = table.room_mut(Family::of(&cidr));
        let wait = backoff.delay(item, room.refuse(now), Pace::Slow).min(PROBE);
        let wait = wait.max(error.retry_after.unwrap_or_default());
        let until = now.at.after(wait);
        room.close(until);
        self.timers.set(until, Due::FullTables);
    }

    /// Time has passed: one more route is tried in each table that was full.
    pub(super) fn try_full_tables(&mut self) {
        let now = self.now.at;
        for table in 0..self.routes.tables.len() {
            for family in [Family::V4, Family::V6] {
                let room = self.routes.tables[table].room_mut(family);
                if room.due(now) && room.reopen() {
                    self.fill(table, family);
                }
            }
        }
    }

    /// Takes note of how full a listing showed a table to be.
    pub(super) fn note_usage(&mut self, table: usize, usage: TableUsage, begun: Stamp) {
        let now = self.now.at;
        for (family, usage) in [(Family::V4, usage.v4), (Family::V6, usage.v6)] {
            let unshown = usage.map_or(0, |_| self.routes.unshown(table, family));
            let known = &mut self.routes.tables[table];
            let id = known.id.clone();
            let room = known.room_mut(family);
            let (opened, until) = room.list(usage, unshown, begun, now);
            let (rose, usage) = (room.rise(), room.usage());
            if let Some(until) = until {
                self.timers.set(until, Due::FullTables);
            }
            if let (Some(level), Some(usage)) = (rose, usage)
                && let Some(reason) = level.reason()
            {
                self.actions.push(Action::Notify(Notice {
                    subject: Subject::Part(id.0.clone()),
                    reason,
                    message: running_out(&id, family, usage, level),
                }));
            }
            if opened {
                self.fill(table, family);
            }
        }
    }

    /// Creates what is missing in a table, for older nodes first.
    fn fill(&mut self, table: usize, family: Family) {
        let mut missing: Vec<_> = self
            .routes
            .iter()
            .filter(|(cidr, it)| {
                Family::of(cidr) == family && it.want.is_some() && !it.right(table)
            })
            .map(|(cidr, it)| (it.owner, cidr))
            .collect();
        missing.sort_unstable();
        for (_, cidr) in missing {
            self.mark_involved(cidr);
            self.consider(cidr);
        }
    }
}

/// Why a node has to wait.
pub(super) fn no_room(table: &TableId, cidr: IpNet, usage: Option<Usage>) -> String {
    let family = Family::of(&cidr);
    let limit = usage.and_then(|usage| usage.limit);
    let limit = limit.map_or(String::new(), |limit| {
        format!(" of {limit} {family} routes")
    });
    format!("table {table} has no room for a route for {cidr}; raise its quota{limit}")
}

fn running_out(table: &TableId, family: Family, usage: Usage, level: QuotaLevel) -> String {
    let Usage { used, limit } = usage;
    let limit = limit.unwrap_or(used);
    let then = if level == QuotaLevel::Full {
        "nodes that join get no route"
    } else {
        "without room nodes that join get no route"
    };
    format!("table {table} has {used} of {limit} {family} routes; raise its quota: {then}")
}
