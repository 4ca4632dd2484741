//! Which blocks a node gets, and what becomes of those that nobody claims.

use ipnet::IpNet;

use super::Engine;
use crate::{
    action::Reason,
    ids::NodeId,
    ipam::{AllocateError, Fate, Ledger},
    nodes::NodeState,
    tables::{Tables, Want},
    turn::Trouble,
};

/// Blocks that a node is to get are still its to have.
///
/// Those that were chosen for it: nobody else turned out to claim one, no route turned up for one, and
/// they would be handed out to it still. Those that it had and lost, as in an etcd that was restored
/// from a snapshot, since pods on it have addresses of them: nobody else has one by now.
pub(super) fn is_still_its_own(
    ledger: &Ledger,
    tables: &Tables,
    id: NodeId,
    state: &NodeState,
) -> bool {
    let waits = state.is_uninitialized() && ledger.selects();
    let would_give = |cidr: IpNet| {
        !waits && !tables.may_have_routes(cidr) && ledger.would_give(cidr, state.labels())
    };
    let mut cidrs = state.cidrs().iter();
    cidrs
        .all(|cidr| ledger.is_undisputed(id, *cidr) && (state.has_its_cidrs() || would_give(*cidr)))
}

impl Engine {
    /// Sees to it that a node gets blocks and has them written.
    pub(super) fn ensure_blocks(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let excluded = state.is_excluded();
        let unfit = state.may_choose_anew()
            && (excluded || !is_still_its_own(&self.ledger, &self.tables, id, state));
        self.nodes.look_for_missed(&mut self.turn, id);
        if unfit {
            let Some(cidrs) = self.nodes.withdraw(&mut self.turn, id) else {
                return;
            };
            for cidr in cidrs {
                self.release(id, cidr);
            }
        }
        if !excluded && self.may_allocate() {
            self.choose(id);
            self.nodes.queue_pod_cidrs(&mut self.turn, id);
        }
    }

    fn choose(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        let ledger = &mut self.ledger;
        if !state.cidrs().is_empty() || state.is_uninitialized() && ledger.selects() {
            return;
        }
        match ledger.allocate(&state.claimant(id), state.labels()) {
            Ok(cidrs) => {
                self.without_block.remove(&id);
                self.nodes.assign(id, cidrs);
            }
            Err(error) => {
                self.without_block.insert(id);
                self.nodes.without_block(id, describe(&error));
            }
        }
    }

    /// A node no longer claims a network: its routes are orphaned unless somebody else claims it.
    pub(super) fn release(&mut self, id: NodeId, cidr: IpNet) {
        match self.ledger.release(id, cidr, self.turn.now) {
            Fate::Has(heir) => self.nodes.mark(heir),
            Fate::Quarantined if !self.turn.limits.routes => self.free(cidr),
            Fate::Quarantined => {
                let settle = self.turn.limits.settle;
                self.tables.want_listing(self.turn.now.at.after(settle));
            }
            Fate::Unclaimed => {}
        }
        let owner = self.ledger.owner_id(cidr);
        self.desire(cidr, owner);
    }

    /// Tells the tables what is desired of a destination, from whose it is and where that node is.
    pub(super) fn desire(&mut self, cidr: IpNet, owner: Option<NodeId>) {
        if !self.turn.limits.routes {
            return;
        }
        let want = match owner {
            _ if self.is_teardown() => Want::Remove,
            Some(id) => self.want(id, cidr),
            None if self.ledger.is_claimed(cidr) => Want::Keep,
            None => Want::Remove,
        };
        let leads = owner.filter(|_| matches!(want, Want::Lead(..)));
        let before = self.tables.set_desired(&self.turn, cidr, owner, want);
        if let Some(before) = before {
            // What kept it was this destination.
            self.nodes.mark(before);
        }
        if let Some(id) = leads
            && let Some(since) = self.tables.vouch(&self.turn, cidr, self.instances.told(id))
        {
            self.instances.want_since(&self.turn, id, since);
        }
    }

    fn want(&self, id: NodeId, cidr: IpNet) -> Want {
        let state = self.nodes.get(id);
        let routable = state.filter(|it| it.has_its_cidrs() && !it.is_excluded());
        let hop = self.instances.hop(id, cidr);
        match (routable, hop) {
            (Some(state), Some(hop)) => Want::Lead(hop.clone(), state.key().clone()),
            _ => Want::Keep,
        }
    }

    /// Frees what is in quarantine and of which no route is left.
    pub(super) fn end_quarantines(&mut self) {
        let (ledger, settle) = (&self.ledger, self.turn.limits.settle);
        let clear: Vec<IpNet> = ledger
            .quarantined()
            .filter(|cidr| {
                let released = ledger.released(*cidr);
                released.is_some_and(|since| self.tables.is_clear(*cidr, since, settle))
            })
            .collect();
        for cidr in clear {
            self.tables.forget(cidr);
            self.free(cidr);
        }
    }

    /// No route is left for a block that nobody claims.
    fn free(&mut self, cidr: IpNet) {
        if self.ledger.free(cidr) {
            self.blocks_changed();
        }
    }

    /// Some block may be free now, or not be any more.
    pub(super) fn blocks_changed(&mut self) {
        for id in &self.without_block {
            self.nodes.mark(*id);
        }
    }
}

/// What is shown of a node without a block; nothing while that is only a matter of time.
fn describe(error: &AllocateError) -> Option<Trouble> {
    let reason = match error {
        AllocateError::NoMatchingPool => Reason::NoMatchingPool,
        AllocateError::PoolExhausted { .. } => Reason::PoolExhausted,
        AllocateError::NotCovered(_) => return None,
    };
    Some(Trouble::lasting(reason, error.to_string()))
}
