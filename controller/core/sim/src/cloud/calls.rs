//! Requests at the model cloud, and how they end.

use std::{sync::Arc, time::Duration};

use signpost_core::{
    Event, NodeKey,
    cloud::{CloudError, CloudErrorKind, InstanceQuery, Range, RouteChange},
    shell::Place,
};

use super::operations::Task;
use crate::{
    cloud::MachineState,
    queue::{Message, Sender, ToShell},
    scenario::CloudKind,
    world::World,
};

/// The longest that a write of a controller is waited for, in milliseconds, and that it may take.
pub(crate) const WRITE_LIMIT: u64 = 5_000;

/// A request of a controller.
#[derive(Debug)]
pub(crate) enum CloudCall {
    /// List all tables, with the routes in these ranges.
    List { listing: u64, ranges: Arc<[Range]> },
    /// Look up machines.
    ReadInstances {
        batch: u64,
        queries: Vec<InstanceQuery>,
    },
    /// Switch forwarding on.
    EnableForwarding(InstanceQuery),
    /// Change a route. Unless `mute`, who asked is told how it ended.
    Write {
        write: u64,
        change: RouteChange,
        mute: bool,
    },
}

impl World<'_> {
    fn cloud_lag(&mut self, about: (&'static str, usize)) -> u64 {
        let local = self.scenario.cloud != CloudKind::Cloud;
        let range = match (self.now < self.cloud.modes.slow, local) {
            (true, _) => 300..=6_000,
            (false, true) => 0..=4,
            (false, false) => 20..=600,
        };
        self.dice.span(range, about)
    }

    /// Sends a request on its way.
    pub(crate) fn send_cloud(&mut self, shell: usize, call: CloudCall) {
        let mut from = self.sender(shell);
        let lag = self.cloud_lag(("to cloud", shell));
        let halted = self.halted(shell);
        from.late = halted > 0;
        let lossy = self.now < self.cloud.modes.answers_lost;
        let call = match call {
            CloudCall::Write { write, .. } if lag >= WRITE_LIMIT && !from.late => {
                let what = written(write, Err(gave_up(CloudErrorKind::Unknown)));
                return self.answer(from, from.sent + WRITE_LIMIT, what);
            }
            CloudCall::Write { write, change, .. }
                if lossy
                    && !from.late
                    && self.scenario.cloud == CloudKind::Cloud
                    && self.dice.percent(25, ("cut off", shell)) =>
            {
                // The connection breaks while the request is still on its way through the cloud.
                let early = self.now + lag / 2;
                let what = written(write, Err(gave_up(CloudErrorKind::Unknown)));
                self.answer(from, early, what);
                CloudCall::Write {
                    write,
                    change,
                    mute: true,
                }
            }
            CloudCall::EnableForwarding(query) if lag >= WRITE_LIMIT && !from.late => {
                let what = forwarded(query.node, Err(gave_up(CloudErrorKind::Unknown)));
                return self.answer(from, from.sent + WRITE_LIMIT, what);
            }
            call => call,
        };
        let at = self.now + halted + lag;
        if matches!(call, CloudCall::Write { .. }) && !from.late {
            self.routes_land = self.routes_land.max(Some(at));
        }
        self.queue.push(at, Message::ToCloud { from, call });
    }

    /// Why the cloud refuses a request right away, if it does.
    pub(super) fn cloud_refusal(&mut self, from: Sender, write: bool) -> Option<CloudError> {
        let mut rng = self.dice.rng(("cloud refusal", from.shell));
        let modes = &self.cloud.modes;
        if self.now < modes.down {
            Some(gave_up(CloudErrorKind::Transient))
        } else if self.now < modes.throttles && rng.u8(0..100) < 70 {
            let mut error = gave_up(CloudErrorKind::Throttled);
            error.retry_after = rng.bool().then(|| Duration::from_secs(rng.u64(1..=5)));
            Some(error)
        } else if write && self.now < modes.denies {
            Some(gave_up(CloudErrorKind::Denied))
        } else {
            None
        }
    }

    pub(crate) fn cloud_arrival(&mut self, from: Sender, call: CloudCall) {
        let back = self.now + self.cloud_lag(("from cloud", from.shell));
        match call {
            CloudCall::List { listing, ranges } => {
                let result = self.list(from, &ranges);
                let event = Event::RoutesListed { listing, result };
                let hangs = self.now < self.cloud.modes.listing_hangs
                    && self.dice.percent(60, ("hangs", from.shell));
                let hang = if hangs {
                    self.dice.span(16_000..=120_000, ("hang", from.shell))
                } else {
                    0
                };
                self.answer(from, back + hang, ToShell::Event(event));
            }
            CloudCall::ReadInstances { batch, queries } => {
                let refusal = self.cloud_refusal(from, false);
                let mut answers = Vec::new();
                for query in &queries {
                    if self.dice.percent(2, ("unanswered", from.shell)) {
                        continue;
                    }
                    let answer = match &refusal {
                        Some(error) => Err(error.clone()),
                        None => Ok(self.instance(query)),
                    };
                    answers.push((query.node.clone(), answer));
                }
                let event = Event::InstancesRead { batch, answers };
                self.answer(from, back, ToShell::Event(event));
            }
            CloudCall::EnableForwarding(query) => {
                let limit = from.sent + self.halted_before(from) + WRITE_LIMIT;
                let back = back.min(limit).max(self.now);
                let result = match self.cloud_refusal(from, true) {
                    Some(error) => Err(error),
                    None if self.scenario.habits.operations => {
                        self.check_fenced(from, "EnableForwarding");
                        self.carry_out(Some(from), Some(back), Task::Forwarding(query));
                        return self.answer(from, back, ToShell::Accepted(Place::Instance));
                    }
                    None => {
                        self.check_fenced(from, "EnableForwarding");
                        self.forward(&query)
                    }
                };
                self.answer(from, back, forwarded(query.node, result));
            }
            CloudCall::Write {
                write,
                change,
                mute,
            } => self.cloud_write(from, write, &change, mute, back),
        }
    }

    fn cloud_write(
        &mut self,
        from: Sender,
        write: u64,
        change: &RouteChange,
        mute: bool,
        back: u64,
    ) {
        let deletion = matches!(change, RouteChange::Delete { .. });
        let denied = deletion && self.now < self.cloud.modes.denies_deletions;
        let denied = denied.then(|| gave_up(CloudErrorKind::Denied));
        let refusal = self.cloud_refusal(from, true).or(denied);
        let lossy = self.now < self.cloud.modes.answers_lost;
        let mut rng = self.dice.rng(("cloud write", from.shell));
        let lost = refusal.is_none() && lossy && rng.u8(0..100) < 60;
        let half = lost && rng.bool();
        let limit = from.sent + self.halted_before(from) + WRITE_LIMIT;
        let lost_late = lost || back > limit;
        let at = if lost && rng.bool() { limit } else { back };
        let at = at.min(limit);
        let result = match refusal {
            Some(error) => Err(error),
            None if half => {
                self.cloud.write_half(change, self.now);
                Err(gave_up(CloudErrorKind::Unknown))
            }
            None if self.scenario.habits.operations => {
                let heard = (!mute && !lost_late).then_some(at);
                let accepted = self.accept_write(from, write, change, heard);
                if accepted.is_ok() && heard.is_some() {
                    return self.answer(from, at, ToShell::Accepted(Place::Routes));
                }
                accepted
            }
            None => {
                self.check_fenced(from, "WriteRoute");
                self.check_touches_ours(from, change);
                self.cloud_commit(from, change)
            }
        };
        if mute {
            return;
        }
        let result = if lost_late {
            Err(gave_up(CloudErrorKind::Unknown))
        } else {
            result
        };
        self.answer(from, at, written(write, result));
    }

    pub(super) fn cloud_commit(
        &mut self,
        from: Sender,
        change: &RouteChange,
    ) -> Result<(), CloudError> {
        let result = self.cloud.write(change, self.now);
        self.note(|| {
            let ended = result.as_ref().map_err(|error| error.kind);
            format!("  cloud: {}: {ended:?}", crate::trail::change(change))
        });
        if result.is_ok()
            && from.late
            && let Some(table) = self.cloud.tables.get_mut(change.table())
        {
            table.late.insert(change.destination());
        }
        if result.is_ok() {
            let table = self.cloud.tables.get(change.table());
            let left = table.and_then(|table| table.routes.get(&change.destination()));
            let doubled = left.is_some_and(|held| held.ours);
            self.meet_written(from.shell, change, doubled);
            self.check_after_teardown(change, from);
            self.check_leads_to_owner(from, change);
            self.check_guard(from, change);
            self.routes_changed(50);
        }
        result
    }

    /// Tells controllers, where the cloud does so, that somebody may have changed a route.
    pub(crate) fn routes_changed(&mut self, percent: u8) {
        if self.scenario.cloud != CloudKind::Local {
            return;
        }
        for shell in 0..self.shells.len() {
            if self.dice.percent(percent, ("notice", shell)) {
                let lag = self.dice.span(1..=20, ("notice lag", shell));
                let what = ToShell::Event(Event::RoutesMayHaveChanged);
                self.send_shell(shell, self.now + lag, what);
            }
        }
    }

    pub(super) fn forward(&mut self, query: &InstanceQuery) -> Result<(), CloudError> {
        let machine = query
            .provider_id
            .as_ref()
            .and_then(|id| self.cloud.machines.get_mut(id));
        match machine {
            Some(machine) if machine.state == MachineState::Running => {
                machine.forwarding = true;
                Ok(())
            }
            _ => Err(gave_up(CloudErrorKind::NotFound)),
        }
    }
}

pub(super) fn gave_up(kind: CloudErrorKind) -> CloudError {
    CloudError::new(kind, "as the schedule has it")
}

fn written(write: u64, result: Result<(), CloudError>) -> ToShell {
    ToShell::Event(Event::RouteWritten { write, result })
}

fn forwarded(node: NodeKey, result: Result<(), CloudError>) -> ToShell {
    ToShell::Event(Event::ForwardingEnabled { node, result })
}
