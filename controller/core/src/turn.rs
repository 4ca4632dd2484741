//! What the handling of one event shares: its time, what is allowed, what comes out.

use crate::{
    Action, Limits,
    action::{Notice, Reason, Subject},
    ids::Stamp,
    retry::Backoff,
};

/// One event being handled.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) now: Stamp,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    /// Numbers of listings, writes and batches; never used twice.
    last_number: u64,
    actions: Vec<Action>,
}

impl Turn {
    pub(crate) fn new(limits: Limits, seed: u64, now: Stamp) -> Self {
        Self {
            now,
            limits,
            backoff: Backoff::new(seed),
            last_number: 0,
            actions: Vec::new(),
        }
    }

    /// A number that was never used before.
    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Has the shell do something.
    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Tells people.
    pub(crate) fn notify(&mut self, subject: Subject, reason: Reason, message: String) {
        self.act(Action::Notify(Notice {
            subject,
            reason,
            message,
        }));
    }

    /// All that is to be done, in order.
    pub(crate) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}

/// Why something cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// It will not pass by itself, or has not for a while: people should know.
    pub(crate) lasting: bool,
}

impl Trouble {
    /// What waits for people.
    pub(crate) fn lasting(reason: Reason, message: String) -> Self {
        Self {
            reason,
            message,
            lasting: true,
        }
    }
}
