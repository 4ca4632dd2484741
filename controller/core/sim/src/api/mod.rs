//! The model API server: nodes, the log that watches read, the lease.

pub(crate) mod calls;
pub(crate) mod lease;
mod past;

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use signpost_core::{
    Handover, Node, NodeKey,
    action::NetworkStatus,
    event::{ApiError, ApiErrorKind},
    node::NetworkCondition,
    shell::Reading,
};

pub(crate) use self::past::Revisions;
use self::{lease::Lease, past::Snapshot};

/// A request of a controller.
#[derive(Debug, Clone)]
pub(crate) enum ApiCall {
    /// Read the lease.
    ReadLease,
    /// Write the lease over that version (`None`: create it).
    WriteLease {
        over: Option<u64>,
        lease: Lease,
        begun: signpost_core::Time,
        /// What is known of who led before.
        handover: Handover,
    },
    /// List all nodes, consistently, for that watch.
    ListNodes { stream: u32 },
    /// Read one node.
    ReadNode { key: NodeKey, reading: Reading },
    /// Set the pod CIDRs.
    SetPodCidrs { node: NodeKey, cidrs: Vec<IpNet> },
    /// Set the network condition.
    SetStatus {
        node: NodeKey,
        status: NetworkStatus,
    },
}

/// An error in words of the model.
pub(crate) fn refused(kind: ApiErrorKind) -> ApiError {
    ApiError::new(kind, "as the schedule has it")
}

/// Who gave a node its pod CIDRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// One of the controllers.
    Ours,
    /// Somebody else.
    Hand,
}

/// A node as it truly is.
#[derive(Debug, Clone)]
pub(crate) struct ApiNode {
    pub(crate) node: Node,
    pub(crate) origin: Origin,
    /// It joined without the labels that it has now.
    pub(crate) labelled_later: bool,
    /// Of its last change.
    pub(crate) version: u64,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Seen(Node, u64),
    Gone(NodeKey, u64),
}

/// Until when the API server misbehaves, and how.
#[derive(Debug, Default)]
pub(crate) struct ApiModes {
    pub(crate) down: u64,
    pub(crate) flaky: u64,
    pub(crate) denies: u64,
    pub(crate) answers_lost: u64,
    pub(crate) lands_late: u64,
    pub(crate) refuses: u64,
    pub(crate) slow: u64,
}

type Nodes = BTreeMap<Arc<str>, ApiNode>;

/// The API server.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) nodes: Nodes,
    pub(crate) log: Vec<Change>,
    pub(crate) lease: Option<Lease>,
    pub(crate) lease_created: u64,
    /// The record was put back by a restoration and not written since: its holder need not hold it.
    pub(crate) lease_put_back: bool,
    pub(crate) modes: ApiModes,
    /// Which node somebody ever gave which block, and when.
    pub(crate) by_hand: BTreeMap<(Arc<str>, IpNet), u64>,
    /// What was stored when, for a restoration.
    past: Vec<Snapshot>,
    version: u64,
    /// When the version was counted from what on.
    counted_from: (u64, u64),
    uids: u64,
}

impl Api {
    /// No nodes yet, and the unheld lease that the manifests come with.
    pub(crate) fn new() -> Self {
        let mut api = Self {
            nodes: Nodes::new(),
            log: Vec::new(),
            lease: None,
            lease_created: 0,
            lease_put_back: false,
            modes: ApiModes::default(),
            by_hand: BTreeMap::new(),
            past: Vec::new(),
            version: 0,
            counted_from: (0, 0),
            uids: 0,
        };
        api.lease = Some(Lease::unused(api.next_version()));
        api
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// A UID that was never given before.
    pub(crate) fn next_uid(&mut self, name: &str) -> Arc<str> {
        self.uids += 1;
        format!("{name}-{}", self.uids).into()
    }

    /// A new node.
    pub(crate) fn put(&mut self, node: Node) {
        let version = self.next_version();
        self.log.push(Change::Seen(node.clone(), version));
        let origin = Origin::Ours;
        let node = ApiNode {
            node,
            origin,
            labelled_later: false,
            version,
        };
        self.nodes.insert(node.node.key.name.clone(), node);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<NodeKey> {
        let gone = self.nodes.remove(name)?;
        let version = self.next_version();
        self.log.push(Change::Gone(gone.node.key.clone(), version));
        Some(gone.node.key)
    }

    /// Changes a node that is there.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut ApiNode)) -> bool {
        let version = self.next_version();
        let Some(node) = self.nodes.get_mut(name) else {
            return false;
        };
        let before = node.node.clone();
        change(node);
        if node.node == before {
            return false;
        }
        node.version = version;
        self.log.push(Change::Seen(node.node.clone(), version));
        true
    }

    /// Somebody other than a leader gave the node these pod CIDRs.
    pub(crate) fn made_by_hand(&mut self, node: &NodeKey, cidrs: &[IpNet], now: u64) {
        let given = cidrs.iter().map(|cidr| ((node.name.clone(), *cidr), now));
        self.by_hand.extend(given);
        if let Some(node) = self.nodes.get_mut(&node.name) {
            node.origin = Origin::Hand;
        }
    }

    /// The node with this name and UID.
    pub(crate) fn get(&self, key: &NodeKey) -> Option<&ApiNode> {
        self.nodes
            .get(&key.name)
            .filter(|node| node.node.key == *key)
    }

    /// Carries out [`signpost_core::Action::SetPodCidrs`].
    pub(crate) fn set_pod_cidrs(&mut self, key: &NodeKey, cidrs: &[IpNet]) -> Result<(), ApiError> {
        let Some(node) = self.nodes.get(&key.name) else {
            return Err(refused(ApiErrorKind::NotFound));
        };
        if node.node.key != *key {
            return Err(refused(ApiErrorKind::Conflict));
        }
        if node.node.pod_cidrs == cidrs {
            return Ok(());
        }
        if !node.node.pod_cidrs.is_empty() {
            return Err(refused(ApiErrorKind::Conflict));
        }
        self.change(&key.name, |node| {
            node.node.pod_cidrs = cidrs.to_vec();
            node.origin = Origin::Ours;
        });
        Ok(())
    }

    /// Carries out [`signpost_core::Action::SetNetworkStatus`].
    pub(crate) fn set_status(&mut self, key: &NodeKey, available: bool) -> Result<(), ApiError> {
        if self.get(key).is_none() {
            return Err(refused(ApiErrorKind::NotFound));
        }
        self.change(&key.name, |node| {
            node.node.network = if available {
                NetworkCondition::Available
            } else {
                NetworkCondition::Unavailable
            };
        });
        Ok(())
    }
}
