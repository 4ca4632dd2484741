//! What should be there for each destination, and which change comes next.

use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Engine, clock::Due, nodes::NodeId};
use crate::{
    cloud::{InstanceState, NextHop, Route, RouteChange},
    ipam::Family,
    node::NodeKey,
    routes::{Destination, OurRoute, Step},
};

impl Engine {
    pub(super) fn claimed(&self, cidr: IpNet) -> bool {
        let claimed = |allocator: &crate::ipam::Allocator| allocator.claimed(cidr);
        self.allocator.as_ref().is_some_and(claimed)
    }

    fn owner(&self, cidr: IpNet) -> Option<NodeId> {
        let key = self.allocator.as_ref()?.owner(cidr)?;
        self.nodes.id(key)
    }

    /// Whose a destination is has changed.
    pub(super) fn refresh_claims(&mut self, cidr: IpNet) {
        for id in self.update_claims(cidr).into_iter().flatten() {
            self.nodes.mark(id);
        }
    }

    /// Brings up to date whose a destination is. Returns whose it was and whose it is.
    fn update_claims(&mut self, cidr: IpNet) -> [Option<NodeId>; 2] {
        if !self.limits.routes {
            return [None; 2];
        }
        let claimed = self.claimed(cidr);
        let owner = self.owner(cidr);
        if owner.is_none() && self.routes.get(cidr).is_none() {
            return [None; 2];
        }
        let former = self.routes.update(cidr, |destination| {
            destination.hand_over(owner);
            destination.claimed = claimed;
            if claimed {
                destination.dead = false;
                return destination.former.take();
            }
            None
        });
        [former, owner]
    }

    /// Nobody claims the destination any more.
    pub(super) fn leave_over(&mut self, cidr: IpNet, former: Option<NodeId>, dead: bool) {
        let now = self.now;
        self.routes.update(cidr, |destination| {
            destination.claimed = false;
            destination.owner = None;
            destination.set_want(None);
            destination.former = former;
            destination.dead = dead;
            destination.changed = now;
        });
        self.listing.want(now.at.after(self.limits.settle));
        self.consider(cidr);
    }

    /// Brings what is wanted for a node's blocks up to date.
    pub(super) fn refresh_blocks(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        if !self.limits.routes {
            return;
        }
        let key = state.node.key.clone();
        let routable = state.assignment.held && !state.node.excluded;
        let blocks: SmallVec<[(IpNet, Option<NextHop>); 2]> = state
            .assignment
            .cidrs
            .iter()
            .map(|cidr| {
                let hop = next_hop(state.instance.state.as_ref(), *cidr);
                (*cidr, hop.filter(|_| routable).cloned())
            })
            .collect();
        for (cidr, want) in blocks {
            // The owner of a destination follows every change in the allocator.
            let known = self
                .routes
                .get(cidr)
                .filter(|it| it.claimed && it.owner == Some(id) && it.former.is_none());
            debug_assert!(
                known.is_none() || self.owns(&key, cidr),
                "{key} lost {cidr}"
            );
            let mine = known.is_some();
            let wanted = known.and_then(|it| it.want.as_ref());
            let changed = wanted != want.as_ref();
            if !mine {
                let [former, owner] = self.update_claims(cidr);
                for other in [former, owner].into_iter().flatten().filter(|it| *it != id) {
                    self.nodes.mark(other);
                }
                if owner != Some(id) {
                    continue;
                }
            }
            if changed {
                self.routes.update(cidr, |it| it.set_want(want));
            }
            self.consider(cidr);
        }
    }

    pub(super) fn owns(&self, key: &NodeKey, cidr: IpNet) -> bool {
        let owner = self.allocator.as_ref().and_then(|it| it.owner(cidr));
        owner == Some(key)
    }

    /// Queues what is to be done for a destination, or sets the time when it may be.
    pub(super) fn consider(&mut self, cidr: IpNet) {
        let now = self.now.at;
        for table in 0..self.routes.tables.len() {
            let Some(destination) = self.routes.get(cidr) else {
                return;
            };
            let cell = destination.cell(table);
            if cell.is_some_and(|cell| cell.step != Step::Idle)
                || self.next_change(cidr, destination, table).is_none()
            {
                continue;
            }
            let not_before = cell.map_or(now, |cell| cell.not_before);
            if not_before > now {
                self.timers.set(not_before, Due::Destination(cidr));
            } else {
                self.writes.ready.push_back((cidr, table));
                self.routes
                    .update(cidr, |it| it.cell_mut(table).step = Step::Queued);
            }
        }
    }

    /// [`consider`](Self::consider)s every destination.
    pub(super) fn consider_all(&mut self) {
        let all: Vec<IpNet> = self.routes.iter().map(|(cidr, _)| cidr).collect();
        for cidr in all {
            self.consider(cidr);
        }
    }

    /// The change that a table needs for a destination, if it may be made.
    pub(super) fn next_change(
        &self,
        cidr: IpNet,
        destination: &Destination,
        index: usize,
    ) -> Option<RouteChange> {
        let config = self.config.as_ref()?;
        let table = self.routes.tables.get(index)?;
        if !table.known || !self.nodes.listed {
            return None;
        }
        let ours = destination.cell(index).map_or(&[][..], |it| &it.ours);
        let delete = |route: &OurRoute| RouteChange::Delete {
            table: table.id.clone(),
            route: route.to(cidr),
        };
        if config.teardown || !destination.claimed {
            let free = config.teardown || destination.leads_nowhere() || !self.guard.held;
            return ours.last().filter(|_| self.recovered && free).map(delete);
        }
        let want = destination.want.as_ref()?;
        let first = ours.first();
        if first.is_some_and(|first| first.leads_to(want)) {
            // Nothing is lost with the others.
            return ours[1..].last().filter(|_| self.recovered).map(delete);
        }
        let route = Route {
            destination: cidr,
            next_hop: want.clone(),
            node: self.nodes.get(destination.owner?)?.node.key.clone(),
        };
        let id = table.id.clone();
        match first {
            Some(old) => Some(RouteChange::Replace {
                table: id,
                old: old.to(cidr),
                route,
            }),
            None if !table.room(Family::of(&cidr)).admits()
                || self.conflicts.contains_key(&cidr) =>
            {
                None
            }
            None => Some(RouteChange::Create { table: id, route }),
        }
    }
}

/// Where a route for `cidr` leads if it leads to this instance.
pub(super) fn next_hop(instance: Option<&InstanceState>, cidr: IpNet) -> Option<&NextHop> {
    match (instance?, cidr) {
        (InstanceState::Found(instance), IpNet::V4(_)) => instance.next_hop_v4.as_ref(),
        (InstanceState::Found(instance), IpNet::V6(_)) => instance.next_hop_v6.as_ref(),
        _ => None,
    }
}
