//! How pod CIDRs get onto a node, and what its sightings say of them.

use std::time::Duration;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{
    Engine,
    api::{ApiStep, ApiWrite},
    clock::Due,
    nodes::NodeId,
};
use crate::{
    Action, Time, action::Reason, backoff::Pace, event::ApiErrorKind, node::NodeKey,
    routes::Trouble,
};

/// How long a sighting that contradicts our own write may be a late one.
pub(super) const DOUBT: Duration = Duration::from_secs(5);

/// The pod CIDRs of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Assignment {
    /// What the node has, or what was chosen for it.
    pub(super) cidrs: SmallVec<[IpNet; 1]>,
    /// The node is known to have them.
    pub(super) held: bool,
    /// The answer was lost at that time, so the node may have them.
    pub(super) uncertain: Option<Time>,
    /// Another node turned out to have one of them before they were written.
    pub(super) taken: bool,
    missed: Missed,
    /// Why there are none, or why they cannot be written.
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) write: ApiWrite,
}

/// Whether a node that had its pod CIDRs was seen without them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Missed {
    #[default]
    No,
    /// At that time, which may have been a late sighting.
    Since(Time),
    /// And is being read anew.
    Asked,
    /// And again after that: it lost them.
    Lost,
}

impl Assignment {
    pub(super) fn chosen(cidrs: Vec<IpNet>, write: ApiWrite) -> Self {
        Self {
            cidrs: cidrs.into(),
            write,
            ..Self::default()
        }
    }

    /// A write is due, apart from back-off.
    fn unwritten(&self) -> bool {
        !self.cidrs.is_empty() && (!self.held || self.missed == Missed::Lost)
    }
}

impl Engine {
    /// The node has these pod CIDRs: claims them, and gives back what else was chosen for it.
    pub(super) fn seen_with_pod_cidrs(&mut self, id: NodeId, seen: Vec<IpNet>) {
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let assignment = &mut state.assignment;
        if assignment.cidrs[..] == seen {
            assignment.held = true;
            assignment.missed = Missed::No;
            assignment.trouble = None;
            return;
        }
        let write = std::mem::take(&mut assignment.write);
        *assignment = Assignment {
            held: true,
            ..Assignment::chosen(seen.clone(), write)
        };
        self.unserved.remove(&id);
        let key = state.node.key.clone();
        let created = state.node.created;
        if let Some(allocator) = &mut self.allocator {
            let released = allocator.retain(&key, &seen);
            self.note_released(released, None, false);
            for cidr in seen {
                self.claim(&key, created, cidr);
            }
        }
    }

    /// A late sighting, or the API server was restored from a backup: what the node once got stays
    /// its own and is written again if it goes on like this.
    pub(super) fn seen_without_pod_cidrs(&mut self, id: NodeId) {
        let now = self.now.at;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let assignment = &mut state.assignment;
        if assignment
            .uncertain
            .is_some_and(|at| now >= at.after(DOUBT))
        {
            assignment.uncertain = None;
        }
        if assignment.held {
            match assignment.missed {
                Missed::No => {
                    assignment.missed = Missed::Since(now);
                    self.timers.set(now.after(DOUBT), Due::Node(id));
                }
                Missed::Asked => assignment.missed = Missed::Lost,
                Missed::Since(_) | Missed::Lost => {}
            }
        }
    }

    /// The node may have what is to be withdrawn: only a fresh sighting tells.
    pub(super) fn look_before_withdrawing(&mut self, id: NodeId) {
        let now = self.now.at;
        let backoff = self.backoff;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let Assignment {
            uncertain, write, ..
        } = &mut state.assignment;
        let settled = uncertain.map_or(now, |at| at.after(DOUBT));
        let due = settled.max(write.not_before);
        if due <= now {
            write.failed(backoff, &state.node.key, Pace::Quick, now);
            self.actions.push(Action::ReadNode(state.node.key.clone()));
        }
        self.timers.set(due.max(write.not_before), Due::Node(id));
    }

    /// Reads a node anew that was seen without what it has.
    pub(super) fn look_for_pod_cidrs(&mut self, id: NodeId) {
        let now = self.now.at;
        if let Some(state) = self.nodes.get_mut(id)
            && let Missed::Since(at) = state.assignment.missed
            && now >= at.after(DOUBT)
        {
            state.assignment.missed = Missed::Asked;
            self.actions.push(Action::ReadNode(state.node.key.clone()));
        }
    }

    pub(super) fn queue_pod_cidrs(&mut self, id: NodeId) {
        let now = self.now.at;
        if let Some(state) = self.nodes.get_mut(id)
            && state.assignment.unwritten()
            && state.assignment.write.step == ApiStep::Idle
            && !self.api.setting.contains_key(&state.node.key)
        {
            let write = &mut state.assignment.write;
            if write.not_before > now {
                self.timers.set(write.not_before, Due::Node(id));
            } else {
                write.step = ApiStep::Queued;
                self.api.pod_cidrs.push_back(id);
            }
        }
    }

    /// Begins the write that was queued, if it is still wanted.
    pub(super) fn send_pod_cidrs(&mut self, id: NodeId) {
        let allowed = self.may_allocate();
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let key = &state.node.key;
        let wanted = allowed
            && !state.gone
            && !state.node.excluded
            && state.assignment.unwritten()
            && (state.assignment.held || !self.spoilt(state))
            && !self.api.setting.contains_key(key);
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let key = &state.node.key;
        let assignment = &mut state.assignment;
        assignment.write.step = ApiStep::Idle;
        if !wanted {
            self.nodes.mark(id);
            return;
        }
        assignment.write.step = ApiStep::Sent;
        let cidrs = assignment.cidrs.to_vec();
        self.api.setting.insert(key.clone(), cidrs.clone());
        self.actions.push(Action::SetPodCidrs {
            node: key.clone(),
            cidrs,
        });
    }

    pub(super) fn pod_cidrs_set(&mut self, key: &NodeKey, result: Result<(), ApiErrorKind>) {
        let sent = self.api.setting.remove(key);
        let (now, backoff) = (self.now.at, self.backoff);
        let Some((_, state)) = self.nodes.answered(key) else {
            return;
        };
        let assignment = &mut state.assignment;
        let write = &mut assignment.write;
        write.step = ApiStep::Idle;
        match result {
            Ok(()) if sent.as_deref() == Some(&assignment.cidrs[..]) => {
                assignment.held = true;
                assignment.missed = Missed::No;
                assignment.uncertain = None;
                assignment.trouble = None;
                *write = ApiWrite::default();
                return;
            }
            Ok(()) | Err(ApiErrorKind::Conflict | ApiErrorKind::NotFound) => {
                write.failed(backoff, key, Pace::Quick, now);
            }
            Err(error @ (ApiErrorKind::Denied | ApiErrorKind::Invalid)) => {
                write.failed(backoff, key, Pace::Refused, now);
                assignment.trouble = Some(Box::new(refused(error)));
            }
            Err(error @ (ApiErrorKind::Transient | ApiErrorKind::Unknown)) => {
                write.failed(backoff, key, Pace::Quick, now);
                if error == ApiErrorKind::Unknown {
                    assignment.uncertain = Some(now);
                }
                return;
            }
        }
        self.actions.push(Action::ReadNode(key.clone()));
    }
}

fn refused(error: ApiErrorKind) -> Trouble {
    let message = if error == ApiErrorKind::Denied {
        "setting spec.podCIDRs is denied; grant the controller the verb patch on nodes"
    } else {
        "the API server refuses to set spec.podCIDRs as invalid; is another controller \
         (--allocate-node-cidrs) setting it too?"
    };
    Trouble {
        reason: Reason::WriteRefused,
        message: message.to_owned(),
        lasting: true,
    }
}
