//! What is known of instances, route tables and routes, and how a cloud can fail.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::node::NodeKey;

/// Name of a route table, unique within the provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub Arc<str>);

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a route leads, compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An address, as in a kernel's table.
    Address(IpAddr),
    /// The provider's name of an instance or of a network interface.
    Target(Arc<str>),
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Target(target) => f.write_str(target),
        }
    }
}

/// A route that should exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The node's block.
    pub destination: IpNet,
    /// Leads to the node's instance.
    pub next_hop: NextHop,
    /// The node, for descriptions that people read.
    pub node: NodeKey,
}

/// A range that a listing must cover, cut into blocks of one size: our own routes there are for such
/// blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The range; no host bits set.
    pub cidr: IpNet,
    /// Prefix length of each block.
    pub prefix_len: u8,
}

impl Range {
    /// Whether `net` is one of the blocks.
    pub fn has(&self, net: &IpNet) -> bool {
        net.prefix_len() == self.prefix_len && self.cidr.contains(net) && *net == net.trunc()
    }
}

/// A route that a listing showed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObservedRoute {
    /// What it is for.
    pub destination: IpNet,
    /// Where it leads; `None` where it leads nowhere or to something that we never point at.
    pub next_hop: Option<NextHop>,
    /// Whether the provider recognises its own mark on it.
    pub ownership: Ownership,
    /// Why packets sent along it are dropped, if the cloud says that they are.
    pub blackhole: Option<Blackhole>,
    /// The provider's own name of the route, where it has one.
    pub handle: Option<Arc<str>>,
}

/// Why packets along a route are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blackhole {
    /// What it leads to exists no more.
    TargetGone,
    /// What it leads to is there and does not run; it may run again.
    TargetStopped,
    /// What it leads to drops packets that are not addressed to itself.
    NotForwarding,
    /// What it leads to is not on the network of the route.
    NotOnNetwork,
    /// The cloud or the kernel drops them by itself.
    Other,
}

/// Whose a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// It carries the mark of this cluster's Signpost.
    Ours,
    /// Anything else. Never changed, never removed.
    Foreign,
    /// Somebody else's as well, but a route of ours for the same destination takes precedence and
    /// can stand beside it.
    Outranked,
}

/// What one listing showed of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableListing {
    /// The table.
    pub table: TableId,
    /// Every route whose destination lies in one of the ranges that were asked for; there may be
    /// others. An error means that this table could not be read; others in the same listing may have
    /// been.
    pub routes: Result<Vec<ObservedRoute>, CloudError>,
    /// How full the table is.
    pub usage: TableUsage,
    /// Ranges in which no route of ours may lie, such as the networks that are connected directly,
    /// as far as they overlap a range that was asked for.
    pub barred: Vec<IpNet>,
    /// Destinations for which the cloud was carrying out a change when the listing was begun, or later:
    /// whoever asked for it, what is there now may be otherwise in a moment. Empty where changes are made
    /// at once.
    pub pending: Vec<IpNet>,
}

/// How full a table is, for clouds that bound it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TableUsage {
    /// For IPv4 routes; `None` if there is no quota or nothing is known of it.
    pub v4: Option<Usage>,
    /// For IPv6 routes; `None` if there is no quota or nothing is known of it.
    pub v6: Option<Usage>,
    /// Routes of both families count against one quota, of which both say the same.
    pub common: bool,
}

/// Routes that count against one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Routes of anybody in the listing, counted as the cloud does.
    pub used: u32,
    /// How many there may be; `None` where the cloud does not say. Then it is learnt when it
    /// refuses one with [`CloudErrorKind::QuotaExceeded`].
    pub limit: Option<u32>,
}

/// A change to one route of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteChange {
    /// Fails with [`CloudErrorKind::AlreadyExists`] if the destination has a route already.
    Create {
        /// Where.
        table: TableId,
        /// What.
        route: Route,
    },
    /// Leads our route elsewhere, in one step where the cloud can.
    Replace {
        /// Where.
        table: TableId,
        /// The route as it was observed; ours.
        old: ObservedRoute,
        /// What it should be.
        route: Route,
    },
    /// Removes our route.
    Delete {
        /// Where.
        table: TableId,
        /// The route as it was observed; ours.
        route: ObservedRoute,
    },
}

impl RouteChange {
    /// The table that it changes.
    pub fn table(&self) -> &TableId {
        match self {
            Self::Create { table, .. }
            | Self::Replace { table, .. }
            | Self::Delete { table, .. } => table,
        }
    }

    /// The destination that it changes.
    pub fn destination(&self) -> IpNet {
        match self {
            Self::Create { route, .. } | Self::Replace { route, .. } => route.destination,
            Self::Delete { route, .. } => route.destination,
        }
    }
}

/// What a provider needs to find a node's instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceQuery {
    /// The node.
    pub node: NodeKey,
    /// Its `spec.providerID`.
    pub provider_id: Option<Arc<str>>,
    /// Its `InternalIP` addresses.
    pub internal_ips: Vec<IpAddr>,
}

/// What a provider knows of a node's instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceState {
    /// It is there.
    Found(Instance),
    /// The cloud says for certain that it no longer exists.
    Gone,
    /// Routes cannot lead there; the text says why and what to do.
    Unsupported(Box<str>),
}

/// Where routes to a node lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The provider's identifier, for messages.
    pub id: Arc<str>,
    /// Next hop of IPv4 routes; `None` where the instance has no IPv4.
    pub next_hop_v4: Option<NextHop>,
    /// Next hop of IPv6 routes; `None` where the instance has no IPv6.
    pub next_hop_v6: Option<NextHop>,
    /// It forwards packets that are not addressed to itself.
    pub forwarding: bool,
}

/// A call to the cloud that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.category())]
pub struct CloudError {
    /// What it means for us.
    pub kind: CloudErrorKind,
    /// What the cloud said, for people.
    pub detail: Box<str>,
    /// How long the cloud asked us to wait.
    pub retry_after: Option<Duration>,
}

impl CloudError {
    /// An error without advice on when to come back.
    pub fn new(kind: CloudErrorKind, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
        }
    }
}

/// What a cloud's refusal means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloudErrorKind {
    /// A route for the destination exists already; a listing tells whose.
    AlreadyExists,
    /// What was to be changed or removed is not there.
    NotFound,
    /// Too many calls.
    Throttled,
    /// The table is full.
    QuotaExceeded,
    /// A permission is missing; the detail names it.
    Denied,
    /// The cloud will never accept this request.
    Invalid,
    /// It did not happen; trying again may help.
    Transient,
    /// The answer was lost: it may or may not have happened.
    Unknown,
}

impl CloudErrorKind {
    /// The stable name used in metrics and logs.
    pub fn category(self) -> &'static str {
        match self {
            Self::AlreadyExists => "already_exists",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
        }
    }
}
