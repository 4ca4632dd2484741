//! Nodes that come, change and go, and what that means for the ledger.

use ipnet::IpNet;

use super::Engine;
use crate::{
    ids::NodeId,
    node::{Node, NodeKey},
    nodes::Departure,
    summary::Phase,
};

impl Engine {
    pub(super) fn nodes_listed(&mut self, mut nodes: Vec<Node>) {
        for id in self.nodes.begin_list(&mut nodes) {
            self.lose(id, Departure::Unlisted);
        }
        self.set_policy();
        for node in nodes {
            self.node_seen(node, true);
        }
    }

    /// The answer to a request to read a node.
    pub(super) fn node_read(&mut self, key: &NodeKey, node: Option<Node>) {
        match node {
            Some(node) => self.node_seen(node, true),
            None => self.node_gone(key),
        }
    }

    /// A node was seen; `fresh` says that it was read after that was asked for.
    pub(super) fn node_seen(&mut self, node: Node, fresh: bool) {
        if let Some(other) = self.nodes.namesake(&node.key) {
            self.lose(other, Departure::Deleted);
        }
        let Some(sighting) = self.nodes.sight(&mut self.turn, node, fresh) else {
            return;
        };
        let id = sighting.id;
        if sighting.new {
            self.transitions.count(None, Some(Phase::Pending));
        }
        if sighting.moved {
            self.instances.moved(&self.turn, id);
        }
        if sighting.new || sighting.moved {
            self.note_addresses(id, &sighting.addresses_before);
        }
        for cidr in sighting.released {
            self.release(id, cidr);
        }
        for cidr in sighting.claimed {
            self.without_block.remove(&id);
            self.claim(id, cidr);
        }
    }

    /// A pool must not hold nodes' own addresses.
    fn note_addresses(&mut self, id: NodeId, before: &[std::net::IpAddr]) {
        if let Some(state) = self.nodes.get(id)
            && self
                .ledger
                .set_addresses(state.key(), before, state.internal_ips())
        {
            self.blocks_changed();
        }
    }

    pub(super) fn node_gone(&mut self, key: &NodeKey) {
        match self.nodes.id(key) {
            Some(id) => self.lose(id, Departure::Deleted),
            None => self.nodes.bury(key, self.turn.now.at),
        }
    }

    /// The node is gone for good.
    fn lose(&mut self, id: NodeId, departure: Departure) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let cidrs = state.cidrs().to_vec();
        let (key, addresses) = (state.key().clone(), state.internal_ips().to_vec());
        self.nodes.lose(id, departure, self.turn.now.at);
        self.without_block.remove(&id);
        if self.ledger.set_addresses(&key, &addresses, &[]) {
            self.blocks_changed();
        }
        let dead = self.instances.is_gone(id);
        for cidr in cidrs {
            self.release(id, cidr);
            if dead {
                self.tables.set_dead(&self.turn, id, cidr);
            }
        }
    }

    /// The node claims a pod CIDR: whoever has it as well is judged anew.
    pub(super) fn claim(&mut self, id: NodeId, cidr: IpNet) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let claimant = state.claimant(id);
        let other = match self.ledger.claim(claimant, cidr) {
            crate::ipam::Claim::Owner { before } => before,
            crate::ipam::Claim::Duplicate { owner } => Some(owner),
            crate::ipam::Claim::OutOfRange => {
                self.recovery.grown = self.turn.now;
                None
            }
        };
        for other in other.into_iter().chain([id]) {
            self.nodes.mark(other);
        }
        if let Some((foreign, table)) = self.tables.foreign_inside(cidr) {
            let table = table.clone();
            self.tell_of_foreign(foreign, &table);
        }
    }

    /// Claims anew what all nodes have, since the pools are others now.
    pub(super) fn claim_all(&mut self) {
        let claims: Vec<(NodeId, Vec<IpNet>)> = self
            .nodes
            .living()
            .map(|(id, state)| (id, state.cidrs().to_vec()))
            .collect();
        for (id, cidrs) in claims {
            self.note_addresses(id, &[]);
            for cidr in cidrs {
                self.claim(id, cidr);
            }
        }
    }
}
