//! What is known of one destination.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use smallvec::SmallVec;

use super::Tally;
use crate::{
    Time,
    action::Reason,
    cloud::{Blackhole, NextHop, ObservedRoute, Ownership},
    engine::{clock::Stamp, nodes::NodeId},
};

/// One destination in all tables.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    /// Some living node has it among its pod CIDRs.
    pub(crate) claimed: bool,
    /// The node that its routes should lead to.
    pub(crate) owner: Option<NodeId>,
    /// The last owner, if that is gone.
    pub(crate) former: Option<NodeId>,
    /// Where its routes should lead.
    pub(crate) want: Option<NextHop>,
    /// Where its routes should have led until that became unknown.
    led_to: Option<Box<NextHop>>,
    /// The instance that was there is known to be gone.
    pub(crate) dead: bool,
    /// When it was last released, or a write of ours for it last ended.
    pub(crate) changed: Stamp,
    /// By table, of which there is mostly one.
    cells: SmallVec<[Cell; 1]>,
}

/// A route of ours for a destination in a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OurRoute {
    pub(crate) handle: Option<Arc<str>>,
    pub(crate) next_hop: Option<NextHop>,
    pub(crate) blackhole: Option<Blackhole>,
}

/// One destination in one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    /// Our routes, as last listed or written. More than one is too many: the first is the one to
    /// keep.
    pub(crate) ours: SmallVec<[OurRoute; 1]>,
    /// A listing that was begun after our last write showed it so.
    pub(crate) proven: bool,
    /// When our last write ended.
    pub(crate) written: Option<Stamp>,
    pub(crate) step: Step,
    /// Writes since all was as it should be.
    pub(crate) attempts: u8,
    /// No write before that time.
    pub(crate) not_before: Time,
    /// The last write failed for a cause that may pass at any time.
    pub(crate) may_be_hastened: bool,
    /// How the last write failed.
    pub(crate) trouble: Option<Box<Trouble>>,
}

impl Cell {
    fn waits_for_others(&self) -> bool {
        self.may_be_hastened && self.trouble.is_some() && self.step == Step::Idle
    }
}

/// What is under way for a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Step {
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

/// Why something cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// Only people can change it.
    pub(crate) lasting: bool,
}

impl Destination {
    pub(super) fn new(changed: Stamp) -> Self {
        Self {
            claimed: false,
            owner: None,
            former: None,
            want: None,
            led_to: None,
            dead: false,
            changed,
            cells: SmallVec::new(),
        }
    }

    /// Somebody else owns it, or nobody does. Where it should lead now is not known yet.
    pub(crate) fn hand_over(&mut self, owner: Option<NodeId>) {
        if self.owner != owner {
            self.set_want(None);
            self.owner = owner;
            if owner.is_some() {
                self.led_to = None;
            }
        }
    }

    pub(crate) fn set_want(&mut self, want: Option<NextHop>) {
        match (std::mem::replace(&mut self.want, want), &self.want) {
            (Some(before), None) => self.led_to = Some(Box::new(before)),
            (_, Some(_)) => self.led_to = None,
            (None, None) => {}
        }
    }

    /// What is known of it in a table; `None` is the same as an empty cell.
    pub(crate) fn cell(&self, table: usize) -> Option<&Cell> {
        self.cells.get(table)
    }

    pub(crate) fn cell_mut(&mut self, table: usize) -> &mut Cell {
        if self.cells.len() <= table {
            self.cells.reserve_exact(table + 1 - self.cells.len());
            self.cells.resize_with(table + 1, Cell::default);
        }
        &mut self.cells[table]
    }

    pub(super) fn want_and_cell(&mut self, table: usize) -> (Option<&NextHop>, &mut Cell) {
        self.cell_mut(table);
        (self.want.as_ref(), &mut self.cells[table])
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

    /// Some write waits for a cause to pass that others may just have removed.
    pub(crate) fn may_be_hastened(&self) -> bool {
        self.cells.iter().any(Cell::waits_for_others)
    }

    /// Such writes are tried again as soon as that much time has passed since they failed.
    pub(crate) fn hasten(&mut self, pause: Duration) {
        for cell in &mut self.cells {
            if cell.waits_for_others()
                && let Some(written) = cell.written
            {
                cell.not_before = cell.not_before.min(written.at.after(pause));
            }
        }
    }

    /// Our routes in all tables.
    fn ours(&self) -> impl Iterator<Item = &OurRoute> {
        self.cells.iter().flat_map(|cell| &cell.ours)
    }

    pub(crate) fn has_ours(&self) -> bool {
        self.ours().next().is_some()
    }

    /// A write is in flight, or its outcome is not known yet.
    pub(crate) fn in_doubt(&self) -> bool {
        self.cells
            .iter()
            .any(|cell| matches!(cell.step, Step::Writing | Step::Uncertain))
    }

    /// The table has the route that it should have, and none of ours that leads elsewhere.
    pub(crate) fn right(&self, table: usize) -> bool {
        let ours = self.cell(table).map_or(&[][..], |cell| &cell.ours);
        let right = |want: &NextHop| ours.iter().all(|route| route.leads_to(want));
        !ours.is_empty() && self.want.as_ref().is_some_and(right)
    }

    /// [`right`](Self::right), and read back.
    pub(crate) fn read_back(&self, table: usize) -> bool {
        let settled = |cell: &Cell| cell.proven && cell.step != Step::Writing;
        self.right(table) && self.cell(table).is_some_and(settled)
    }

    /// Packets along one of its routes are dropped.
    pub(crate) fn has_blackhole(&self) -> bool {
        self.ours().any(|route| route.blackhole.is_some())
    }

    /// Nothing can be lost by deleting its routes: packets along them are dropped already.
    pub(crate) fn leads_nowhere(&self) -> bool {
        self.ours().all(|route| {
            // Somebody may have led the route elsewhere.
            let led_there =
                self.led_to.is_some() && self.led_to.as_deref() == route.next_hop.as_ref();
            route.blackhole.is_some() || self.dead && led_there
        })
    }

    pub(super) fn tally(&self) -> Tally {
        let ours = self.has_ours();
        Tally {
            ours: usize::from(ours),
            unclaimed: usize::from(ours && !self.claimed && !self.leads_nowhere()),
        }
    }
}

impl OurRoute {
    /// The route is alive and leads there.
    pub(crate) fn leads_to(&self, hop: &NextHop) -> bool {
        self.next_hop.as_ref() == Some(hop) && self.blackhole.is_none()
    }

    /// It was observed just so.
    pub(super) fn is(&self, observed: &ObservedRoute) -> bool {
        self.next_hop == observed.next_hop
            && self.blackhole == observed.blackhole
            && self.handle == observed.handle
    }

    /// The same with its destination.
    pub(crate) fn to(&self, destination: IpNet) -> ObservedRoute {
        ObservedRoute {
            destination,
            next_hop: self.next_hop.clone(),
            ownership: Ownership::Ours,
            blackhole: self.blackhole.clone(),
            handle: self.handle.clone(),
        }
    }
}

impl From<&ObservedRoute> for OurRoute {
    fn from(route: &ObservedRoute) -> Self {
        Self {
            handle: route.handle.clone(),
            next_hop: route.next_hop.clone(),
            blackhole: route.blackhole.clone(),
        }
    }
}
