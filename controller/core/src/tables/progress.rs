//! How far the routes for a destination are, for the node that has it.

use ipnet::IpNet;

use super::{Tables, destination::Destination, quota, table::Table};
use crate::{
    action::Reason,
    cloud::{Blackhole, TableId},
    ids::NodeId,
    ipam::Family,
    turn::Trouble,
};

/// The routes for a destination in all tables.
#[derive(Clone, Copy)]
pub(crate) struct Routes<'a> {
    tables: &'a [Table],
    cidr: IpNet,
    destination: &'a Destination,
}

impl Routes<'_> {
    /// The node that the destination belongs to, or did last.
    pub(crate) fn owner(self) -> Option<NodeId> {
        self.destination.owner()
    }

    /// Every table was read back with the right route, and nobody else's route wins against it.
    pub(crate) fn are_right(self) -> bool {
        let mut tables = self.tables.iter().enumerate();
        let right = |(index, table): (usize, &Table)| {
            self.destination.is_read_back(index) && !table.conflicts(self.cidr)
        };
        !self.tables.is_empty() && tables.all(right)
    }

    /// Packets for the destination do not arrive any more: a table that led to its owner does no
    /// longer, or none does as far as is known. A table that never did, such as one that was added,
    /// does not count, nor does a write whose outcome is not known yet.
    pub(crate) fn are_lost(self) -> bool {
        let destination = self.destination;
        let mut tables = 0..self.tables.len();
        let works =
            |index: usize| destination.may_lead(index) && !self.tables[index].conflicts(self.cidr);
        let served = |index: usize| destination.cell(index).is_some_and(|cell| cell.served);
        let stopped = tables.clone().any(|index| served(index) && !works(index));
        stopped || !destination.in_doubt() && !tables.any(works)
    }

    /// Why some table does not lead to the owner, as far as that is more than a matter of time.
    pub(crate) fn trouble(self) -> Option<Trouble> {
        let mut tables = self.tables.iter().enumerate();
        tables.find_map(|(index, table)| self.trouble_in(table, index))
    }

    fn trouble_in(self, table: &Table, index: usize) -> Option<Trouble> {
        let Self {
            cidr, destination, ..
        } = self;
        if table.conflicts(cidr) {
            return Some(conflict(cidr, &table.id));
        }
        if destination.is_read_back(index) {
            return None;
        }
        let cell = destination.cell(index);
        let first = cell.and_then(|cell| cell.ours.first());
        if let (None, Some(range)) = (first, table.barred_at(cidr)) {
            return Some(barred(cidr, range, &table.id));
        }
        if let Some(trouble) = cell.and_then(|cell| cell.trouble()) {
            return Some(trouble.clone());
        }
        let hop = destination.want().hop()?;
        let cause = first.filter(|it| it.points_at(hop));
        if let Some(cause) = cause.and_then(|it| it.blackhole) {
            return Some(blackhole(cidr, &table.id, cause));
        }
        let room = table.room(Family::of(&cidr));
        (first.is_none() && room.full())
            .then(|| Trouble::lasting(Reason::QuotaExceeded, quota::no_room(table, cidr)))
    }
}

impl Tables {
    /// The routes for a destination of which anything is known.
    pub(crate) fn routes(&self, cidr: IpNet) -> Option<Routes<'_>> {
        Some(Routes {
            tables: &self.all,
            cidr,
            destination: self.destinations.get(cidr)?,
        })
    }

    /// What a destination waits for that is not routed yet; `None` if nothing is left to do for it in
    /// the tables.
    pub(crate) fn waits_for(&self, cidr: IpNet) -> Option<String> {
        if self.all.is_empty() {
            return Some("the route tables to be read".to_owned());
        }
        let destination = self.destinations.get(cidr);
        self.all.iter().enumerate().find_map(|(index, table)| {
            let right = destination.is_some_and(|it| it.is_right(index));
            let read_back = destination.is_some_and(|it| it.is_read_back(index));
            let cell = destination.and_then(|it| it.cell(index));
            let astray = cell.is_some_and(|cell| cell.astray.is_some());
            let step = if table.is_absent() {
                "read: listings lack the table"
            } else if right {
                "read back"
            } else if astray {
                "led back, once its instance was read again: somebody led it elsewhere"
            } else {
                "written"
            };
            let place = format!("the route for {cidr} in table {} to be {step}", table.id);
            (!read_back).then_some(place)
        })
    }

    /// Others' destinations that lie in a block and are smaller: they draw some of its packets away.
    pub(crate) fn foreign_inside(&self, block: IpNet) -> Option<(IpNet, &TableId)> {
        self.all.iter().find_map(|table| {
            let mut foreign = table.foreign();
            let inside = foreign.find(|cidr| block.contains(cidr) && *cidr != block);
            Some((inside?, &table.id))
        })
    }
}

fn conflict(cidr: IpNet, table: &TableId) -> Trouble {
    Trouble::lasting(
        Reason::RouteConflict,
        format!(
            "table {table} has a route for {cidr} that is not Signpost's; remove that route, or \
             delete the node and let it register anew"
        ),
    )
}

fn barred(cidr: IpNet, range: IpNet, table: &TableId) -> Trouble {
    Trouble::lasting(
        Reason::RangeBarred,
        format!(
            "no route to a node may lie in {range} (table {table}), where the pod CIDR {cidr} is; \
             choose another range in spec.pools, then delete the node and let it register anew"
        ),
    )
}

fn blackhole(cidr: IpNet, table: &TableId, cause: Blackhole) -> Trouble {
    let why = match cause {
        Blackhole::TargetGone => "what it leads to exists no more",
        Blackhole::TargetStopped => "the instance does not run; start it or delete the node",
        Blackhole::NotForwarding => {
            "the instance drops what is not addressed to itself; let it forward"
        }
        Blackhole::NotOnNetwork => "the instance is not on the route's network",
        Blackhole::Other => "it leads nowhere",
    };
    Trouble::lasting(
        Reason::RouteBlackhole,
        format!("packets along the route for {cidr} in table {table} are dropped: {why}"),
    )
}
