//! Leadership, configuration and recovery.

use super::Engine;
use crate::{
    Action,
    config::{Config, Handover},
    ipam::Allocator,
    routes::Routes,
};

impl Engine {
    pub(super) fn start_leading(&mut self) {
        self.routes = Routes::new(self.now);
        if self.limits.routes {
            self.listing.want(self.now.at);
            self.listing.want(self.now.at.after(self.limits.settle));
        }
    }

    pub(super) fn configured(&mut self, config: Option<Config>) {
        let before = std::mem::replace(&mut self.config, config);
        self.torn_down = false;
        let Some(config) = &self.config else { return };
        match &mut self.allocator {
            Some(allocator) => allocator.reconfigure(config),
            None => self.allocator = Some(Allocator::new(config)),
        }
        let same_period = before
            .as_ref()
            .is_some_and(|before| before.check_period == config.check_period);
        if !same_period {
            self.schedule_refresh();
        }
        self.claim_all();
        self.find_conflicts();
        self.obstruct();
        self.nodes.mark_all();
        self.consider_all();
    }

    /// Tells that everything was read that a leader must know before it gives or takes away.
    ///
    /// Writes of a leader before us may still have been on their way when we were elected, so only
    /// a listing counts that was begun when they had settled.
    pub(super) fn recover(&mut self) {
        if self.recovered || !self.nodes.listed || self.config.is_none() {
            return;
        }
        if self.limits.routes && !self.settled_listing() {
            return;
        }
        self.recovered = true;
        self.nodes.mark_all();
        self.obstruct();
        self.consider_all();
    }

    fn settled_listing(&mut self) -> bool {
        let since = self.elected;
        let settle = match self.handover {
            Handover::Clean => std::time::Duration::ZERO,
            Handover::Unclean => self.limits.settle,
        };
        if self
            .listing
            .complete
            .is_some_and(|begun| begun.shows(since, settle))
        {
            return true;
        }
        self.listing.want(since.at.after(settle));
        false
    }

    /// All routes of ours are gone, and a listing that shows our last writes has confirmed it.
    pub(super) fn finish_teardown(&mut self) {
        let teardown = self.config.as_ref().is_some_and(|config| config.teardown);
        if !teardown || !self.recovered {
            return;
        }
        let clean = !self.limits.routes
            || self.routes.tally().ours == 0
                && self.writes.none_in_flight()
                && self.listing.complete.is_some_and(|begun| {
                    let last = self.writes.last_end.unwrap_or_default();
                    begun.shows(last, self.limits.settle)
                });
        if !clean {
            self.torn_down = false;
        } else if !self.torn_down {
            self.torn_down = true;
            self.actions.push(Action::TeardownDone);
        }
    }
}
