//! What a listing means.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Tables, destination::Destination, listing::Demand, merge::Reading, table::Table};
use crate::{
    Action,
    action::{Reason, Subject},
    cloud::{CloudError, CloudErrorKind, Range, TableId, TableListing},
    ids::Stamp,
    retry::Pace,
    turn::Turn,
};

/// Drift of one table is not told more often.
const DRIFT_SILENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// What the jitter of failed listings depends on.
const ITEM: u64 = 0x6c69_7374;

/// More writes in flight than that are many: most of them wait, for a quota or for what is carried out.
const MANY: usize = 32;

/// What came of a listing.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// When it was begun, if every table could be read and none was missing.
    pub(crate) complete: Option<Stamp>,
    /// Others' destinations that no listing had shown before.
    pub(crate) foreign: Vec<(TableId, IpNet)>,
    /// When it was begun, if it named a table that was never read.
    pub(crate) unread: Option<Stamp>,
    /// Why it failed, if it has failed for some time.
    pub(crate) trouble: Option<String>,
}

impl Tables {
    /// Asks for a listing that begins at that time or later.
    pub(crate) fn want_listing(&mut self, at: crate::Time) {
        self.listing.want(at);
    }

    /// Somebody may have changed a route.
    pub(crate) fn prompt(&mut self, turn: &Turn) {
        self.listing.prompt(turn.now.at);
    }

    /// Why the last listing failed.
    pub(crate) fn listing_error(&self) -> Option<&str> {
        self.listing.error.as_deref()
    }

    pub(super) fn demand(&self, bulk: bool) -> Demand {
        Demand {
            check_period: self.policy.check_period,
            bulk: bulk || !self.queue.none_waits() || self.queue.in_flight() > MANY,
            none_in_flight: self.queue.none_in_flight(),
        }
    }

    /// A listing is due now.
    pub(crate) fn listing_is_due(&self, turn: &Turn, bulk: bool) -> bool {
        let due = self.listing.due(self.demand(bulk));
        due.is_some_and(|due| due <= turn.now.at)
    }

    /// Begins a listing of these ranges.
    pub(crate) fn begin_listing(&mut self, turn: &mut Turn, ranges: std::sync::Arc<[Range]>) {
        let listing = turn.number();
        self.listing.begin(listing, turn.now);
        turn.act(Action::ListRoutes { listing, ranges });
    }

    pub(crate) fn listing_ended(
        &mut self,
        turn: &mut Turn,
        listing: u64,
        result: Result<Vec<TableListing>, CloudError>,
    ) -> Option<Listed> {
        let begun = self.listing.end(listing, result.is_err())?;
        let now = turn.now.at;
        let known = self.destinations.len();
        self.listing.rest(begun, turn.limits, known, now);
        let result = match result {
            // Then nothing is left to be torn down, if that is how it stays.
            Ok(tables) if tables.is_empty() && !self.policy.teardown => Err(CloudError::new(
                CloudErrorKind::NotFound,
                "there is no route table to write to",
            )),
            result => result,
        };
        let mut listed = Listed::default();
        let failure = match result {
            Err(error) => Some(error),
            Ok(tables) => self.tables_listed(turn, tables, begun, &mut listed),
        };
        match failure {
            Some(error) => {
                let wait = turn.backoff.wait(ITEM, Pace::Quick);
                let asked = error.retry_after.unwrap_or_default();
                self.listing.retry.failed(wait, asked, now);
                let said = match error.kind {
                    CloudErrorKind::NotFound => error.detail.to_string(),
                    _ => error.to_string(),
                };
                self.listing.failed(said.clone(), now);
                listed.trouble = self.listing.retry.lasts().then_some(said);
            }
            None if self.all.iter().any(Table::is_absent) => {
                self.listing.retry.reset();
                self.listing.error = None;
            }
            None => {
                self.listing.succeeded(begun);
                listed.complete = Some(begun);
            }
        }
        listed.unread = self.all.iter().any(Table::is_unread).then_some(begun);
        Some(listed)
    }

    /// Takes in what was shown of each table. Returns why one could not be read.
    fn tables_listed(
        &mut self,
        turn: &mut Turn,
        tables: Vec<TableListing>,
        begun: Stamp,
        listed: &mut Listed,
    ) -> Option<CloudError> {
        let complete = tables.iter().all(|table| table.routes.is_ok());
        let named: BTreeSet<TableId> = tables.iter().map(|it| it.table.clone()).collect();
        let mut news = self.set_tables(turn, &named, begun, complete);
        let mut failure = None;
        for listing in tables {
            let (id, index) = (listing.table.clone(), self.place(&listing.table));
            let Some(index) = index else { continue };
            match listing.routes {
                Ok(_) => news |= self.table_listed(turn, index, listing, begun, listed),
                Err(error) => {
                    failure = Some(CloudError {
                        detail: format!("table {id}: {}", error.detail).into(),
                        ..error
                    });
                }
            }
        }
        if self.listing.take_prompt() {
            self.retry_soon(turn);
        }
        if news {
            self.dirty
                .extend(self.destinations.iter().map(|(cidr, _)| cidr));
            self.requeue_all(turn);
        } else {
            for cidr in self.dirty.clone() {
                self.requeue(turn, cidr);
            }
        }
        failure
    }

    /// Takes in one table. Says whether it is one that nothing was known of.
    fn table_listed(
        &mut self,
        turn: &mut Turn,
        index: usize,
        listing: TableListing,
        begun: Stamp,
        listed: &mut Listed,
    ) -> bool {
        let TableListing {
            table: id,
            routes,
            usage,
            barred,
            pending,
        } = listing;
        let settle = turn.limits.settle;
        let table = &mut self.all[index];
        let new = table.read();
        let before: BTreeSet<IpNet> = table.foreign().collect();
        let barred: BTreeSet<IpNet> = barred.iter().map(IpNet::trunc).collect();
        let moved = std::mem::replace(&mut table.barred, barred) != self.all[index].barred;
        let pending = pending.iter().map(IpNet::trunc).collect();
        let reading = Reading {
            begun,
            answered: turn.now,
            settle,
            pending,
        };
        let routes = routes.unwrap_or_default();
        let merged = self
            .destinations
            .merge(&mut self.all[index], index, routes, &reading);
        let foreign = self.all[index].foreign();
        let come = foreign.filter(|cidr| !before.contains(cidr));
        listed.foreign.extend(come.map(|cidr| (id.clone(), cidr)));
        if merged.unproven {
            self.listing.want(turn.now.at);
        }
        self.note_usage(turn, index, usage, begun);
        if !merged.drifted.is_empty() {
            self.listing.watch_closely(turn.now.at);
            self.tell_of_drift(turn, &id, &merged.drifted);
        }
        let blackhole = |cidr: &&IpNet| {
            let destination = self.destinations.get(**cidr);
            destination.is_some_and(Destination::has_blackhole)
        };
        self.suspects
            .extend(merged.dirty.iter().filter(blackhole).copied());
        self.dirty.extend(merged.dirty);
        new || moved
    }

    /// Takes over the set of tables that a listing named. Says whether any is new, back or gone; if it
    /// is new or gone what waits in the queue means nothing any more, since tables have other places.
    ///
    /// Listings may be late: a table that they lack is forgotten only after complete ones that span
    /// the time to settle. Until then what is known of it stands, and nothing is complete.
    fn set_tables(
        &mut self,
        turn: &mut Turn,
        named: &BTreeSet<TableId>,
        begun: Stamp,
        complete: bool,
    ) -> bool {
        let settle = turn.limits.settle;
        let mut gone = Vec::new();
        let mut back = false;
        for table in &mut self.all {
            if named.contains(&table.id) {
                back |= table.present();
            } else if complete {
                let since = table.missed(begun);
                if since != begun && begun.shows(since, settle) {
                    gone.push(table.id.clone());
                } else {
                    self.listing.want(since.at.after(settle));
                }
            }
        }
        let mut changed = !gone.is_empty();
        for id in gone {
            self.forget_table(turn, &id);
        }
        for id in named {
            if self.place(id).is_none() {
                changed = true;
                self.all.push(Table::new(id.clone()));
            }
        }
        if changed {
            self.destinations.update_all(|_, it| it.unqueue());
        }
        changed || back
    }

    fn forget_table(&mut self, turn: &mut Turn, id: &TableId) {
        let Some(index) = self.place(id) else { return };
        self.all.remove(index);
        let mut left = 0;
        self.destinations.update_all(|_, destination| {
            let ours = destination.cell(index).map_or(0, |cell| cell.ours.len());
            left += ours;
            destination.forget_table(index);
        });
        let message = format!(
            "table {id} is no longer among the route tables that are programmed; {left} routes of \
             ours are left in it, which nobody looks after: choose it again, or remove them by hand"
        );
        turn.notify(Subject::Part(id.0.clone()), Reason::TableForgotten, message);
    }

    /// Somebody changed or removed routes of ours.
    fn tell_of_drift(&mut self, turn: &mut Turn, table: &TableId, drifted: &[IpNet]) {
        let Some(first) = drifted.first() else { return };
        let count = drifted.len();
        let message = format!(
            "somebody else changed or removed {count} of our routes in table {table} (the first \
             for {first}); they are put back"
        );
        self.tell(turn, table, Reason::DriftMended, DRIFT_SILENCE, message);
    }
}
