//! What is on its way, in the order in which it arrives.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use signpost_core::{
    Event, Handover, Node, NodeKey, Time,
    event::ApiError,
    shell::{Place, Reading, feed::Version},
};

use crate::{
    api::{
        ApiCall, Revisions,
        lease::{Found, Lease},
    },
    cloud::calls::CloudCall,
};

/// Something that arrives somewhere.
#[derive(Debug)]
pub(crate) enum Message {
    /// An entry of the schedule.
    Entry(usize),
    /// A look at whether all is well, once the schedule is over.
    Inspect,
    /// A controller's process starts.
    Start { shell: usize },
    /// A controller's process goes on.
    Resume { shell: usize },
    /// What stands in the way of nodes is taken away.
    Heal,
    /// A node that joined without them gets its addresses and provider id.
    Complete {
        key: NodeKey,
        labels: BTreeMap<Arc<str>, Arc<str>>,
    },
    /// There is a new configuration after the old one was deleted.
    Recreate,
    /// The configuration is there again.
    ConfigBack,
    /// The API server is back as it was at that time.
    Restored { then: u64, revisions: Revisions },
    /// Something for one life of a controller, and if so for one leadership of it.
    ToShell {
        shell: usize,
        life: u32,
        term: Option<u32>,
        what: ToShell,
    },
    /// A request at the API server.
    ToApi { from: Sender, call: ApiCall },
    /// A write to the API server happens that nobody waits for any more.
    Lands { from: Sender, call: ApiCall },
    /// Somebody else writes a node's condition too.
    Contest { key: NodeKey, until: u64 },
    /// What the cloud carries out has happened, or has failed.
    OperationEnds { place: usize },
    /// A request at the cloud.
    ToCloud { from: Sender, call: CloudCall },
}

/// Who sent a request, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) shell: usize,
    pub(crate) life: u32,
    /// Which leadership of that life.
    pub(crate) term: u32,
    pub(crate) sent: u64,
    /// The process stood still after it had looked at the fence: it may arrive under another lease.
    pub(crate) late: bool,
}

/// What a controller's shell has to deal with.
#[derive(Debug)]
pub(crate) enum ToShell {
    /// Time to look at the lease.
    Look,
    /// The lease, unless the API server could not be reached.
    LeaseRead(Result<Found, ApiError>),
    /// The lease was written, or not; begun at that time of its own.
    LeaseWritten {
        begun: Time,
        /// What was known of who led before.
        handover: Handover,
        result: Result<Lease, ApiError>,
    },
    /// The fence may have passed.
    Fence,
    /// It may be elected once its writes have ended.
    Elect,
    /// It stops in good order: releases the lease now that nothing is under way.
    Release,
    /// The engine wants to be woken.
    Wake,
    /// The configuration may have changed.
    Config,
    /// The nodes are to be listed, and watched from there on.
    Relist,
    /// The watch brings all changes up to that one.
    Watch { stream: u32, upto: usize },
    /// The nodes as they were when that many changes had happened.
    Nodes {
        stream: u32,
        nodes: Vec<(Node, Version)>,
        upto: usize,
    },
    /// The node of a name that was read.
    Read {
        key: NodeKey,
        reading: Reading,
        node: Option<(Node, Version)>,
    },
    /// It could not be said whether a read was newer than what was told before.
    ReadAgain(NodeKey),
    /// An event for the engine, as it is.
    Event(Event),
    /// A change there was accepted and is carried out.
    Accepted(Place),
    /// How a change ended that was accepted before.
    Ended(Event),
}

#[derive(Debug)]
struct Due {
    at: u64,
    order: u64,
    message: Message,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Messages by time, those of one time in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, message: Message) {
        self.order += 1;
        self.due.push(Reverse(Due {
            at,
            order: self.order,
            message,
        }));
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Message)> {
        self.due.pop().map(|Reverse(due)| (due.at, due.message))
    }
}
