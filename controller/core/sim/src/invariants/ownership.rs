//! I1 and I2: whose a block is.

use ipnet::IpNet;
use signpost_core::{Node, NodeKey, Time, cloud::TableId};

use super::{Invariant, could::covers_much};
use crate::{
    api::Origin,
    cloud::Table,
    knowledge::{overlap, overlaps},
    queue::Sender,
    world::World,
};

impl World<'_> {
    /// An engine is about to give a node these blocks.
    pub(crate) fn check_gives(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        self.check_opted_in(shell, node);
        let present = self.api.get(node);
        if present.is_some_and(|present| present.node.pod_cidrs == cidrs) {
            // Tried again after a lost answer.
            return;
        }
        let known_before = self.shells[shell].known.claims.may_have(node, cidrs);
        let known = self.shells[shell].known.knows(node);
        if let Some(known) = known
            && !known.pod_cidrs.is_empty()
            && known.pod_cidrs != cidrs
            && !self.lost_for_good(shell, known)
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
                && self.bars(shell, &other.pod_cidrs, cidrs)
        });
        if let Some(other) = other.map(|other| other.key.clone()) {
            return self.broken(Invariant::I1, || {
                format!("{node} is to get {cidrs:?}, which {other} is known to have")
            });
        }
        if !known_before {
            self.check_no_foreign(shell, node, cidrs);
        }
        self.check_no_leftover(shell, node, cidrs, self.now);
    }

    /// The node, if it is there at all, lost its blocks with an etcd that was restored, and cannot have the same again: with
    /// it came back who had one of them before, be it that it went since, or one is no block of a pool,
    /// so that we would not have given it.
    fn lost_for_good(&self, shell: usize, node: &Node) -> bool {
        let known = &self.shells[shell].known;
        let present = self.api.get(&node.key);
        let lost = present.is_none_or(|present| present.node.pod_cidrs.is_empty());
        let contested = known.contested.contains(&node.key.uid);
        let mut lost_cidrs = node.pod_cidrs.iter();
        let pools = known.config.iter().flat_map(|config| &config.pools);
        let no_block = |cidr: &IpNet| !pools.clone().any(|pool| pool.range().has(cidr));
        lost && self.restored.is_some() && (contested || lost_cidrs.any(no_block))
    }

    /// One of `held` bars one of `cidrs`: they overlap, and it does not cover so much that it is not
    /// minded.
    fn bars(&self, shell: usize, held: &[IpNet], cidrs: &[IpNet]) -> bool {
        let config = self.shells[shell].known.config.as_ref();
        let pool = |cidr: &IpNet| {
            let mut pools = config?.pools.iter();
            pools.find(|pool| pool.range().has(cidr))
        };
        cidrs.iter().any(|cidr| {
            let mut held = held.iter().filter(|held| overlap(**held, *cidr));
            held.any(|held| !pool(cidr).is_some_and(|pool| covers_much(held, pool)))
        })
    }

    /// The blocks were written to the node just now.
    pub(crate) fn check_given(&mut self, from: Sender, node: &NodeKey, cidrs: &[IpNet]) {
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
        self.check_no_leftover(from.shell, node, cidrs, from.sent);
    }

    /// The node had the block in this leadership and lost it with an etcd that was restored: its pods
    /// have addresses of it, so it is to get the same again, whatever routes are there by now. Its own
    /// old ones may lead to an instance that is gone, and what is foreign was there before too.
    fn had(&self, shell: usize, node: &NodeKey, cidr: &IpNet) -> bool {
        let known = self.shells[shell].known.knows(node);
        known.is_some_and(|known| known.pod_cidrs.contains(cidr))
    }

    /// No route of ours may be there that leads, or led, to somebody else, and of which the engine
    /// had to know when it gave the block.
    fn check_no_leftover(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet], given: u64) {
        let known = &self.shells[shell].known;
        let landed = given < self.now;
        let by_hand = self.api.nodes.values().any(|other| {
            let unaware = |it: &Node| it.pod_cidrs.is_empty();
            other.node.key != *node
                && other.origin == Origin::Hand
                && overlaps(&other.node.pod_cidrs, cidrs)
                && (landed || known.knows(&other.node.key).is_none_or(unaware))
        });
        if by_hand {
            // Somebody gave it to another node at the same time; the older one keeps it.
            return;
        }
        for cidr in cidrs {
            if self.had(shell, node, cidr) {
                continue;
            }
            let hop = self.hop_of(node, *cidr);
            let left = self.cloud.tables.iter().find_map(|(id, table)| {
                if !self.must_know(shell, id, table, given) || table.late.contains(cidr) {
                    return None;
                }
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

    /// An engine had to reckon with what lies in the table at that time: it was shown it before, and
    /// it was not missing for so long that it may be forgotten, or no listing ever lacked it.
    pub(crate) fn must_know(&self, shell: usize, id: &TableId, table: &Table, at: u64) -> bool {
        let known = self.shells[shell].known.tables.by_id.get(id);
        let settle = self.scenario.limits.settle;
        let counts = known.is_some_and(|known| known.counts(settle) && known.since <= at);
        counts || !table.doubtful
    }

    /// No foreign route may truly be there that was there before the pool was, or before the
    /// leadership, or that a listing had to show.
    fn check_no_foreign(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        let known = &self.shells[shell].known;
        let settle = self.scenario.limits.settle;
        if !self.scenario.limits.routes {
            return;
        }
        let conflict = self.cloud.tables.iter().find_map(|(id, table)| {
            if !self.must_know(shell, id, table, self.now) {
                return None;
            }
            let new = cidrs.iter().filter(|cidr| !self.had(shell, node, cidr));
            let inside = |net: &IpNet| new.clone().find(|cidr| cidr.contains(net));
            table.foreign_since.iter().find_map(|(net, since)| {
                let cidr = inside(net)?;
                let shows = Time(*since).after(settle).0;
                let pools = known.pools.iter();
                let pool = pools.filter(|(range, _)| range.has(cidr));
                let configured = pool.map(|(_, since)| *since).max()?;
                let base = configured.max(known.since);
                let seen = known.tables.by_id.get(id);
                let seen = seen.into_iter().flat_map(|known| known.seen.iter());
                let mut seen = seen.filter(|seen| seen.prompt && seen.covers(cidr));
                let told = seen.any(|seen| seen.begun >= shows);
                (told || shows <= base).then(|| (id.clone(), *net))
            })
        });
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
