//! Changes that the cloud carries out, whoever asked for them: nothing is certain until they have ended.

use super::{
    cell::{Cell, Step, is_same},
    destination::Destination,
    merge::{News, Reading, arrange},
};
use crate::{cloud::ObservedRoute, ids::Stamp};

/// Somebody's change is carried out for the destination, and no write of ours was under way meanwhile.
pub(super) fn doubt(
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
    let (hop, cell) = destination.hop_and_cell(table);
    let seen = arrange(seen, hop);
    let agrees = is_same(&cell.ours, &seen);
    let settled = cell.written.is_none_or(|end| begun.shows(end, settle));
    if settled || cell.step == Step::Uncertain {
        cell.show(seen, hop, answered);
    }
    News {
        changed: cell.carried_out(begun) || !agrees,
        ..News::default()
    }
}

impl Cell {
    /// A listing begun then showed that somebody's change is carried out. Says whether that is new.
    pub(super) fn carried_out(&mut self, begun: Stamp) -> bool {
        let new = !self.overlaps(begun) && matches!(self.step, Step::Idle | Step::Queued);
        if new {
            self.step = Step::Pending;
        }
        new
    }
}
