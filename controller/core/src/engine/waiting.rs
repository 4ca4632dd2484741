//! Nodes that wait for their routes for long: people are told what for.

use std::time::Duration;

use super::{
    Engine,
    clock::Due,
    judge::Blocks,
    nodes::{NodeId, NodeState},
};
use crate::{action::Reason, routes::Trouble, summary::Phase};

/// Waiting that is over sooner is not told.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a node has been in its phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wait {
    #[default]
    Short,
    /// Longer than people like to wait for routes.
    Long,
}

impl Engine {
    /// The node has its pod CIDRs and needs routes.
    pub(super) fn begin_waiting(&mut self, id: NodeId) {
        let until = self.now.at.after(PATIENCE);
        if self.nodes.waiting.is_empty() {
            self.timers.set(until, Due::Waiting);
        }
        self.nodes.waiting.push_back((until, id));
    }

    /// Has those judged that began to wait long ago and still do.
    pub(super) fn tell_of_waiting(&mut self) {
        let now = self.now.at;
        while let Some((until, id)) = self.nodes.waiting.front().copied() {
            if until > now {
                self.timers.set(until, Due::Waiting);
                break;
            }
            self.nodes.waiting.pop_front();
            if let Some(state) = self.nodes.get_mut(id)
                && state.phase == Phase::Routing
            {
                state.wait = Wait::Long;
                self.nodes.mark(id);
            }
        }
    }

    /// What the node waits for.
    pub(super) fn waiting(&self, state: &NodeState, blocks: &Blocks<'_>) -> Trouble {
        let tables = &self.routes.tables;
        let missing = blocks.iter().find_map(|(cidr, destination)| {
            let mut places = tables.iter().enumerate();
            places.find_map(|(index, table)| {
                let right = destination.is_some_and(|it| it.right(index));
                let read_back = destination.is_some_and(|it| it.read_back(index));
                let step = if right { "read back" } else { "written" };
                (!read_back)
                    .then(|| format!("the route for {cidr} in table {} to be {step}", table.id))
            })
        });
        let what = match missing {
            _ if tables.is_empty() => "the route tables to be read".to_owned(),
            Some(_) if state.instance.state.is_none() => "its instance to be read".to_owned(),
            Some(missing) => missing,
            None => "its instance to forward".to_owned(),
        };
        let failed = self.listing.error.as_ref();
        let failed = failed.map_or(String::new(), |error| format!("; listing failed: {error}"));
        Trouble {
            reason: Reason::RoutePending,
            message: format!("waiting for {what}{failed}"),
            lasting: false,
        }
    }
}
