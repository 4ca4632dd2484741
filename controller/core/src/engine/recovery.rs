//! What must have been read before what may be done.
//!
//! | what | needs |
//! |---|---|
//! | routes to nodes that have their pod CIDRs; saying that they are in service | all nodes |
//! | handing out blocks | all nodes, and a listing of the pool that shows what was written before |
//! | deleting routes; bad news about nodes; the end of a teardown | all nodes, and a complete listing that shows what was written before |
//!
//! Writes of the leadership before may still be on their way at first, or not show in listings yet:
//! unless it ended clean, only a listing counts that was begun when they had settled.

use std::time::Duration;

use super::Engine;
use crate::{
    Action,
    config::{Config, Handover, Limits},
    ids::Stamp,
    nodes::Voice,
    tables::Policy,
};

/// How far a leadership is from knowing what it must.
#[derive(Debug, Clone)]
pub(super) struct Recovery {
    limits: Limits,
    elected: Stamp,
    /// How long after the election what was written before shows in every listing.
    settle: Duration,
    /// A configuration was read.
    configured: bool,
    /// When the ranges that listings have to cover last grew.
    pub(super) grown: Stamp,
    /// All nodes and all tables were read.
    pub(super) done: bool,
    /// The end of a teardown was reported.
    torn_down: bool,
}

impl Recovery {
    pub(super) fn new(limits: Limits, handover: Handover, elected: Stamp) -> Self {
        Self {
            limits,
            elected,
            settle: match handover {
                Handover::Clean => Duration::ZERO,
                Handover::Unclean => limits.settle,
            },
            configured: false,
            grown: elected,
            done: false,
            torn_down: false,
        }
    }

    /// As old as what is unknown of a destination: a listing that is to show all of it must be begun
    /// so long after that that it shows what another leadership may have written last.
    pub(super) fn origin(&self) -> Stamp {
        if self.settle.is_zero() {
            Stamp::default()
        } else {
            self.elected
        }
    }
}

impl Engine {
    pub(super) fn configured(&mut self, config: Option<Config>) {
        let before = std::mem::replace(&mut self.config, config);
        self.recovery.torn_down = false;
        self.recovery.grown = self.turn.now;
        if let Some(config) = &self.config {
            if before.as_ref().is_none_or(|before| before.teardown) && !config.teardown {
                // Nobody has looked since, or what was seen then was to go.
                self.ledger.uncover(self.turn.now);
            }
            let coverage = if std::mem::replace(&mut self.recovery.configured, true) {
                (self.turn.now, self.recovery.limits.settle)
            } else {
                (self.recovery.elected, self.recovery.settle)
            };
            self.ledger.reconfigure(config, coverage);
            if before.is_none_or(|before| before.check_period != config.check_period) {
                self.instances
                    .schedule_refresh(&self.turn, config.check_period);
            }
            self.claim_all();
        }
        self.set_policy();
        self.nodes.mark_all();
    }

    /// Tells the machines what they may do.
    pub(super) fn set_policy(&mut self) {
        let Some(config) = &self.config else {
            return;
        };
        let policy = Policy {
            writes: self.nodes.is_listed(),
            deletes: self.recovery.done,
            teardown: config.teardown,
            check_period: config.check_period,
            max_deletion_percent: config.max_deletion_percent,
        };
        self.tables.set_policy(&self.turn, policy);
        self.nodes.set_voice(Voice {
            speaks: !config.teardown,
            bad_news: self.recovery.done,
            routes: self.recovery.limits.routes,
        });
    }

    /// Notes that everything was read that a leader must know before it takes away.
    pub(super) fn recover(&mut self) {
        self.cover_pools();
        if self.recovery.done || !self.nodes.is_listed() {
            return;
        }
        let Recovery {
            limits,
            elected,
            settle,
            ..
        } = self.recovery;
        if limits.routes && !self.tables.shows(elected, settle) {
            self.tables.want_listing(elected.at.after(settle));
            return;
        }
        self.recovery.done = true;
        self.set_policy();
    }

    /// Asks for the listing that the pools need which were configured last.
    fn cover_pools(&mut self) {
        if !self.recovery.limits.routes {
            self.ledger.cover_all();
        } else if !self.is_teardown()
            && let Some(at) = self.ledger.uncovered()
        {
            self.tables.want_listing(at);
        }
    }

    /// Blocks may be handed out, apart from what each pool still waits for.
    pub(super) fn may_allocate(&self) -> bool {
        self.nodes.is_listed() && self.config.as_ref().is_some_and(|it| !it.teardown)
    }

    /// All routes of ours are gone, nothing is under way that could make one, and a listing that
    /// shows our last writes has confirmed it. Told once, and again if something comes up.
    pub(super) fn finish_teardown(&mut self) {
        if !self.is_teardown() || !self.recovery.done {
            return;
        }
        let Limits { routes, settle, .. } = self.recovery.limits;
        let grown = self.recovery.grown;
        let covered = !routes || self.tables.shows(grown, Duration::ZERO);
        if !covered {
            self.tables.want_listing(grown.at);
        }
        let clean = covered && (!routes || self.tables.is_torn_down(settle));
        if clean && !self.recovery.torn_down {
            self.turn.act(Action::TeardownDone);
        }
        self.recovery.torn_down = clean;
    }
}
