//! What the machine of nodes promises, told what is seen and where nodes stand.

mod condition;
mod contested;
mod gone;
mod pod_cidrs;
mod sightings;
mod standing;
mod waiting;
mod withdraw;

use std::time::Duration;

use ipnet::IpNet;

use super::{Departure, Nodes, Standing, Voice, sightings::Sighting};
use crate::{
    Action, Limits, Node, NodeKey, Time,
    action::{NetworkStatus, Reason},
    event::{ApiError, ApiErrorKind},
    ids::{NodeId, Stamp},
    node::NetworkCondition,
    summary::Phase,
    turn::{Trouble, Turn},
};

/// How long a write may land after its answer was given up.
const SETTLE: Duration = Duration::from_secs(50);

const LIMITS: Limits = Limits {
    api_settle: SETTLE,
    ..Limits::LOCAL
};

fn net(text: &str) -> IpNet {
    text.parse().expect("a network")
}

fn key(name: &str) -> NodeKey {
    NodeKey::new(name, format!("uid-{name}"))
}

fn node(name: &str) -> Node {
    Node::bare(key(name))
}

fn having(name: &str, cidrs: &[&str]) -> Node {
    Node {
        pod_cidrs: cidrs.iter().map(|cidr| net(cidr)).collect(),
        ..node(name)
    }
}

fn saying(name: &str, network: NetworkCondition) -> Node {
    Node {
        network,
        ..node(name)
    }
}

fn refused(kind: ApiErrorKind) -> Result<(), ApiError> {
    Err(ApiError::new(kind, "as told"))
}

fn trouble(reason: Reason) -> Trouble {
    Trouble::lasting(reason, "as told".to_owned())
}

/// The nodes, and the event that is being handled.
struct Rig {
    nodes: Nodes,
    turn: Turn,
}

impl Rig {
    /// Second 1 of a leadership that may say all.
    fn new() -> Self {
        Self::with(LIMITS)
    }

    fn with(limits: Limits) -> Self {
        let mut rig = Self {
            nodes: Nodes::default(),
            turn: Turn::new(limits, 1, Stamp::default()),
        };
        rig.at(1).nodes.set_voice(Voice {
            speaks: true,
            bad_news: true,
            routes: true,
        });
        rig
    }

    /// The next event, at that second.
    fn at(&mut self, second: u64) -> &mut Self {
        self.turn.now = self.turn.now.next(Time(second * 1_000));
        self
    }

    fn see(&mut self, node: Node) -> Option<Sighting> {
        self.nodes.sight(&mut self.turn, node, false)
    }

    /// It was read after that was asked for.
    fn read(&mut self, node: Node) -> Option<Sighting> {
        self.nodes.sight(&mut self.turn, node, true)
    }

    /// Sees a node for the first time.
    fn add(&mut self, node: Node) -> NodeId {
        self.see(node).expect("it lives").id
    }

    /// Does what is due for nodes that are dirty. Says what is begun.
    fn work(&mut self) -> Vec<Action> {
        self.work_if(|_| true)
    }

    fn work_if(&mut self, may_set: impl Fn(NodeId) -> bool) -> Vec<Action> {
        self.nodes.tick(&self.turn);
        while let Some(id) = self.nodes.next_dirty() {
            self.nodes.look_for_missed(&mut self.turn, id);
            self.nodes.queue_pod_cidrs(&mut self.turn, id);
            self.nodes.queue_condition(&mut self.turn, id);
        }
        self.nodes.begin_writes(&mut self.turn, |id, _| may_set(id));
        self.turn.take()
    }

    fn stand(&mut self, id: NodeId, phase: Phase, trouble: Option<Trouble>) {
        self.stand_so(id, phase, trouble, false);
    }

    fn stand_so(&mut self, id: NodeId, phase: Phase, trouble: Option<Trouble>, unreachable: bool) {
        let standing = Standing {
            phase,
            trouble,
            unreachable,
        };
        self.nodes.set_standing(&mut self.turn, id, standing);
        self.nodes.mark(id);
    }

    fn set(&mut self, name: &str, result: Result<(), ApiError>) {
        self.nodes.pod_cidrs_set(&mut self.turn, &key(name), result);
    }

    fn told(&mut self, name: &str, result: Result<(), ApiError>) -> Option<String> {
        self.nodes.condition_set(&mut self.turn, &key(name), result)
    }

    /// Whether nodes wait to be judged. None does any more then.
    fn is_dirty(&mut self) -> bool {
        let dirty = self.nodes.any_dirty();
        while self.nodes.next_dirty().is_some() {}
        dirty
    }
}

fn sets(actions: &[Action]) -> Vec<(String, Vec<IpNet>)> {
    let sets = actions.iter().filter_map(|action| match action {
        Action::SetPodCidrs { node, cidrs } => Some((node.name.to_string(), cidrs.clone())),
        _ => None,
    });
    sets.collect()
}

fn reads(actions: &[Action]) -> Vec<NodeKey> {
    let reads = actions.iter().filter_map(|action| match action {
        Action::ReadNode(key) => Some(key.clone()),
        _ => None,
    });
    reads.collect()
}

fn statuses(actions: &[Action]) -> Vec<(bool, Reason)> {
    let statuses = actions.iter().filter_map(|action| match action {
        Action::SetNetworkStatus {
            status: NetworkStatus {
                available, reason, ..
            },
            ..
        } => Some((*available, *reason)),
        _ => None,
    });
    statuses.collect()
}

fn notices(actions: &[Action]) -> Vec<Reason> {
    let notices = actions.iter().filter_map(|action| match action {
        Action::Notify(notice) => Some(notice.reason),
        _ => None,
    });
    notices.collect()
}
