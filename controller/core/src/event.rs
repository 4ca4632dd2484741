//! What can happen.

use crate::{
    cloud::{CloudError, InstanceState, TableListing},
    config::Config,
    node::{Node, NodeKey},
};

/// Something that happened in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The configuration was read; `None`: there is none (or none that is valid), so nothing new is
    /// begun and nothing that exists is touched.
    Configured(Option<Config>),
    /// All nodes, read consistently after the engine was made and again after every break of the
    /// watch. A node that is absent is gone.
    NodesListed(Vec<Node>),
    /// A node was added or changed. May be stale or repeated.
    NodeSeen(Node),
    /// A node was deleted.
    NodeGone(NodeKey),
    /// Answer to [`Action::ReadNode`](crate::Action::ReadNode): the node as the API server had it after
    /// that was asked for, or later. Like all that is told of nodes it is never older than what was
    /// told before.
    NodeRead {
        /// The node in the action.
        key: NodeKey,
        /// `None`: it is gone, or another one has its name.
        node: Option<Node>,
    },
    /// Answer to [`Action::SetPodCidrs`](crate::Action::SetPodCidrs).
    PodCidrsSet {
        /// The node.
        node: NodeKey,
        /// How it ended.
        result: Result<(), ApiError>,
    },
    /// Answer to [`Action::SetNetworkStatus`](crate::Action::SetNetworkStatus).
    NetworkStatusSet {
        /// The node.
        node: NodeKey,
        /// How it ended.
        result: Result<(), ApiError>,
    },
    /// Answer to [`Action::ReadInstances`](crate::Action::ReadInstances), one entry for each node
    /// asked for; a node that is absent from it is asked for again later.
    InstancesRead {
        /// The number in the action.
        batch: u64,
        /// What is known of each node's instance.
        answers: Vec<(NodeKey, Result<InstanceState, CloudError>)>,
    },
    /// Answer to [`Action::EnableForwarding`](crate::Action::EnableForwarding).
    ForwardingEnabled {
        /// The node.
        node: NodeKey,
        /// How it ended.
        result: Result<(), CloudError>,
    },
    /// Answer to [`Action::ListRoutes`](crate::Action::ListRoutes).
    RoutesListed {
        /// The number in the action.
        listing: u64,
        /// All tables, or why there is no answer.
        result: Result<Vec<TableListing>, CloudError>,
    },
    /// Somebody may have changed a route.
    RoutesMayHaveChanged,
    /// Answer to [`Action::WriteRoute`](crate::Action::WriteRoute).
    RouteWritten {
        /// The number in the action.
        write: u64,
        /// How it ended.
        result: Result<(), CloudError>,
    },
    /// The time that [`Engine::next_wake`](crate::Engine::next_wake) named has come. Harmless at
    /// any other time.
    Wake,
}

/// A write to the Kubernetes API that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct ApiError {
    /// What it means for us.
    pub kind: ApiErrorKind,
    /// What the API server said, or what kept us from hearing it, for people.
    pub detail: Box<str>,
}

impl ApiError {
    /// An error of that kind, in the words of who refused.
    pub fn new(kind: ApiErrorKind, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

/// What a refusal of the Kubernetes API means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ApiErrorKind {
    /// Somebody else wrote first: the node has other pod CIDRs or another UID.
    #[error("somebody else wrote first")]
    Conflict,
    /// The object is gone.
    #[error("not found")]
    NotFound,
    /// A permission is missing.
    #[error("a permission is missing")]
    Denied,
    /// The API server will never accept this request.
    #[error("refused as invalid")]
    Invalid,
    /// It did not happen; trying again may help.
    #[error("failed for now")]
    Transient,
    /// The answer was lost: it may or may not have happened.
    #[error("no answer")]
    Unknown,
}

impl ApiErrorKind {
    /// The stable name used in metrics and logs.
    pub fn category(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
        }
    }
}
