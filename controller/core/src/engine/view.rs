//! What can be seen from outside.

use std::{collections::BTreeMap, net::IpAddr};

use super::Engine;
use crate::{
    NodeKey, Summary,
    nodes::NodeState,
    summary::{NodeView, Phase},
};

/// How often nodes went from one phase to another. `None` is "not known": before the first sight,
/// and after the last route is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transitions(BTreeMap<(Option<Phase>, Option<Phase>), u64>);

impl Transitions {
    pub(super) fn count(&mut self, from: Option<Phase>, to: Option<Phase>) {
        *self.0.entry((from, to)).or_default() += 1;
    }

    /// How often each that ever happened did, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Phase>, Option<Phase>, u64)> {
        self.0
            .iter()
            .map(|((from, to), count)| (*from, *to, *count))
    }
}

impl Engine {
    /// Where a node stands; `None` if it is not known.
    pub fn phase(&self, key: &NodeKey) -> Option<Phase> {
        let id = self.nodes.any_id(key)?;
        self.nodes.get(id).map(NodeState::phase)
    }

    /// Changes of phase in this leadership.
    pub fn transitions(&self) -> &Transitions {
        &self.transitions
    }

    /// The figures of now. Costs a look at every node and route.
    pub fn summary(&self) -> Summary {
        let config = self.config.as_ref();
        let routed = self.counted().filter(|it| it.phase() == Phase::Routed);
        let troubled = &self.notices.troubled;
        Summary {
            generation: config.map_or(0, |config| config.generation),
            pools: self.ledger.uses(),
            tables: self.tables.uses(),
            nodes_total: self.counted().count(),
            nodes_routed: routed.count(),
            problems: troubled.iter().map(|(it, count)| (*it, *count)).collect(),
            deletions_held: self.tables.held(),
            recovered: self.recovery.done,
            cloud_error: self.tables.listing_error().map(str::to_owned),
            deletion_error: self.tables.deletion_error(),
        }
    }

    /// How many nodes stand where, but for those that are left alone. Costs a look at every node.
    pub fn phases(&self) -> BTreeMap<Phase, usize> {
        let mut phases = BTreeMap::new();
        for node in self.counted().chain(self.nodes.draining()) {
            *phases.entry(node.phase()).or_default() += 1;
        }
        phases
    }

    /// The addresses of every living node, also of those that are left alone, in no particular order;
    /// `None` until a full list was seen.
    pub fn node_addresses(&self) -> Option<impl Iterator<Item = IpAddr>> {
        let nodes = self.nodes.is_listed().then(|| self.nodes.living())?;
        Some(nodes.flat_map(|(_, it)| it.internal_ips().iter().copied()))
    }

    fn counted(&self) -> impl Iterator<Item = &NodeState> {
        let living = self.nodes.living().map(|(_, it)| it);
        living.filter(|it| !it.is_excluded())
    }

    /// Every node, by name; after the living ones those whose routes are still being removed.
    pub fn nodes(&self) -> Vec<NodeView> {
        let mut living: Vec<NodeView> = self.nodes.living().map(|(_, it)| view(it)).collect();
        living.sort_by(|a, b| a.key.cmp(&b.key));
        living.extend(self.nodes.draining().map(view));
        living
    }
}

fn view(state: &NodeState) -> NodeView {
    let problem = state.trouble().filter(|trouble| trouble.lasting);
    NodeView {
        key: state.key().clone(),
        phase: state.phase(),
        pod_cidrs: state.cidrs().to_vec(),
        problem: problem.map(|trouble| trouble.reason),
        took: state.took(),
    }
}
