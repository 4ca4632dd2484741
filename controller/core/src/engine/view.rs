//! What can be seen from outside.

use std::collections::BTreeMap;

use super::{
    Engine,
    nodes::{NodeState, Progress},
};
use crate::{
    NodeKey, Summary,
    cloud::Usage,
    routes::Room,
    summary::{NodeView, Phase, QuotaUse, TableUse},
};

/// How often nodes went from one phase to another. `None` is "not known": before the first sight,
/// and after the last route is gone or leadership is lost.
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
        self.nodes.get(id).map(|state| state.phase)
    }

    /// Changes of phase since the process began.
    pub fn transitions(&self) -> &Transitions {
        &self.transitions
    }

    /// The figures of now. Costs a look at every node and route.
    pub fn summary(&self) -> Summary {
        let config = self.config.as_ref();
        let counted = || self.nodes.living().filter(|(_, it)| !it.node.excluded);
        let routed = counted().filter(|(_, it)| it.phase == Phase::Routed);
        let troubled = &self.notices.troubled;
        Summary {
            generation: config.map_or(0, |config| config.generation),
            pools: self
                .allocator
                .as_ref()
                .map(crate::ipam::Allocator::uses)
                .unwrap_or_default(),
            tables: self.table_uses(),
            nodes_total: counted().count(),
            nodes_routed: routed.count(),
            problems: troubled.iter().map(|(it, count)| (*it, *count)).collect(),
            deletions_held: if self.guard.held {
                self.routes.tally().unclaimed
            } else {
                0
            },
            recovered: self.recovered,
            cloud_error: self.listing.error.clone(),
            deletion_error: None,
        }
    }

    /// How many nodes stand where. Costs a look at every node.
    pub fn phases(&self) -> BTreeMap<Phase, usize> {
        let mut phases = BTreeMap::new();
        let nodes = self.nodes.living().map(|(_, it)| it);
        let draining = self.nodes.draining().map(|(_, it)| it);
        for node in nodes.chain(draining) {
            *phases.entry(node.phase).or_default() += 1;
        }
        phases
    }

    fn table_uses(&self) -> Vec<TableUse> {
        let teardown = self.config.as_ref().is_some_and(|config| config.teardown);
        let mut uses: Vec<TableUse> = self
            .routes
            .tables
            .iter()
            .map(|table| TableUse {
                table: table.id.clone(),
                desired: 0,
                programmed: 0,
                missing: 0,
                stale: 0,
                foreign: table.foreign.len(),
                v4: quota_use(&table.v4),
                v6: quota_use(&table.v6),
            })
            .collect();
        for (_, destination) in self.routes.iter() {
            let wanted = destination.want.is_some() && !teardown;
            let stale = teardown || !destination.claimed;
            for (index, table) in uses.iter_mut().enumerate() {
                let right = usize::from(wanted && destination.right(index));
                let cell = destination.cell(index);
                let ours = cell.map_or(0, |cell| cell.ours.len());
                table.desired += usize::from(wanted);
                table.programmed += right;
                table.missing += usize::from(wanted) - right;
                table.stale += if stale { ours } else { ours.saturating_sub(1) };
            }
        }
        uses.sort_by(|a, b| a.table.cmp(&b.table));
        uses
    }

    /// Every node, by name; after the living ones those whose routes are still being removed.
    pub fn nodes(&self) -> Vec<NodeView> {
        let mut living: Vec<NodeView> = self.nodes.living().map(|(_, it)| view(it)).collect();
        living.sort_by(|a, b| a.key.cmp(&b.key));
        let draining = self.nodes.draining().map(|(_, state)| view(state));
        living.into_iter().chain(draining).collect()
    }
}

fn quota_use(room: &Room) -> Option<QuotaUse> {
    let Usage { used, limit } = room.usage()?;
    Some(QuotaUse {
        used,
        limit,
        level: room.level(),
    })
}

fn view(state: &NodeState) -> NodeView {
    NodeView {
        key: state.node.key.clone(),
        phase: state.phase,
        pod_cidrs: state.assignment.cidrs.to_vec(),
        problem: state
            .trouble
            .as_ref()
            .filter(|trouble| trouble.lasting)
            .map(|trouble| trouble.reason),
        took: match state.progress {
            Progress::Since(_) => None,
            Progress::Took(took) => Some(took),
        },
    }
}
