//! Where a node stands, from all that is known of it.

use ipnet::IpNet;
use smallvec::SmallVec;

use super::Engine;
use crate::{
    action::Reason,
    cloud::InstanceState,
    ids::NodeId,
    ipam::Family,
    node::NodeKey,
    nodes::{NodeState, Standing},
    summary::Phase,
    tables::Routes,
    turn::Trouble,
};

/// A node's blocks, and who owns each.
type Blocks = SmallVec<[(IpNet, Option<NodeId>); 1]>;

/// Routes for those that are the node's own.
type Own<'a> = SmallVec<[(IpNet, Option<Routes<'a>>); 1]>;

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
        let blocks = state.cidrs().iter();
        let blocks = blocks.map(|cidr| (*cidr, self.ledger.owner_id(*cidr)));
        let blocks: Blocks = blocks.collect();
        if !blocks.is_empty() && !state.is_excluded() {
            self.instances.ensure(&self.turn, id);
        }
        for (cidr, owner) in &blocks {
            self.desire(*cidr, *owner);
        }
        if let Some(standing) = self.standing(id, &blocks) {
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
        let left = cidrs
            .any(|cidr| self.routes(id, *cidr).is_some() && self.tables.may_have_routes(*cidr));
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

    fn standing(&self, id: NodeId, blocks: &[(IpNet, Option<NodeId>)]) -> Option<Standing> {
        let state = self.nodes.get(id)?;
        let own = blocks.iter().filter(|(_, owner)| *owner == Some(id));
        let own: Own<'_> = own
            .map(|(cidr, _)| (*cidr, self.routes(id, *cidr)))
            .collect();
        let trouble = self
            .trouble(id, state, &own)
            .filter(|_| !self.is_teardown());
        let (trouble, unreachable) = trouble.unzip();
        let phase = if state.is_excluded() || blocks.is_empty() {
            Phase::Pending
        } else if !state.has_its_cidrs() {
            Phase::Allocated
        } else if trouble.is_none() && own.len() == blocks.len() && self.are_routed(id, &own) {
            Phase::Routed
        } else {
            Phase::Routing
        };
        let waits = phase == Phase::Routing && state.waits_long() && !self.is_teardown();
        let waiting = || waits.then(|| self.waiting(id, state));
        Some(Standing {
            phase,
            trouble: trouble.or_else(waiting),
            unreachable: unreachable.unwrap_or_default(),
        })
    }

    /// What the tables have for a node's own block.
    fn routes(&self, id: NodeId, cidr: IpNet) -> Option<Routes<'_>> {
        let routes = self.tables.routes(cidr);
        routes.filter(|routes| routes.owner() == Some(id))
    }

    /// Every table was read back with the right route for every block.
    fn are_routed(&self, id: NodeId, own: &Own<'_>) -> bool {
        let right = |routes: &Option<Routes<'_>>| routes.is_some_and(Routes::are_right);
        !self.turn.limits.routes
            || own.iter().all(|(_, routes)| right(routes))
                && !self.instances.must_switch(&self.turn, id)
    }

    /// What keeps a node from being routed, and whether packets to it do not arrive for that: what
    /// keeps them away comes first, then what is most telling.
    fn trouble(&self, id: NodeId, state: &NodeState, own: &Own<'_>) -> Option<(Trouble, bool)> {
        if state.is_excluded() {
            return None;
        }
        let mut disowned = None;
        if own.len() < state.cidrs().len() {
            for cidr in state.cidrs() {
                disowned = graver(disowned, || self.ownership_trouble(id, state.key(), *cidr));
            }
        }
        if own.is_empty() && disowned.is_some() {
            return disowned;
        }
        graver(disowned, || {
            let unwritten = state.assignment_trouble();
            let unwritten = unwritten.filter(|_| !state.has_its_cidrs());
            let unwritten = unwritten.map(|trouble| (trouble.clone(), false));
            unwritten
                .or_else(|| self.instance_trouble(id, state, own))
                .or_else(|| self.route_trouble(own).filter(|_| state.has_its_cidrs()))
        })
    }

    fn ownership_trouble(&self, id: NodeId, key: &NodeKey, cidr: IpNet) -> Option<(Trouble, bool)> {
        match self.ledger.owner(cidr) {
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
        }
    }

    fn instance_trouble(
        &self,
        id: NodeId,
        state: &NodeState,
        own: &Own<'_>,
    ) -> Option<(Trouble, bool)> {
        let key = state.key();
        // Of a node that joins, the cloud's node controller has yet to say which instance it is.
        let known = !state.is_uninitialized() || state.is_available();
        let trouble = |reason, message| known.then(|| (Trouble::lasting(reason, message), true));
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
                let mut own = own.iter().map(|(cidr, _)| cidr);
                let hopless = own.find(|cidr| self.instances.hop(id, **cidr).is_none());
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

    fn route_trouble(&self, own: &Own<'_>) -> Option<(Trouble, bool)> {
        let routes = own
            .iter()
            .filter_map(|(cidr, routes)| Some((*cidr, (*routes)?)));
        routes.fold(None, |gravest, (cidr, routes)| {
            let lost = || routes.are_lost() && self.ledger.has_looked(cidr);
            graver(gravest, || Some((routes.trouble()?, lost())))
        })
    }

    /// What a node has been waiting for, for long.
    fn waiting(&self, id: NodeId, state: &NodeState) -> Trouble {
        let mut cidrs = state.cidrs().iter();
        let hopless = state
            .cidrs()
            .iter()
            .any(|cidr| self.instances.hop(id, *cidr).is_none());
        let what = match cidrs.find_map(|cidr| self.tables.waits_for(*cidr)) {
            Some(_) if state.is_uninitialized() && hopless => {
                "the cloud-controller-manager to initialize it".to_owned()
            }
            Some(_) if self.instances.state(id).is_none() => "its instance to be read".to_owned(),
            Some(missing) => missing,
            None => "its instance to forward".to_owned(),
        };
        let failed = self.tables.listing_error();
        let failed = failed.map_or(String::new(), |error| format!("; listing failed: {error}"));
        Trouble::lasting(Reason::RoutePending, format!("waiting for {what}{failed}"))
    }
}

/// The first of two troubles, unless only the other keeps packets from arriving.
fn graver(
    first: Option<(Trouble, bool)>,
    second: impl FnOnce() -> Option<(Trouble, bool)>,
) -> Option<(Trouble, bool)> {
    if matches!(first, Some((_, true))) {
        return first;
    }
    match (first, second()) {
        (Some(first), Some((_, false)) | None) => Some(first),
        (_, second) => second,
    }
}
