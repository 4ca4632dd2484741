//! Merging what a listing showed of a table with what is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{
    cell::{Cell, OurRoute, Step, is_same},
    destination::Destination,
    destinations::{Destinations, counted},
    pending::doubt,
    table::Table,
};
use crate::{
    cloud::{NextHop, ObservedRoute, Ownership},
    ids::Stamp,
};

/// What one listing of one table changed.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Destinations of which something new is known.
    pub(super) dirty: Vec<IpNet>,
    /// Of those, the ones whose right and proven route is no longer there.
    pub(super) drifted: Vec<IpNet>,
    /// Some route of ours that was written is not proven yet.
    pub(super) unproven: bool,
}

/// What a listing is worth.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// When it was begun.
    pub(super) begun: Stamp,
    pub(super) answered: Stamp,
    /// How long the world takes to settle.
    pub(super) settle: Duration,
    /// Destinations for which somebody's change is carried out.
    pub(super) pending: BTreeSet<IpNet>,
}

impl Destinations {
    /// Takes note of what a listing showed of a table.
    ///
    /// A route that was written less than `settle` before may be missing from the listing or shown
    /// as it was; what we know of it stands. A foreign route in its place does not wait for that:
    /// better to believe that ours is gone than to change what is not ours. Where somebody's change is
    /// carried out nothing is certain until a listing shows that it has ended.
    pub(super) fn merge(
        &mut self,
        table: &mut Table,
        index: usize,
        routes: Vec<ObservedRoute>,
        reading: &Reading,
    ) -> Merged {
        let mut merged = Merged::default();
        let (shown, foreign) = sort_out(routes);
        merged.dirty.extend(table.set_foreign(foreign));
        let mut shown = Shown(&shown);
        let mut unknown = Vec::new();
        for (cidr, destination) in &mut self.all {
            while let Some(other) = shown.before(Some(*cidr)) {
                unknown.push(other);
            }
            let seen = shown.take(*cidr);
            let confirmed = match destination.cell(index) {
                Some(cell) => cell.is_confirmed_by(seen),
                None => seen.is_empty(),
            };
            let pending = reading.pending.contains(cidr);
            if confirmed && !pending {
                continue;
            }
            let found = counted(&mut self.tally, destination, |it| {
                if pending && !it.cell_mut(index).overlaps(reading.begun) {
                    doubt(it, index, seen, reading)
                } else if seen.is_empty() && table.conflicts(*cidr) {
                    displace(it.cell_mut(index))
                } else {
                    merge(it, index, seen, reading)
                }
            });
            if found.changed {
                merged.dirty.push(*cidr);
            }
            if found.drifted {
                merged.drifted.push(*cidr);
            }
            merged.unproven |= found.unproven;
        }
        while let Some(other) = shown.before(None) {
            unknown.push(other);
        }
        for (cidr, seen) in unknown {
            self.update(cidr, |destination| {
                let cell = destination.cell_mut(index);
                cell.show(arrange(seen, None), None, reading.answered);
                cell.proven = true;
            });
            merged.dirty.push(cidr);
        }
        // Those too that nothing was known of.
        for cidr in &reading.pending {
            let begun = reading.begun;
            if self.update(*cidr, |it| it.cell_mut(index).carried_out(begun)) {
                merged.dirty.push(*cidr);
            }
        }
        merged.unproven |= !reading.pending.is_empty();
        merged
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
pub(super) fn arrange(seen: &[ObservedRoute], hop: Option<&NextHop>) -> SmallVec<[OurRoute; 1]> {
    let mut ours: SmallVec<[OurRoute; 1]> = seen.iter().map(OurRoute::from).collect();
    if ours.len() > 1 {
        let wrong = |it: &OurRoute| !hop.is_some_and(|hop| it.works_for(hop));
        ours.sort_by(|a, b| (wrong(a), a).cmp(&(wrong(b), b)));
    }
    ours
}

/// Our routes in ascending order, and what is not ours, with whether a route of ours would win
/// against it.
fn sort_out(routes: Vec<ObservedRoute>) -> (Vec<ObservedRoute>, BTreeMap<IpNet, bool>) {
    let mut foreign = BTreeMap::new();
    let mut ours: Vec<ObservedRoute> = routes
        .into_iter()
        .filter_map(|mut route| {
            route.destination = route.destination.trunc();
            if route.ownership == Ownership::Ours {
                return Some(route);
            }
            let outranked = route.ownership == Ownership::Outranked;
            *foreign.entry(route.destination).or_insert(true) &= outranked;
            None
        })
        .collect();
    ours.sort_unstable_by_key(|route| route.destination);
    (ours, foreign)
}

/// What a listing changed in what is known of a destination.
#[derive(Default)]
pub(super) struct News {
    pub(super) changed: bool,
    pub(super) drifted: bool,
    pub(super) unproven: bool,
}

/// A foreign route stands where ours was.
fn displace(cell: &mut Cell) -> News {
    let lost = !cell.ours.is_empty();
    cell.ours.clear();
    cell.proven = false;
    let changed = lost || matches!(cell.step, Step::Uncertain | Step::Pending);
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
    reading: &Reading,
) -> News {
    let Reading {
        begun,
        answered,
        settle,
        ..
    } = *reading;
    let was_right = destination.is_right(table);
    let (hop, cell) = destination.hop_and_cell(table);
    let was_read_back = was_right && cell.proven;
    let seen = arrange(seen, hop);
    let mut news = News::default();
    if cell.overlaps(begun) {
        // Does the write not happen, it is not known what is there.
        cell.proven &= is_same(&cell.ours, &seen);
        return news;
    }
    let ended = cell.step == Step::Pending;
    if ended {
        news.changed = true;
        cell.certain();
    }
    let settled = cell.written.is_none_or(|end| begun.shows(end, settle));
    let shows = !seen.is_empty();
    let agrees = is_same(&cell.ours, &seen);
    if agrees || settled || cell.step == Step::Uncertain {
        // A route that became a blackhole was not changed by anybody.
        let leads_elsewhere = seen.iter().any(|route| route.next_hop.as_ref() != hop);
        news.drifted = !agrees && was_read_back && (seen.is_empty() || leads_elsewhere);
        news.changed =
            ended || !agrees || cell.proven == seen.is_empty() || cell.step == Step::Uncertain;
        cell.proven = !seen.is_empty();
        cell.show(seen, hop, answered);
        cell.certain();
    } else {
        news.unproven = true;
    }
    // Only then is it sure which of several there are.
    let fresh = std::mem::replace(&mut cell.fresh, !settled);
    news.changed |= settled && fresh && cell.ours.len() > 1;
    let told = |at: Stamp| shows || begun.shows(at, settle);
    if cell.unseen().is_some_and(told)
        && let Some(failure) = &mut cell.failure
    {
        failure.unseen = None;
        failure.hidden = !shows;
    }
    if settled && cell.retry.failures() > 0 && is_satisfied(cell, hop) {
        cell.retry.reset();
        news.changed |= cell.failure.take().is_some();
    }
    destination.note_served();
    news
}

/// The table has what it should have.
fn is_satisfied(cell: &Cell, hop: Option<&NextHop>) -> bool {
    match (hop, &cell.ours[..]) {
        (Some(hop), [ours]) => ours.works_for(hop),
        (None, []) => true,
        _ => false,
    }
}

impl Cell {
    /// Nothing is to be learnt from a listing that shows this.
    fn is_confirmed_by(&self, seen: &[ObservedRoute]) -> bool {
        self.proven != seen.is_empty()
            && self.retry.failures() == 0
            && self.failure.is_none()
            && !self.fresh
            && matches!(self.step, Step::Idle | Step::Queued)
            && self.ours.len() == seen.len()
            && self.ours.iter().zip(seen).all(|(ours, seen)| ours.is(seen))
    }
}

/// What came and went, of two sets of others' destinations.
pub(super) fn differences(
    before: &BTreeMap<IpNet, bool>,
    after: &BTreeMap<IpNet, bool>,
) -> BTreeSet<IpNet> {
    let only = |one: &BTreeMap<IpNet, bool>, other: &BTreeMap<IpNet, bool>| {
        let differs = one.iter().filter(|(cidr, it)| other.get(*cidr) != Some(it));
        differs.map(|(cidr, _)| *cidr).collect::<BTreeSet<IpNet>>()
    };
    let mut differences = only(before, after);
    differences.append(&mut only(after, before));
    differences
}
