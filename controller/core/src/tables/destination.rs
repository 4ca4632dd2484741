//! What is known of one destination.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::{
    Time,
    cloud::{Blackhole, NextHop, ObservedRoute, Ownership},
    ids::{NodeId, Stamp},
    node::NodeKey,
    retry::Retry,
    turn::Trouble,
};

/// What routes for a destination should do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Want {
    /// Some node has it, and where its routes should lead is not known: what is there stays.
    #[default]
    Keep,
    /// Lead to the instance of that node.
    Lead(NextHop, NodeKey),
    /// Go: no node has it.
    Remove,
}

impl Want {
    /// Where routes should lead.
    pub(super) fn hop(&self) -> Option<&NextHop> {
        match self {
            Self::Lead(hop, _) => Some(hop),
            Self::Keep | Self::Remove => None,
        }
    }
}

/// One destination in all tables.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The node that owns it, or the last that did.
    owner: Option<NodeId>,
    want: Want,
    /// Where its routes should have led until that became unknown.
    led_to: Option<Box<NextHop>>,
    /// The instance that its routes should have led to is known to be gone.
    pub(super) dead: bool,
    /// By table, of which there is mostly one.
    cells: SmallVec<[Cell; 1]>,
}

/// A route of ours for a destination in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OurRoute {
    pub(super) handle: Option<Arc<str>>,
    pub(super) next_hop: Option<NextHop>,
    pub(super) blackhole: Option<Blackhole>,
}

/// One destination in one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// Our routes, as last listed or written. More than one is too many: the first is the one to
    /// keep.
    pub(super) ours: SmallVec<[OurRoute; 1]>,
    /// A listing that was begun after our last write showed it so.
    pub(super) proven: bool,
    /// It was read back as its owner wants it, since that owns it.
    pub(super) served: bool,
    pub(super) step: Step,
    /// When our last write ended.
    pub(super) written: Option<Stamp>,
    /// Writes since all was as it should be.
    pub(super) retry: Retry,
    /// How writes failed since then.
    pub(super) failure: Option<Box<Failure>>,
}

/// How writes for one destination in one table failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// When the last one did.
    pub(super) at: Time,
    /// What people are to know of it.
    pub(super) trouble: Option<Trouble>,
    /// It failed for a cause that may pass whenever others change routes.
    pub(super) may_pass: bool,
    /// Since when something may be there that listings do not show yet: a write ended without an
    /// answer, or a route "already exists", which may be our own or that of the leader before.
    pub(super) unseen: Option<Stamp>,
    /// A listing that had to show it did not: what exists already is hidden from us.
    pub(super) hidden: bool,
}

/// What is under way for a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    #[default]
    Idle,
    /// A write waits for its turn.
    Queued,
    /// A write is in flight.
    Writing,
    /// The last write left it uncertain what is there; a listing will tell.
    Uncertain,
}

impl Cell {
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.failure.as_ref()?.trouble.as_ref()
    }

    pub(super) fn unseen(&self) -> Option<Stamp> {
        self.failure.as_ref()?.unseen
    }

    /// Something else is desired: how earlier writes failed says nothing of the next. Whether one of
    /// them took effect is as unknown as before.
    fn desire_changed(&mut self) {
        self.retry.reset();
        if let Some(failure) = self.failure.take() {
            let unseen = failure.unseen;
            self.failure = unseen.map(|_| {
                Box::new(Failure {
                    unseen,
                    ..Failure::default()
                })
            });
        }
    }

    /// The write failed for a cause that others may just have removed.
    pub(super) fn may_pass(&self) -> bool {
        self.step == Step::Idle && self.failure.as_ref().is_some_and(|it| it.may_pass)
    }

    pub(super) fn certain(&mut self) {
        if self.step == Step::Uncertain {
            self.step = Step::Idle;
        }
    }
}

impl Destination {
    pub(super) fn new() -> Self {
        Self {
            owner: None,
            want: Want::Keep,
            led_to: None,
            dead: false,
            cells: SmallVec::new(),
        }
    }

    pub(super) fn owner(&self) -> Option<NodeId> {
        self.owner
    }

    pub(super) fn want(&self) -> &Want {
        &self.want
    }

    /// It is desired so already. Whose it was last does not matter once it is to go.
    pub(super) fn is_desired(&self, owner: Option<NodeId>, want: &Want) -> bool {
        self.want == *want && (*want == Want::Remove || self.owner == owner)
    }

    pub(super) fn set_desired(&mut self, owner: Option<NodeId>, want: Want) {
        let before = std::mem::replace(&mut self.want, want);
        for cell in &mut self.cells {
            cell.desire_changed();
        }
        if self.want != Want::Remove && self.owner != owner {
            // What was known of the owner before says nothing of this one.
            self.owner = owner;
            for cell in &mut self.cells {
                cell.served = false;
            }
            self.led_to = None;
        } else if let Want::Lead(hop, _) = before {
            self.led_to = Some(Box::new(hop));
        }
        self.dead &= self.want == Want::Remove;
        self.note_served();
    }

    /// Remembers which tables lead to the owner, so that it is noticed if one does no more.
    pub(super) fn note_served(&mut self) {
        let Some(hop) = self.want.hop() else { return };
        for cell in &mut self.cells {
            // Nothing is proven of a table without routes of ours.
            cell.served |= cell.proven && cell.ours.iter().all(|route| route.works_for(hop));
        }
    }

    /// What is known of it in a table; `None` is the same as an empty cell.
    pub(super) fn cell(&self, table: usize) -> Option<&Cell> {
        self.cells.get(table)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter()
    }

    pub(super) fn cell_mut(&mut self, table: usize) -> &mut Cell {
        if self.cells.len() <= table {
            self.cells.reserve_exact(table + 1 - self.cells.len());
            self.cells.resize_with(table + 1, Cell::default);
        }
        &mut self.cells[table]
    }

    pub(super) fn hop_and_cell(&mut self, table: usize) -> (Option<&NextHop>, &mut Cell) {
        self.cell_mut(table);
        (self.want.hop(), &mut self.cells[table])
    }

    pub(super) fn forget_table(&mut self, table: usize) {
        if table < self.cells.len() {
            self.cells.remove(table);
        }
    }

    pub(super) fn unqueue(&mut self) {
        for cell in &mut self.cells {
            if cell.step == Step::Queued {
                cell.step = Step::Idle;
            }
        }
    }

    /// Writes that failed for a cause that others may have removed are tried again as soon as that
    /// much time has passed since. Says whether there are any.
    pub(super) fn retry_soon(&mut self, pause: Duration) -> bool {
        let mut any = false;
        for cell in &mut self.cells {
            if cell.may_pass()
                && let Some(failure) = &cell.failure
            {
                cell.retry.by(failure.at.after(pause));
                any = true;
            }
        }
        any
    }

    /// When a write of ours for it last ended, in any table.
    pub(super) fn written(&self) -> Option<Stamp> {
        self.cells.iter().filter_map(|cell| cell.written).max()
    }

    /// Our routes in all tables.
    fn ours(&self) -> impl Iterator<Item = &OurRoute> {
        self.cells.iter().flat_map(|cell| &cell.ours)
    }

    pub(super) fn has_ours(&self) -> bool {
        self.ours().next().is_some()
    }

    /// A write is in flight, or its outcome is not known yet.
    pub(super) fn in_doubt(&self) -> bool {
        self.cells
            .iter()
            .any(|cell| matches!(cell.step, Step::Writing | Step::Uncertain))
    }

    /// The table has the route that it should have, and none of ours that leads elsewhere.
    pub(super) fn is_right(&self, table: usize) -> bool {
        let ours = self.cell(table).map_or(&[][..], |cell| &cell.ours);
        let right = |hop: &NextHop| ours.iter().all(|route| route.works_for(hop));
        !ours.is_empty() && self.want.hop().is_some_and(right)
    }

    /// [`is_right`](Self::is_right), and read back.
    pub(super) fn is_read_back(&self, table: usize) -> bool {
        let settled = |cell: &Cell| cell.proven && cell.step != Step::Writing;
        self.is_right(table) && self.cell(table).is_some_and(settled)
    }

    /// Packets along one of its routes are dropped.
    pub(super) fn has_blackhole(&self) -> bool {
        self.ours().any(|route| route.blackhole.is_some())
    }

    /// Nothing can be lost by deleting its routes: packets along them are dropped already.
    pub(super) fn leads_nowhere(&self) -> bool {
        self.ours().all(|route| {
            // Somebody may have led the route elsewhere.
            let led_there =
                self.led_to.is_some() && self.led_to.as_deref() == route.next_hop.as_ref();
            route.blackhole.is_some() || self.dead && led_there
        })
    }

    /// No node has it, routes of ours are left, and they may carry packets.
    pub(super) fn is_orphan(&self) -> bool {
        self.want == Want::Remove && !self.leads_nowhere()
    }

    /// No node has it, and its routes carry no packets.
    pub(super) fn is_dead_orphan(&self) -> bool {
        self.want == Want::Remove && self.leads_nowhere()
    }
}

impl OurRoute {
    /// It leads there, be it that packets are dropped on the way.
    pub(super) fn points_at(&self, hop: &NextHop) -> bool {
        self.next_hop.as_ref() == Some(hop)
    }

    /// It leads there, and packets arrive.
    pub(super) fn works_for(&self, hop: &NextHop) -> bool {
        self.points_at(hop) && self.blackhole.is_none()
    }

    /// It was observed just so.
    pub(super) fn is(&self, observed: &ObservedRoute) -> bool {
        self.next_hop == observed.next_hop
            && self.blackhole == observed.blackhole
            && self.handle == observed.handle
    }

    /// The same with its destination.
    pub(super) fn to(&self, destination: IpNet) -> ObservedRoute {
        ObservedRoute {
            destination,
            next_hop: self.next_hop.clone(),
            ownership: Ownership::Ours,
            blackhole: self.blackhole,
            handle: self.handle.clone(),
        }
    }
}

impl From<&ObservedRoute> for OurRoute {
    fn from(route: &ObservedRoute) -> Self {
        Self {
            handle: route.handle.clone(),
            next_hop: route.next_hop.clone(),
            blackhole: route.blackhole,
        }
    }
}
