//! What is left when the configuration is deleted: nothing of ours.

use signpost_core::cloud::RouteChange;

use super::Invariant;
use crate::{
    cloud::Held,
    queue::{Message, Sender},
    world::World,
};

impl World<'_> {
    /// A controller says that everything of ours is gone.
    pub(crate) fn torn_down(&mut self, shell: usize) {
        let known = self.shells[shell].known.config.as_ref();
        if known.is_none_or(|config| !config.teardown) {
            return self.broken(Invariant::I5, || "torn down unasked".into());
        }
        if !self.wishes.teardown || self.rest.torn_down {
            // It does not know the latest yet.
            return;
        }
        let left = self.cloud.tables.iter().find_map(|(id, table)| {
            let mut routes = table.routes.iter();
            let ours = |held: &Held| held.all().any(|held| held.ours);
            let left = routes.find(|(net, held)| ours(held) && self.is_knowable(net));
            left.filter(|_| self.must_know(shell, id, table, self.now))
                .map(|(destination, _)| format!("{destination} in {id}"))
        });
        if let Some(left) = left {
            self.broken(Invariant::I5, || format!("torn down, but {left} is there"));
        }
        if self.routes_land.is_some_and(|at| at > self.now) || self.may_make_routes() {
            self.broken(Invariant::I5, || {
                "torn down, but a route may still be written".into()
            });
        }
        let left = self.cloud.tables.iter().flat_map(|(id, table)| {
            let ours = table.routes.iter().filter(|(_, held)| held.ours);
            ours.map(move |(net, _)| (id.clone(), *net))
        });
        self.rest.excused = left.collect();
        self.rest.torn_down = true;
        self.config = None;
        self.config_changed();
        if self.dice.percent(50, "recreate") {
            let later = self.now + self.dice.span(100..=15_000, "recreate");
            self.rest.calm = self.rest.calm.max(later);
            self.queue.push(later, Message::Recreate);
        }
    }

    /// Somebody creates the configuration again after it was deleted.
    pub(crate) fn recreate_network(&mut self) {
        self.rest.torn_down = false;
        self.rest.well_since = None;
        self.config = Some(self.wishes.clone());
        self.configure(|config| config.teardown = false);
    }

    /// A route was written: the object that keeps it may not be gone already. What a process wrote
    /// that was stopped just before it sent, nobody looks for any more.
    pub(crate) fn check_after_teardown(&mut self, change: &RouteChange, from: Sender) {
        let makes = !matches!(change, RouteChange::Delete { .. });
        if makes && self.rest.torn_down && from.late {
            let place = (change.table().clone(), change.destination());
            self.rest.excused.insert(place);
        } else if makes && self.rest.torn_down {
            self.broken(Invariant::I5, || {
                let what = crate::trail::change(change);
                format!("{what}, after everything was torn down")
            });
        }
    }
}
