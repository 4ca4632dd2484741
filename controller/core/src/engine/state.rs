//! Leadership, configuration and recovery.

use super::{
    Due, Engine, api::ApiWrites, guard::Guard, instances::Instances, listing::Listing,
    nodes::Nodes, notices::Notices, writes::Writes,
};
use crate::{Action, config::Config, ipam::Allocator, routes::Routes};

impl Engine {
    pub(super) fn start_leading(&mut self) {
        self.forget();
        self.elected = Some(self.now);
        self.routes = Routes::new(self.now);
        self.allocator = self.config.as_ref().map(Allocator::new);
        if self.limits.routes {
            self.listing.want(self.now.at);
            self.listing.want(self.now.at.after(self.limits.settle));
        }
        if self.config.is_some() {
            self.schedule_refresh();
        }
    }

    pub(super) fn stop_leading(&mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        self.strays.keep(&mut self.writes, &mut self.api, self.now);
        for phase in self.nodes.phases() {
            self.transitions.count(Some(phase), None);
        }
        self.elected = None;
        self.recovered = false;
        self.allocator = None;
        self.nodes = Nodes::default();
        self.unserved.clear();
        self.routes = Routes::default();
        self.conflicts.clear();
        self.listing = Listing::default();
        self.instances = Instances::default();
        self.api = ApiWrites::default();
        self.writes = Writes::default();
        self.guard = Guard::default();
        self.notices = Notices::default();
        self.timers = super::Timers::default();
        self.torn_down = false;
        self.actions.clear();
    }

    pub(super) fn configured(&mut self, config: Option<Config>) {
        let before = std::mem::replace(&mut self.config, config);
        self.torn_down = false;
        if self.elected.is_none() {
            return;
        }
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
        let Some(elected) = self.elected else {
            return false;
        };
        let since = match self.strays.ended() {
            Ok(since) => since,
            Err(until) => {
                self.timers.set(until, Due::Recheck);
                return false;
            }
        };
        let since = elected.max(since);
        if self
            .listing
            .complete
            .is_some_and(|begun| begun.shows(since, self.limits.settle))
        {
            return true;
        }
        self.listing.want(since.at.after(self.limits.settle));
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
