//! Where a node stands, from all that is known of it.

use ipnet::IpNet;

use super::Engine;
use crate::{
    action::Reason,
    cloud::InstanceState,
    ids::NodeId,
    ipam::Family,
    nodes::{NodeState, Standing},
    summary::Phase,
    turn::Trouble,
};

impl Engine {
    pub(super) fn judge(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        if state.is_gone() {
            return self.drain(id);
        }
        if self.config.is_none() {
            return;
        }
        self.ensure_blocks(id);
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let blocks: smallvec::SmallVec<[IpNet; 2]> = state.cidrs().iter().copied().collect();
        if !blocks.is_empty() && !state.is_excluded() {
            self.instances.ensure(&self.turn, id);
        }
        for cidr in blocks {
            self.desire(cidr);
        }
        if let Some(standing) = self.standing(id) {
            self.stand(id, standing);
        }
        self.nodes.queue_condition(&mut self.turn, id);
    }

    fn stand(&mut self, id: NodeId, standing: Standing) {
        let judged = self.nodes.set_standing(&mut self.turn, id, standing);
        if let Some((from, to)) = judged.moved {
            self.transitions.count(Some(from), Some(to));
        }
        self.tell_of_node(id, judged);
    }

    /// The node is gone: what is left of it are its routes.
    fn drain(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let phase = state.phase();
        let mut cidrs = state.cidrs().iter();
        let left = cidrs.any(|cidr| {
            self.ledger.former(*cidr) == Some(id) && self.tables.may_have_routes(*cidr)
        });
        let standing = Standing {
            phase: if left { Phase::Draining } else { phase },
            trouble: None,
            unreachable: false,
        };
        self.stand(id, standing);
        if !left {
            self.transitions.count(Some(phase), None);
            self.nodes.remove(id);
            self.instances.forget(id);
        }
    }

    fn standing(&self, id: NodeId) -> Option<Standing> {
        let state = self.nodes.get(id)?;
        let trouble = self.trouble(id, state).filter(|_| !self.is_teardown());
        let (trouble, unreachable) = trouble.unzip();
        let phase = self.phase_of(id, state, trouble.as_ref());
        let waits = phase == Phase::Routing && state.waits_long() && !self.is_teardown();
        let waiting = || waits.then(|| self.waiting(id, state));
        Some(Standing {
            phase,
            trouble: trouble.or_else(waiting),
            unreachable: unreachable.unwrap_or_default(),
        })
    }

    fn phase_of(&self, id: NodeId, state: &NodeState, trouble: Option<&Trouble>) -> Phase {
        if state.is_excluded() || state.cidrs().is_empty() {
            Phase::Pending
        } else if !state.has_its_cidrs() {
            Phase::Allocated
        } else if trouble.is_none() && self.is_routed(id, state) {
            Phase::Routed
        } else {
            Phase::Routing
        }
    }

    /// Every table was read back with the right route for every block.
    fn is_routed(&self, id: NodeId, state: &NodeState) -> bool {
        if !self.turn.limits.routes {
            return true;
        }
        let led_here = |cidr: &IpNet| {
            let desired = self.tables.desired(*cidr);
            desired.is_some_and(|(owner, _)| owner == Some(id)) && self.tables.is_routed(*cidr)
        };
        state.cidrs().iter().all(led_here) && !self.instances.must_switch(&self.turn, id)
    }

    /// What keeps a node from being routed, the most telling first, and whether packets to it do not
    /// arrive for that.
    fn trouble(&self, id: NodeId, state: &NodeState) -> Option<(Trouble, bool)> {
        if state.is_excluded() {
            return None;
        }
        self.ownership_trouble(id, state)
            .or_else(|| {
                let unwritten = state.assignment_trouble();
                let unwritten = unwritten.filter(|_| !state.has_its_cidrs());
                Some((unwritten?.clone(), false))
            })
            .or_else(|| self.instance_trouble(id, state))
            .or_else(|| self.route_trouble(id, state))
    }

    fn ownership_trouble(&self, id: NodeId, state: &NodeState) -> Option<(Trouble, bool)> {
        let ledger = &self.ledger;
        let key = state.key();
        state.cidrs().iter().find_map(|cidr| match ledger.owner(*cidr) {
            Some(owner) if owner.id == id => None,
            Some(owner) => Some((
                Trouble::lasting(
                    Reason::DuplicatePodCIDR,
                    format!(
                        "node {} is older and has the pod CIDR {cidr} too; delete node {key} and \
                         let it register anew",
                        owner.key
                    ),
                ),
                true,
            )),
            // Its network is somebody else's work.
            None => Some((
                Trouble::lasting(
                    Reason::PodCIDROutOfRange,
                    format!(
                        "the pod CIDR {cidr} is no block of any pool; add a pool to spec.pools \
                         that has it, or delete node {key} and let it register anew"
                    ),
                ),
                false,
            )),
        })
    }

    fn instance_trouble(&self, id: NodeId, state: &NodeState) -> Option<(Trouble, bool)> {
        let key = state.key();
        let trouble = |reason, message| Some((Trouble::lasting(reason, message), true));
        match self.instances.state(id) {
            Some(InstanceState::Gone) => trouble(
                Reason::InstanceNotFound,
                format!(
                    "the cloud knows no instance of node {key}; if it is gone, delete the node"
                ),
            ),
            Some(InstanceState::Unsupported(why)) => {
                trouble(Reason::InstanceUnsupported, why.to_string())
            }
            Some(InstanceState::Found(_)) => {
                let mut cidrs = state.cidrs().iter();
                let hopless = cidrs.find(|cidr| self.instances.hop(id, **cidr).is_none());
                if let Some(cidr) = hopless {
                    let family = Family::of(cidr);
                    return trouble(
                        Reason::NoNextHop,
                        format!("node {key} has no {family} address that a route could lead to"),
                    );
                }
                // What is known stays true while it cannot be read again.
                let off = self.instances.must_switch(&self.turn, id);
                let failed = self.instances.trouble(id).filter(|_| off)?;
                Some((failed.clone(), true))
            }
            None => Some((self.instances.trouble(id)?.clone(), false)),
        }
    }

    fn route_trouble(&self, id: NodeId, state: &NodeState) -> Option<(Trouble, bool)> {
        let cidrs = state.cidrs().iter().filter(|_| state.has_its_cidrs());
        let owned = |cidr: &&IpNet| {
            let desired = self.tables.desired(**cidr);
            desired.is_some_and(|(owner, _)| owner == Some(id))
        };
        cidrs.filter(owned).find_map(|cidr| {
            let trouble = self.tables.trouble(*cidr)?;
            Some((trouble, self.tables.is_lost(*cidr)))
        })
    }

    /// What a node has been waiting for, for long.
    fn waiting(&self, id: NodeId, state: &NodeState) -> Trouble {
        let mut cidrs = state.cidrs().iter();
        let what = match cidrs.find_map(|cidr| self.tables.waits_for(*cidr)) {
            Some(_) if self.instances.state(id).is_none() => "its instance to be read".to_owned(),
            Some(missing) => missing,
            None => "its instance to forward".to_owned(),
        };
        let failed = self.tables.listing_error();
        let failed = failed.map_or(String::new(), |error| format!("; listing failed: {error}"));
        Trouble::lasting(Reason::RoutePending, format!("waiting for {what}{failed}"))
    }
}
