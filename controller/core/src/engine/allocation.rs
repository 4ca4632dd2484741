//! Which blocks a node gets, and how they get onto the node.

use std::time::Duration;

use ipnet::IpNet;

use super::{
    Engine,
    api::{ApiStep, ApiWrite},
    clock::Due,
    nodes::{NodeId, NodeState},
};
use crate::{
    Action, Time,
    action::Reason,
    backoff::Pace,
    event::ApiError,
    ipam::{AllocateError, Claim, Fate, Released},
    node::NodeKey,
    routes::{Destination, Trouble},
};

/// How long a sighting that contradicts our own write may be a late one.
pub(super) const DOUBT: Duration = Duration::from_secs(5);

/// The pod CIDRs of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Assignment {
    /// What the node has, or what was chosen for it.
    pub(super) cidrs: Vec<IpNet>,
    /// The node is known to have them.
    pub(super) held: bool,
    /// The answer was lost at that time, so the node may have them.
    uncertain: Option<Time>,
    /// Another node turned out to have one of them before they were written.
    taken: bool,
    /// Carried over from an earlier leadership, in which they were sent.
    salvaged: bool,
    /// The node was then seen without them, at that time.
    missed: Option<Time>,
    /// Why there are none, or why they cannot be written.
    pub(super) trouble: Option<Box<Trouble>>,
    write: ApiWrite,
}

impl Assignment {
    fn chosen(cidrs: Vec<IpNet>, write: ApiWrite) -> Self {
        Self {
            cidrs,
            write,
            ..Self::default()
        }
    }

    /// A write is due, apart from back-off.
    fn unwritten(&self, now: Time) -> bool {
        let missed = self.missed.is_some_and(|at| now >= at.after(DOUBT));
        !self.cidrs.is_empty() && (!self.held || missed)
    }
}

impl Engine {
    pub(super) fn may_allocate(&self) -> bool {
        self.recovered && self.config.as_ref().is_some_and(|it| !it.teardown)
    }

    /// The node has these pod CIDRs: claims them, and gives back what else was chosen for it.
    pub(super) fn seen_with_pod_cidrs(&mut self, id: NodeId, seen: Vec<IpNet>) {
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let assignment = &mut state.assignment;
        if assignment.cidrs == seen {
            assignment.held = true;
            assignment.missed = None;
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
        if assignment.held && assignment.missed.is_none() {
            assignment.missed = Some(now);
            self.timers.set(now.after(DOUBT), Due::Node(id));
        } else if assignment.cidrs.is_empty() {
            self.salvage(id);
        }
    }

    /// Takes over what this process chose in an earlier leadership, if the write may still land.
    fn salvage(&mut self, id: NodeId) {
        let (Some(state), Some(allocator)) = (self.nodes.get_mut(id), &mut self.allocator) else {
            return;
        };
        let Some(cidrs) = self.strays.pod_cidrs(&state.node.key, self.now.at) else {
            return;
        };
        if cidrs.iter().any(|cidr| allocator.claimed(*cidr)) {
            return;
        }
        state.assignment = Assignment {
            uncertain: Some(self.now.at),
            salvaged: true,
            ..Assignment::chosen(cidrs.clone(), ApiWrite::default())
        };
        let key = state.node.key.clone();
        let created = state.node.created;
        for cidr in cidrs {
            self.claim(&key, created, cidr);
        }
    }

    fn claim(&mut self, key: &NodeKey, created: i64, cidr: IpNet) {
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        let other = match allocator.claim(key, created, cidr) {
            Claim::Owner { displaced } => displaced,
            Claim::Duplicate { owner } => Some(owner),
            Claim::OutOfRange(_) => None,
        };
        if let Some(id) = other.and_then(|other| self.nodes.id(&other)) {
            if let Some(state) = self.nodes.get_mut(id) {
                state.assignment.taken |= !state.assignment.held;
            }
            self.nodes.mark(id);
        }
        self.refresh_claims(cidr);
    }

    /// Claims anew what all nodes have, since the pools are others now.
    pub(super) fn claim_all(&mut self) {
        let claims: Vec<(NodeId, NodeKey, i64, Vec<IpNet>)> = self
            .nodes
            .living()
            .map(|(id, state)| {
                let node = &state.node;
                let cidrs = state.assignment.cidrs.clone();
                (id, node.key.clone(), node.created, cidrs)
            })
            .collect();
        for (id, key, created, cidrs) in claims {
            if cidrs.is_empty() {
                self.salvage(id);
            }
            for cidr in cidrs {
                self.claim(&key, created, cidr);
            }
        }
    }

    /// Sees to it that the node gets blocks and has them written.
    pub(super) fn ensure_blocks(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let assignment = &state.assignment;
        let excluded = state.node.excluded;
        let pending = !assignment.cidrs.is_empty() && !assignment.held;
        let unwanted = excluded || self.spoilt(state);
        if pending && unwanted && assignment.write.step != ApiStep::Sent {
            if assignment.uncertain.is_some() {
                return self.look_before_withdrawing(id);
            }
            self.withdraw(id);
        }
        if excluded || !self.may_allocate() {
            return;
        }
        self.choose(id);
        self.queue_pod_cidrs(id);
    }

    /// What was chosen is somebody else's now, or routes came to stand in the way.
    fn spoilt(&self, state: &NodeState) -> bool {
        let Some(allocator) = &self.allocator else {
            return false;
        };
        let assignment = &state.assignment;
        let mut cidrs = assignment.cidrs.iter();
        assignment.taken
            || cidrs.any(|cidr| {
                let routed = || self.routes.get(*cidr).is_some_and(Destination::has_ours);
                allocator.owner(*cidr) != Some(&state.node.key)
                    || allocator.is_obstructed(*cidr)
                    || assignment.salvaged && self.recovered && routed()
            })
    }

    /// The node may have what is to be withdrawn: only a fresh sighting tells.
    fn look_before_withdrawing(&mut self, id: NodeId) {
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

    fn withdraw(&mut self, id: NodeId) {
        let (Some(state), Some(allocator)) = (self.nodes.get_mut(id), &mut self.allocator) else {
            return;
        };
        let write = std::mem::take(&mut state.assignment.write);
        state.assignment = Assignment::chosen(Vec::new(), write);
        let released = allocator.release(&state.node.key);
        self.note_released(released, None, false);
    }

    fn choose(&mut self, id: NodeId) {
        let (Some(state), Some(allocator)) = (self.nodes.get_mut(id), &mut self.allocator) else {
            return;
        };
        if !state.assignment.cidrs.is_empty() {
            return;
        }
        let write = std::mem::take(&mut state.assignment.write);
        let node = &state.node;
        match allocator.allocate(&node.key, node.created, &node.labels) {
            Ok(cidrs) => {
                state.assignment = Assignment::chosen(cidrs, write);
                self.unserved.remove(&id);
            }
            Err(error) => {
                state.assignment.write = write;
                state.assignment.trouble = Some(Box::new(describe(&error)));
                self.unserved.insert(id);
            }
        }
    }

    fn queue_pod_cidrs(&mut self, id: NodeId) {
        let now = self.now.at;
        if let Some(state) = self.nodes.get_mut(id)
            && state.assignment.unwritten(now)
            && state.assignment.write.step == ApiStep::Idle
            && !self.api.setting.contains_key(&state.node.key)
            && !self.strays.setting(&state.node.key)
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
        let now = self.now.at;
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let key = &state.node.key;
        let wanted = allowed
            && !state.gone
            && !state.node.excluded
            && state.assignment.unwritten(now)
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
        let cidrs = assignment.cidrs.clone();
        self.api.setting.insert(key.clone(), cidrs.clone());
        self.actions.push(Action::SetPodCidrs {
            node: key.clone(),
            cidrs,
        });
    }

    pub(super) fn pod_cidrs_set(&mut self, key: &NodeKey, result: Result<(), ApiError>) {
        let sent = self.api.setting.remove(key);
        let Some(id) = self.nodes.id(key) else { return };
        self.nodes.mark(id);
        let now = self.now.at;
        let backoff = self.backoff;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let assignment = &mut state.assignment;
        let write = &mut assignment.write;
        write.step = ApiStep::Idle;
        match result {
            Ok(()) if sent.as_ref() == Some(&assignment.cidrs) => {
                assignment.held = true;
                assignment.missed = None;
                assignment.uncertain = None;
                assignment.trouble = None;
                *write = ApiWrite::default();
                return;
            }
            Ok(()) | Err(ApiError::Conflict | ApiError::NotFound) => {
                write.failed(backoff, key, Pace::Quick, now);
            }
            Err(error @ (ApiError::Denied | ApiError::Invalid)) => {
                write.failed(backoff, key, Pace::Slow, now);
                assignment.trouble = Some(Box::new(refused(error)));
            }
            Err(error @ (ApiError::Transient | ApiError::Unknown)) => {
                write.failed(backoff, key, Pace::Quick, now);
                if error == ApiError::Unknown {
                    assignment.uncertain = Some(now);
                }
                return;
            }
        }
        self.actions.push(Action::ReadNode(key.clone()));
    }

    /// Networks are no longer claimed: their routes are left over unless somebody else claims them.
    pub(super) fn note_released(
        &mut self,
        released: Vec<Released>,
        former: Option<NodeId>,
        dead: bool,
    ) {
        for Released { cidr, fate } in released {
            match fate {
                Fate::PassedTo(heir) | Fate::StaysWith(heir) => {
                    if let Some(heir) = self.nodes.id(&heir) {
                        self.nodes.mark(heir);
                    }
                    self.refresh_claims(cidr);
                }
                Fate::Quarantined if !self.limits.routes => self.free(cidr),
                Fate::Quarantined => self.leave_over(cidr, former, dead),
                Fate::OutOfRange => {
                    if self.routes.get(cidr).is_some() && !self.claimed(cidr) {
                        self.leave_over(cidr, former, dead);
                    }
                }
            }
        }
    }

    /// No route is left for a block that nobody claims.
    pub(super) fn free(&mut self, cidr: IpNet) {
        let Some(allocator) = &mut self.allocator else {
            return;
        };
        if allocator.end_quarantine(cidr) {
            self.serve();
        }
    }

    /// Something may have become free for those who found nothing.
    pub(super) fn serve(&mut self) {
        for id in &self.unserved {
            self.nodes.mark(*id);
        }
    }
}

fn describe(error: &AllocateError) -> Trouble {
    let reason = match error {
        AllocateError::NoMatchingPool => Reason::NoMatchingPool,
        AllocateError::PoolExhausted { .. } => Reason::PoolExhausted,
        AllocateError::Contested => Reason::DuplicatePodCIDR,
    };
    Trouble {
        reason,
        message: error.to_string(),
        lasting: true,
    }
}

fn refused(error: ApiError) -> Trouble {
    let message = if error == ApiError::Denied {
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
