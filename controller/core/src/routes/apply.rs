//! Merging what a listing showed with what is known.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;

use super::{Cell, Destination, Routes, Step, destination::leads_to};
use crate::{
    cloud::{NextHop, ObservedRoute, Ownership},
    engine::clock::Stamp,
};

/// What one listing of one table changed.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Destinations of which something new is known.
    pub(crate) touched: Vec<IpNet>,
    /// Of those, the ones whose right and proven route is no longer there.
    pub(crate) drifted: Vec<IpNet>,
    /// Some route of ours that was written is not proven yet.
    pub(crate) unproven: bool,
}

impl Routes {
    /// Takes note of what a listing that was begun at `begun` showed of a table.
    ///
    /// A route that was written less than `settle` before may be missing from the listing or shown
    /// as it was; what we know of it stands. A foreign route in its place does not wait for that:
    /// better to believe that ours is gone than to change what is not ours.
    pub(crate) fn apply(
        &mut self,
        table: usize,
        routes: Vec<ObservedRoute>,
        begun: Stamp,
        settle: Duration,
    ) -> Applied {
        let mut applied = Applied::default();
        let (shown, foreign) = sort_out(routes);
        self.tables[table].known = true;
        self.tables[table].foreign = foreign;
        let mut shown = shown.into_iter().peekable();
        let mut news = Vec::new();
        for (net, destination) in &mut self.destinations {
            while let Some(route) = shown.next_if(|route| route.destination < *net) {
                news.push(route);
            }
            let seen = shown.next_if(|route| route.destination == *net);
            let confirmed = match destination.cell(table) {
                Some(cell) => cell.confirmed_by(seen.as_ref()),
                None => seen.is_none(),
            };
            if confirmed {
                continue;
            }
            let before = destination.tally();
            let found = if seen.is_none() && self.tables[table].foreign.contains(net) {
                displace(destination.cell_mut(table))
            } else {
                merge(destination, table, seen, begun, settle)
            };
            self.tally.replace(before, destination.tally());
            if found.changed {
                applied.touched.push(*net);
            }
            if found.drifted {
                applied.drifted.push(*net);
            }
            applied.unproven |= found.unproven;
        }
        for route in news.into_iter().chain(shown) {
            let net = route.destination;
            self.update(net, |destination| {
                let cell = destination.cell_mut(table);
                cell.ours = Some(route);
                cell.proven = true;
            });
            applied.touched.push(net);
        }
        applied
    }
}

/// Our routes in ascending order, one for each destination, and what is not ours.
fn sort_out(routes: Vec<ObservedRoute>) -> (Vec<ObservedRoute>, BTreeSet<IpNet>) {
    let mut foreign = BTreeSet::new();
    let mut ours: Vec<ObservedRoute> = routes
        .into_iter()
        .filter_map(|mut route| {
            route.destination = route.destination.trunc();
            if route.ownership == Ownership::Ours {
                return Some(route);
            }
            foreign.insert(route.destination);
            None
        })
        .collect();
    ours.sort_by_key(|route| route.destination);
    ours.dedup_by_key(|route| route.destination);
    (ours, foreign)
}

#[derive(Default)]
struct News {
    changed: bool,
    drifted: bool,
    unproven: bool,
}

/// A foreign route stands where ours was.
fn displace(cell: &mut Cell) -> News {
    let lost = cell.ours.take().is_some();
    cell.proven = false;
    let changed = lost || cell.step == Step::Uncertain;
    cell.certain();
    News {
        changed,
        ..News::default()
    }
}

fn merge(
    destination: &mut Destination,
    table: usize,
    seen: Option<ObservedRoute>,
    begun: Stamp,
    settle: Duration,
) -> News {
    let was_read_back = destination.read_back(table);
    let (want, cell) = destination.want_and_cell(table);
    let mut news = News::default();
    let overlaps = cell
        .written
        .is_some_and(|end| !begun.shows(end, Duration::ZERO));
    if cell.step == Step::Writing || overlaps {
        return news;
    }
    let settled = cell.written.is_none_or(|end| begun.shows(end, settle));
    if same(cell.ours.as_ref(), seen.as_ref()) {
        news.changed = cell.proven != seen.is_some() || cell.step == Step::Uncertain;
        cell.proven = seen.is_some();
        if cell.ours != seen {
            cell.ours = seen;
        }
        cell.certain();
    } else if settled || cell.step == Step::Uncertain {
        news.changed = true;
        // A route that became a blackhole was not changed by anybody.
        news.drifted =
            was_read_back && seen.as_ref().and_then(|route| route.next_hop.as_ref()) != want;
        cell.proven = seen.is_some();
        cell.ours = seen;
        cell.certain();
    } else {
        news.unproven = true;
    }
    if settled && cell.attempts > 0 && satisfied(cell, want) {
        cell.attempts = 0;
        news.changed |= cell.trouble.take().is_some();
    }
    news
}

fn same(known: Option<&ObservedRoute>, seen: Option<&ObservedRoute>) -> bool {
    match (known, seen) {
        (None, None) => true,
        (Some(known), Some(seen)) => {
            known.next_hop == seen.next_hop && known.blackhole == seen.blackhole
        }
        _ => false,
    }
}

/// The table has what it should have.
fn satisfied(cell: &Cell, want: Option<&NextHop>) -> bool {
    match (want, &cell.ours) {
        (Some(hop), Some(ours)) => leads_to(ours, hop),
        (None, None) => true,
        _ => false,
    }
}

impl Cell {
    /// Nothing is to be learnt from a listing that shows this.
    fn confirmed_by(&self, seen: Option<&ObservedRoute>) -> bool {
        self.proven == seen.is_some()
            && self.attempts == 0
            && matches!(self.step, Step::Idle | Step::Queued)
            && self.ours.as_ref() == seen
    }

    fn certain(&mut self) {
        if self.step == Step::Uncertain {
            self.step = Step::Idle;
        }
    }
}
