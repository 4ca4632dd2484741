//! How a controller comes by the lease, and what it does without.

use std::time::Duration;

use signpost_core::{
    Event, Time,
    event::ApiError,
    lease::{Record, Step},
};

use super::identity;
use crate::{api::ApiCall, queue::ToShell, world::World};

impl World<'_> {
    /// Tells the engine that it may not write any more.
    pub(crate) fn depose(&mut self, shell: usize) {
        if std::mem::take(&mut self.shells[shell].leader) {
            self.tell(shell, Event::Deposed);
        }
    }

    pub(super) fn look(&mut self, shell: usize) {
        if !self.shells[shell].stopping {
            self.send_api(shell, ApiCall::ReadLease);
        }
    }

    pub(super) fn look_after(&mut self, shell: usize, span: Duration) {
        let at = Time(self.now).after(span).0;
        self.send_shell(shell, at, ToShell::Look);
    }

    pub(super) fn lease_read(&mut self, shell: usize, record: Result<Option<Record>, ApiError>) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let Ok(record) = record else {
            let span = place.election.terms().look_every;
            self.look_after(shell, span);
            return;
        };
        if place.stopping {
            return;
        }
        let exists = record.is_some();
        let holder = identity(shell, place.life);
        let over = match place.election.decide(record, now) {
            Step::Create => None,
            Step::Take { version, .. } => Some(version),
            Step::Wait(until) => {
                if exists {
                    place.election.lost();
                    self.depose(shell);
                }
                let at = self.to_world(shell, until);
                self.send_shell(shell, at, ToShell::Look);
                return;
            }
        };
        let begun = now;
        self.send_api(
            shell,
            ApiCall::WriteLease {
                over,
                holder,
                begun,
            },
        );
    }

    pub(super) fn lease_written(
        &mut self,
        shell: usize,
        begun: Time,
        result: Result<(), ApiError>,
    ) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let terms = place.election.terms();
        if result.is_err() {
            self.look_after(shell, Duration::from_millis(500));
            return;
        }
        place.election.renewed(begun);
        let fence = place.election.fence().unwrap_or(now);
        let next = self.to_world(shell, begun.after(terms.renew_every));
        self.send_shell(shell, next, ToShell::Look);
        let at = self.to_world(shell, fence);
        self.send_shell(shell, at, ToShell::Fence);
        self.elect(shell);
    }

    /// Tells the engine that it may write; a patient shell only once nothing of an earlier term is
    /// under way any more.
    pub(super) fn elect(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        if place.leader || place.stopping || !place.election.may_write(now) {
            return;
        }
        if place.known.writing() && self.scenario.patient {
            return self.send_shell(shell, self.now + 100, ToShell::Elect);
        }
        place.leader = true;
        self.tell(shell, Event::Elected);
        self.relist(shell);
    }

    /// Nothing is under way any more: gives the lease back and ends.
    pub(super) fn release(&mut self, shell: usize) {
        let me = identity(shell, self.shells[shell].life);
        if self.api.holder() == Some(&me) {
            let over = self.api.lease.as_ref().map(|lease| lease.version.clone());
            // A release that fails is a crash, which is another fault.
            let _ = self.api.write_lease(over.as_ref(), &"".into(), self.now);
        }
        let back = self.dice.span(100..=20_000, ("back", shell));
        self.kill(shell, back);
    }
}
