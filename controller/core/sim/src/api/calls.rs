//! Requests at the model API server, and how they end.

use signpost_core::{
    Event,
    event::{ApiError, ApiErrorKind},
};

use crate::{
    api::{ApiCall, refused},
    queue::{Message, Sender, ToShell},
    world::World,
};

/// The longest that a write of a controller may take, in milliseconds: `Terms::longest_write()`.
pub(crate) const WRITE_LIMIT: u64 = 5_000;

impl World<'_> {
    pub(crate) fn sender(&self, shell: usize) -> Sender {
        Sender {
            shell,
            life: self.shells[shell].life,
            term: self.shells[shell].term,
            sent: self.now,
        }
    }

    fn api_lag(&mut self, about: (&'static str, usize)) -> u64 {
        let range = if self.now < self.api.modes.slow {
            300..=6_000
        } else {
            1..=40
        };
        self.dice.span(range, about)
    }

    /// Sends a request on its way.
    pub(crate) fn send_api(&mut self, shell: usize, call: ApiCall) {
        let from = self.sender(shell);
        let lag = self.api_lag(("to api", shell));
        if lag >= WRITE_LIMIT && is_write(&call) {
            // The connection is closed before it gets there.
            self.answer(from, from.sent + WRITE_LIMIT, unknown(call));
        } else {
            let at = self.now + lag;
            if matches!(
                call,
                ApiCall::SetPodCidrs { .. } | ApiCall::SetStatus { .. }
            ) {
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
                    Ok(self.api.lease.clone())
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
                self.answer(from, back, ToShell::Read { key, reading, node });
            }
            write => self.api_write(from, write, down, back),
        }
    }

    fn api_write(&mut self, from: Sender, call: ApiCall, down: bool, back: u64) {
        let lease = matches!(call, ApiCall::WriteLease { .. });
        let modes = &self.api.modes;
        let (denies, flaky) = (self.now < modes.denies, self.now < modes.flaky);
        let lossy = self.now < modes.answers_lost;
        let limit = from.sent + WRITE_LIMIT;
        let mut rng = self.dice.rng(("api write", from.shell));
        let refusal = if down || (flaky && rng.u8(0..100) < 60) {
            Some(ApiErrorKind::Transient)
        } else if denies && !lease {
            Some(ApiErrorKind::Denied)
        } else {
            None
        };
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

    /// Lets a write happen. For one of the lease it tells whether that was clean.
    fn api_commit(&mut self, from: Sender, call: &ApiCall) -> Result<bool, ApiError> {
        match call {
            ApiCall::WriteLease { over, holder, .. } => {
                let result = self.api.write_lease(over.as_ref(), holder, self.now);
                if result.is_ok() {
                    self.note(|| format!("  lease held by {holder}"));
                }
                result
            }
            ApiCall::SetPodCidrs { node, cidrs } => {
                self.check_fenced(from, "SetPodCidrs");
                let new = self
                    .api
                    .get(node)
                    .is_some_and(|node| node.node.pod_cidrs.is_empty());
                let result = self.api.set_pod_cidrs(node, cidrs);
                self.note(|| format!("  API: {node} gets {cidrs:?}: {result:?}"));
                if new && result.is_ok() {
                    self.check_given(node, cidrs);
                }
                result.map(|()| false)
            }
            ApiCall::SetStatus { node, status } => {
                self.check_fenced(from, "SetNetworkStatus");
                let result = self.api.set_status(node, status.available);
                self.note(|| {
                    let (available, reason) = (status.available, status.reason);
                    format!("  API: {node} available={available} {reason:?}: {result:?}")
                });
                result.map(|()| false)
            }
            ApiCall::ReadLease | ApiCall::ListNodes { .. } | ApiCall::ReadNode { .. } => Ok(false),
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

fn ended(call: ApiCall, result: Result<bool, ApiError>) -> ToShell {
    let clean = matches!(result, Ok(true));
    let result = result.map(|_| ());
    match call {
        ApiCall::WriteLease { begun, .. } => ToShell::LeaseWritten {
            begun,
            clean,
            result,
        },
        ApiCall::SetPodCidrs { node, .. } => ToShell::Event(Event::PodCidrsSet { node, result }),
        ApiCall::SetStatus { node, .. } => ToShell::Event(Event::NetworkStatusSet { node, result }),
        ApiCall::ReadLease | ApiCall::ListNodes { .. } | ApiCall::ReadNode { .. } => {
            ToShell::Relist
        }
    }
}
