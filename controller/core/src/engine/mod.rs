//! What to do next.
//!
//! Everything is level-triggered: an event changes what is known and marks nodes; each marked node
//! is then judged anew from all that is known of it (`judge`), and queues are
//! worked off as far as the bounds allow. An action is decided when it is begun, not when it is
//! queued. So the order of events matters little, and nothing has to be undone.
//!
//! | question | module |
//! |---|---|
//! | who is there, who is gone | `nodes` |
//! | which blocks does a node get | `allocation` |
//! | how do they get onto the node | `pod_cidrs` |
//! | where does a node stand | `judge` |
//! | is there room for a route | `quota` |
//! | does it wait for its routes for long | `waiting` |
//! | where do routes to it lead | `instances`, `forwarding` |
//! | which route is written next, how did it end | `destinations`, `writes` |
//! | when are the tables listed, what follows | `listing` |
//! | may so much be deleted | `guard` |
//! | with which configuration, what was read | `state` |
//! | what do people get to see | `status`, `notices`, `view` |

mod allocation;
mod api;
pub(crate) mod clock;
mod destinations;
mod forwarding;
mod guard;
mod instances;
mod judge;
mod listing;
pub(crate) mod nodes;
mod notices;
mod pod_cidrs;
mod quota;
mod state;
mod status;
mod view;
mod waiting;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

pub use self::view::Transitions;
use self::{
    api::ApiWrites,
    clock::{Due, Stamp, Timers},
    guard::Guard,
    instances::Instances,
    listing::Listing,
    nodes::{NodeId, Nodes},
    notices::Notices,
    writes::Writes,
};
use crate::{
    Action, Event, Time,
    backoff::Backoff,
    cloud::TableId,
    config::{Config, Handover, Limits},
    ipam::Allocator,
    routes::Routes,
};

/// The state machine.
#[derive(Debug, Clone)]
pub struct Engine {
    limits: Limits,
    backoff: Backoff,
    config: Option<Config>,
    /// The event being handled.
    now: Stamp,
    /// Numbers of listings, writes and batches; never used twice.
    last_number: u64,
    transitions: Transitions,
    /// Since when we lead.
    elected: Stamp,
    handover: Handover,
    /// Nodes and routes were read: blocks may be handed out and routes deleted.
    recovered: bool,
    allocator: Option<Allocator>,
    nodes: Nodes,
    /// Nodes that found no block.
    unserved: BTreeSet<NodeId>,
    routes: Routes,
    /// Owned or free blocks in which a foreign route lies, with one such route.
    conflicts: BTreeMap<IpNet, (IpNet, TableId)>,
    listing: Listing,
    instances: Instances,
    api: ApiWrites,
    writes: Writes,
    guard: Guard,
    notices: Notices,
    timers: Timers,
    /// The end of teardown was reported.
    torn_down: bool,
    actions: Vec<Action>,
}

impl Engine {
    /// A machine that knows nothing yet and leads from `now` on; each leadership has its own. `seed`
    /// feeds the jitter of retries.
    pub fn new(limits: Limits, seed: u64, handover: Handover, now: Time) -> Self {
        let mut engine = Self {
            limits,
            backoff: Backoff::new(seed),
            config: None,
            now: Stamp { at: now, seq: 1 },
            last_number: 0,
            transitions: Transitions::default(),
            elected: Stamp { at: now, seq: 1 },
            handover,
            recovered: false,
            allocator: None,
            nodes: Nodes::default(),
            unserved: BTreeSet::new(),
            routes: Routes::default(),
            conflicts: BTreeMap::new(),
            listing: Listing::default(),
            instances: Instances::default(),
            api: ApiWrites::default(),
            writes: Writes::default(),
            guard: Guard::default(),
            notices: Notices::default(),
            timers: Timers::default(),
            torn_down: false,
            actions: Vec::new(),
        };
        engine.start_leading();
        engine
    }

    /// Takes note of `event` and says what to do.
    pub fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.now = Stamp {
            at: now.max(self.now.at),
            seq: self.now.seq + 1,
        };
        match event {
            Event::Configured(config) => self.configured(config),
            Event::RouteWritten { write, result } => self.route_written(write, result),
            Event::NodesListed(nodes) => self.nodes_listed(nodes),
            Event::NodeSeen(node) => self.node_seen(node),
            Event::NodeGone(key) => self.node_gone(&key),
            Event::PodCidrsSet { node, result } => {
                self.pod_cidrs_set(&node, result.map_err(|error| error.kind));
            }
            Event::NetworkStatusSet { node, result } => {
                self.status_set(&node, result.map_err(|error| error.kind));
            }
            Event::InstancesRead { batch, answers } => self.instances_read(batch, answers),
            Event::ForwardingEnabled { node, result } => self.forwarding_enabled(&node, result),
            Event::RoutesListed { listing, result } => self.routes_listed(listing, result),
            Event::RoutesMayHaveChanged => self.listing.prompt(self.now.at),
            Event::Wake => {}
        }
        self.work();
        std::mem::take(&mut self.actions)
    }

    /// Judges what was marked and begins what may begin.
    fn work(&mut self) {
        while let Some(due) = self.timers.pop(self.now.at) {
            self.fall_due(due);
        }
        self.recover();
        self.judge_marked();
        if self.config.is_none() {
            return;
        }
        self.review_deletions();
        self.begin_instance_reads();
        self.begin_switching();
        self.begin_api_writes();
        self.begin_route_writes();
        self.finish_teardown();
        self.begin_listing();
    }

    fn fall_due(&mut self, due: Due) {
        match due {
            Due::Node(id) => self.nodes.mark(id),
            Due::Instance(id) => self.want_instance(id),
            Due::Destination(net) => self.consider(net),
            Due::Waiting => self.tell_of_waiting(),
            Due::FullTables => self.try_full_tables(),
            Due::Refresh => self.refresh_instances(),
            Due::Recheck => {}
        }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// When [`Event::Wake`] is due, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        if self.config.is_none() {
            return None;
        }
        [self.timers.first(), self.listing_due()]
            .into_iter()
            .flatten()
            .min()
    }
}
