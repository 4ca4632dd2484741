//! Where a node stands, from all that is known of it.

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{
    Engine,
    destinations::next_hop,
    nodes::{NodeId, NodeState, Progress},
    quota,
    waiting::Wait,
};
use crate::{
    Action,
    action::Reason,
    cloud::{InstanceState, TableId},
    ipam::Family,
    routes::{Destination, Trouble},
    summary::Phase,
};

/// A node's pod CIDRs, each with what is known of the routes to it.
pub(super) type Blocks<'a> = SmallVec<[(IpNet, Option<&'a Destination>); 2]>;

impl Engine {
    pub(super) fn judge_marked(&mut self) {
        while let Some(id) = self.nodes.next_marked() {
            self.judge(id);
        }
    }

    fn judge(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        if state.gone {
            return self.drain(id);
        }
        if self.config.is_none() {
            return;
        }
        self.ensure_blocks(id);
        self.refresh_blocks(id);
        self.ensure_instance(id);
        let Some((phase, trouble)) = self.standing(id) else {
            return;
        };
        self.enter(id, phase);
        self.set_trouble(id, trouble);
        self.report_routed(id);
        self.queue_status(id);
    }

    fn standing(&self, id: NodeId) -> Option<(Phase, Option<Trouble>)> {
        let state = self.nodes.get(id)?;
        let cidrs = state.assignment.cidrs.iter();
        let blocks: Blocks<'_> = cidrs.map(|cidr| (*cidr, self.routes.get(*cidr))).collect();
        let trouble = self.trouble(id, state, &blocks);
        let phase = self.phase_of(id, state, &blocks, trouble.as_ref());
        let waits = state.wait == Wait::Long && phase == Phase::Routing && trouble.is_none();
        let waiting = waits.then(|| self.waiting(state, &blocks));
        Some((phase, trouble.or(waiting)))
    }

    /// The node is gone: what is left of it are its routes.
    fn drain(&mut self, id: NodeId) {
        self.set_trouble(id, None);
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let mut cidrs = state.assignment.cidrs.iter();
        let left = cidrs.any(|cidr| {
            self.routes.get(*cidr).is_some_and(|it| {
                !it.claimed && it.former == Some(id) && (it.has_ours() || it.in_doubt())
            })
        });
        if left {
            self.enter(id, Phase::Draining);
        } else {
            self.transitions.count(Some(state.phase), None);
            self.nodes.remove(id);
        }
    }

    fn enter(&mut self, id: NodeId, phase: Phase) {
        if let Some(state) = self.nodes.get_mut(id)
            && state.phase != phase
        {
            self.transitions.count(Some(state.phase), Some(phase));
            state.phase = phase;
            state.wait = Wait::Short;
            if phase == Phase::Routing {
                self.begin_waiting(id);
            }
        }
    }

    fn report_routed(&mut self, id: NodeId) {
        let now = self.now.at;
        if let Some(state) = self.nodes.get_mut(id)
            && state.phase == Phase::Routed
            && let Progress::Since(first_seen) = state.progress
        {
            let took = now.since(first_seen);
            state.progress = Progress::Took(took);
            if !state.was_available {
                let node = state.node.key.clone();
                self.actions.push(Action::NodeRouted { node, took });
            }
        }
    }

    fn phase_of(
        &self,
        id: NodeId,
        state: &NodeState,
        blocks: &Blocks<'_>,
        trouble: Option<&Trouble>,
    ) -> Phase {
        let assignment = &state.assignment;
        if state.node.excluded || assignment.cidrs.is_empty() {
            Phase::Pending
        } else if !assignment.held {
            Phase::Allocated
        } else if trouble.is_none() && self.routed(id, blocks) {
            Phase::Routed
        } else {
            Phase::Routing
        }
    }

    /// Every table was read back with the right route for every block.
    fn routed(&self, id: NodeId, blocks: &Blocks<'_>) -> bool {
        if !self.limits.routes {
            return true;
        }
        if self.config.as_ref().is_none_or(|config| config.teardown) {
            return false;
        }
        let tables = 0..self.routes.tables.len();
        let read_back = |(_, destination): &(IpNet, Option<&Destination>)| {
            destination.is_some_and(|destination| {
                destination.owner == Some(id)
                    && tables.clone().all(|table| destination.read_back(table))
            })
        };
        !tables.is_empty() && blocks.iter().all(read_back) && !self.must_switch(id)
    }

    /// What keeps a node from being routed, the most telling first.
    fn trouble(&self, id: NodeId, state: &NodeState, blocks: &Blocks<'_>) -> Option<Trouble> {
        let assignment = &state.assignment;
        if state.node.excluded {
            return None;
        }
        // Destinations were just brought up to date with the allocator.
        let owns = |it: &Destination| it.owner == Some(id);
        blocks
            .iter()
            .filter(|(_, destination)| !destination.is_some_and(owns))
            .find_map(|(cidr, _)| self.ownership_trouble(state, *cidr))
            .or_else(|| {
                let unwritten = assignment.trouble.as_deref();
                unwritten.filter(|_| !assignment.held).cloned()
            })
            .or_else(|| {
                let trouble = self.instance_trouble(id, state);
                trouble.filter(|_| !blocks.is_empty())
            })
            .or_else(|| self.route_trouble(id, blocks))
    }

    fn ownership_trouble(&self, state: &NodeState, cidr: IpNet) -> Option<Trouble> {
        let key = &state.node.key;
        match self.allocator.as_ref()?.owner(cidr) {
            Some(owner) if owner == key => None,
            Some(owner) => Some(lasting(
                Reason::DuplicatePodCIDR,
                format!(
                    "node {owner} is older and has the pod CIDR {cidr} too; delete node {key} and \
                     let it register anew"
                ),
            )),
            None => Some(lasting(
                Reason::PodCIDROutOfRange,
                format!(
                    "the pod CIDR {cidr} is no block of any pool; add a pool to spec.pools that \
                     has it, or delete node {key} and let it register anew"
                ),
            )),
        }
    }

    fn instance_trouble(&self, id: NodeId, state: &NodeState) -> Option<Trouble> {
        if !self.limits.routes {
            return None;
        }
        let key = &state.node.key;
        match state.instance.state.as_ref() {
            Some(InstanceState::Gone) => Some(lasting(
                Reason::InstanceNotFound,
                format!(
                    "the cloud knows no instance of node {key}; if it is gone, delete the node"
                ),
            )),
            Some(InstanceState::Unsupported(why)) => {
                Some(lasting(Reason::InstanceUnsupported, why.to_string()))
            }
            known => {
                let hopless = |cidr: &&IpNet| next_hop(known, **cidr).is_none();
                let hopless = state.assignment.cidrs.iter().find(hopless);
                let no_hop = hopless.filter(|_| known.is_some()).map(|cidr| {
                    let family = Family::of(cidr);
                    lasting(
                        Reason::NoNextHop,
                        format!("node {key} has no {family} address that a route could lead to"),
                    )
                });
                // What is known stays true while it cannot be read again.
                let failed = state.instance.trouble.as_deref();
                let matters = known.is_none() || self.must_switch(id);
                no_hop.or_else(|| failed.filter(|_| matters).cloned())
            }
        }
    }

    fn route_trouble(&self, id: NodeId, blocks: &Blocks<'_>) -> Option<Trouble> {
        if let Some((cidr, (foreign, table))) = blocks
            .iter()
            .find_map(|(cidr, _)| Some((cidr, self.conflicts.get(cidr)?)))
        {
            return Some(conflict(*cidr, *foreign, table));
        }
        for (cidr, destination) in blocks {
            let Some(destination) = destination.filter(|it| it.owner == Some(id)) else {
                continue;
            };
            for (index, table) in self.routes.tables.iter().enumerate() {
                let cell = destination.cell(index);
                if let Some(trouble) = cell.and_then(|cell| cell.trouble.as_deref()) {
                    return Some(trouble.clone());
                }
                let absent = cell.is_none_or(|cell| cell.ours.is_empty());
                let room = table.room(Family::of(cidr));
                if absent && destination.want.is_some() && room.full() {
                    return Some(lasting(
                        Reason::QuotaExceeded,
                        quota::no_room(&table.id, *cidr, room.usage()),
                    ));
                }
            }
        }
        None
    }
}

fn lasting(reason: Reason, message: String) -> Trouble {
    Trouble {
        reason,
        message,
        lasting: true,
    }
}

fn conflict(cidr: IpNet, foreign: IpNet, table: &TableId) -> Trouble {
    lasting(
        Reason::RouteConflict,
        format!(
            "table {table} has a route for {foreign} that is not Signpost's and lies in the pod \
             CIDR {cidr}; remove that route, or delete the node and let it register anew"
        ),
    )
}
