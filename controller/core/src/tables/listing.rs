//! When the tables are listed.

use std::{collections::BTreeSet, time::Duration};

use crate::{Limits, Time, ids::Stamp, retry::Retry};

/// After a listing the tables are left alone four times as long as it took, but no longer than nodes
/// may wait to be routed.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_secs(5);

/// And at least so long for each route that we know, since taking in a listing costs us time too.
const REST_PER_ROUTE: Duration = Duration::from_micros(20);

/// That much longer while many writes wait.
const BULK_FACTOR: u32 = 5;

/// Whoever changes routes may do so again: for that many check periods checks come that much closer.
const WATCHFUL_PERIODS: u32 = 4;
const WATCHFUL_FACTOR: u32 = 5;

/// How long a write that has ended waits for others in flight, to be read back together with them.
const TOGETHER: Duration = Duration::from_millis(250);

/// After that time without an answer a second listing is begun beside the first, and after the same
/// time again the first is given up: one answer that hangs must not keep nodes from being routed.
const PATIENCE: Duration = Duration::from_secs(15);

/// The listings in flight and those that are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    /// The older first; mostly one.
    flights: Vec<(u64, Stamp)>,
    /// A listing is wanted that begins at one of these times or later.
    wants: BTreeSet<Time>,
    /// When the first write ended of those that are to be read back.
    read_back: Option<Time>,
    last_begun: Option<Time>,
    not_before: Time,
    /// The same while so much is to be written that another listing will be wanted soon anyway.
    not_before_in_bulk: Time,
    /// When somebody else was last seen to have changed routes of ours: checks come closer for a while.
    drifted: Option<Time>,
    pub(super) retry: Retry,
    /// Somebody else changed routes since the last one ended.
    prompted: bool,
    /// When the last one began in which every table could be read and none was missing.
    pub(super) complete: Option<Stamp>,
    /// Why the last one failed.
    pub(super) error: Option<String>,
}

/// What decides on the next listing besides the listings before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    pub(super) check_period: Duration,
    /// Much waits to be written, or is under way.
    pub(super) bulk: bool,
    pub(super) none_in_flight: bool,
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

    /// Whether somebody else changed routes since this was last asked.
    pub(super) fn take_prompt(&mut self) -> bool {
        std::mem::take(&mut self.prompted)
    }

    /// Somebody else did change routes of ours.
    pub(super) fn watch_closely(&mut self, now: Time) {
        self.drifted = Some(now);
    }

    /// When the next one is to begin.
    pub(super) fn due(&self, demand: Demand) -> Option<Time> {
        if let Some((_, begun)) = self.flights.last() {
            return Some(begun.at.after(PATIENCE).max(self.not_before));
        }
        let regular = self.last_begun.map(|begun| {
            let span = demand.check_period.saturating_mul(WATCHFUL_PERIODS);
            let watchful = self.drifted.is_some_and(|at| begun < at.after(span));
            let factor = if watchful { WATCHFUL_FACTOR } else { 1 };
            begun.after(demand.check_period / factor)
        });
        let wanted = self.wants.first().copied();
        let read_back = self.read_back.map(|ended| {
            if demand.none_in_flight {
                ended
            } else {
                ended.after(TOGETHER)
            }
        });
        let next = regular.into_iter().chain(wanted).chain(read_back).min()?;
        let not_before = if demand.bulk {
            self.not_before_in_bulk
        } else {
            self.not_before
        };
        Some(next.max(not_before))
    }

    /// One begins now.
    pub(super) fn begin(&mut self, listing: u64, now: Stamp) {
        if self.flights.len() > 1 {
            self.flights.remove(0);
            self.error = Some(format!("no answer within {} s", PATIENCE.as_secs() * 2));
        }
        self.flights.push((listing, now));
        self.last_begun = Some(now.at);
        self.read_back = None;
        self.wants = self.wants.split_off(&Time(now.at.0.saturating_add(1)));
    }

    /// One ended. When it was begun; `None` if its answer is of no use any more, since a later one was
    /// taken in already or it was given up.
    pub(super) fn end(&mut self, listing: u64, failed: bool) -> Option<Stamp> {
        let place = self.flights.iter().position(|(it, _)| *it == listing)?;
        let (_, begun) = self.flights[place];
        // What older ones will say is out of date, unless this one says nothing.
        if failed {
            self.flights.remove(place);
        } else {
            self.flights.drain(..=place);
        }
        Some(begun)
    }

    /// Leaves the tables alone for a while after one that ended now.
    pub(super) fn rest(&mut self, begun: Stamp, limits: Limits, routes: usize, now: Time) {
        let routes = u32::try_from(routes).unwrap_or(u32::MAX);
        let rest = now.since(begun.at).saturating_mul(REST).min(LONGEST_REST);
        let rest = rest.max(REST_PER_ROUTE.saturating_mul(routes));
        let begun = |interval: Duration| begun.at.after(interval);
        self.not_before = begun(limits.listing_interval).max(now.after(rest));
        let in_bulk = now.after(rest.saturating_mul(BULK_FACTOR));
        self.not_before_in_bulk = begun(limits.bulk_listing_interval).max(in_bulk);
    }

    /// One failed, or a table of it could not be read: it is tried again when the back-off is over.
    pub(super) fn failed(&mut self, error: String, now: Time) {
        self.error = Some(error);
        let until = self.retry.waits(now).unwrap_or(now);
        self.not_before = self.not_before.max(until);
        self.not_before_in_bulk = self.not_before;
        self.want(now);
    }

    /// One was complete.
    pub(super) fn succeeded(&mut self, begun: Stamp) {
        self.retry.reset();
        self.error = None;
        self.complete = Some(begun);
    }

    /// A complete one was begun so long after that moment that it shows all that ended by then.
    pub(super) fn shows(&self, end: Stamp, settle: Duration) -> bool {
        self.complete.is_some_and(|begun| begun.shows(end, settle))
    }
}
