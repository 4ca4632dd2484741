//! Which blocks a node gets, and what becomes of those that it no longer claims.

use ipnet::IpNet;

use super::{
    Engine,
    api::ApiStep,
    nodes::{NodeId, NodeState},
    pod_cidrs::Assignment,
};
use crate::{
    action::Reason,
    ipam::{AllocateError, Claim, Fate, Released},
    node::NodeKey,
    routes::Trouble,
};

impl Engine {
    pub(super) fn may_allocate(&self) -> bool {
        self.recovered && self.config.as_ref().is_some_and(|it| !it.teardown)
    }

    pub(super) fn claim(&mut self, key: &NodeKey, created: i64, cidr: IpNet) {
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
        let claims: Vec<(NodeKey, i64, Vec<IpNet>)> = self
            .nodes
            .living()
            .map(|(_, state)| {
                let node = &state.node;
                let cidrs = state.assignment.cidrs.to_vec();
                (node.key.clone(), node.created, cidrs)
            })
            .collect();
        for (key, created, cidrs) in claims {
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
        if pending && assignment.write.step != ApiStep::Sent && (excluded || self.spoilt(state)) {
            if assignment.uncertain.is_some() {
                return self.look_before_withdrawing(id);
            }
            self.withdraw(id);
        }
        if excluded || !self.may_allocate() {
            return;
        }
        self.choose(id);
        self.look_for_pod_cidrs(id);
        self.queue_pod_cidrs(id);
    }

    /// What was chosen is somebody else's now, or routes came to stand in the way.
    pub(super) fn spoilt(&self, state: &NodeState) -> bool {
        let Some(allocator) = &self.allocator else {
            return false;
        };
        let assignment = &state.assignment;
        let mut cidrs = assignment.cidrs.iter();
        assignment.taken
            || cidrs.any(|cidr| {
                allocator.owner(*cidr) != Some(&state.node.key) || allocator.is_obstructed(*cidr)
            })
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
