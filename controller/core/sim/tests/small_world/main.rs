//! A world small enough to try everything that can happen in it, in every order.
//!
//! Two nodes, three blocks (a fourth is reserved), a foreign route in one of them, two controllers
//! of which one leads, one crash, one change of leadership, one lost request or answer. The real
//! engine decides. Every order of requests landing, answers coming back, nodes coming, going and
//! being seen, time passing and controllers failing is tried, down to the depth that each test
//! names; its output says how many different states that were.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod budget;
mod canon;
mod land;
mod shell;
mod step;
mod world;

use std::collections::BTreeSet;

use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model, Property};

use crate::{
    budget::{Budget, Lie},
    step::Step,
    world::World,
};

const OWNED_ONCE: &str = "no two nodes own one block";
const UNTOUCHED: &str = "the foreign route never changes";
const KEPT: &str = "no step breaks a promise";
const BOTH_ROUTED: &str = "both nodes are routed";
const USED_AGAIN: &str = "a block is used again";

/// Where the search begins.
struct SmallWorld {
    beginning: World,
}

impl Model for SmallWorld {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.beginning.clone()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        world.steps(steps);
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        world.take(step);
        world.seal();
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(OWNED_ONCE, |_, world: &World| world.blocks_are_owned_once()),
            Property::always(UNTOUCHED, |_, world: &World| {
                world.foreign_route_is_untouched()
            }),
            Property::always(KEPT, |_, world: &World| world.breach.is_none()),
            Property::sometimes(BOTH_ROUTED, |_, world: &World| world.routed() == 2),
            Property::sometimes(USED_AGAIN, |_, world: &World| world.reused),
        ]
    }
}

/// What a search met.
struct Found {
    /// Properties that hold somewhere.
    reached: BTreeSet<&'static str>,
    /// The property that does not hold everywhere, and how that comes about.
    broken: Option<(&'static str, String)>,
}

/// Tries everything from `beginning` on, down to `depth` steps, and says how much that was.
fn search(beginning: World, depth: usize) -> Found {
    let checker = SmallWorld { beginning }
        .checker()
        .target_max_depth(depth)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut found = Found {
        reached: BTreeSet::new(),
        broken: None,
    };
    for (property, path) in checker.discoveries() {
        if let DiscoveryClassification::Example = checker.discovery_classification(property) {
            found.reached.insert(property);
        } else {
            let world = path.last_state().clone();
            let why = world.breach.clone().unwrap_or_default();
            let steps = path.into_actions();
            found.broken = Some((property, format!("{why}\n{steps:#?}\n{world}")));
        }
    }
    #[expect(clippy::print_stdout, reason = "the figures of this test")]
    {
        println!(
            "{} unique states of {} visited, depth {}; met: {:?}",
            checker.unique_state_count(),
            checker.state_count(),
            checker.max_depth(),
            found.reached,
        );
    }
    found
}

/// All promises must hold, and what is named must be possible.
fn explore(beginning: World, depth: usize, reached: &[&str]) {
    let found = search(beginning, depth);
    if let Some((property, how)) = found.broken {
        panic!("{property:?} does not hold: {how}");
    }
    for property in reached {
        assert!(found.reached.contains(property), "never so: {property}");
    }
}

/// Takes the first step of the most urgent kind until so many nodes are routed and all is quiet.
fn settled(nodes: usize) -> World {
    let mut world = World::new(Budget {
        joins: u8::try_from(nodes).expect("few nodes"),
        ..Budget::default()
    });
    for _ in 0..200 {
        if world.routed() == nodes && world.calls.is_empty() {
            return world;
        }
        let mut steps = Vec::new();
        world.steps(&mut steps);
        let next = steps.into_iter().min_by_key(|step| match step {
            Step::Join(_) | Step::Elect(_) => 0,
            Step::Watch(..) => 1,
            Step::Land(_) | Step::Answer(_) => 2,
            _ => 3,
        });
        world.take(next.expect("something can always happen"));
        world.seal();
    }
    panic!("never settles: {world}");
}

const NOTHING: Budget = Budget {
    joins: 0,
    leaves: 0,
    crashes: 0,
    releases: 0,
    losses: 0,
};

/// One node is routed, and this may still happen.
fn after_one(budget: Budget) -> World {
    settled(1).with(budget, Lie::None)
}

#[test]
fn two_nodes_come() {
    let world = World::new(Budget {
        joins: 2,
        ..NOTHING
    });
    explore(world, 18, &[BOTH_ROUTED]);
}

#[test]
fn a_node_leaves_and_another_comes() {
    let budget = Budget {
        joins: 1,
        leaves: 1,
        ..NOTHING
    };
    let world = settled(2).with(budget, Lie::None);
    explore(world, 20, &[USED_AGAIN]);
}

#[test]
fn a_request_or_an_answer_is_lost() {
    let world = after_one(Budget {
        joins: 1,
        leaves: 1,
        losses: 1,
        ..NOTHING
    });
    explore(world, 15, &[BOTH_ROUTED]);
}

#[test]
fn the_controller_crashes() {
    let world = after_one(Budget {
        joins: 1,
        leaves: 1,
        crashes: 1,
        ..NOTHING
    });
    explore(world, 15, &[BOTH_ROUTED, USED_AGAIN]);
}

#[test]
fn the_leadership_changes() {
    let world = after_one(Budget {
        joins: 1,
        leaves: 1,
        releases: 1,
        ..NOTHING
    });
    explore(world, 14, &[BOTH_ROUTED, USED_AGAIN]);
}

/// What does not hold when the world breaks its part, and how that comes about.
fn broken_by(lie: Lie, budget: Budget) -> (&'static str, String) {
    let found = search(settled(1).with(budget, lie), 14);
    found.broken.expect("the lie is noticed")
}

#[test]
fn a_block_given_away_under_its_route_is_noticed() {
    let budget = Budget {
        joins: 1,
        leaves: 1,
        crashes: 1,
        ..NOTHING
    };
    let (promise, how) = broken_by(Lie::HiddenRoutes, budget);
    assert_eq!(promise, KEPT);
    assert!(how.contains("while there is a route"), "{how}");
}

#[test]
fn a_node_called_routed_too_early_is_noticed() {
    let budget = Budget {
        joins: 1,
        ..NOTHING
    };
    let (promise, how) = broken_by(Lie::InventedRoutes, budget);
    assert_eq!(promise, KEPT);
    assert!(how.contains("before it was read back"), "{how}");
}

#[test]
fn a_foreign_route_that_is_touched_is_noticed() {
    let (promise, _) = broken_by(Lie::StolenRoute, NOTHING);
    assert_eq!(promise, UNTOUCHED);
}

#[test]
fn a_block_with_two_owners_is_noticed() {
    let budget = Budget {
        joins: 2,
        leaves: 1,
        crashes: 1,
        ..NOTHING
    };
    let (promise, _) = broken_by(Lie::HastyElection, budget);
    assert_eq!(promise, OWNED_ONCE);
}
