//! Mistakes that break bounds and rest.

use signpost_core::{
    Action, Event,
    cloud::{CloudErrorKind, RouteChange, TableUsage},
};
use signpost_sim::{Invariant, real};

use crate::wrong::{Mistake, Wrong, is_caught};

#[test]
fn i6_a_shell_that_does_not_mind_the_fence_is_caught() {
    is_caught(&real, true, Invariant::I6);
}

/// Never removes a route.
#[derive(Default)]
struct Hoarder;

impl Mistake for Hoarder {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        actions.retain(|action| {
            !matches!(
                action,
                Action::WriteRoute {
                    change: RouteChange::Delete { .. },
                    ..
                }
            )
        });
        actions
    }
}

#[test]
fn i7_a_route_that_is_never_removed_is_caught() {
    is_caught(&Wrong::<Hoarder>::make, false, Invariant::I7);
}

/// Takes back the condition of a node whenever it was written.
#[derive(Default)]
struct Restless(Vec<Action>);

impl Mistake for Restless {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &actions {
            if let Action::SetNetworkStatus { node, status } = action {
                let (node, mut status) = (node.clone(), status.clone());
                status.available = false;
                self.0 = vec![Action::SetNetworkStatus { node, status }];
            }
        }
        if actions
            .iter()
            .any(|action| matches!(action, Action::ListRoutes { .. }))
        {
            actions.append(&mut self.0.clone());
        }
        actions
    }
}

#[test]
fn i7_writes_that_never_end_are_caught() {
    is_caught(&Wrong::<Restless>::make, false, Invariant::I7);
}

/// Believes that everything may be deleted.
#[derive(Default)]
struct Reckless;

impl Mistake for Reckless {
    fn hear(&mut self, mut event: Event) -> Option<Event> {
        if let Event::Configured(Some(config)) = &mut event {
            config.max_deletion_percent = 100;
        }
        Some(event)
    }
}

#[test]
fn contract_more_deletions_than_allowed_are_caught() {
    is_caught(&Wrong::<Reckless>::make, false, Invariant::Contract);
}

/// Lists twice.
#[derive(Default)]
struct Stutter;

impl Mistake for Stutter {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let listing = actions
            .iter()
            .find(|action| matches!(action, Action::ListRoutes { .. }))
            .cloned();
        actions.extend(listing);
        actions
    }
}

#[test]
fn contract_two_listings_at_once_are_caught() {
    is_caught(&Wrong::<Stutter>::make, false, Invariant::Contract);
}

/// Takes no refusal for want of room, and no word of how full a table is.
#[derive(Default)]
struct Stubborn;

impl Mistake for Stubborn {
    fn hear(&mut self, mut event: Event) -> Option<Event> {
        match &mut event {
            Event::RoutesListed {
                result: Ok(tables), ..
            } => {
                for table in tables {
                    table.usage = TableUsage::default();
                }
            }
            Event::RouteWritten {
                result: Err(error), ..
            } if error.kind == CloudErrorKind::QuotaExceeded => {
                error.kind = CloudErrorKind::Transient;
            }
            _ => {}
        }
        Some(event)
    }
}

#[test]
fn contract_routes_pressed_into_a_full_table_are_caught() {
    is_caught(&Wrong::<Stubborn>::make, false, Invariant::Contract);
}
