//! All that is known of one node.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{assignment::Assignment, condition::Condition};
use crate::{
    Time,
    cloud::InstanceQuery,
    ids::NodeId,
    ipam::Claimant,
    node::{NetworkCondition, Node, NodeKey},
    retry::hash,
    summary::Phase,
    turn::Trouble,
};

/// A node as last seen, without its pod CIDRs.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) key: NodeKey,
    pub(super) created: i64,
    pub(super) labels: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) provider_id: Option<Arc<str>>,
    pub(super) internal_ips: Vec<IpAddr>,
    pub(super) network: NetworkCondition,
    pub(super) excluded: bool,
    pub(super) uninitialized: bool,
}

impl Seen {
    /// Splits off the pod CIDRs.
    pub(super) fn split(node: Node) -> (Self, Vec<IpNet>) {
        let seen = Self {
            key: node.key,
            created: node.created,
            labels: node.labels,
            provider_id: node.provider_id,
            internal_ips: node.internal_ips,
            network: node.network,
            excluded: node.excluded,
            uninitialized: node.uninitialized,
        };
        (seen, node.pod_cidrs.iter().map(IpNet::trunc).collect())
    }
}

/// How far a node is on its way to its first read-back in this leadership.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress {
    /// First seen at that time.
    Since(Time),
    /// It took so long, in milliseconds.
    Took(u64),
}

/// Where a node stands, as the engine judges it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    /// What keeps it from being routed.
    pub(crate) trouble: Option<Trouble>,
    /// Packets to its pods do not arrive, so it is to be taken out of service if it is in service.
    pub(crate) unreachable: bool,
}

/// All that is known of a node. Changed by [`Nodes`](super::Nodes) alone.
#[expect(clippy::struct_excessive_bools, reason = "each says something else")]
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    pub(super) node: Seen,
    /// It was in service before this leadership.
    pub(super) was_available: bool,
    pub(super) gone: bool,
    /// It waits to be judged anew.
    pub(super) dirty: bool,
    pub(super) phase: Phase,
    pub(super) unreachable: bool,
    /// When it came into its phase.
    pub(super) phase_since: Time,
    /// It has been waiting for its routes for long.
    pub(super) waits_long: bool,
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) progress: Progress,
    pub(super) assignment: Assignment,
    pub(super) condition: Condition,
}

impl NodeState {
    pub(super) fn new(node: Seen, now: Time) -> Self {
        Self {
            was_available: node.network.is_in_service(),
            node,
            gone: false,
            dirty: false,
            phase: Phase::Pending,
            unreachable: false,
            phase_since: now,
            waits_long: false,
            trouble: None,
            progress: Progress::Since(now),
            assignment: Assignment::default(),
            condition: Condition::default(),
        }
    }

    pub(crate) fn key(&self) -> &NodeKey {
        &self.node.key
    }

    /// As the ledger knows it.
    pub(crate) fn claimant(&self, id: NodeId) -> Claimant {
        Claimant {
            id,
            created: self.node.created,
            key: self.node.key.clone(),
        }
    }

    pub(crate) fn labels(&self) -> &BTreeMap<Arc<str>, Arc<str>> {
        &self.node.labels
    }

    pub(crate) fn internal_ips(&self) -> &[IpAddr] {
        &self.node.internal_ips
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// It opted out.
    pub(crate) fn is_excluded(&self) -> bool {
        self.node.excluded
    }

    /// Its labels are not there yet.
    pub(crate) fn is_uninitialized(&self) -> bool {
        self.node.uninitialized
    }

    /// What the node has, or what was chosen for it.
    pub(crate) fn cidrs(&self) -> &[IpNet] {
        &self.assignment.cidrs
    }

    /// It is known to have them.
    pub(crate) fn has_its_cidrs(&self) -> bool {
        self.assignment.held
    }

    /// It is to get blocks, for the first time or since it lost them, and their write is not on its way.
    pub(crate) fn may_choose_anew(&self) -> bool {
        self.assignment.is_unsent()
    }

    /// Why it has no pod CIDRs, or why they cannot be written.
    pub(crate) fn assignment_trouble(&self) -> Option<&Trouble> {
        self.assignment.trouble.as_deref()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_deref()
    }

    /// It has been waiting for its routes for long.
    pub(crate) fn waits_long(&self) -> bool {
        self.waits_long
    }

    /// From first sight to read-back, once routed.
    pub(crate) fn took(&self) -> Option<Duration> {
        match self.progress {
            Progress::Since(_) => None,
            Progress::Took(took) => Some(Duration::from_millis(took)),
        }
    }

    /// By which a provider finds its instance.
    pub(crate) fn query(&self) -> InstanceQuery {
        InstanceQuery {
            node: self.node.key.clone(),
            provider_id: self.node.provider_id.clone(),
            internal_ips: self.node.internal_ips.clone(),
        }
    }
}

/// What a node's jitter depends on.
pub(crate) fn item(key: &NodeKey) -> u64 {
    hash(key.uid.bytes())
}
