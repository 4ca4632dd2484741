//! How a controller comes by the lease, and what it does without.

use std::time::Duration;

use signpost_core::{
    Event, Handover, Time,
    event::ApiError,
    lease::{Record, Step, Terms},
    shell::Feed,
};

use super::identity;
use crate::{
    api::ApiCall, cloud::calls::WRITE_LIMIT, dice::mix, invariants::Invariant,
    knowledge::Knowledge, queue::ToShell, rules::Rule, world::World,
};

impl World<'_> {
    /// The process notices that it may not write any more.
    pub(crate) fn depose(&mut self, shell: usize) {
        if self.shells[shell].leads() && !self.unfenced {
            self.note(|| format!("controller {shell} leads no more"));
            self.end_leadership(shell);
        }
    }

    /// The engine goes and all that it knew. What it has under way goes on.
    pub(super) fn end_leadership(&mut self, shell: usize) {
        let place = &mut self.shells[shell];
        place.watching = false;
        // A list that is on its way is of no use any more.
        place.streams += 1;
        place.wake_at = None;
        if let Some(brain) = place.brain.take() {
            self.coverage.count(&*brain);
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

    pub(super) fn lease_written(&mut self, shell: usize, begun: Time, clean: bool, written: bool) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let terms = place.election.terms();
        if !written {
            self.look_after(shell, Duration::from_millis(500));
            return;
        }
        place.election.renewed(begun);
        if !place.leads() {
            let handover = if clean {
                Handover::Clean
            } else {
                Handover::Unclean
            };
            place.writes.elected(handover, now);
        }
        let fence = place.election.fence().unwrap_or(now);
        let next = self.to_world(shell, begun.after(terms.renew_every));
        self.send_shell(shell, next, ToShell::Look);
        let at = self.to_world(shell, fence);
        self.send_shell(shell, at, ToShell::Fence);
        self.elect(shell);
    }

    /// Makes an engine, once nothing of an earlier leadership of this process is under way any more.
    pub(super) fn elect(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        if place.leads() || place.stopping || !place.election.may_write(now) {
            return;
        }
        if !place.writes.may_begin() {
            self.meet(Rule::WaitedForWrites);
            return self.send_shell(shell, self.now + 100, ToShell::Elect);
        }
        place.term += 1;
        place.known = Knowledge::new(self.now);
        place.feed = Feed::default();
        let handover = place.writes.handover(self.scenario.limits.settle, now);
        let config = place.config.clone();
        let seed = [shell as u64, u64::from(place.life), u64::from(place.term)];
        let seed = seed.into_iter().fold(self.scenario.seed, mix);
        place.brain = Some((self.make)(self.scenario.limits, seed, handover, now));
        self.note(|| format!("controller {shell} leads ({handover:?})"));
        if self.led {
            let rule = match handover {
                Handover::Clean => Rule::CleanHandover,
                Handover::Unclean => Rule::UncleanHandover,
            };
            self.meet(rule);
            if self.scenario.terms != Terms::default() {
                self.meet(Rule::LongLease);
            }
        }
        self.led = true;
        if handover == Handover::Clean && !self.has_settled() {
            self.broken(Invariant::Contract, || "the handover is not clean".into());
        }
        if config.is_some() {
            self.tell(shell, Event::Configured(config));
        }
        self.relist(shell);
    }

    /// Whatever anybody wrote has happened by now and shows in each listing begun from now on.
    fn has_settled(&self) -> bool {
        let lag = self.cloud.limits.settle;
        let lag = lag.saturating_sub(Duration::from_millis(WRITE_LIMIT));
        let routes = self.routes_land;
        self.now >= self.api_lands
            && routes.is_none_or(|landed| self.now >= Time(landed).after(lag).0)
    }

    /// Nothing is under way any more: gives the lease back and ends.
    pub(super) fn release(&mut self, shell: usize) {
        let place = &self.shells[shell];
        if !place.writes.may_begin() || self.local(shell) < place.landed {
            return self.send_shell(shell, self.now + 100, ToShell::Release);
        }
        let me = identity(shell, self.shells[shell].life);
        if self.api.holder() == Some(&me) {
            let over = self.api.lease.as_ref().map(|lease| lease.version.clone());
            // A release that fails is a crash, which is another fault.
            let released = self.api.write_lease(over.as_ref(), &"".into(), self.now);
            let now = self.local(shell);
            let writes = &self.shells[shell].writes;
            let settled = writes.settled(self.scenario.limits.settle, now);
            self.api.lease_clean = released.is_ok() && settled;
        }
        let back = self.dice.span(100..=20_000, ("back", shell));
        self.kill(shell, back);
    }
}
