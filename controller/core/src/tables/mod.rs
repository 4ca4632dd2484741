//! The second machine: route tables, from what should be there to what is.
//!
//! It is told what is desired of each destination and what listings showed; it decides which table
//! is listed and which route is written next. It knows nodes by number and asks nobody: whose a
//! block is, and whether anything may be deleted at all, it is told.
//!
//! | question | module |
//! |---|---|
//! | what is desired and known of one destination | `destination`, `cell` |
//! | what does a listing change | `merge`, `pending` |
//! | when are the tables listed, what becomes of a table that listings lack | `listing`, `listed` |
//! | which route is written next | `writes`, `queue` |
//! | what does a failed write mean | `failures` |
//! | may so much be deleted | `guard`, `review` |
//! | is there room in a table | `room`, `quota` |
//! | how far are a node's routes | `progress` |
//! | what is told in figures | `figures` |

mod cell;
mod destination;
mod destinations;
mod failures;
mod figures;
mod guard;
mod listed;
mod listing;
mod merge;
mod pending;
mod progress;
mod queue;
mod quota;
mod review;
mod room;
mod table;
#[cfg(test)]
mod tests;
mod writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ipnet::IpNet;

use self::{
    destination::Destination, destinations::Destinations, guard::Guard, listing::Listing,
    queue::Queue, table::Table,
};
pub(crate) use self::{destination::Want, listed::Listed, progress::Routes};
use crate::{
    Time,
    action::{Reason, Subject},
    cloud::TableId,
    ids::{NodeId, Stamp},
    timers::Timers,
    turn::{Trouble, Turn},
};

/// What may be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Routes may be written: there is a configuration, and all nodes are known.
    pub(crate) writes: bool,
    /// Routes may be deleted: all was read that could show that some node has them.
    pub(crate) deletes: bool,
    /// Every route of ours is to go.
    pub(crate) teardown: bool,
    /// How often the tables are listed to notice drift.
    pub(crate) check_period: Duration,
    /// `spec.safety.maxDeletionPercent`.
    pub(crate) max_deletion_percent: u8,
}

/// What wants attention at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Routes of one destination.
    Destination(IpNet),
    /// Full tables may have room again.
    FullTables,
    /// Deletions leave the window of the guard.
    Guard,
}

/// All tables and destinations.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    policy: Policy,
    all: Vec<Table>,
    /// As old as what is unknown of a destination.
    origin: Stamp,
    destinations: Destinations,
    listing: Listing,
    queue: Queue,
    guard: Guard,
    begins_to_hold: bool,
    timers: Timers<Due>,
    /// Destinations of which something new is known.
    dirty: BTreeSet<IpNet>,
    /// Destinations whose owner's instance may have changed.
    suspects: BTreeSet<IpNet>,
    /// Deletions that fail, not told yet.
    complaints: Vec<Trouble>,
    /// When a cause was told of a table.
    told: BTreeMap<(TableId, Reason), Time>,
}

impl Tables {
    /// Nothing is known. `elected` is when this leadership began, and what is unknown is as old as
    /// `origin`, which is the same if writes of another leadership may be under way still.
    pub(crate) fn new(elected: Stamp, origin: Stamp) -> Self {
        Self {
            policy: Policy::default(),
            all: Vec::new(),
            origin,
            destinations: Destinations::default(),
            listing: Listing::default(),
            queue: Queue::default(),
            guard: Guard::new(elected),
            begins_to_hold: false,
            timers: Timers::default(),
            dirty: BTreeSet::new(),
            suspects: BTreeSet::new(),
            complaints: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    /// What may be done from now on.
    pub(crate) fn set_policy(&mut self, turn: &Turn, policy: Policy) {
        if self.policy != policy {
            self.policy = policy;
            self.requeue_all(turn);
        }
    }

    /// Which node owns a destination and what routes for it should do. For what nobody owns and was
    /// never routed there is nothing to remember. Says who owned it last, if that was another.
    pub(crate) fn set_desired(
        &mut self,
        turn: &Turn,
        cidr: IpNet,
        owner: Option<NodeId>,
        want: Want,
    ) -> Option<NodeId> {
        let known = self.destinations.get(cidr);
        let nothing = known.is_none() && want == Want::Remove;
        if nothing || known.is_some_and(|it| it.is_desired(owner, &want)) {
            return None;
        }
        let before = known.and_then(Destination::owner);
        let taken = before.filter(|_| owner != before && want != Want::Remove);
        self.destinations
            .update(cidr, |it| it.set_desired(owner, want));
        self.requeue(turn, cidr);
        taken
    }

    /// Where routes for the destination should lead is what a reading said that was begun at `told`. Those
    /// that somebody led elsewhere since then stay: the instance may be another one by now. Returns
    /// since when, so that it is read again.
    pub(crate) fn vouch(&mut self, turn: &Turn, cidr: IpNet, told: Stamp) -> Option<Stamp> {
        self.destinations.get(cidr).filter(|it| it.is_astray())?;
        let since = self.destinations.update(cidr, |it| it.vouch(told));
        self.requeue(turn, cidr);
        since
    }

    /// No table has a route of ours for a network that nobody claims since `released`: a complete
    /// listing has shown that which was begun so long after that, and after our last write for it,
    /// that it would show one.
    pub(crate) fn is_clear(&self, cidr: IpNet, released: Stamp, settle: Duration) -> bool {
        let shown = |end: Stamp| self.listing.shows(end, settle);
        let clear = |it: &Destination| {
            let written = it.written().unwrap_or(self.origin);
            !it.has_ours() && !it.in_doubt() && shown(written)
        };
        shown(released) && self.destinations.get(cidr).is_none_or(clear)
    }

    /// Lets go of what is clear.
    pub(crate) fn forget(&mut self, cidr: IpNet) {
        self.destinations.remove(cidr);
    }

    /// Routes of ours for the destination may be there.
    pub(crate) fn may_have_routes(&self, cidr: IpNet) -> bool {
        let destination = self.destinations.get(cidr);
        destination.is_some_and(|it| it.has_ours() || it.in_doubt())
    }

    /// The instance of that node is gone. Routes for the destination led there if they were to lead to
    /// the node last: whoever claimed the block after it may never have had them.
    pub(crate) fn set_dead(&mut self, turn: &Turn, id: NodeId, cidr: IpNet) {
        let orphan =
            |it: &Destination| *it.want() == Want::Remove && it.owner() == Some(id) && !it.dead;
        if self.destinations.get(cidr).is_some_and(orphan) {
            self.destinations.update(cidr, |it| it.dead = true);
            self.requeue(turn, cidr);
        }
    }

    /// Destinations of which something new is known since this was last asked.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<IpNet> {
        std::mem::take(&mut self.dirty)
    }

    /// Destinations whose owner's instance may have changed since this was last asked: a route was
    /// refused as invalid, or is a blackhole.
    pub(crate) fn take_suspects(&mut self) -> BTreeSet<IpNet> {
        std::mem::take(&mut self.suspects)
    }

    /// Deletions that failed for a cause that lasts, since this was last asked.
    pub(crate) fn take_complaints(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.complaints)
    }

    /// A complete listing was begun so long after that moment that it shows all that ended by then.
    pub(crate) fn shows(&self, end: Stamp, settle: Duration) -> bool {
        self.listing.shows(end, settle)
    }

    /// Nothing of ours is left, nothing is under way, and a listing has shown it.
    pub(crate) fn is_torn_down(&self, settle: Duration) -> bool {
        self.destinations.tally().left == 0
            && !self.all.iter().any(Table::is_unread)
            && self.queue.none_in_flight()
            && self.listing.shows(self.queue.last_end, settle)
    }

    /// Does what is due and begins what may begin.
    pub(crate) fn work(&mut self, turn: &mut Turn) {
        while let Some(due) = self.timers.pop(turn.now.at) {
            match due {
                Due::Destination(cidr) => self.requeue(turn, cidr),
                Due::FullTables => self.try_full_tables(turn),
                Due::Guard => {}
            }
        }
        self.review_deletions(turn);
        self.begin_writes(turn);
    }

    /// When something is due.
    pub(crate) fn next_wake(&self, bulk: bool) -> Option<Time> {
        let listing = self.listing.due(self.demand(bulk));
        [self.timers.first(), listing].into_iter().flatten().min()
    }

    /// Tells something of a table, unless the same cause was told within `silence`.
    fn tell(
        &mut self,
        turn: &mut Turn,
        table: &TableId,
        reason: Reason,
        silence: Duration,
        message: String,
    ) {
        let now = turn.now.at;
        let key = (table.clone(), reason);
        let told = self.told.get(&key);
        if told.is_none_or(|at| now.since(*at) >= silence) {
            self.told.insert(key, now);
            turn.notify(Subject::Part(table.0.clone()), reason, message);
        }
    }

    fn place(&self, id: &TableId) -> Option<usize> {
        self.all.iter().position(|table| table.id == *id)
    }
}
