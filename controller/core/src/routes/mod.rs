//! Which routes are missing, wrong or left over.
//!
//! The state of the world as far as it is known: for each destination what should be there and
//! what each table was seen to have. Listings are merged by `apply`, writes of our
//! own by the engine; `Tally` counts what the deletion guard asks for.

mod apply;
mod destination;
mod room;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

pub(crate) use self::destination::{Destination, OurRoute, Step, Trouble};
pub(crate) use self::room::{Ended, PROBE, Room};
use crate::{cloud::TableId, engine::clock::Stamp, ipam::Family};

/// One route table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) id: TableId,
    /// It was listed at least once.
    pub(crate) known: bool,
    /// Destinations inside the pools that are somebody else's.
    pub(crate) foreign: BTreeSet<IpNet>,
    pub(crate) v4: Room,
    pub(crate) v6: Room,
}

impl Table {
    pub(crate) fn room(&self, family: Family) -> &Room {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    pub(crate) fn room_mut(&mut self, family: Family) -> &mut Room {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

/// Destinations that have a route of ours in some table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All of them.
    pub(crate) ours: usize,
    /// Those that nobody claims, and that cannot be taken for a mistake.
    pub(crate) unclaimed: usize,
}

/// All destinations and tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes {
    /// From this moment on nothing is older: the election.
    pub(crate) origin: Stamp,
    pub(crate) tables: Vec<Table>,
    /// Boxed, so that a search reads little memory and half-empty tree nodes cost little.
    destinations: BTreeMap<IpNet, Box<Destination>>,
    /// Destinations that no node claims.
    unclaimed: BTreeSet<IpNet>,
    tally: Tally,
}

impl Routes {
    pub(crate) fn new(origin: Stamp) -> Self {
        Self {
            origin,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, destination: IpNet) -> Option<&Destination> {
        self.destinations.get(&destination).map(Box::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpNet, &Destination)> {
        self.destinations
            .iter()
            .map(|(net, it)| (*net, it.as_ref()))
    }

    pub(crate) fn unclaimed(&self) -> &BTreeSet<IpNet> {
        &self.unclaimed
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Changes what is known of a destination, and all counts with it.
    pub(crate) fn update<T>(
        &mut self,
        destination: IpNet,
        change: impl FnOnce(&mut Destination) -> T,
    ) -> T {
        let origin = self.origin;
        let entry = self
            .destinations
            .entry(destination)
            .or_insert_with(|| Box::new(Destination::new(origin)));
        let before = entry.tally();
        let result = change(entry);
        self.tally.replace(before, entry.tally());
        if entry.claimed {
            self.unclaimed.remove(&destination);
        } else {
            self.unclaimed.insert(destination);
        }
        result
    }

    /// Forgets a destination of which nothing is left.
    pub(crate) fn remove(&mut self, destination: IpNet) {
        if let Some(gone) = self.destinations.remove(&destination) {
            self.tally.replace(gone.tally(), Tally::default());
            self.unclaimed.remove(&destination);
        }
    }

    /// How many of our routes in a table were written and not shown by a listing yet.
    pub(crate) fn unshown(&self, table: usize, family: Family) -> u32 {
        let unshown = self.destinations.iter().filter(|(net, it)| {
            let cell = it
                .cell(table)
                .filter(|cell| !cell.ours.is_empty() && !cell.proven);
            Family::of(net) == family && cell.is_some()
        });
        u32::try_from(unshown.count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn table(&self, id: &TableId) -> Option<usize> {
        self.tables.iter().position(|table| table.id == *id)
    }

    /// Takes over the set of tables that a listing named. Says whether any is new or gone; then no
    /// write is queued any more, since tables have other indices.
    pub(crate) fn set_tables<'a>(&mut self, named: impl Iterator<Item = &'a TableId>) -> bool {
        let named: BTreeSet<&TableId> = named.collect();
        let mut changed = false;
        while let Some(gone) = self
            .tables
            .iter()
            .position(|table| !named.contains(&table.id))
        {
            changed = true;
            self.tables.remove(gone);
            for destination in self.destinations.values_mut() {
                let before = destination.tally();
                destination.forget_table(gone);
                self.tally.replace(before, destination.tally());
            }
        }
        for id in named {
            if self.table(id).is_none() {
                changed = true;
                self.tables.push(Table {
                    id: id.clone(),
                    known: false,
                    foreign: BTreeSet::new(),
                    v4: Room::default(),
                    v6: Room::default(),
                });
            }
        }
        if changed {
            let mut destinations = self.destinations.values_mut();
            destinations.by_ref().for_each(|it| it.unqueue());
        }
        changed
    }
}

impl Tally {
    fn replace(&mut self, before: Self, after: Self) {
        self.ours = self.ours - before.ours + after.ours;
        self.unclaimed = self.unclaimed - before.unclaimed + after.unclaimed;
    }
}
