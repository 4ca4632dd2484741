//! Writes to the Kubernetes API: one line for pod CIDRs, which come first, and one for conditions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Nodes,
    assignment::{Cidrs, LATE},
    state::{NodeState, item},
};
use crate::{
    Action,
    action::Reason,
    event::{ApiError, ApiErrorKind},
    ids::NodeId,
    node::NodeKey,
    retry::{Pace, Retry},
    turn::{Trouble, Turn},
};

/// One kind of write to one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Write {
    pub(super) step: Step,
    pub(super) retry: Retry,
}

/// How far a write is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Step {
    #[default]
    Idle,
    Queued,
    Sent,
}

impl Write {
    pub(super) fn is_sent(&self) -> bool {
        self.step == Step::Sent
    }

    pub(super) fn failed(&mut self, turn: &Turn, key: &NodeKey, kind: ApiErrorKind) {
        let wait = turn.backoff.wait(item(key), Pace::of_api(kind));
        self.retry
            .failed(wait, std::time::Duration::ZERO, turn.now.at);
    }
}

/// Writes that wait and writes that are in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    pub(super) pod_cidrs: VecDeque<NodeId>,
    pub(super) conditions: VecDeque<NodeId>,
    /// Nodes whose pod CIDRs are being written. By key, since an answer may come for one that is gone.
    setting: BTreeMap<NodeKey, Cidrs>,
    /// Nodes whose condition is being written.
    pub(super) reporting: BTreeSet<NodeKey>,
}

impl Queue {
    fn in_flight(&self) -> usize {
        self.setting.len() + self.reporting.len()
    }
}

impl Nodes {
    /// Pod CIDRs wait to be written.
    pub(crate) fn writes_wait(&self) -> bool {
        !self.queue.pod_cidrs.is_empty()
    }

    /// Has a node read anew that was seen without what it has, once that may be no late sighting.
    pub(crate) fn look_for_missed(&mut self, turn: &mut Turn, id: NodeId) {
        let now = turn.now.at;
        if let Some(state) = self.get_mut(id)
            && state.assignment.look_for_missed(now)
        {
            turn.act(Action::ReadNode(state.node.key.clone()));
        }
    }

    /// Queues what is to be written to a node, or sets the time when it may be.
    pub(crate) fn queue_pod_cidrs(&mut self, turn: &mut Turn, id: NodeId) {
        let now = turn.now.at;
        let Some(state) = self.all.get_mut(id.place()).and_then(Option::as_mut) else {
            return;
        };
        if !state.assignment.is_unwritten()
            || state.assignment.write.step != Step::Idle
            || self.queue.setting.contains_key(&state.node.key)
        {
            return;
        }
        let write = &mut state.assignment.write;
        if let Some(until) = write.retry.waits(now) {
            self.timers.set(until, super::Due::Node(id));
        } else {
            write.step = Step::Queued;
            self.queue.pod_cidrs.push_back(id);
        }
    }

    /// Begins what was queued and is still wanted, pod CIDRs first. `may_set` says whether chosen
    /// blocks are still the node's to have.
    pub(crate) fn begin_writes(
        &mut self,
        turn: &mut Turn,
        may_set: impl Fn(NodeId, &NodeState) -> bool,
    ) {
        while self.queue.in_flight() < turn.limits.api_writes {
            if let Some(id) = self.queue.pod_cidrs.pop_front() {
                self.send_pod_cidrs(turn, id, &may_set);
            } else if let Some(id) = self.queue.conditions.pop_front() {
                self.send_condition(turn, id);
            } else {
                return;
            }
        }
    }

    fn send_pod_cidrs(
        &mut self,
        turn: &mut Turn,
        id: NodeId,
        may_set: &impl Fn(NodeId, &NodeState) -> bool,
    ) {
        let Some(state) = self.get_mut(id) else {
            return;
        };
        state.assignment.write.step = Step::Idle;
        let key = state.node.key.clone();
        let wanted = !state.gone && state.assignment.is_unwritten() && may_set(id, state);
        let cidrs = state.assignment.cidrs.clone();
        if !wanted || self.queue.setting.contains_key(&key) {
            return self.mark(id);
        }
        if let Some(state) = self.get_mut(id) {
            state.assignment.sent();
        }
        self.queue.setting.insert(key.clone(), cidrs.clone());
        turn.act(Action::SetPodCidrs {
            node: key,
            cidrs: cidrs.to_vec(),
        });
    }

    /// The answer to a write of pod CIDRs.
    pub(crate) fn pod_cidrs_set(
        &mut self,
        turn: &mut Turn,
        key: &NodeKey,
        result: Result<(), ApiError>,
    ) {
        let sent = self.queue.setting.remove(key);
        let Some((_, state)) = self.answered(key) else {
            return;
        };
        let assignment = &mut state.assignment;
        assignment.write.step = Step::Idle;
        let error = match result {
            Ok(()) if sent.as_deref() == Some(&assignment.cidrs[..]) => {
                if assignment.written() {
                    turn.act(Action::ReadNode(key.clone()));
                }
                return;
            }
            Ok(()) => None,
            Err(error) => Some(error),
        };
        let kind = error.as_ref().map_or(ApiErrorKind::Conflict, |it| it.kind);
        assignment.write.failed(turn, key, kind);
        if kind == ApiErrorKind::Unknown {
            assignment.answer_lost(turn.now.at);
        }
        let refused = Pace::of_api(kind) == Pace::Refused;
        if let Some(error) = error.filter(|_| refused || assignment.write.retry.lasts()) {
            assignment.trouble = Some(Box::new(describe(&error)));
        }
        if !matches!(kind, ApiErrorKind::Transient | ApiErrorKind::Unknown) {
            turn.act(Action::ReadNode(key.clone()));
        }
    }

    /// Takes back what was chosen for a node. `None` while the node may have it already, or may get
    /// it yet: then it is read once that can be told.
    pub(crate) fn withdraw(&mut self, turn: &mut Turn, id: NodeId) -> Option<Cidrs> {
        let now = turn.now.at;
        let state = self.get_mut(id)?;
        let assignment = &mut state.assignment;
        let Some(at) = assignment.uncertain() else {
            let cidrs = std::mem::take(&mut assignment.cidrs);
            assignment.choose(Vec::new());
            return Some(cidrs);
        };
        let settled = at.after(turn.limits.api_settle);
        let retry = &mut assignment.write.retry;
        let due = retry.waits(now).map_or(settled, |until| until.max(settled));
        if due > now {
            self.timers.set(due, super::Due::Node(id));
            return None;
        }
        let key = state.node.key.clone();
        state
            .assignment
            .write
            .failed(turn, &key, ApiErrorKind::Unknown);
        let again = state.assignment.write.retry.waits(now).unwrap_or(now);
        self.timers
            .set(again.max(now.after(LATE)), super::Due::Node(id));
        turn.act(Action::ReadNode(key));
        None
    }
}

fn describe(error: &ApiError) -> Trouble {
    let remedy = match error.kind {
        ApiErrorKind::Denied => "grant the controller the verb patch on nodes",
        ApiErrorKind::Conflict | ApiErrorKind::Invalid => {
            "is another controller (--allocate-node-cidrs) setting it too, or an admission policy in \
             the way?"
        }
        ApiErrorKind::NotFound | ApiErrorKind::Transient | ApiErrorKind::Unknown => {
            "it is tried again"
        }
    };
    Trouble::lasting(
        Reason::WriteRefused,
        format!("spec.podCIDRs cannot be set: {}; {remedy}", error.detail),
    )
}
