//! Mistakes that a reviewer made in the engine and nothing found.

use std::time::Duration;

use signpost_core::{
    Action, Event, NodeKey, Time,
    action::{NetworkStatus, Reason},
    cloud::{Ownership, RouteChange},
    event::ApiErrorKind,
    node::NetworkCondition,
};
use signpost_sim::{Entry, Fault, Invariant, MakeBrain, Options, real, run};

use crate::wrong::{Mistake, Wrong, is_caught};

/// A route whose write failed is not considered again.
#[derive(Default)]
struct Forgetful;

impl Mistake for Forgetful {
    fn hear(&mut self, event: Event) -> Option<Event> {
        Some(event).filter(|event| !matches!(event, Event::RouteWritten { result: Err(_), .. }))
    }
}

#[test]
fn i7_a_route_that_is_not_considered_again_after_its_write_is_caught() {
    is_caught(&Wrong::<Forgetful>::make, false, Invariant::I7);
}

/// Takes a lost answer to a write of pod CIDRs for a refusal.
#[derive(Default)]
struct Sure;

impl Mistake for Sure {
    fn hear(&mut self, mut event: Event) -> Option<Event> {
        if let Event::PodCidrsSet {
            result: Err(error), ..
        } = &mut event
            && error.kind == ApiErrorKind::Unknown
        {
            error.kind = ApiErrorKind::Transient;
        }
        Some(event)
    }
}

/// Nodes that join and opt out while writes are given up early and happen later.
fn opting_out() -> Vec<Entry> {
    let entry = |at: u64, fault: Fault, target: u8| Entry {
        at,
        fault,
        target,
        amount: 30,
    };
    let mut entries = vec![entry(4_000, Fault::ApiLandsLate, 0)];
    for target in 0..12 {
        let at = 5_000 + 2_000 * u64::from(target);
        entries.push(entry(at, Fault::NodeAdded, target));
        entries.push(entry(at + 400, Fault::NodeExcluded, target));
        entries.push(entry(at + 800, Fault::NodesAdded, target + 1));
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}

#[test]
fn i1_pod_cidrs_that_are_withdrawn_without_looking_are_caught() {
    let entries = opting_out();
    let breaks = |make: MakeBrain<'_>| {
        let options = Options {
            make,
            tell: false,
            unfenced: false,
        };
        (0..2_000).find_map(|seed| {
            let violation = run(seed, &entries, options).violation?;
            (violation.invariant == Invariant::I1).then_some(seed)
        })
    };
    assert_eq!(breaks(&real), None);
    assert_ne!(breaks(&Wrong::<Sure>::make), None, "no seed finds it");
}

/// Says that nodes are out of service before it has read the routes.
#[derive(Default)]
struct Rash(Vec<Action>);

impl Mistake for Rash {
    fn hear(&mut self, event: Event) -> Option<Event> {
        if let Event::NodesListed(nodes) = &event {
            let bad = |node: &signpost_core::Node| Action::SetNetworkStatus {
                node: node.key.clone(),
                status: NetworkStatus {
                    available: false,
                    reason: Reason::InstanceNotFound,
                    message: String::new(),
                },
            };
            let first = nodes.iter().find(|node| !node.excluded);
            self.0.extend(first.map(bad));
        }
        Some(event)
    }

    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        actions.splice(0..0, self.0.drain(..));
        actions
    }
}

#[test]
fn contract_conditions_that_are_written_before_all_was_read_are_caught() {
    is_caught(&Wrong::<Rash>::make, false, Invariant::Contract);
}

/// Ends a teardown when a listing shows nothing, whatever is under way.
#[derive(Default)]
struct Impatient {
    teardown: bool,
    empty: bool,
}

impl Mistake for Impatient {
    fn hear(&mut self, event: Event) -> Option<Event> {
        match &event {
            Event::Configured(config) => {
                self.teardown = config.as_ref().is_some_and(|config| config.teardown);
            }
            Event::RoutesListed {
                result: Ok(tables), ..
            } => {
                let mut routes = tables
                    .iter()
                    .flat_map(|table| table.routes.iter().flatten());
                self.empty = !routes.any(|route| route.ownership == Ownership::Ours);
            }
            _ => {}
        }
        Some(event)
    }

    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        if self.teardown && self.empty {
            self.teardown = false;
            actions.push(Action::TeardownDone);
        }
        actions
    }
}

#[test]
fn i5_a_teardown_that_ends_with_writes_under_way_is_caught() {
    is_caught(&Wrong::<Impatient>::make, false, Invariant::I5);
}

/// Deletes a wrong route of a node before it makes the right one.
#[derive(Default)]
struct BreakBeforeMake;

impl Mistake for BreakBeforeMake {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::WriteRoute { change, .. } = action
                && let RouteChange::Replace { table, old, .. } = change
            {
                *change = RouteChange::Delete {
                    table: table.clone(),
                    route: old.clone(),
                };
            }
        }
        actions
    }
}

#[test]
fn i8_the_last_route_of_a_living_node_that_is_deleted_is_caught() {
    is_caught(&Wrong::<BreakBeforeMake>::make, false, Invariant::I8);
}

/// Takes a node out of service now and then, though all its routes are there.
#[derive(Default)]
struct Fickle(Option<NodeKey>);

impl Mistake for Fickle {
    fn hear(&mut self, event: Event) -> Option<Event> {
        match &event {
            Event::NodeSeen(node) if node.network == NetworkCondition::Available => {
                self.0 = Some(node.key.clone());
            }
            _ => {}
        }
        Some(event)
    }

    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let lists = |action: &Action| matches!(action, Action::ListRoutes { .. });
        if let Some(node) = &self.0
            && actions.iter().any(lists)
        {
            actions.push(Action::SetNetworkStatus {
                node: node.clone(),
                status: NetworkStatus {
                    available: false,
                    reason: Reason::QuotaExceeded,
                    message: String::new(),
                },
            });
        }
        actions
    }
}

#[test]
fn i8_service_that_is_taken_away_without_cause_is_caught() {
    is_caught(&Wrong::<Fickle>::make, false, Invariant::I8);
}

/// Never takes a node out of service.
#[derive(Default)]
struct Loyal;

impl Mistake for Loyal {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::SetNetworkStatus { status, .. } = action {
                (status.available, status.reason) = (true, Reason::RouteCreated);
            }
        }
        actions
    }
}

#[test]
fn i5_a_node_that_stays_in_service_without_its_routes_is_caught() {
    is_caught(&Wrong::<Loyal>::make, false, Invariant::I5);
}

/// Says everything twice.
#[derive(Default)]
struct Talkative;

impl Mistake for Talkative {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let told = |action: &&Action| matches!(action, Action::Notify(_));
        let again: Vec<Action> = actions.iter().filter(told).cloned().collect();
        actions.extend(again);
        actions
    }
}

#[test]
fn i9_what_is_told_twice_is_caught() {
    is_caught(&Wrong::<Talkative>::make, false, Invariant::I9);
}

/// Tells nothing.
#[derive(Default)]
struct Silent;

impl Mistake for Silent {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        actions.retain(|action| !matches!(action, Action::Notify(_)));
        actions
    }
}

#[test]
fn i9_a_refusal_that_lasts_and_is_not_told_is_caught() {
    is_caught(&Wrong::<Silent>::make, false, Invariant::I9);
}

/// Comes back to everything half a minute later than it should.
#[derive(Default)]
struct Slow;

impl Mistake for Slow {
    fn wake(&self, at: Time) -> Time {
        at.after(Duration::from_secs(30))
    }
}

#[test]
fn i7_a_node_that_joins_in_calm_and_waits_is_caught() {
    is_caught(&Wrong::<Slow>::make, false, Invariant::I7);
}
