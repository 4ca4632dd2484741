//! The simulation finds what is wrong: for each promise an engine, or a shell, that breaks it.

use std::collections::HashMap;

use signpost_core::{
    Action, Engine, Event, Handover, IpNet, Limits, Summary, Time,
    action::{NetworkStatus, Reason},
    cloud::{CloudErrorKind, NextHop, Ownership, RouteChange, TableUsage},
    summary::NodeView,
};
use signpost_sim::{Brain, Invariant, MakeBrain, Options, Transition, real, run, schedule, shrink};

/// A mistake: it sees what the engine is told and may change it, then what the engine wants.
trait Mistake: Default + 'static {
    fn hear(&mut self, event: Event) -> Option<Event> {
        Some(event)
    }

    fn want(&mut self, actions: Vec<Action>) -> Vec<Action> {
        actions
    }
}

/// The real engine with a mistake around it.
struct Wrong<M> {
    engine: Engine,
    mistake: M,
}

impl<M: Mistake> Wrong<M> {
    fn make(limits: Limits, seed: u64, handover: Handover, now: Time) -> Box<dyn Brain> {
        Box::new(Self {
            engine: Engine::new(limits, seed, handover, now),
            mistake: M::default(),
        })
    }
}

impl<M: Mistake> Brain for Wrong<M> {
    fn handle(&mut self, event: Event, now: Time) -> Vec<Action> {
        let actions = match self.mistake.hear(event) {
            Some(event) => self.engine.handle(event, now),
            None => Vec::new(),
        };
        self.mistake.want(actions)
    }

    fn next_wake(&self) -> Option<Time> {
        self.engine.next_wake()
    }

    fn nodes(&self) -> Vec<NodeView> {
        self.engine.nodes()
    }

    fn transitions(&self) -> Vec<(Transition, u64)> {
        Brain::transitions(&self.engine)
    }

    fn summary(&self) -> Summary {
        self.engine.summary()
    }
}

/// A seed breaks this promise, and its shortened schedule still does.
fn is_caught(make: MakeBrain<'_>, unfenced: bool, expected: Invariant) {
    let options = Options {
        make,
        tell: false,
        unfenced,
    };
    let caught = (0..2_000).find(|seed| {
        let violation = run(*seed, &schedule(*seed), options).violation;
        violation.is_some_and(|violation| violation.invariant == expected)
    });
    let Some(seed) = caught else {
        panic!("no seed finds it");
    };
    let all = schedule(seed);
    let Some((left, violation)) = shrink(seed, &all, options) else {
        panic!("seed {seed} fails no more");
    };
    assert!(left.len() <= all.len());
    assert_eq!(violation.invariant, expected);
}

/// Gives every node the block that the first one got.
#[derive(Default)]
struct OneBlockForAll(Option<Vec<IpNet>>);

impl Mistake for OneBlockForAll {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::SetPodCidrs { cidrs, .. } = action {
                let first = self.0.get_or_insert_with(|| cidrs.clone());
                cidrs.clone_from(first);
            }
        }
        actions
    }
}

#[test]
fn i1_one_block_for_two_nodes_is_caught() {
    is_caught(&Wrong::<OneBlockForAll>::make, false, Invariant::I1);
}

/// Gives the block of a node that is gone to the next one, without waiting for its route to go.
#[derive(Default)]
struct Hasty {
    blocks: HashMap<String, Vec<IpNet>>,
    left: Option<Vec<IpNet>>,
    routes: Vec<IpNet>,
}

impl Mistake for Hasty {
    fn hear(&mut self, event: Event) -> Option<Event> {
        match &event {
            Event::NodeSeen(node)
            | Event::NodeRead {
                node: Some(node), ..
            } if !node.pod_cidrs.is_empty() => {
                self.blocks
                    .insert(node.key.uid.to_string(), node.pod_cidrs.clone());
            }
            Event::NodeGone(key) | Event::NodeRead { key, node: None } => {
                self.left = self.blocks.remove(&*key.uid);
            }
            Event::RoutesListed {
                result: Ok(tables), ..
            } => {
                let routes = tables
                    .iter()
                    .flat_map(|table| table.routes.iter().flatten());
                self.routes = routes.map(|route| route.destination).collect();
            }
            _ => {}
        }
        Some(event)
    }

    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::WriteRoute { change, .. } = action {
                self.routes.retain(|route| *route != change.destination());
            }
            if let Action::SetPodCidrs { cidrs, .. } = action
                && let Some(left) = &self.left
                && left.iter().any(|block| self.routes.contains(block))
                && !self.blocks.values().any(|blocks| blocks == left)
            {
                cidrs.clone_from(left);
            }
        }
        actions
    }
}

#[test]
fn i2_a_block_used_again_too_early_is_caught() {
    is_caught(&Wrong::<Hasty>::make, false, Invariant::I2);
}

/// Leads routes astray.
#[derive(Default)]
struct Astray;

impl Mistake for Astray {
    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::WriteRoute { change, .. } = action
                && let RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } =
                    change
            {
                route.next_hop = NextHop::Target("astray".into());
            }
        }
        actions
    }
}

#[test]
fn i3_a_route_that_leads_astray_is_caught() {
    is_caught(&Wrong::<Astray>::make, false, Invariant::I3);
}

/// Takes every route for ours.
#[derive(Default)]
struct Greedy;

impl Mistake for Greedy {
    fn hear(&mut self, mut event: Event) -> Option<Event> {
        if let Event::RoutesListed {
            result: Ok(tables), ..
        } = &mut event
        {
            for route in tables
                .iter_mut()
                .flat_map(|table| table.routes.iter_mut().flatten())
            {
                route.ownership = Ownership::Ours;
            }
        }
        Some(event)
    }
}

#[test]
fn i4_a_foreign_route_that_is_touched_is_caught() {
    is_caught(&Wrong::<Greedy>::make, false, Invariant::I4);
}

/// Reports a node as soon as it has its block.
#[derive(Default)]
struct Boastful(Vec<Action>);

impl Mistake for Boastful {
    fn hear(&mut self, event: Event) -> Option<Event> {
        if let Event::PodCidrsSet {
            node,
            result: Ok(()),
        } = &event
        {
            self.0.push(Action::SetNetworkStatus {
                node: node.clone(),
                status: NetworkStatus {
                    available: true,
                    reason: Reason::RouteCreated,
                    message: String::new(),
                },
            });
        }
        Some(event)
    }

    fn want(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        actions.splice(0..0, self.0.drain(..));
        actions
    }
}

#[test]
fn i5_a_node_reported_before_read_back_is_caught() {
    is_caught(&Wrong::<Boastful>::make, false, Invariant::I5);
}

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
