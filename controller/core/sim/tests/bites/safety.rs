//! Mistakes that break what must always hold.

use std::collections::HashMap;

use signpost_core::{
    Action, Event, IpNet,
    action::{NetworkStatus, Reason},
    cloud::{NextHop, Ownership, RouteChange},
};
use signpost_sim::Invariant;

use crate::wrong::{Mistake, Wrong, is_caught};

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
