//! The node condition `NetworkUnavailable`.

use std::time::Duration;

use super::{
    Nodes,
    assignment::LATE,
    state::{NodeState, Seen, item},
    writes::{Step, Write},
};
use crate::{
    Action, Time,
    action::{NetworkStatus, Reason, Subject},
    event::{ApiError, ApiErrorKind},
    ids::NodeId,
    node::{NetworkCondition, NodeKey},
    retry::{Pace, Retry},
    summary::Phase,
    turn::Turn,
};

/// Whoever changes the condition back so often is told of.
const CONTESTED: u8 = 3;

/// A condition that was left alone for that long is not contested any more.
const PEACE: Duration = Duration::from_secs(600);

/// What was last written to a node's status.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    write: Write,
    sent: Option<(bool, Reason)>,
    /// The node was seen since, so what was seen may be from before the write or from after it.
    crossed: bool,
    /// What the node says as far as we know, in place of the last sighting.
    written: Option<(bool, Reason, Time)>,
    /// A sighting contradicts what was written, and may be a late one.
    doubtful: bool,
    contest: Option<Box<Contest>>,
}

/// Somebody else changes the condition back.
#[derive(Debug, Clone)]
struct Contest {
    /// How often, and when we write it again.
    retry: Retry,
    /// When they did last.
    last: Time,
}

impl Condition {
    /// Compares a sighting with what was written. Returns when to look again, if it may be a late one.
    pub(super) fn seen(&mut self, node: &Seen, fresh: bool, turn: &mut Turn) -> Option<Time> {
        let now = turn.now.at;
        self.crossed |= self.write.is_sent();
        let (available, _, at) = self.written?;
        let until = at.after(LATE);
        let contradicts = if available {
            node.network != NetworkCondition::Available
        } else {
            node.network.is_in_service()
        };
        if !contradicts {
            self.doubtful = false;
            return None;
        }
        if !fresh && now < until {
            self.doubtful = true;
            return Some(until);
        }
        self.doubtful = false;
        self.written = None;
        self.changed_back(node, turn);
        None
    }

    /// Somebody else writes the same condition: what we write comes ever more slowly.
    fn changed_back(&mut self, node: &Seen, turn: &mut Turn) {
        let now = turn.now.at;
        let contest = self.contest.get_or_insert_with(|| {
            let retry = Retry::default();
            Box::new(Contest { retry, last: now })
        });
        if now.since(contest.last) > PEACE {
            contest.retry.reset();
        }
        contest.last = now;
        let retry = &mut contest.retry;
        let wait = turn.backoff.wait(item(&node.key), Pace::Refused);
        retry.failed(wait, Duration::ZERO, now);
        if retry.failures() == 1 {
            retry.at_once(now);
        }
        if retry.failures() == CONTESTED {
            turn.notify(
                Subject::Node(node.key.clone()),
                Reason::ConditionContested,
                format!(
                    "somebody else keeps changing the condition NetworkUnavailable of node {}; is \
                     another controller (the route controller of a cloud-controller-manager) running?",
                    node.key
                ),
            );
        }
    }

    /// A doubtful sighting has had its time: the node is to be read.
    fn doubt_is_over(&mut self, now: Time) -> bool {
        let until = self.written.map(|(_, _, at)| at.after(LATE));
        let over = self.doubtful && until.is_some_and(|until| now >= until);
        self.doubtful &= !over;
        over
    }

    fn waits(&self, now: Time) -> Option<Time> {
        let write = self.write.retry.waits(now);
        let contest = self.contest.as_ref();
        let contest = contest.and_then(|it| it.retry.waits(now));
        write.into_iter().chain(contest).max()
    }
}

impl NodeState {
    /// What the node says as far as we know.
    fn shown(&self) -> NetworkCondition {
        match self.condition.written {
            Some((true, _, _)) => NetworkCondition::Available,
            Some((false, _, _)) => NetworkCondition::Unavailable,
            None => self.node.network,
        }
    }

    /// It is in service, as far as we know.
    pub(crate) fn is_available(&self) -> bool {
        self.shown().is_in_service()
    }
}

/// What may be said of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Voice {
    /// There is a network to speak of: a configuration that is not being torn down.
    pub(crate) speaks: bool,
    /// All was read that decides, so bad news may be told too.
    pub(crate) bad_news: bool,
    /// Routes are our work.
    pub(crate) routes: bool,
}

/// What the node's condition should say; `None` leaves it as it is.
fn wanted(state: &NodeState, voice: Voice) -> Option<NetworkStatus> {
    if !voice.speaks || state.gone || state.node.excluded {
        return None;
    }
    if state.phase == Phase::Routed {
        let (reason, message) = if voice.routes {
            (
                Reason::RouteCreated,
                "every route table leads to this node's pods",
            )
        } else {
            (Reason::PodCIDRAssigned, "the node has its pod CIDRs")
        };
        return (state.shown() != NetworkCondition::Available).then(|| NetworkStatus {
            available: true,
            reason,
            message: message.to_owned(),
        });
    }
    let trouble = state.trouble.as_deref()?;
    let told = state.condition.written.map(|(_, reason, _)| reason);
    let tell = voice.bad_news
        && trouble.reason != Reason::RoutePending
        && trouble.lasting
        && if state.is_available() {
            // Fail static: what was in service stays so while packets arrive.
            state.unreachable
        } else {
            told != Some(trouble.reason)
        };
    tell.then(|| NetworkStatus {
        available: false,
        reason: trouble.reason,
        message: trouble.message.clone(),
    })
}

impl Nodes {
    pub(crate) fn queue_condition(&mut self, turn: &mut Turn, id: NodeId) {
        let now = turn.now.at;
        let voice = self.voice;
        let Some(state) = self.all.get_mut(id.place()).and_then(Option::as_mut) else {
            return;
        };
        if state.condition.doubt_is_over(now) {
            turn.act(Action::ReadNode(state.node.key.clone()));
        }
        if state.condition.write.step != Step::Idle
            || self.queue.reporting.contains(&state.node.key)
            || wanted(state, voice).is_none()
        {
            return;
        }
        if let Some(until) = state.condition.waits(now) {
            self.timers.set(until, super::Due::Node(id));
        } else {
            state.condition.write.step = Step::Queued;
            self.queue.conditions.push_back(id);
        }
    }

    /// Begins the write that was queued, if it is still wanted.
    pub(super) fn send_condition(&mut self, turn: &mut Turn, id: NodeId) {
        let voice = self.voice;
        let Some(state) = self.get_mut(id) else {
            return;
        };
        state.condition.write.step = Step::Idle;
        let Some(status) = wanted(state, voice) else {
            return;
        };
        let node = state.node.key.clone();
        if !self.queue.reporting.insert(node.clone()) {
            return;
        }
        if let Some(state) = self.get_mut(id) {
            state.condition.write.step = Step::Sent;
            state.condition.crossed = false;
            state.condition.sent = Some((status.available, status.reason));
        }
        turn.act(Action::SetNetworkStatus { node, status });
    }

    /// The answer to a write of a condition. Returns what people should hear of it.
    pub(crate) fn condition_set(
        &mut self,
        turn: &mut Turn,
        key: &NodeKey,
        result: Result<(), ApiError>,
    ) -> Option<String> {
        self.queue.reporting.remove(key);
        let id = self.id(key)?;
        let told = self.condition_answered(turn, id, result);
        // Where the node stands does not depend on it; it may have to say something else by now.
        self.queue_condition(turn, id);
        told
    }

    fn condition_answered(
        &mut self,
        turn: &mut Turn,
        id: NodeId,
        result: Result<(), ApiError>,
    ) -> Option<String> {
        let state = self.get_mut(id)?;
        let key = state.node.key.clone();
        let condition = &mut state.condition;
        condition.write.step = Step::Idle;
        let Err(error) = result else {
            condition.write = Write::default();
            if let Some((available, reason)) = condition.sent.take() {
                condition.written = Some((available, reason, turn.now.at));
            }
            // Otherwise a sighting follows that shows it.
            let NodeState {
                node, condition, ..
            } = state;
            if std::mem::take(&mut condition.crossed)
                && let Some(at) = condition.seen(node, false, turn)
            {
                self.timers.set(at, super::Due::Node(id));
            }
            return None;
        };
        condition.write.failed(turn, &key, error.kind);
        if error.kind == ApiErrorKind::NotFound {
            turn.act(Action::ReadNode(key));
        }
        let refused = Pace::of_api(error.kind) == Pace::Refused;
        (refused || condition.write.retry.lasts()).then(|| {
            let remedy = if refused {
                "; grant the controller the verb patch on nodes/status"
            } else {
                ""
            };
            format!(
                "the condition NetworkUnavailable cannot be written: {}{remedy}",
                error.detail
            )
        })
    }
}
