//! What people are told, once for each cause.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::Engine;
use crate::{
    Time,
    action::{Reason, Subject},
    cloud::TableId,
    ids::NodeId,
    nodes::Judged,
    turn::Trouble,
};

/// The same is not said again within this span.
const SILENCE: Duration = Duration::from_secs(600);

/// What was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    /// Nodes that have a lasting trouble, by cause.
    pub(super) troubled: BTreeMap<Reason, usize>,
    /// When a cause was told of one node.
    nodes: Told<(NodeId, Reason)>,
    /// When a cause was told that is not one node's.
    network: Told<Reason>,
    /// When it was told that somebody else has a route inside a node's block.
    foreign: Told<IpNet>,
    /// When something was told of a pool.
    pools: Told<(Arc<str>, Reason)>,
}

impl Notices {
    fn count(&mut self, trouble: Option<&Trouble>, more: bool) {
        let Some(reason) = trouble.filter(|it| it.lasting).map(|it| it.reason) else {
            return;
        };
        let count = self.troubled.entry(reason).or_default();
        if more {
            *count += 1;
        } else {
            *count -= 1;
        }
        if *count == 0 {
            self.troubled.remove(&reason);
        }
    }
}

/// The cause lies not with one node: it is told once for all of them.
fn is_common(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PoolExhausted
            | Reason::QuotaExceeded
            | Reason::CloudDenied
            | Reason::CloudUnavailable
            | Reason::WriteRefused
            | Reason::RangeBarred
    )
}

/// What was said when.
#[derive(Debug, Clone)]
struct Told<K> {
    at: BTreeMap<K, Time>,
    /// When old entries were last taken out.
    pruned: Time,
}

impl<K> Default for Told<K> {
    fn default() -> Self {
        Self {
            at: BTreeMap::new(),
            pruned: Time::default(),
        }
    }
}

impl<K: Ord> Told<K> {
    /// Whether it is time to say something, perhaps again; notes that it is said.
    fn is_new(&mut self, key: K, now: Time) -> bool {
        if now.since(self.pruned) >= SILENCE {
            self.pruned = now;
            self.at.retain(|_, at| now.since(*at) < SILENCE);
        }
        let told = self.at.get(&key);
        if told.is_some_and(|at| now.since(*at) < SILENCE) {
            return false;
        }
        self.at.insert(key, now);
        true
    }
}

impl Engine {
    /// Counts what troubles a node now in place of what did before, and tells what was not told yet.
    pub(super) fn tell_of_node(&mut self, id: NodeId, judged: Judged) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        self.notices.count(judged.trouble_before.as_ref(), false);
        self.notices.count(state.trouble(), true);
        let Some(trouble) = judged.news else { return };
        if is_common(trouble.reason) {
            return self.tell_network(trouble.reason, trouble.message);
        }
        let subject = Subject::Node(state.key().clone());
        let now = self.turn.now.at;
        if self.notices.nodes.is_new((id, trouble.reason), now) {
            self.turn.notify(subject, trouble.reason, trouble.message);
        }
    }

    pub(super) fn tell_network(&mut self, reason: Reason, message: String) {
        let now = self.turn.now.at;
        if self.notices.network.is_new(reason, now) {
            self.turn.notify(Subject::Network, reason, message);
        }
    }

    pub(super) fn tell_of_refused_condition(&mut self, message: String) {
        self.tell_network(Reason::WriteRefused, message);
    }

    /// Deletions fail for a cause that lasts.
    pub(super) fn tell_complaints(&mut self) {
        for trouble in self.tables.take_complaints() {
            self.tell_network(trouble.reason, trouble.message);
        }
    }

    /// Somebody else has a route inside a node's block: some of its packets go elsewhere. One for just
    /// what another node claims may be ours, of a pool that was cut otherwise, which a listing that did
    /// not know of that claim took for somebody else's.
    pub(super) fn tell_of_foreign(&mut self, foreign: IpNet, table: &TableId) {
        let Some((owner, block)) = self.ledger.owner_around(foreign) else {
            return;
        };
        let now = self.turn.now.at;
        if self.ledger.is_claimed(foreign) || !self.notices.foreign.is_new(foreign, now) {
            return;
        }
        let message = format!(
            "table {table} has a route for {foreign} that is not Signpost's and draws packets away \
             from the pod CIDR {block}; remove it if that is not intended"
        );
        let subject = Subject::Node(owner.key.clone());
        self.turn.notify(subject, Reason::RouteConflict, message);
    }

    /// Pools that cannot be used as they are, and removed ones that are kept.
    pub(super) fn tell_of_pools(&mut self) {
        let refused = self.ledger.refused();
        let refused = refused.map(|(name, why)| (name.clone(), Reason::RangeBarred, why));
        let removed = self.ledger.removed();
        let removed = removed.map(|(name, why)| (name.clone(), Reason::PoolRemoved, why));
        let now = self.turn.now.at;
        for (name, reason, why) in refused.chain(removed) {
            if self.notices.pools.is_new((name.clone(), reason), now) {
                let message = format!("pool {name}: {why}");
                self.turn.notify(Subject::Part(name), reason, message);
            }
        }
    }
}
