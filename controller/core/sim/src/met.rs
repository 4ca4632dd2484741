//! Which rules are at work, seen from what engines are told and what they do.

use ipnet::IpNet;
use signpost_core::{
    Action, Event, NodeKey,
    action::{NetworkStatus, Notice, Reason, Subject},
    cloud::{CloudErrorKind, RouteChange},
    event::ApiErrorKind,
    node::NetworkCondition,
};

use crate::{invariants::covers_much, rules::Rule, world::World};

impl World<'_> {
    /// An engine is about to be told something.
    pub(crate) fn meet_event(&mut self, shell: usize, event: &Event) {
        if let Event::RoutesListed {
            result: Ok(tables), ..
        } = event
            && tables.iter().any(|table| !table.pending.is_empty())
        {
            self.meet(Rule::PendingListed);
        }
        let known = &self.shells[shell].known;
        let rule = match event {
            Event::NodesListed(nodes) => {
                let there = |key: &NodeKey| nodes.iter().any(|node| node.key == *key);
                let missing = known.nodes.values().any(|node| !there(&node.key));
                missing.then_some(Rule::NodeNotListed)
            }
            Event::RoutesListed {
                listing,
                result: Ok(tables),
            } => {
                if known.tables.is_outdated(*listing) {
                    Some(Rule::OldListing)
                } else {
                    let back = tables.iter().any(|table| {
                        let known = known.tables.by_id.get(&table.table);
                        known.is_some_and(|known| !known.lacking.is_empty())
                    });
                    back.then_some(Rule::TableBack)
                }
            }
            Event::RouteWritten { write, result } => match known.route_writes.get(write) {
                Some(RouteChange::Create { table, route }) => {
                    let exists = result
                        .as_ref()
                        .is_err_and(|error| error.kind == CloudErrorKind::AlreadyExists);
                    let place = (table.clone(), route.destination);
                    let lost = known.lost.contains(&place);
                    (exists && lost).then_some(Rule::CreationWasThere)
                }
                _ => None,
            },
            Event::ForwardingEnabled { result: Ok(()), .. } => Some(Rule::Forwarding),
            Event::PodCidrsSet { node, result } => {
                let unknown = result
                    .as_ref()
                    .is_err_and(|error| error.kind == ApiErrorKind::Unknown);
                if unknown {
                    self.shells[shell].known.doubtful.insert(node.uid.clone());
                }
                None
            }
            _ => None,
        };
        if let Some(rule) = rule {
            self.meet(rule);
        }
    }

    /// An engine does something.
    pub(crate) fn meet_action(&mut self, shell: usize, action: &Action) {
        match action {
            Action::WriteRoute { change, .. } => self.meet_write(shell, change),
            Action::ListRoutes { .. } if !self.shells[shell].known.tables.asked.is_empty() => {
                self.meet(Rule::SecondListing);
            }
            Action::ReadNode(node) if self.shells[shell].known.doubtful.remove(&node.uid) => {
                self.meet(Rule::CidrsRead);
            }
            Action::Notify(notice) => self.meet_notice(shell, notice),
            Action::SetNetworkStatus { node, status } => self.meet_status(shell, node, status),
            Action::TeardownDone => self.meet(Rule::TornDown),
            _ => {}
        }
    }

    fn meet_write(&mut self, shell: usize, change: &RouteChange) {
        let destination = change.destination();
        let known = &mut self.shells[shell].known;
        let mut nodes = known.nodes.values();
        let held = matches!(change, RouteChange::Delete { .. })
            && nodes.any(|node| node.pod_cidrs.contains(&destination));
        let place = (change.table().clone(), destination);
        if held {
            known.deleted_of_node.insert(place);
        } else {
            known.deleted_of_node.remove(&place);
        }
        // The route is that of a node's block, and goes since it leads elsewhere.
        if held && !self.scenario.limits.replaces {
            self.meet(Rule::RemovedToLead);
        }
    }

    fn meet_notice(&mut self, shell: usize, notice: &Notice) {
        let known = &self.shells[shell].known;
        let in_service = |node: &NodeKey| {
            let node = self.api.get(node);
            node.is_some_and(|node| node.node.network == NetworkCondition::Available)
        };
        let rule = match (notice.reason, &notice.subject) {
            (Reason::TableForgotten, _) => Rule::TableForgotten,
            (Reason::RangeBarred, _) => Rule::RangeBarred,
            (Reason::DeletionsHeld, _) => Rule::DeletionsHeld,
            (Reason::CloudDenied, _) if known.said.denied_since().is_some() => Rule::DeletionDenied,
            (Reason::QuotaExceeded, _) => Rule::TableFull,
            (Reason::DriftMended, _) => Rule::DriftMended,
            (Reason::WriteRefused, _) => Rule::CidrsRefused,
            (Reason::ConditionContested, _) => Rule::Contested,
            (Reason::DuplicatePodCIDR, _) => Rule::Duplicate,
            (Reason::PoolExhausted, _) => Rule::Exhausted,
            (Reason::RouteConflict, Subject::Node(node)) if in_service(node) => Rule::ForeignInside,
            _ => return,
        };
        self.meet(rule);
    }

    fn meet_status(&mut self, shell: usize, node: &NodeKey, status: &NetworkStatus) {
        let known = self.shells[shell].known.knows(node);
        let was = known.is_some_and(|node| node.network == NetworkCondition::Available);
        if was && !status.available {
            self.meet(Rule::Withdrawn);
        }
        match status.reason {
            Reason::RouteConflict if !status.available => self.meet(Rule::Conflict),
            Reason::RouteBlackhole if !status.available => self.meet(Rule::Blackhole),
            _ => {}
        }
    }

    /// A node was given blocks just now.
    pub(crate) fn meet_given(&mut self, shell: usize, node: &NodeKey, cidrs: &[IpNet]) {
        let known = &self.shells[shell].known;
        let Some(config) = &known.config else {
            return;
        };
        let of = |cidr: &IpNet| config.pools.iter().find(|pool| pool.range().has(cidr));
        let pools: Vec<_> = cidrs.iter().filter_map(of).collect();
        let added = pools.iter().any(|pool| {
            let since = known.pools.get(&pool.range());
            since.is_some_and(|since| known.configured.is_some_and(|first| *since > first))
        });
        let again = cidrs.iter().any(|cidr| known.held.contains(cidr));
        let wide = pools.iter().any(|pool| {
            let all = known.nodes.values().flat_map(|node| node.pod_cidrs.iter());
            let mut all = all.filter(|cidr| covers_much(cidr, pool));
            all.next().is_some()
        });
        let settle = u64::try_from(self.scenario.limits.settle.as_millis()).unwrap_or(u64::MAX);
        let early = self.now < known.since + settle;
        let later = self.api.get(node).is_some_and(|node| node.labelled_later);
        let rules = [
            (added, Rule::BlockOfAddedPool),
            (again, Rule::BlockUsedAgain),
            (wide, Rule::WideClaimNotMinded),
            (early, Rule::BlockRightAfterCleanHandover),
            (later, Rule::LabelsCameLater),
        ];
        for (met, rule) in rules {
            if met {
                self.meet(rule);
            }
        }
    }

    /// A route was changed just now.
    pub(crate) fn meet_written(&mut self, shell: usize, change: &RouteChange, doubled: bool) {
        let known = &self.shells[shell].known;
        let destination = change.destination();
        let outside = || {
            let config = known.config.as_ref();
            let mut pools = config.into_iter().flat_map(|config| config.pools.iter());
            let mut ever = known.ever.iter();
            !pools.any(|pool| pool.range().has(&destination))
                && !ever.any(|(range, _)| range.has(&destination))
        };
        let table = self.cloud.tables.get(change.table());
        let beside = table.is_some_and(|table| table.propagated.contains(&destination));
        let rule = match change {
            RouteChange::Create { .. } if beside => Rule::PropagatedBeside,
            RouteChange::Replace { .. } => Rule::RouteReplaced,
            RouteChange::Delete { .. } if doubled => Rule::DoubleRemoved,
            RouteChange::Delete { .. } if outside() => Rule::OrphanOutsidePools,
            _ => return,
        };
        self.meet(rule);
    }
}
