//! What the tables promise, told what is desired and shown what listings show.

mod absent;
mod astray;
mod clear;
mod desire;
mod failures;
mod guard;
mod hang;
mod life;
mod listing;
mod merge;
mod obstacles;
mod pending;
mod quota;
mod service;
mod slots;
mod teardown;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ipnet::IpNet;

use super::{Listed, Policy, Routes, Tables, Want};
use crate::{
    Action, Limits, NodeKey, Time,
    action::Reason,
    cloud::{
        Blackhole, CloudError, CloudErrorKind, NextHop, ObservedRoute, Ownership, RouteChange,
        TableId, TableListing, TableUsage,
    },
    ids::{NodeId, Stamp},
    turn::Turn,
};

const SETTLE: Duration = Duration::from_secs(10);

const A: &str = "10.0.0.0/24";
const B: &str = "10.0.1.0/24";
const C: &str = "10.0.2.0/24";
const SIX: &str = "fd00::/64";

fn at(seconds: u64) -> Stamp {
    Stamp::of_second(seconds)
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn id(number: usize) -> NodeId {
    NodeId::new(number)
}

fn hop(name: &str) -> NextHop {
    NextHop::Target(name.into())
}

/// A route of ours that leads to an instance of that name.
fn ours(cidr: &str, to: &str) -> ObservedRoute {
    ObservedRoute {
        destination: net(cidr),
        next_hop: Some(hop(to)),
        ownership: Ownership::Ours,
        blackhole: None,
        handle: None,
    }
}

fn foreign(cidr: &str) -> ObservedRoute {
    ObservedRoute {
        ownership: Ownership::Foreign,
        ..ours(cidr, "somebody")
    }
}

fn outranked(cidr: &str) -> ObservedRoute {
    ObservedRoute {
        ownership: Ownership::Outranked,
        ..ours(cidr, "somebody")
    }
}

fn dropped(route: ObservedRoute, cause: Blackhole) -> ObservedRoute {
    ObservedRoute {
        blackhole: Some(cause),
        ..route
    }
}

fn named(name: &str, route: ObservedRoute) -> ObservedRoute {
    ObservedRoute {
        handle: Some(name.into()),
        ..route
    }
}

fn table(name: &str, routes: &[ObservedRoute]) -> TableListing {
    TableListing {
        table: TableId(name.into()),
        routes: Ok(routes.to_vec()),
        usage: TableUsage::default(),
        barred: Vec::new(),
        pending: Vec::new(),
    }
}

fn unreadable(name: &str) -> TableListing {
    TableListing {
        routes: Err(error(CloudErrorKind::Denied)),
        ..table(name, &[])
    }
}

/// The table `main` and no other.
fn main(routes: &[ObservedRoute]) -> Vec<TableListing> {
    vec![table("main", routes)]
}

fn error(kind: CloudErrorKind) -> CloudError {
    CloudError::new(kind, "as told")
}

/// The tables, and the event that is being handled.
struct Rig {
    tables: Tables,
    turn: Turn,
    policy: Policy,
    /// What people were told.
    told: Vec<(Reason, String)>,
    /// Writes in flight, in the order in which they were begun.
    flights: Vec<(u64, RouteChange)>,
}

impl Rig {
    /// Second 1 of a leadership that may do all; nothing was listed.
    fn new() -> Self {
        Self::with(Limits {
            settle: SETTLE,
            listing_interval: Duration::ZERO,
            ..Limits::LOCAL
        })
    }

    fn with(limits: Limits) -> Self {
        let mut rig = Self {
            tables: Tables::new(at(1), Stamp::default()),
            turn: Turn::new(limits, 1, at(1)),
            policy: Policy {
                writes: true,
                deletes: true,
                teardown: false,
                check_period: Duration::from_secs(3_600),
                max_deletion_percent: 100,
            },
            told: Vec::new(),
            flights: Vec::new(),
        };
        rig.allow(|_| ());
        rig
    }

    /// One table that leads `A` to the node `a`, read back at second 20 as all else.
    fn routed() -> Self {
        let mut rig = Self::new();
        rig.lead(A, 1, "a");
        rig.at(20).list(main(&[ours(A, "a")]));
        rig
    }

    fn allow(&mut self, change: impl FnOnce(&mut Policy)) {
        change(&mut self.policy);
        self.tables.set_policy(&self.turn, self.policy);
    }

    /// The next event, at that second.
    fn at(&mut self, second: u64) -> &mut Self {
        self.at_millis(second * 1_000)
    }

    fn at_millis(&mut self, millis: u64) -> &mut Self {
        // As the engine does after each event.
        self.tables.take_dirty();
        self.turn.now = self.turn.now.next(Time(millis));
        self
    }

    /// The node of that number has the block, and its instance has that name.
    fn lead(&mut self, cidr: &str, node: usize, to: &str) {
        let key = NodeKey::new(format!("n{node}"), format!("uid-n{node}"));
        let want = Want::Lead(hop(to), key);
        let owner = Some(id(node));
        self.tables.set_desired(&self.turn, net(cidr), owner, want);
    }

    /// The node has the block, and where it is is not known.
    fn keep(&mut self, cidr: &str, node: usize) {
        let owner = Some(id(node));
        self.tables
            .set_desired(&self.turn, net(cidr), owner, Want::Keep);
    }

    /// No node has it any more.
    fn orphan(&mut self, cidr: &str) {
        self.tables
            .set_desired(&self.turn, net(cidr), None, Want::Remove);
    }

    fn begin_list(&mut self) -> u64 {
        self.tables.begin_listing(&mut self.turn, Arc::new([]));
        let begun = self
            .turn
            .take()
            .into_iter()
            .find_map(|action| match action {
                Action::ListRoutes { listing, .. } => Some(listing),
                _ => None,
            });
        begun.expect("a listing was begun")
    }

    fn end_list(&mut self, listing: u64, shown: Vec<TableListing>) -> Option<Listed> {
        let listed = self
            .tables
            .listing_ended(&mut self.turn, listing, Ok(shown));
        self.note();
        listed
    }

    fn fail_list(&mut self, error: CloudError) -> Listed {
        let listing = self.begin_list();
        let failed = self
            .tables
            .listing_ended(&mut self.turn, listing, Err(error));
        failed.expect("the answer counts")
    }

    /// A listing that is answered at once.
    fn list(&mut self, shown: Vec<TableListing>) -> Listed {
        let listing = self.begin_list();
        self.end_list(listing, shown).expect("the answer counts")
    }

    /// Whether another listing should begin now.
    fn is_due(&self) -> bool {
        self.tables.listing_is_due(&self.turn, false)
    }

    /// All instances were read just now. Does what is due. Says what was begun.
    fn work(&mut self) -> Vec<String> {
        for cidr in self.destinations() {
            self.tables.vouch(&self.turn, cidr, self.turn.now);
        }
        self.work_unread()
    }

    fn destinations(&self) -> Vec<IpNet> {
        self.tables.destinations.iter().map(|it| it.0).collect()
    }

    /// Does what is due, with instances as they were.
    fn work_unread(&mut self) -> Vec<String> {
        let before = self.flights.len();
        self.tables.work(&mut self.turn);
        self.note();
        self.flights[before..]
            .iter()
            .map(|(_, it)| say(it))
            .collect()
    }

    fn note(&mut self) {
        for action in self.turn.take() {
            match action {
                Action::Notify(notice) => self.told.push((notice.reason, notice.message)),
                Action::WriteRoute { write, change } => self.flights.push((write, change)),
                other => panic!("not of the tables: {other:?}"),
            }
        }
    }

    /// The write that was begun first ends.
    fn end(&mut self, result: Result<(), CloudErrorKind>) -> RouteChange {
        let (write, change) = self.flights.remove(0);
        let result = result.map_err(error);
        self.tables.write_ended(&mut self.turn, write, result);
        change
    }

    /// Begins all that may begin, and has it succeed. Says what that was.
    fn write(&mut self) -> Vec<String> {
        let begun = self.work();
        while !self.flights.is_empty() {
            self.end(Ok(()));
        }
        begun
    }

    fn is_routed(&self, cidr: &str) -> bool {
        self.routes(cidr).are_right()
    }

    fn is_lost(&self, cidr: &str) -> bool {
        self.routes(cidr).are_lost()
    }

    fn routes(&self, cidr: &str) -> Routes<'_> {
        let routes = self.tables.routes(net(cidr));
        routes.expect("something is known of it")
    }

    fn is_clear(&self, cidr: &str, released: u64) -> bool {
        self.tables.is_clear(net(cidr), at_first(released), SETTLE)
    }

    fn trouble(&self, cidr: &str) -> Option<Reason> {
        self.routes(cidr).trouble().map(|trouble| trouble.reason)
    }

    fn dirty(&mut self) -> BTreeSet<IpNet> {
        self.tables.take_dirty()
    }

    fn told(&self, reason: Reason) -> usize {
        self.told.iter().filter(|(it, _)| *it == reason).count()
    }
}

/// In that second, before all that is handled in it.
fn at_first(seconds: u64) -> Stamp {
    Stamp::first(Time(seconds * 1_000))
}

fn say(change: &RouteChange) -> String {
    let verb = match change {
        RouteChange::Create { .. } => "create",
        RouteChange::Replace { .. } => "replace",
        RouteChange::Delete { .. } => "delete",
    };
    format!("{verb} {} in {}", change.destination(), change.table())
}
