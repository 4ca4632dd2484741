//! When the tables are listed, and what a listing means.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;

use super::{Engine, clock::Stamp};
use crate::{
    Action, Time,
    backoff::Pace,
    cloud::{CloudError, TableId, TableListing},
};

/// After a listing the tables are left alone four times as long as it took.
const REST: u32 = 4;

/// And at least so long for each route that we know, since taking in a listing costs us time too.
const REST_PER_ROUTE: Duration = Duration::from_micros(20);

/// That much longer while many writes wait.
const BULK_FACTOR: u32 = 5;

/// Whoever changes routes may do so again: for that many check periods checks come that much closer.
const WATCHFUL_PERIODS: u32 = 4;
const WATCHFUL_FACTOR: u32 = 5;

/// How long a write that has ended waits for others in flight, to be read back together with them.
const TOGETHER: Duration = Duration::from_millis(250);

/// What jitter of failed listings depends on.
const ITEM: u64 = 0x6c69_7374;

/// The listing in flight and those that are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    flight: Option<(u64, Stamp)>,
    /// A listing is wanted that begins at one of these times or later.
    wants: BTreeSet<Time>,
    /// When the first write ended of those that are to be read back.
    read_back: Option<Time>,
    last_begun: Option<Time>,
    not_before: Time,
    /// The same while so much is to be written that another listing will be wanted soon anyway.
    not_before_in_bulk: Time,
    /// Until when checks come closer, since somebody else changed routes of ours.
    watchful_until: Time,
    failures: u8,
    /// Somebody else changed routes since the last one ended.
    prompted: bool,
    /// When the last one began in which every table could be read.
    pub(super) complete: Option<Stamp>,
    pub(super) error: Option<String>,
    /// What was named to the allocator as obstruction.
    obstructions: BTreeSet<IpNet>,
}

impl Listing {
    /// Asks for a listing that begins at that time or later.
    pub(super) fn want(&mut self, at: Time) {
        self.wants.insert(at);
    }

    /// A write ended that is to be read back.
    pub(super) fn read_back(&mut self, ended: Time) {
        self.read_back.get_or_insert(ended);
    }

    /// Somebody else may have changed routes.
    pub(super) fn prompt(&mut self, at: Time) {
        self.prompted = true;
        self.want(at);
    }

    fn failed(&mut self, error: String) {
        self.failures = self.failures.saturating_add(1);
        self.error = Some(error);
    }
}

impl Engine {
    pub(super) fn listing_due(&self) -> Option<Time> {
        let config = self.config.as_ref()?;
        let listing = &self.listing;
        if !self.limits.routes || listing.flight.is_some() {
            return None;
        }
        let regular = listing.last_begun.map(|begun| {
            let watchful = begun < listing.watchful_until;
            let factor = if watchful { WATCHFUL_FACTOR } else { 1 };
            begun.after(config.check_period / factor)
        });
        let wanted = listing.wants.first().copied();
        let read_back = listing.read_back.map(|ended| {
            if self.writes.none_in_flight() {
                ended
            } else {
                ended.after(TOGETHER)
            }
        });
        let next = regular.into_iter().chain(wanted).chain(read_back).min()?;
        let bulk = if self.api.pod_cidrs.is_empty() && self.writes.ready.is_empty() {
            listing.not_before
        } else {
            listing.not_before_in_bulk
        };
        Some(next.max(bulk))
    }

    pub(super) fn begin_listing(&mut self) {
        let now = self.now.at;
        if self.listing_due().is_none_or(|due| due > now) {
            return;
        }
        let listing = self.number();
        self.listing.flight = Some((listing, self.now));
        self.listing.last_begun = Some(now);
        self.listing.read_back = None;
        self.listing.wants = self.listing.wants.split_off(&Time(now.0.saturating_add(1)));
        let ranges = self.ranges();
        self.actions.push(Action::ListRoutes { listing, ranges });
    }

    fn ranges(&self) -> std::sync::Arc<[crate::cloud::Range]> {
        let pools = self.config.iter().flat_map(|config| &config.pools);
        let range = |pool: &crate::PoolConfig| crate::cloud::Range {
            cidr: pool.cidr,
            prefix_len: pool.node_prefix_length,
        };
        pools.map(range).collect()
    }

    pub(super) fn routes_listed(
        &mut self,
        listing: u64,
        result: Result<Vec<TableListing>, CloudError>,
    ) {
        let now = self.now.at;
        let Some((_, begun)) = self.listing.flight.filter(|(number, _)| *number == listing) else {
            return;
        };
        self.listing.flight = None;
        let known = u32::try_from(self.routes.tally().ours).unwrap_or(u32::MAX);
        let rest = now.since(begun.at).saturating_mul(REST);
        let rest = rest.max(REST_PER_ROUTE.saturating_mul(known));
        let interval = begun.at.after(self.limits.listing_interval);
        self.listing.not_before = interval.max(now.after(rest));
        let bulk_rest = rest.saturating_mul(BULK_FACTOR);
        self.listing.not_before_in_bulk = interval.max(now.after(bulk_rest));
        let mut retry_after = Duration::ZERO;
        let failures = self.listing.failures;
        match result {
            Err(error) => {
                retry_after = error.retry_after.unwrap_or_default();
                self.listing.failed(error.to_string());
            }
            Ok(tables) if tables.is_empty() => {
                self.listing
                    .failed("there is no route table to write to".to_owned());
            }
            Ok(tables) => self.tables_listed(tables, begun),
        }
        if self.listing.failures > failures {
            let wait = self
                .backoff
                .delay(ITEM, self.listing.failures, Pace::Quick)
                .max(retry_after);
            self.listing.not_before = self.listing.not_before.max(now.after(wait));
            self.listing.not_before_in_bulk = self.listing.not_before;
            self.listing.want(now);
        }
    }

    fn tables_listed(&mut self, tables: Vec<TableListing>, begun: Stamp) {
        let settle = self.limits.settle;
        let mut error = None;
        let mut unproven = false;
        let mut touched = BTreeSet::new();
        let mut news = self.routes.set_tables(tables.iter().map(|it| &it.table));
        if news {
            self.writes.ready.clear();
        }
        for TableListing {
            table,
            routes,
            usage,
            ..
        } in tables
        {
            let Some(index) = self.routes.table(&table) else {
                continue;
            };
            match routes {
                Ok(routes) => {
                    news |= !self.routes.tables[index].known;
                    let applied = self.routes.apply(index, routes, begun, settle);
                    unproven |= applied.unproven;
                    self.note_usage(index, usage, begun);
                    if !applied.drifted.is_empty() {
                        self.watch_closely();
                        self.notice_drift(&table, &applied.drifted);
                    }
                    touched.extend(applied.touched);
                }
                Err(failure) => error = Some(format!("table {table}: {failure}")),
            }
        }
        if let Some(error) = error {
            self.listing.failed(error);
        } else {
            self.listing.failures = 0;
            self.listing.error = None;
            self.listing.complete = Some(begun);
        }
        if unproven {
            self.listing.want(self.now.at);
        }
        self.take_up(&touched);
        if std::mem::take(&mut self.listing.prompted) {
            self.hasten();
        }
        if news {
            self.nodes.mark_all();
            self.consider_all();
        }
        self.find_conflicts();
        if self.listing.complete == Some(begun) {
            self.end_quarantines(begun);
            if self.guard.held {
                self.doubt_departures();
            }
        }
        self.obstruct();
    }

    fn watch_closely(&mut self) {
        let Some(config) = &self.config else { return };
        let period = config.check_period.saturating_mul(WATCHFUL_PERIODS);
        self.listing.watchful_until = self.now.at.after(period);
    }

    fn take_up(&mut self, touched: &BTreeSet<IpNet>) {
        for cidr in touched {
            if self.routes.get(*cidr).is_some_and(|it| !it.claimed) {
                self.refresh_claims(*cidr);
            }
            self.mark_involved(*cidr);
            self.consider(*cidr);
            if let Some(destination) = self.routes.get(*cidr)
                && destination.has_blackhole()
                && let Some(owner) = destination.owner
            {
                self.want_instance(owner);
            }
        }
    }

    /// Blocks that nobody claims are free once a listing that shows our last write for them shows
    /// no route.
    fn end_quarantines(&mut self, begun: Stamp) {
        let settle = self.limits.settle;
        if !begun.shows(self.elected, settle) {
            return;
        }
        let clean: Vec<IpNet> = self
            .routes
            .unclaimed()
            .iter()
            .copied()
            .filter(|cidr| {
                self.routes.get(*cidr).is_some_and(|it| {
                    !it.has_ours() && !it.in_doubt() && begun.shows(it.changed, settle)
                })
            })
            .collect();
        for cidr in clean {
            self.mark_involved(cidr);
            self.routes.remove(cidr);
            self.free(cidr);
        }
    }

    /// Tells the allocator where routes stand in the way.
    pub(super) fn obstruct(&mut self) {
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        let foreign = self.routes.tables.iter().flat_map(|it| &it.foreign);
        let in_the_way: BTreeSet<IpNet> = foreign.chain(self.routes.unclaimed()).copied().collect();
        if in_the_way != self.listing.obstructions {
            allocator.set_obstructions(in_the_way.iter().copied());
            self.listing.obstructions = in_the_way;
            self.serve();
        }
    }

    /// Finds the blocks for which, or inside which, somebody else has a route.
    pub(super) fn find_conflicts(&mut self) {
        let Some(config) = &self.config else { return };
        let mut found: BTreeMap<IpNet, (IpNet, TableId)> = BTreeMap::new();
        for table in &self.routes.tables {
            for foreign in &table.foreign {
                let block = config
                    .pools
                    .iter()
                    .filter(|pool| pool.cidr.contains(foreign))
                    .filter(|pool| pool.node_prefix_length <= foreign.prefix_len())
                    .find_map(|pool| IpNet::new(foreign.addr(), pool.node_prefix_length).ok())
                    .map_or(*foreign, |block| block.trunc());
                found
                    .entry(block)
                    .or_insert_with(|| (*foreign, table.id.clone()));
            }
        }
        if found == self.conflicts {
            return;
        }
        let before = std::mem::replace(&mut self.conflicts, found);
        let changed: BTreeSet<IpNet> = before
            .keys()
            .chain(self.conflicts.keys())
            .copied()
            .collect();
        for cidr in changed {
            self.mark_involved(cidr);
            self.consider(cidr);
        }
    }
}
