//! What to do next.
//!
//! The engine routes events to three machines and moves values between them; it holds nothing that
//! one of them could hold.
//!
//! ```text
//!            ┌─────────────┐  who claims, who owns   ┌──────────────────┐
//!   nodes ──►│    Nodes    │────────────────────────►│      Ledger      │
//!            │ sightings,  │◄────────────────────────│ blocks: held,    │
//!            │ assignment, │     blocks              │ quarantined,     │
//!            │ condition   │                         │ blocked, free    │
//!            └──────▲──────┘                         └───┬──────────▲───┘
//!                   │ routed, or why not     what to lead│          │clear, foreign,
//!            ┌──────┴──────┐                         ┌───▼──────────┴───┐
//!   cloud ──►│  Instances  │────────────────────────►│      Tables      │◄── cloud
//!            │ next hops   │     where to            │ listing, writes, │
//!            └─────────────┘                         │ guard, quota     │
//!                                                    └──────────────────┘
//! ```
//!
//! Everything is level-triggered: an event changes what is known and marks nodes dirty; each dirty
//! node is then judged anew from all that is known of it, and queues are worked off as far as the
//! bounds allow. An action is decided when it is begun, not when it is queued. So the order of events
//! matters little, and nothing has to be undone.
//!
//! | question | module |
//! |---|---|
//! | when may what be done | `recovery` |
//! | who is there, and what do they claim | `arrivals` |
//! | which blocks does a node get, when are they free again | `allocation` |
//! | where does a node stand | `judge` |
//! | what does a listing change | `listed` |
//! | what do people hear | `notices` |
//! | what do people get to see | `view` |

mod allocation;
mod arrivals;
mod judge;
mod listed;
mod notices;
mod recovery;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;

pub use self::view::Transitions;
use self::{notices::Notices, recovery::Recovery};
use crate::{
    Action, Event, Time,
    config::{Config, Handover, Limits},
    ids::{NodeId, Stamp},
    instances::Instances,
    ipam::Ledger,
    nodes::Nodes,
    tables::Tables,
    turn::Turn,
};

/// The state machine of one leadership.
#[derive(Debug, Clone)]
pub struct Engine {
    turn: Turn,
    config: Option<Config>,
    recovery: Recovery,
    ledger: Ledger,
    nodes: Nodes,
    tables: Tables,
    instances: Instances,
    /// Nodes that found no block.
    without_block: BTreeSet<NodeId>,
    notices: Notices,
    transitions: Transitions,
}

impl Engine {
    /// A machine that knows nothing yet and leads from `now` on; each leadership has its own. `seed`
    /// feeds the jitter of retries.
    pub fn new(limits: Limits, seed: u64, handover: Handover, now: Time) -> Self {
        let elected = Stamp::first(now);
        let recovery = Recovery::new(limits, handover, elected);
        let mut engine = Self {
            turn: Turn::new(limits, seed, elected),
            config: None,
            ledger: Ledger::default(),
            nodes: Nodes::default(),
            tables: Tables::new(elected, recovery.origin()),
            recovery,
            instances: Instances::default(),
            without_block: BTreeSet::new(),
            notices: Notices::default(),
            transitions: Transitions::default(),
        };
        engine.tables.want_listing(now);
        engine
    }

    /// Takes note of `event` and says what to do.
    pub fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        self.turn.now = self.turn.now.next(now);
        self.note(event);
        self.work();
        self.turn.take()
    }

    fn note(&mut self, event: Event) {
        let turn = &mut self.turn;
        match event {
            Event::Configured(config) => self.configured(config),
            Event::NodesListed(nodes) => self.nodes_listed(nodes),
            Event::NodeSeen(node) => self.node_seen(node, false),
            Event::NodeRead { key, node } => self.node_read(&key, node),
            Event::NodeGone(key) => self.node_gone(&key),
            Event::PodCidrsSet { node, result } => self.nodes.pod_cidrs_set(turn, &node, result),
            Event::NetworkStatusSet { node, result } => {
                if let Some(trouble) = self.nodes.condition_set(turn, &node, result) {
                    self.tell_of_refused_condition(trouble);
                }
            }
            Event::InstancesRead { batch, answers } => {
                let find = |key: &_| {
                    let living = self.nodes.id(key).map(|id| (id, true));
                    living.or_else(|| Some((self.nodes.any_id(key)?, false)))
                };
                self.instances.read(turn, batch, answers, find);
            }
            Event::ForwardingEnabled { node, result } => {
                let id = self.nodes.any_id(&node);
                self.instances.switched(turn, id, &node, result);
            }
            Event::RoutesListed { listing, result } => self.routes_listed(listing, result),
            Event::RouteWritten { write, result } => self.tables.write_ended(turn, write, result),
            Event::RoutesMayHaveChanged => self.tables.prompt(turn),
            Event::Wake => {}
        }
    }

    /// Judges what is dirty and begins what may begin.
    fn work(&mut self) {
        self.nodes.tick(&self.turn);
        let Some(config) = &self.config else {
            return self.judge_dirty();
        };
        self.instances.tick(&self.turn, config.check_period);
        self.recover();
        self.judge_dirty();
        self.ask_for_departed();
        let query = |id| self.nodes.query(id);
        self.instances.begin_reads(&mut self.turn, &query);
        if !self.is_teardown() {
            self.instances.begin_switching(&mut self.turn, &query);
        }
        self.begin_api_writes();
        self.tables.work(&mut self.turn);
        self.tell_complaints();
        // What writes and the guard have changed.
        self.judge_dirty();
        self.begin_api_writes();
        self.finish_teardown();
        self.begin_listing();
    }

    /// Judges every dirty node, those included that become dirty meanwhile.
    fn judge_dirty(&mut self) {
        loop {
            for cidr in self.tables.take_dirty() {
                self.destination_changed(cidr);
            }
            for cidr in self.tables.take_suspects() {
                self.ask_for_owner(cidr);
            }
            for id in self.instances.take_dirty() {
                self.instance_changed(id);
            }
            let Some(id) = self.nodes.next_dirty() else {
                return;
            };
            self.judge(id);
        }
    }

    fn begin_api_writes(&mut self) {
        loop {
            let (ledger, tables) = (&self.ledger, &self.tables);
            let may_allocate = self.may_allocate();
            self.nodes.begin_writes(&mut self.turn, |id, state| {
                may_allocate
                    && !state.is_excluded()
                    && allocation::is_still_its_own(ledger, tables, id, state)
            });
            // What was queued and is no longer wanted may want something else instead.
            if !self.nodes.any_dirty() {
                return;
            }
            self.judge_dirty();
        }
    }

    fn begin_listing(&mut self) {
        let bulk = self.nodes.writes_wait();
        if self.turn.limits.routes && self.tables.listing_is_due(&self.turn, bulk) {
            self.tables
                .begin_listing(&mut self.turn, self.ledger.ranges());
        }
    }

    fn is_teardown(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.teardown)
    }

    /// When [`Event::Wake`] is due, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        self.config.as_ref()?;
        let tables = self.turn.limits.routes.then(|| {
            let bulk = self.nodes.writes_wait();
            self.tables.next_wake(bulk)
        });
        [
            self.nodes.next_wake(),
            self.instances.next_wake(),
            tables.flatten(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
