//! What is told of the tables in figures.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Tables, cell::Cell, destination::Want, room::Room, table::Table};
use crate::{
    cloud::Usage,
    ipam::Family,
    summary::{QuotaUse, TableUse},
};

impl Tables {
    /// Each table, by name. Costs a look at every destination.
    pub(crate) fn uses(&self) -> Vec<TableUse> {
        let mut uses: Vec<TableUse> = self.all.iter().map(empty).collect();
        for (_, destination) in self.destinations.iter() {
            let wanted = destination.want().hop().is_some();
            let stale = *destination.want() == Want::Remove;
            for (index, table) in uses.iter_mut().enumerate() {
                let right = usize::from(wanted && destination.is_right(index));
                let ours = destination.cell(index).map_or(0, |cell| cell.ours.len());
                table.desired += usize::from(wanted);
                table.programmed += right;
                table.missing += usize::from(wanted) - right;
                table.stale += if stale { ours } else { ours.saturating_sub(1) };
            }
        }
        uses.sort_by(|a, b| a.table.cmp(&b.table));
        uses
    }

    /// How many deletions are held back.
    pub(crate) fn held(&self) -> usize {
        if self.guard.held {
            self.destinations.tally().orphans
        } else {
            0
        }
    }

    /// Why a route that should go cannot be deleted, in the words of the cloud.
    pub(crate) fn deletion_error(&self) -> Option<String> {
        let mut going = self
            .destinations
            .iter()
            .filter(|(_, it)| *it.want() == Want::Remove);
        let error = going.find_map(|(_, it)| {
            let trouble = it.cells().find_map(Cell::trouble);
            trouble.filter(|trouble| trouble.lasting)
        });
        error.map(|trouble| trouble.message.clone())
    }

    /// Destinations of others' routes in any table.
    pub(crate) fn foreign(&self) -> BTreeSet<IpNet> {
        self.all.iter().flat_map(Table::foreign).collect()
    }

    /// Ranges in which no route of ours may lie, in any table.
    pub(crate) fn barred(&self) -> BTreeSet<IpNet> {
        let barred = self.all.iter().flat_map(|table| &table.barred);
        barred.copied().collect()
    }
}

fn empty(table: &Table) -> TableUse {
    TableUse {
        table: table.id.clone(),
        desired: 0,
        programmed: 0,
        missing: 0,
        stale: 0,
        foreign: table.foreign_count(),
        v4: quota_use(table.room(Family::V4)),
        v6: quota_use(table.room(Family::V6)),
    }
}

fn quota_use(room: &Room) -> Option<QuotaUse> {
    let Usage { used, limit } = room.usage()?;
    Some(QuotaUse {
        used,
        limit,
        level: room.level(),
    })
}
