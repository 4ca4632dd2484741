//! What an engine was told of route tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use signpost_core::cloud::{NextHop, ObservedRoute, Ownership, Range, TableId, TableListing};

/// So many listings are remembered.
const KEPT: usize = 20;

/// A listing that takes longer is given up in favour of later ones.
pub(crate) const GIVEN_UP: u64 = 30_000;

/// What a listing said of one table.
#[derive(Debug, Clone)]
pub(crate) struct SeenTable {
    /// When that listing was begun.
    pub(crate) begun: u64,
    /// It was answered in time; one that was not may have been dropped.
    pub(crate) prompt: bool,
    /// What it was asked to cover.
    pub(crate) ranges: Arc<[Range]>,
    pub(crate) routes: Vec<ObservedRoute>,
    pub(crate) barred: Vec<IpNet>,
    pub(crate) pending: Vec<IpNet>,
}

impl SeenTable {
    /// What was under way from `begun` to `ended` may be shown.
    pub(crate) fn may_show(&self, begun: u64, ended: u64) -> bool {
        begun <= self.begun + GIVEN_UP && self.begun <= ended
    }

    /// It would have shown a route for that destination.
    pub(crate) fn covers(&self, destination: &IpNet) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|range| range.cidr.contains(destination))
    }
}

/// One table as the last listings showed it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownTable {
    /// The latest last.
    pub(crate) seen: Vec<SeenTable>,
    /// What any listing showed: where a route leads that is there, or was.
    pub(crate) shown: BTreeSet<(IpNet, Option<NextHop>)>,
    /// A listing showed it that was answered in time: one that was not may have been dropped.
    pub(crate) sure: bool,
    /// When the complete listings were begun that lacked it, since it was shown last.
    pub(crate) lacking: Vec<u64>,
    /// No answered listing lacked it since it was shown at that time.
    pub(crate) since: u64,
}

impl KnownTable {
    /// Its routes count: it was not missing for so long that it may be forgotten.
    pub(crate) fn counts(&self, settle: Duration) -> bool {
        let settle = u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
        match self.lacking.as_slice() {
            [first, .., last] => self.sure && last - first < settle,
            _ => self.sure,
        }
    }
}

/// A listing under way.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) begun: u64,
    ranges: Arc<[Range]>,
}

/// All tables that an engine was ever told of.
#[derive(Debug, Default)]
pub(crate) struct KnownTables {
    pub(crate) by_id: BTreeMap<TableId, KnownTable>,
    /// The listings under way.
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// When the last listing was begun.
    pub(crate) last_begun: Option<u64>,
    /// The last listing that was answered failed, or one table in it.
    pub(crate) failed: bool,
    /// When the latest listing that was taken in was begun.
    taken: Option<u64>,
    /// Tables that the last listing said to be full for a family (IPv4 or not), and when a route
    /// was tried all the same.
    pub(crate) full: BTreeMap<(TableId, bool), Option<u64>>,
    /// Both families have one quota, that of IPv4.
    pub(crate) common: bool,
    /// Those that took a route all the same: what listings say of their limit may be out of date.
    lenient: BTreeSet<(TableId, bool)>,
}

impl KnownTables {
    pub(super) fn begun(&mut self, listing: u64, ranges: &Arc<[Range]>, now: u64) {
        self.last_begun = Some(now);
        let ranges = Arc::clone(ranges);
        let begun = now;
        self.asked.insert(listing, Asked { begun, ranges });
    }

    pub(super) fn listed(
        &mut self,
        listing: u64,
        tables: Option<&[TableListing]>,
        teardown: bool,
        now: u64,
    ) {
        let Some(Asked { begun, ranges }) = self.asked.remove(&listing) else {
            return;
        };
        let read = |tables: &[TableListing]| tables.iter().all(|table| table.routes.is_ok());
        self.failed = !tables.is_some_and(read);
        // What an earlier listing says is of no use any more.
        let (Some(tables), true) = (tables, self.taken.is_none_or(|taken| taken < begun)) else {
            return;
        };
        self.taken = Some(begun);
        // A listing without any table says that something is wrong, not that all are gone; but when
        // everything is torn down nothing is left to do if that is how it stays.
        if (teardown || !tables.is_empty()) && tables.iter().all(|table| table.routes.is_ok()) {
            for known in self.by_id.values_mut() {
                known.lacking.push(begun);
            }
        }
        for table in tables {
            self.learn_usage(table);
            let known = self.by_id.entry(table.table.clone()).or_default();
            if !known.sure || !known.lacking.is_empty() {
                known.since = now;
            }
            known.lacking.clear();
            known.sure |= now <= begun + GIVEN_UP;
            if let Ok(routes) = &table.routes {
                if known.seen.len() == KEPT {
                    known.seen.remove(0);
                }
                let shown = routes.iter();
                let shown = shown.map(|it| (it.destination, it.next_hop.clone()));
                known.shown.extend(shown);
                known.seen.push(SeenTable {
                    begun,
                    prompt: now <= begun + GIVEN_UP,
                    ranges: Arc::clone(&ranges),
                    routes: routes.clone(),
                    barred: table.barred.clone(),
                    pending: table.pending.clone(),
                });
            }
        }
    }

    /// A listing that was begun later was taken in before.
    pub(crate) fn is_outdated(&self, listing: u64) -> bool {
        let begun = self.asked.get(&listing).map(|asked| asked.begun);
        begun.is_some_and(|begun| self.taken.is_some_and(|taken| taken > begun))
    }

    fn learn_usage(&mut self, table: &TableListing) {
        self.common = table.usage.common;
        for (v4, usage) in [(true, table.usage.v4), (false, table.usage.v6)] {
            if self.common && !v4 {
                break;
            }
            let place = (table.table.clone(), v4);
            let beyond = |by: u32| {
                usage.is_some_and(|it| it.limit.is_some_and(|limit| it.used >= limit + by))
            };
            if !beyond(0) {
                self.lenient.remove(&place);
            }
            let disproved = self.lenient.contains(&place) && beyond(1);
            if beyond(0) && table.routes.is_ok() && !disproved {
                self.full.entry(place).or_default();
            } else {
                self.full.remove(&place);
            }
        }
    }

    /// A route was created there, or another one is gone.
    pub(super) fn has_room(&mut self, table: &TableId, v4: bool) {
        let place = (table.clone(), v4 || self.common);
        if self.full.remove(&place).is_some() {
            self.lenient.insert(place);
        }
    }

    /// Those that count, as they were seen last.
    pub(crate) fn counting(
        &self,
        settle: Duration,
    ) -> impl Iterator<Item = (&TableId, &KnownTable)> {
        self.by_id.iter().filter(move |(_, it)| it.counts(settle))
    }

    /// A range that bars routes of ours from that place in the table, as it was seen last.
    pub(crate) fn barred(&self, id: &TableId, place: &IpNet) -> Option<IpNet> {
        let seen = self.by_id.get(id)?.seen.last()?;
        let touches = |range: &&IpNet| range.contains(place) || place.contains(*range);
        seen.barred.iter().find(touches).copied()
    }

    /// Destinations of ours in the last listings.
    pub(crate) fn ours(&self) -> impl Iterator<Item = IpNet> {
        let seen = self.by_id.values().flat_map(|it| it.seen.iter());
        let routes = seen.flat_map(|seen| seen.routes.iter());
        let ours = routes.filter(|route| route.ownership == Ownership::Ours);
        ours.map(|route| route.destination)
    }
}
