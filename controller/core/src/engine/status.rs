//! The node condition `NetworkUnavailable`.

use super::{
    Engine,
    api::{ApiStep, ApiWrite},
    clock::Due,
    nodes::{NodeId, NodeState, Seen},
    pod_cidrs::DOUBT,
};
use crate::{
    Action, Time,
    action::{NetworkStatus, Reason},
    backoff::Pace,
    event::ApiErrorKind,
    node::{NetworkCondition, NodeKey},
    summary::Phase,
};

/// What was last written to a node's status.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusWrites {
    write: ApiWrite,
    sent: Option<(bool, Reason)>,
    written: Option<(bool, Reason, Time)>,
    /// A sighting contradicts what was written, and may be a late one.
    doubtful: bool,
}

impl StatusWrites {
    /// Compares a sighting with what was written; says when to look again.
    pub(super) fn doubt(&mut self, node: &Seen, now: Time) -> Option<Time> {
        let (available, _, at) = self.written?;
        let until = at.after(DOUBT);
        let contradicts = (node.network == NetworkCondition::Available) != available;
        self.doubtful = contradicts && now < until;
        self.doubtful.then_some(until)
    }

    /// A sighting that contradicts what was written turns out to be no late one.
    fn doubt_is_over(&mut self, now: Time) -> bool {
        let until = self.written.map(|(_, _, at)| at.after(DOUBT));
        let over = self.doubtful && until.is_some_and(|until| now >= until);
        self.doubtful &= !over;
        over
    }

    /// What the node says as far as we know, unless a doubtful sighting hides it.
    fn shown(&self, state: &NodeState) -> NetworkCondition {
        match self.written {
            Some((available, _, at)) if state.last_seen < at.after(DOUBT) => {
                if available {
                    NetworkCondition::Available
                } else {
                    NetworkCondition::Unavailable
                }
            }
            _ => state.node.network,
        }
    }
}

impl Engine {
    /// What the node's condition should say; `None` leaves it as it is.
    fn wanted_status(&self, state: &NodeState) -> Option<NetworkStatus> {
        let config = self.config.as_ref()?;
        if config.teardown || !self.recovered || state.gone || state.node.excluded {
            return None;
        }
        let status = &state.status;
        let shown = status.shown(state);
        if state.phase == Phase::Routed {
            let (reason, message) = if self.limits.routes {
                (
                    Reason::RouteCreated,
                    "every route table leads to this node's pods",
                )
            } else {
                (Reason::PodCIDRAssigned, "the node has its pod CIDRs")
            };
            return (shown != NetworkCondition::Available).then(|| NetworkStatus {
                available: true,
                reason,
                message: message.to_owned(),
            });
        }
        let trouble = state.trouble.as_deref()?;
        let available = shown == NetworkCondition::Available;
        // A node whose network is somebody else's work is not taken out of service, and one that
        // never was available need not be told of every hiccup.
        let waits = trouble.reason == Reason::RoutePending;
        let silent = if available {
            waits || trouble.reason == Reason::PodCIDROutOfRange
        } else {
            !(trouble.lasting || waits)
                || status.written.map(|(_, it, _)| it) == Some(trouble.reason)
        };
        (!silent).then(|| NetworkStatus {
            available: false,
            reason: trouble.reason,
            message: trouble.message.clone(),
        })
    }

    pub(super) fn queue_status(&mut self, id: NodeId) {
        let now = self.now.at;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        if state.status.doubt_is_over(now) {
            self.actions.push(Action::ReadNode(state.node.key.clone()));
        }
        if state.status.write.step != ApiStep::Idle || self.api.reporting.contains(&state.node.key)
        {
            return;
        }
        let not_before = state.status.write.not_before;
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        if self.wanted_status(state).is_none() {
            return;
        }
        if not_before > now {
            self.timers.set(not_before, Due::Node(id));
            return;
        }
        if let Some(state) = self.nodes.get_mut(id) {
            state.status.write.step = ApiStep::Queued;
            self.api.status.push_back(id);
        }
    }

    /// Begins the write that was queued, if it is still wanted.
    pub(super) fn send_status(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let status = self.wanted_status(state);
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        state.status.write.step = ApiStep::Idle;
        let node = state.node.key.clone();
        let Some(status) = status else { return };
        if !self.api.reporting.insert(node.clone()) {
            return;
        }
        state.status.write.step = ApiStep::Sent;
        state.status.sent = Some((status.available, status.reason));
        self.actions.push(Action::SetNetworkStatus { node, status });
    }

    pub(super) fn status_set(&mut self, key: &NodeKey, result: Result<(), ApiErrorKind>) {
        self.api.reporting.remove(key);
        let (now, backoff) = (self.now.at, self.backoff);
        let Some((id, state)) = self.nodes.answered(key) else {
            return;
        };
        let status = &mut state.status;
        status.write.step = ApiStep::Idle;
        match result {
            Ok(()) => {
                status.write = ApiWrite::default();
                if let Some((available, reason)) = status.sent.take() {
                    status.written = Some((available, reason, now));
                }
                // Normally a sighting follows that agrees.
                if let Some(until) = status.doubt(&state.node, now) {
                    self.timers.set(until, Due::Node(id));
                }
            }
            Err(error @ (ApiErrorKind::Denied | ApiErrorKind::Invalid)) => {
                status.write.failed(backoff, key, Pace::Refused, now);
                self.notice_refused_status(error);
            }
            Err(error) => {
                status.write.failed(backoff, key, Pace::Quick, now);
                if error == ApiErrorKind::NotFound {
                    self.actions.push(Action::ReadNode(key.clone()));
                }
            }
        }
    }
}
