//! What is known of one destination.

use std::time::Duration;

use smallvec::SmallVec;

use super::cell::{Cell, OurRoute, Step};
use crate::{
    cloud::NextHop,
    ids::{NodeId, Stamp},
    node::NodeKey,
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

    /// As [`Cell::vouch`], of all tables.
    pub(super) fn vouch(&mut self, told: Stamp) -> Option<Stamp> {
        let hop = self.want.hop()?;
        let since = self
            .cells
            .iter_mut()
            .filter_map(|cell| cell.vouch(hop, told));
        since.max()
    }

    /// In some table routes lead elsewhere, and it is not known whether somebody knew why.
    pub(super) fn is_astray(&self) -> bool {
        self.cells.iter().any(|cell| cell.astray.is_some())
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
        self.cells.iter().any(Cell::in_doubt)
    }

    /// The table has the route that it should have, and none of ours that leads elsewhere.
    pub(super) fn is_right(&self, table: usize) -> bool {
        let ours = self.cell(table).map_or(&[][..], |cell| &cell.ours);
        let right = |hop: &NextHop| ours.iter().all(|route| route.works_for(hop));
        !ours.is_empty() && self.want.hop().is_some_and(right)
    }

    /// [`is_right`](Self::is_right); while it is not known where its routes should lead, the table has
    /// one that leads somewhere.
    pub(super) fn may_lead(&self, table: usize) -> bool {
        let mut ours = self.cell(table).into_iter().flat_map(|cell| &cell.ours);
        self.is_right(table)
            || self.want.hop().is_none() && ours.any(|route| route.blackhole.is_none())
    }

    /// [`is_right`](Self::is_right), and read back.
    pub(super) fn is_read_back(&self, table: usize) -> bool {
        let settled = |cell: &Cell| cell.proven && !cell.in_doubt();
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
