//! What can be done to the world: faults, and changes that people and machines make.

use std::fmt;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident $weight:literal $target:ident;)+) => {
        /// Everything that a schedule can do to the world.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[doc = $doc])+ $name,)+ }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name, as it is written here.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// How often it is chosen, against the others.
            pub(crate) fn weight(self) -> u32 {
                match self { $(Self::$name => $weight,)+ }
            }

            /// What the number `target` of an entry counts.
            pub(crate) fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)+ }
            }
        }
    };
}

/// What an entry's target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Node,
    Nodes,
    Controller,
    Table,
    Block,
    World,
}

faults! {
    /// A node joins.
    NodeAdded 10 Node;
    /// A node joins without addresses and provider id, which come later.
    NodeAddedBare 2 Node;
    /// A node joins before the cloud-controller-manager has seen it: no labels, addresses or provider
    /// id yet.
    NodeUninitialized 3 Node;
    /// Several nodes join at once.
    NodesAdded 4 Nodes;
    /// A node is deleted.
    NodeDeleted 8 Node;
    /// Several nodes are deleted at once.
    NodesDeleted 3 Nodes;
    /// A node is deleted and created again under its name, on the same or on another machine.
    NodeRecreated 6 Node;
    /// A node's labels change.
    NodeRelabelled 2 Node;
    /// A node opts out, or in again.
    NodeExcluded 2 Node;
    /// A node's addresses change.
    AddressChanged 3 Node;
    /// A node has an address inside a pool for a while.
    AddressInsidePool 1 Node;
    /// Somebody else writes the condition of a node too, again and again for a while.
    ConditionContested 2 Node;
    /// Somebody resets the condition of a node.
    StatusReset 2 Node;
    /// Somebody gives a node a block that is free.
    CidrByHandFree 2 Node;
    /// Somebody gives a node the block of another.
    CidrByHandDuplicate 3 Node;
    /// Somebody gives a node a CIDR that is in no pool.
    CidrByHandOutOfRange 2 Node;
    /// Somebody gives a node a CIDR that covers two blocks of a pool.
    CidrByHandWide 1 Node;
    /// Somebody gives a node a CIDR that covers a whole pool, and more.
    CidrByHandCoversPool 1 Node;

    /// The API server does not answer.
    ApiDown 3 World;
    /// The API server fails many writes.
    ApiFlaky 2 World;
    /// The API server denies writes to nodes.
    ApiDenies 2 World;
    /// Answers of the API server get lost, some after the write happened.
    ApiAnswersLost 4 World;
    /// Writes to the API server are given up early and happen later.
    ApiLandsLate 4 World;
    /// An admission policy refuses every write of pod CIDRs, for minutes.
    PodCidrsRefused 2 World;
    /// The API server takes seconds, up to the time limit and beyond.
    ApiSlow 3 World;
    /// A controller's watch lags behind.
    WatchDelayed 4 Controller;
    /// A controller's watch breaks: events are missed until the nodes are listed anew.
    WatchBroken 4 Controller;
    /// A controller's watch starts again from an earlier event.
    WatchRepeats 3 Controller;
    /// The API server is down for a while and comes back as it was some time ago.
    EtcdRestored 2 World;
    /// The same, so quickly that whoever leads still does.
    EtcdRestoredFast 2 World;

    /// A controller is killed and starts again after a while.
    ControllerCrashed 5 Controller;
    /// A controller stands still for a while (SIGSTOP) and goes on with what it had queued.
    ControllerPaused 5 Controller;
    /// A controller stands still just after it looked at the fence and before it sends.
    ControllerHalted 2 Controller;
    /// A controller stops in good order, releases its lease, and starts again after a while.
    ControllerStopped 4 Controller;
    /// Somebody deletes the lease.
    LeaseDeleted 2 World;

    /// The cloud's API does not answer.
    CloudDown 3 World;
    /// The cloud throttles.
    CloudThrottles 3 World;
    /// The cloud denies writes.
    CloudDenies 2 World;
    /// The cloud denies deletions of routes, for minutes.
    DeletionsDenied 2 World;
    /// Answers of the cloud get lost, some after the write happened.
    CloudAnswersLost 5 World;
    /// The cloud takes seconds, up to the time limit and beyond.
    CloudSlow 3 World;
    /// Listings fail.
    ListingFails 2 World;
    /// Listings take up to two minutes.
    ListingHangs 3 World;
    /// Listings lack one table now and then.
    TableHidden 4 Table;
    /// One table is not programmed any more, for a while or for good; its routes stay.
    TableUntagged 1 Table;
    /// One table cannot be read.
    TableFails 3 Table;
    /// One table has no room for more routes.
    QuotaTight 4 Table;
    /// A foreign route with the destination of a block.
    ForeignRouteEqual 4 Block;
    /// A foreign route takes the place of a route of ours.
    ForeignRouteInstead 2 Block;
    /// A foreign route inside a block.
    ForeignRouteMoreSpecific 2 Block;
    /// A foreign route that covers several blocks of a pool.
    ForeignRouteLessSpecific 2 Block;
    /// A foreign route with the range of a pool.
    ForeignRouteEqualsPool 2 Block;
    /// A foreign route that ours take precedence over.
    ForeignRoutePropagated 3 Block;
    /// A foreign route where a pool will be added.
    ForeignRouteBeforePool 2 Table;
    /// No route of ours may lie in a range, for a while.
    RangeBarred 2 Block;
    /// A foreign route outside the pools.
    ForeignRouteOutside 1 Table;
    /// Foreign routes vanish.
    ForeignRoutesGone 3 Table;
    /// Somebody removes a route of ours.
    RouteDeletedByHand 4 Block;
    /// Somebody leads a route of ours elsewhere.
    RouteAlteredByHand 4 Block;
    /// A destination of ours gets a second route that carries our mark.
    RouteDoubled 3 Block;
    /// An instance vanishes; routes to it become blackholes.
    InstanceGone 3 Node;
    /// An instance is stopped for a while; routes to it are blackholes meanwhile.
    InstanceStopped 2 Node;
    /// Packets along a route of ours are dropped for a while, for a cause that has no name.
    RouteBlackholed 2 Block;
    /// An instance gets another network interface.
    InstanceReplaced 4 Node;
    /// Routes cannot lead to an instance any more.
    InstanceUnsupported 1 Node;
    /// An instance loses its address of one family.
    AddressFamilyLost 1 Node;
    /// Somebody switches an instance's forwarding off.
    ForwardingOff 2 Node;
    /// A table is added.
    TableAdded 2 Table;
    /// A table is removed with all its routes.
    TableRemoved 2 Table;

    /// A pool is added.
    PoolAdded 3 World;
    /// A pool is removed while nodes have its blocks.
    PoolRemoved 2 World;
    /// The range of a pool that was removed is added again: as it was, cut otherwise, in part or with
    /// more around it.
    PoolBack 4 World;
    /// Pools are preferred in another order.
    PoolsReordered 1 World;
    /// A pool is for other nodes than before.
    SelectorChanged 2 Block;
    /// Tables are looked at in other periods.
    CheckPeriodChanged 1 World;
    /// A pool is drained, or made active again.
    PoolDrained 2 Block;
    /// A range is reserved.
    ReservedAdded 2 Block;
    /// The share of routes that may vanish at once changes.
    PercentChanged 2 World;
    /// The configuration is gone, or invalid, for a while.
    ConfigAbsent 2 World;
    /// The configuration is being deleted: everything goes. Sometimes there is a new one later.
    Teardown 1 World;
}

/// One thing that happens at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since the start.
    pub at: u64,
    /// What.
    pub fault: Fault,
    /// To which node, controller, table or block.
    pub target: u8,
    /// For how long, in seconds, or how many, or how: whatever the fault needs.
    pub amount: u8,
}

impl Entry {
    /// When its direct effect is over.
    pub(crate) fn ends(&self) -> u64 {
        use Fault::{
            AddressInsidePool, ApiAnswersLost, ApiDenies, ApiDown, ApiFlaky, ApiLandsLate, ApiSlow,
            CloudAnswersLost, CloudDenies, CloudDown, CloudSlow, CloudThrottles,
            ConditionContested, ConfigAbsent, ControllerCrashed, ControllerHalted,
            ControllerPaused, ControllerStopped, DeletionsDenied, EtcdRestored, EtcdRestoredFast,
            InstanceStopped, ListingFails, ListingHangs, NodeAddedBare, NodeUninitialized,
            PodCidrsRefused, QuotaTight, RangeBarred, RouteBlackholed, TableFails, TableHidden,
            TableUntagged, WatchBroken, WatchDelayed,
        };
        match self.fault {
            ApiAnswersLost | ApiDenies | ApiDown | ApiFlaky | ApiSlow | CloudAnswersLost
            | CloudDenies | CloudDown | CloudSlow | CloudThrottles | ConfigAbsent
            | ControllerCrashed | ControllerPaused | ApiLandsLate | AddressInsidePool
            | InstanceStopped | NodeUninitialized | RangeBarred | RouteBlackholed | TableHidden
            | ListingFails | QuotaTight | TableFails | WatchBroken | WatchDelayed
            | NodeAddedBare => self.at + self.millis(),
            // The writes under way end first, and settle.
            ControllerStopped => self.at + self.millis() + 31_000,
            // Its next write may be a while from now.
            ControllerHalted => self.at + self.millis() + 30_000,
            ConditionContested | DeletionsDenied | PodCidrsRefused => self.at + 10 * self.millis(),
            TableUntagged => self.at + 3 * self.millis(),
            // An answer may take that long.
            ListingHangs => self.at + self.millis() + 125_000,
            EtcdRestoredFast => self.at + 1_000 + self.millis() / 10,
            // Until every lease has run out.
            EtcdRestored => self.at + 95_000,
            _ => self.at,
        }
    }

    /// The amount as a span.
    pub(crate) fn millis(&self) -> u64 {
        u64::from(self.amount) * 1_000
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let seconds = self.at as f64 / 1_000.0;
        write!(f, "{seconds:8.3} s  {}", self.fault.name())?;
        match self.fault.target() {
            Target::Node => write!(f, " n{}", self.target),
            Target::Nodes => write!(f, " from n{}, {}", self.target, self.amount % 5 + 2),
            Target::Controller => write!(f, " controller {}", self.target % 2),
            Target::Table => write!(f, " table {}", self.target),
            Target::Block => write!(f, " block {}", self.target),
            Target::World => Ok(()),
        }?;
        if self.ends() > self.at {
            write!(f, " for {} s", (self.ends() - self.at) / 1_000)?;
        }
        Ok(())
    }
}
