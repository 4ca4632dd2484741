//! How a controller comes by the lease, and what it does without.

use std::time::Duration;

use signpost_core::{
    Event, Handover, Time,
    event::{ApiError, ApiErrorKind},
    lease::{Step, Terms},
    shell::Feed,
};

use super::identity;
use crate::{
    api::{
        ApiCall,
        lease::{Found, Lease},
    },
    cloud::calls::WRITE_LIMIT,
    dice::mix,
    invariants::Invariant,
    knowledge::Knowledge,
    queue::ToShell,
    rules::Rule,
    world::World,
};

/// How soon a request that failed is tried again while the lease is held.
const RETRY: Duration = Duration::from_secs(1);

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

    /// The lease is lost.
    fn resign(&mut self, shell: usize) {
        let place = &mut self.shells[shell];
        place.election.lost();
        (place.written, place.elected) = (None, false);
        self.depose(shell);
    }

    /// Reads the lease, or writes it anew at once if we hold it. Also who stops goes on until it is
    /// given back.
    pub(super) fn look(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &self.shells[shell];
        if place.election.fence().is_some_and(|fence| fence <= now) {
            self.resign(shell);
        }
        match self.shells[shell].written.clone() {
            Some(lease) => {
                let (lease, store) = (Some(lease), None);
                self.lease_found(shell, Found { lease, store });
            }
            None => self.send_api(shell, ApiCall::ReadLease),
        }
    }

    fn look_after(&mut self, shell: usize, span: Duration) {
        let at = Time(self.now).after(span).0;
        self.send_shell(shell, at, ToShell::Look);
    }

    /// A request failed.
    fn look_again(&mut self, shell: usize) {
        let election = &self.shells[shell].election;
        let span = match election.fence() {
            Some(fence) => fence.since(self.local(shell)).min(RETRY),
            None => election.terms().look_every,
        };
        self.look_after(shell, span);
    }

    pub(super) fn lease_read(&mut self, shell: usize, found: Result<Found, ApiError>) {
        match found {
            Ok(found) => self.lease_found(shell, found),
            Err(_) => self.look_again(shell),
        }
    }

    fn lease_found(&mut self, shell: usize, found: Found) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let step = place.election.decide(found.record(), now);
        let over = found.lease.as_ref().map(|lease| lease.version);
        let (transition, handover) = match step {
            Step::Create => (true, Handover::Unclean),
            Step::Take {
                transition,
                handover,
                ..
            } => (transition, handover),
            Step::Wait(until) => {
                if place.election.fence().is_some() {
                    self.resign(shell);
                }
                let at = self.to_world(shell, until);
                self.send_shell(shell, at, ToShell::Look);
                return;
            }
        };
        let terms = place.election.terms();
        let wait = match place.election.fence() {
            Some(fence) => terms.renew_every.min(fence.since(now)),
            None => terms.renew_every,
        };
        place.patience = now.after(wait);
        let lease = found.lease.unwrap_or_default();
        let lease = lease.held(identity(shell, place.life), terms, transition);
        let begun = now;
        self.send_api(
            shell,
            ApiCall::WriteLease {
                over,
                lease,
                begun,
                handover,
            },
        );
    }

    pub(super) fn lease_written(
        &mut self,
        shell: usize,
        begun: Time,
        handover: Handover,
        result: Result<Lease, ApiError>,
    ) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let terms = place.election.terms();
        let lease = match result {
            Ok(lease) if now < place.patience => lease,
            failed => {
                place.written = None;
                // Somebody else wrote first: what the record says now decides.
                let conflict = failed.is_err_and(|error| error.kind == ApiErrorKind::Conflict);
                return if conflict {
                    self.look(shell);
                } else {
                    self.look_again(shell);
                };
            }
        };
        place.election.renewed(begun);
        place.written = Some(lease);
        if !place.elected {
            place.elected = true;
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
        if !place.writes.may_begin() || self.local(shell) < place.writes.landed() {
            return self.send_shell(shell, self.now + 100, ToShell::Release);
        }
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let settled = place.writes.settled(self.scenario.limits.settle, now);
        if let Some(lease) = place.written.take()
            && self.now >= self.api.modes.down
        {
            let back = lease.released(settled);
            // If it fails the lease is left to expire.
            let released = self.api.write_lease(Some(lease.version), &back, self.now);
            self.note(|| format!("controller {shell} gives the lease back: {released:?}"));
        }
        let back = self.dice.span(100..=20_000, ("back", shell));
        self.kill(shell, back);
    }
}
