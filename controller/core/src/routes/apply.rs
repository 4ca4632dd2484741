//! Merging what a listing showed with what is known.

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Destination, OurRoute, Routes, Step, destination::Cell};
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
        let mut shown = Shown(&shown);
        let mut news = Vec::new();
        for (net, destination) in &mut self.destinations {
            while let Some(other) = shown.before(Some(*net)) {
                news.push(other);
            }
            let seen = shown.take(*net);
            let confirmed = match destination.cell(table) {
                Some(cell) => cell.confirmed_by(seen),
                None => seen.is_empty(),
            };
            if confirmed {
                continue;
            }
            let before = destination.tally();
            let found = if seen.is_empty() && self.tables[table].foreign.contains(net) {
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
        while let Some(other) = shown.before(None) {
            news.push(other);
        }
        for (net, seen) in news {
            self.update(net, |destination| {
                let cell = destination.cell_mut(table);
                cell.ours = arrange(seen, None);
                cell.proven = true;
            });
            applied.touched.push(net);
        }
        applied
    }
}

/// Our routes in a listing, in ascending order of destinations.
struct Shown<'a>(&'a [ObservedRoute]);

impl<'a> Shown<'a> {
    /// What comes next, if that is for a destination before this one.
    fn before(&mut self, net: Option<IpNet>) -> Option<(IpNet, &'a [ObservedRoute])> {
        let destination = self.0.first()?.destination;
        let before = net.is_none_or(|net| destination < net);
        before.then(|| (destination, self.take(destination)))
    }

    /// What comes next for just this destination.
    fn take(&mut self, net: IpNet) -> &'a [ObservedRoute] {
        let count = self.0.iter().take_while(|it| it.destination == net).count();
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}

/// The one to keep first: the one that leads where it should.
fn arrange(seen: &[ObservedRoute], want: Option<&NextHop>) -> SmallVec<[OurRoute; 1]> {
    let mut ours: SmallVec<[OurRoute; 1]> = seen.iter().map(OurRoute::from).collect();
    if ours.len() > 1 {
        let wrong = |it: &OurRoute| !want.is_some_and(|want| it.leads_to(want));
        ours.sort_by(|a, b| (wrong(a), a).cmp(&(wrong(b), b)));
    }
    ours
}

/// Our routes in ascending order, and what is not ours.
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
    ours.sort_unstable_by_key(|route| route.destination);
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
    let lost = !cell.ours.is_empty();
    cell.ours.clear();
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
    seen: &[ObservedRoute],
    begun: Stamp,
    settle: Duration,
) -> News {
    let was_read_back = destination.read_back(table);
    let (want, cell) = destination.want_and_cell(table);
    let seen = arrange(seen, want);
    let mut news = News::default();
    let overlaps = cell
        .written
        .is_some_and(|end| !begun.shows(end, Duration::ZERO));
    if cell.step == Step::Writing || overlaps {
        return news;
    }
    let settled = cell.written.is_none_or(|end| begun.shows(end, settle));
    if same(&cell.ours, &seen) {
        news.changed = cell.proven == seen.is_empty() || cell.step == Step::Uncertain;
        cell.proven = !seen.is_empty();
        cell.ours = seen;
        cell.certain();
    } else if settled || cell.step == Step::Uncertain {
        news.changed = true;
        // A route that became a blackhole was not changed by anybody.
        let leads_elsewhere = seen.iter().any(|route| route.next_hop.as_ref() != want);
        news.drifted = was_read_back && (seen.is_empty() || leads_elsewhere);
        cell.proven = !seen.is_empty();
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

fn same(known: &[OurRoute], seen: &[OurRoute]) -> bool {
    let same = |(known, seen): (&OurRoute, &OurRoute)| {
        known.next_hop == seen.next_hop && known.blackhole == seen.blackhole
    };
    known.len() == seen.len() && known.iter().zip(seen).all(same)
}

/// The table has what it should have.
fn satisfied(cell: &Cell, want: Option<&NextHop>) -> bool {
    match (want, &cell.ours[..]) {
        (Some(hop), [ours]) => ours.leads_to(hop),
        (None, []) => true,
        _ => false,
    }
}

impl Cell {
    /// Nothing is to be learnt from a listing that shows this.
    fn confirmed_by(&self, seen: &[ObservedRoute]) -> bool {
        self.proven != seen.is_empty()
            && self.attempts == 0
            && matches!(self.step, Step::Idle | Step::Queued)
            && self.ours.len() == seen.len()
            && self.ours.iter().zip(seen).all(|(ours, seen)| ours.is(seen))
    }

    fn certain(&mut self) {
        if self.step == Step::Uncertain {
            self.step = Step::Idle;
        }
    }
}
