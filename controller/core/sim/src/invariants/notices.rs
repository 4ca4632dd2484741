//! I9: what people are told.

use ipnet::IpNet;
use signpost_core::{
    NodeKey,
    action::{Notice, Reason, Subject},
};

use super::Invariant;
use crate::world::World;

/// What concerns all is not told again so soon.
const SILENCE: u64 = 600_000;
/// Nor that routes of a table are mended.
const DRIFT: u64 = 60_000;
/// Nor anything of one node again and again.
const NODE_WINDOW: u64 = 60_000;
const NODE_OFTEN: usize = 4;

/// Whatever is retried for so long is told, with some time for the next answer to come.
const TOLD: u64 = 120_000 + 60_000;

impl World<'_> {
    /// An engine is about to tell something.
    pub(crate) fn check_notice(&mut self, shell: usize, notice: &Notice) {
        let now = self.now;
        let about = (notice.subject.clone(), notice.reason);
        let said = self.shells[shell].known.said.notices.get(&about);
        let lately = |span: u64| {
            let times = said.into_iter().flatten();
            times.filter(|at| now < **at + span).count()
        };
        let again = match (&notice.subject, notice.reason) {
            (Subject::Network, Reason::DeletionsHeld) => false,
            (Subject::Network, _) => lately(SILENCE) > 0,
            (Subject::Part(_), Reason::DriftMended) => lately(DRIFT) > 0,
            (Subject::Part(_) | Subject::Node(_), _) => lately(NODE_WINDOW) >= NODE_OFTEN,
        };
        if again {
            self.broken(Invariant::I9, || {
                format!("{:?} {:?} is told again", notice.subject, notice.reason)
            });
        }
        if let (Subject::Node(node), Reason::RouteConflict) = (&notice.subject, notice.reason) {
            self.check_conflict(shell, node);
        }
    }

    /// A conflict is told only where a route of somebody else is, or was a short while ago.
    fn check_conflict(&mut self, shell: usize, node: &NodeKey) {
        let Some(known) = self.shells[shell].known.knows(node) else {
            return;
        };
        let cidrs = &known.pod_cidrs;
        let inside = |net: &IpNet| cidrs.iter().any(|cidr| cidr.contains(net));
        let foreign = self.cloud.foreign_ever.iter().any(inside);
        // Ours takes precedence only over one for the same destination: a part of the block, as of a
        // pool that was cut otherwise, goes its way.
        let part = |net: &IpNet| inside(net) && !cidrs.contains(net);
        let foreign = foreign || self.cloud.propagated_ever.iter().any(part);
        // Where routes carry no mark, ours of a pool that was cut otherwise cannot be told from others'.
        let tables = self.cloud.tables.values();
        let mut routes = tables.flat_map(|table| table.routes.keys());
        let foreign = foreign || !self.scenario.habits.marks && routes.any(part);
        if !foreign && !cidrs.is_empty() {
            let cidrs = cidrs.clone();
            self.broken(Invariant::I9, || {
                format!("{node} is told to be in conflict; nobody else has a route in {cidrs:?}")
            });
        }
    }

    /// What was refused for long was told.
    pub(crate) fn check_told(&mut self, shell: usize) {
        let known = &self.shells[shell].known;
        let Some(brain) = &self.shells[shell].brain else {
            return;
        };
        let long = |since: u64| self.now > since + TOLD;
        // Nobody is given anything any more, so nobody is refused anything.
        let teardown = known.config.as_ref().is_none_or(|it| it.teardown);
        let refused = known.nodes.values().find(|node| {
            let since = known.said.refused_since(&node.key);
            since.is_some_and(long) && node.pod_cidrs.is_empty() && !node.excluded && !teardown
        });
        if let Some(node) = refused.map(|node| node.key.clone())
            && ![
                Reason::WriteRefused,
                Reason::PoolExhausted,
                Reason::NoMatchingPool,
            ]
            .into_iter()
            .any(|reason| known.said.was_told(reason))
        {
            return self.broken(Invariant::I9, || {
                format!("the pod CIDRs of {node} are refused for minutes and nobody was told")
            });
        }
        let denied = known.said.denied_since().is_some_and(long);
        if denied
            && !known.said.was_told(Reason::CloudDenied)
            && brain.summary().deletion_error.is_none()
        {
            self.broken(Invariant::I9, || {
                "deletions are denied for minutes and nobody was told".into()
            });
        }
    }
}
