//! I1 and I2: whose a block is.

use ipnet::IpNet;
use signpost_core::{NodeKey, cloud::Ownership};

use super::Invariant;
use crate::{api::Origin, world::World};

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

impl World<'_> {
    /// An engine is about to give a node these blocks.
    pub(crate) fn check_gives(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        self.check_opted_in(shell, node);
        let present = self.api.get(node);
        if present.is_some_and(|present| present.node.pod_cidrs == cidrs) {
            // Tried again after a lost answer.
            return;
        }
        let known = self.shells[shell].known.knows(node);
        if let Some(known) = known
            && !known.pod_cidrs.is_empty()
            && known.pod_cidrs != cidrs
        {
            let had = known.pod_cidrs.clone();
            return self.broken(Invariant::I4, || {
                format!("{node} has {had:?} and is to get {cidrs:?}")
            });
        }
        // What the engine was told and is still true.
        let other = self.shells[shell].known.nodes.values().find(|other| {
            let truly = self.api.get(&other.key);
            other.key != *node
                && truly.is_some_and(|truly| truly.node.pod_cidrs == other.pod_cidrs)
                && overlaps(&other.pod_cidrs, cidrs)
        });
        if let Some(other) = other.map(|other| other.key.clone()) {
            return self.broken(Invariant::I1, || {
                format!("{node} is to get {cidrs:?}, which {other} is known to have")
            });
        }
        self.check_no_foreign(shell, node, cidrs);
        self.check_no_leftover(node, cidrs);
    }

    /// The blocks were written to the node just now.
    pub(crate) fn check_given(&mut self, node: &NodeKey, cidrs: &[IpNet]) {
        let other = self.api.nodes.values().find(|other| {
            other.node.key != *node
                && other.origin == Origin::Ours
                && overlaps(&other.node.pod_cidrs, cidrs)
        });
        if let Some(other) = other.map(|other| other.node.key.clone()) {
            self.broken(Invariant::I1, || {
                format!("{node} got {cidrs:?}, which {other} got before")
            });
        }
        self.check_no_leftover(node, cidrs);
    }

    /// No route of ours may be there that leads, or led, to somebody else.
    fn check_no_leftover(&mut self, node: &NodeKey, cidrs: &[IpNet]) {
        let by_hand = self.api.nodes.values().any(|other| {
            other.node.key != *node
                && other.origin == Origin::Hand
                && overlaps(&other.node.pod_cidrs, cidrs)
        });
        if by_hand {
            // Somebody gave it to another node at the same time; the older one keeps it.
            return;
        }
        for cidr in cidrs {
            let hop = self.hop_of(node, *cidr);
            let left = self.cloud.tables.iter().find_map(|(id, table)| {
                let mut held = table.routes.get(cidr)?.all();
                let other = held.find(|held| held.ours && held.hop != hop)?;
                Some((id.clone(), other.hop.clone()))
            });
            if let Some((table, to)) = left {
                self.broken(Invariant::I2, || {
                    format!("{node} gets {cidr}, for which {table} has a route to {to:?}")
                });
            }
        }
    }

    /// No foreign route may be there that the engine was told of.
    fn check_no_foreign(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        let seen = self.shells[shell].known.tables.iter();
        let seen = seen.filter_map(|(id, seen)| seen.last().map(|seen| (id, seen)));
        let conflict = seen
            .flat_map(|(id, seen)| seen.routes.iter().map(move |route| (id, route)))
            .filter(|(_, route)| route.ownership == Ownership::Foreign)
            .find(|(id, route)| {
                let table = self.cloud.tables.get(*id);
                let still = table.and_then(|table| table.routes.get(&route.destination));
                still.is_some_and(|held| !held.ours)
                    && cidrs.iter().any(|cidr| cidr.contains(&route.destination))
            })
            .map(|(id, route)| (id.clone(), route.destination));
        if let Some((table, destination)) = conflict {
            self.broken(Invariant::I2, || {
                format!("{node} is to get {cidrs:?}; {table} has a foreign route {destination}")
            });
        }
    }

    /// Nodes that opted out get nothing.
    pub(crate) fn check_opted_in(&mut self, shell: usize, node: &NodeKey) {
        let known = self.shells[shell].known.knows(node);
        if known.is_some_and(|known| known.excluded) {
            self.broken(Invariant::I4, || {
                format!("{node} opted out and is written to")
            });
        }
    }
}

fn overlaps(some: &[IpNet], others: &[IpNet]) -> bool {
    some.iter()
        .any(|one| others.iter().any(|other| overlap(*one, *other)))
}
