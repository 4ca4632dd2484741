//! What must always hold, checked after each step.

mod condition;
mod contract;
mod could;
mod fence;
mod figures;
mod guard;
mod living;
mod notices;
mod ownership;
mod pools;
mod read_back;
mod rest;
mod routes;
mod teardown;
mod well;

use std::fmt;

use signpost_core::Action;

pub(crate) use could::covers_much;
pub(crate) use rest::Rest;

use crate::world::World;

/// A promise of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// No two nodes own one block.
    I1,
    /// No block is used again while any route for it exists.
    I2,
    /// A route of ours leads to its node's instance.
    I3,
    /// Nothing foreign changes.
    I4,
    /// A node is reported as routed only after its routes were read back.
    I5,
    /// Nothing is written without the lease.
    I6,
    /// Once faults stop, everything comes to rest.
    I7,
    /// A node that lives does not lose its last route, nor its service without a cause.
    I8,
    /// People are told what they have to know, once for each cause.
    I9,
    /// The bounds that the actions' documentation states.
    Contract,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I1 => "I1 (no two nodes own one block)",
            Self::I2 => "I2 (no block is used again while a route for it exists)",
            Self::I3 => "I3 (a route of ours leads to its node's instance)",
            Self::I4 => "I4 (nothing foreign changes)",
            Self::I5 => "I5 (routed only after read-back)",
            Self::I6 => "I6 (no write without the lease)",
            Self::I7 => "I7 (once faults stop, everything comes to rest)",
            Self::I8 => "I8 (no living node loses its last route, nor its service)",
            Self::I9 => "I9 (people are told, once for each cause)",
            Self::Contract => "contract (bounds of the actions)",
        })
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When, in milliseconds since the start.
    pub at: u64,
    /// What happened.
    pub what: String,
}

impl World<'_> {
    /// Judges an action at the moment in which it is begun.
    pub(crate) fn check_action(&mut self, shell: usize, action: &Action) {
        self.meet_action(shell, action);
        self.check_bounds(shell, action);
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.check_gives(shell, node, cidrs);
                self.check_chosen(shell, node, cidrs);
            }
            Action::WriteRoute { change, .. } => {
                self.check_room(shell, change);
                self.check_route_write(shell, change);
                self.check_last_route(shell, change);
                self.check_not_barred(shell, change);
            }
            Action::SetNetworkStatus { node, status } => {
                self.check_opted_in(shell, node);
                if status.available {
                    self.check_read_back(shell, node);
                } else {
                    self.check_withdrawal(shell, node, status.reason);
                }
                self.check_contest(shell, node);
            }
            Action::NodeRouted { node, .. } => self.check_read_back(shell, node),
            Action::Notify(notice) => self.check_notice(shell, notice),
            _ => {}
        }
    }
}
