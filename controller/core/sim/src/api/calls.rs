//! Requests at the model API server, and how they end.

use signpost_core::{
    Event,
    event::{ApiError, ApiErrorKind},
};

use crate::{
    api::{ApiCall, lease::Lease, refused},
    queue::{Message, Sender, ToShell},
    rules::Rule,
    world::World,
};

impl World<'_> {
    pub(crate) fn sender(&self, shell: usize) -> Sender {
        Sender {
            shell,
            life: self.shells[shell].life,
            term: self.shells[shell].term,
            sent: self.now,
            late: false,
        }
    }

    /// How long after now a controller that stands still between fence and send goes on.
    pub(crate) fn halted(&self, shell: usize) -> u64 {
        self.shells[shell].halted_until.saturating_sub(self.now)
    }

    fn api_lag(&mut self, about: (&'static str, usize)) -> u64 {
        let range = if self.now < self.api.modes.slow {
            300..=6_000
        } else {
            1..=40
        };
        self.dice.span(range, about)
    }

    /// How long the sender of a request stood still before it sent it.
    pub(crate) fn halted_before(&self, from: Sender) -> u64 {
        if from.late {
            self.now.saturating_sub(from.sent)
        } else {
            0
        }
    }

    /// Sends a request on its way.
    pub(crate) fn send_api(&mut self, shell: usize, call: ApiCall) {
        let mut from = self.sender(shell);
        let lag = self.api_lag(("to api", shell));
        let halted = self.halted(shell);
        if lag >= self.scenario.api_wait && is_write(&call) && halted == 0 {
            // The connection is closed before it gets there.
            self.answer(from, from.sent + self.scenario.api_wait, unknown(call));
        } else {
            let lag = lag + halted;
            from.late = halted > 0;
            let at = self.now + lag;
            let ours = matches!(
                call,
                ApiCall::SetPodCidrs { .. } | ApiCall::SetStatus { .. }
            );
            if ours && !from.late {
                self.api_lands = self.api_lands.max(at);
            }
            self.queue.push(at, Message::ToApi { from, call });
        }
    }

    /// Brings an answer to who asked.
    pub(crate) fn answer(&mut self, to: Sender, at: u64, what: ToShell) {
        let Sender {
            shell, life, term, ..
        } = to;
        self.queue.push(
            at,
            Message::ToShell {
                shell,
                life,
                term: Some(term),
                what,
            },
        );
    }

    pub(crate) fn api_arrival(&mut self, from: Sender, call: ApiCall) {
        let down = self.now < self.api.modes.down;
        let back = self.now + self.api_lag(("from api", from.shell));
        match call {
            ApiCall::ReadLease => {
                let lease = if down {
                    Err(refused(ApiErrorKind::Transient))
                } else {
                    Ok(self.api.look())
                };
                self.answer(from, back, ToShell::LeaseRead(lease));
            }
            // Reads are tried until they succeed.
            call @ (ApiCall::ListNodes { .. } | ApiCall::ReadNode { .. }) if down => {
                self.queue
                    .push(self.now + 1_000, Message::ToApi { from, call });
            }
            ApiCall::ListNodes { stream } => {
                let nodes = self.api.nodes.values();
                let nodes = nodes.map(|node| (node.node.clone(), Some(node.version)));
                let nodes = nodes.collect();
                let upto = self.api.log.len();
                let what = ToShell::Nodes {
                    stream,
                    nodes,
                    upto,
                };
                self.answer(from, back, what);
            }
            ApiCall::ReadNode { key, reading } => {
                let node = self.api.nodes.get(&key.name);
                let node = node.map(|node| (node.node.clone(), Some(node.version)));
                // Some take so long that the watch overtakes them.
                let slow = self.dice.percent(20, ("slow read", from.shell));
                let more = if slow { 200..=3_000 } else { 0..=0 };
                let back = back + self.dice.span(more, ("read", from.shell));
                self.answer(from, back, ToShell::Read { key, reading, node });
            }
            write => self.api_write(from, write, down, back),
        }
    }

    fn api_write(&mut self, from: Sender, call: ApiCall, down: bool, back: u64) {
        let lease = matches!(call, ApiCall::WriteLease { .. });
        let modes = &self.api.modes;
        let (denies, flaky) = (self.now < modes.denies, self.now < modes.flaky);
        let refuses = self.now < modes.refuses && matches!(call, ApiCall::SetPodCidrs { .. });
        let lossy = self.now < modes.answers_lost;
        let lands_late = self.now < modes.lands_late;
        let limit = from.sent + self.halted_before(from) + self.scenario.api_wait;
        let mut rng = self.dice.rng(("api write", from.shell));
        let refusal = if down || (flaky && rng.u8(0..100) < 60) {
            Some(ApiErrorKind::Transient)
        } else if denies && !lease {
            Some(ApiErrorKind::Denied)
        } else if refuses {
            Some(ApiErrorKind::Invalid)
        } else {
            None
        };
        if refusal.is_none() && lands_late && rng.u8(0..100) < 60 {
            // The connection breaks while the server works on it.
            let serve = self.scenario.api_serve;
            let gone = (self.now + rng.u64(1..=200)).min(limit).max(self.now);
            self.answer(from, gone, unknown(call.clone()));
            let at = self.now + rng.u64(0..=serve);
            if !lease && !from.late {
                self.api_lands = self.api_lands.max(at);
            }
            return self.queue.push(at, Message::Lands { from, call });
        }
        let lost = lossy && rng.u8(0..100) < 60;
        if refusal.is_none() && lost && rng.bool() {
            // Lost on its way there.
            let at = if rng.bool() { back } else { limit };
            self.answer(from, at.min(limit), unknown(call));
            return;
        }
        let result = match refusal {
            Some(kind) => Err(refused(kind)),
            None => self.api_commit(from, &call),
        };
        if lost || back > limit {
            let at = if rng.bool() { back } else { limit };
            self.answer(from, at.min(limit), unknown(call));
        } else {
            self.answer(from, back, ended(call, result));
        }
    }

    /// A write happens that nobody waits for any more.
    pub(crate) fn api_lands(&mut self, from: Sender, call: &ApiCall) {
        if self.now >= self.api.modes.down {
            self.note(|| "  late:".into());
            // There is nobody who could be told how it ended.
            let landed = self.api_commit(from, call).is_ok();
            if landed && matches!(call, ApiCall::SetPodCidrs { .. }) {
                self.meet(Rule::LateLanding);
            }
        }
    }

    /// Lets a write happen. One of the lease tells what became of it.
    fn api_commit(&mut self, from: Sender, call: &ApiCall) -> Result<Option<Lease>, ApiError> {
        match call {
            ApiCall::WriteLease { over, lease, .. } => {
                let result = self.api.write_lease(*over, lease, self.now);
                if result.is_ok() {
                    self.note(|| format!("  lease held by {}", lease.holder));
                }
                result.map(Some)
            }
            ApiCall::SetPodCidrs { node, cidrs } => {
                self.check_fenced(from, "SetPodCidrs");
                let new = self
                    .api
                    .get(node)
                    .is_some_and(|node| node.node.pod_cidrs.is_empty());
                let result = self.api.set_pod_cidrs(node, cidrs);
                self.note(|| format!("  API: {node} gets {cidrs:?}: {result:?}"));
                // It was sent before the nodes were listed anew, be it within the same millisecond.
                let listed = &self.shells[from.shell].known.listed;
                let blind = self.restored.is_some_and(|at| {
                    let mut listed = listed.iter();
                    !listed.any(|listed| (at..from.sent).contains(listed))
                });
                if new && result.is_ok() && (from.late || blind) {
                    // What a process does that was stopped after it looked at the fence, or that cannot
                    // know yet what a restoration brought back, is as if somebody else had done it.
                    self.api.made_by_hand(node, cidrs, self.now);
                } else if new && result.is_ok() {
                    self.check_given(from, node, cidrs);
                    self.meet_given(from.shell, node, cidrs);
                }
                result.map(|()| None)
            }
            ApiCall::SetStatus { node, status } => {
                self.check_fenced(from, "SetNetworkStatus");
                let result = self.api.set_status(node, status.available);
                self.note(|| {
                    let (available, reason) = (status.available, status.reason);
                    format!("  API: {node} available={available} {reason:?}: {result:?}")
                });
                result.map(|()| None)
            }
            ApiCall::ReadLease | ApiCall::ListNodes { .. } | ApiCall::ReadNode { .. } => Ok(None),
        }
    }
}

fn is_write(call: &ApiCall) -> bool {
    matches!(
        call,
        ApiCall::WriteLease { .. } | ApiCall::SetPodCidrs { .. } | ApiCall::SetStatus { .. }
    )
}

fn unknown(call: ApiCall) -> ToShell {
    ended(call, Err(refused(ApiErrorKind::Unknown)))
}

fn ended(call: ApiCall, result: Result<Option<Lease>, ApiError>) -> ToShell {
    let written = result.clone().map(Option::unwrap_or_default);
    let result = result.map(|_| ());
    match call {
        ApiCall::WriteLease {
            begun, handover, ..
        } => ToShell::LeaseWritten {
            begun,
            handover,
            result: written,
        },
        ApiCall::SetPodCidrs { node, .. } => ToShell::Event(Event::PodCidrsSet { node, result }),
        ApiCall::SetStatus { node, .. } => ToShell::Event(Event::NetworkStatusSet { node, result }),
        ApiCall::ReadLease | ApiCall::ListNodes { .. } | ApiCall::ReadNode { .. } => {
            ToShell::Relist
        }
    }
}
