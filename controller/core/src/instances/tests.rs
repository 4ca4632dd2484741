//! What the machine of instances promises, told which are wanted and what the cloud says.

mod forwarding;
mod reads;

use std::{collections::BTreeSet, time::Duration};

use ipnet::IpNet;

use super::Instances;
use crate::{
    Action, Limits, NodeKey, Time,
    action::Reason,
    cloud::{CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState, NextHop},
    ids::{NodeId, Stamp},
    turn::Turn,
};

const PERIOD: Duration = Duration::from_secs(30);

fn key(number: usize) -> NodeKey {
    NodeKey::new(format!("n{number}"), format!("uid-n{number}"))
}

fn id(number: usize) -> NodeId {
    NodeId::new(number)
}

fn found(forwarding: bool) -> InstanceState {
    InstanceState::Found(Instance {
        id: "i".into(),
        next_hop_v4: Some(NextHop::Target("four".into())),
        next_hop_v6: None,
        forwarding,
    })
}

type Answer = Result<InstanceState, CloudError>;

fn failed(kind: CloudErrorKind) -> Answer {
    Err(CloudError::new(kind, "as told"))
}

/// The instances, and the event that is being handled.
struct Rig {
    instances: Instances,
    turn: Turn,
    /// Nodes that are not known any more.
    unknown: BTreeSet<usize>,
    /// Nodes that are gone.
    gone: BTreeSet<usize>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits {
            forwarding: true,
            ..Limits::LOCAL
        })
    }

    fn with(limits: Limits) -> Self {
        Self {
            instances: Instances::default(),
            turn: Turn::new(limits, 1, Stamp::default()),
            unknown: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    fn at(&mut self, second: u64) -> &mut Self {
        self.turn.now = self.turn.now.next(Time(second * 1_000));
        self
    }

    fn ensure(&mut self, number: usize) {
        self.instances.ensure(&self.turn, id(number));
    }

    /// Does what is due. Says which nodes are asked about, by batch.
    fn reads(&mut self) -> Vec<(u64, Vec<usize>)> {
        self.instances.tick(&self.turn, PERIOD);
        let unknown = self.unknown.clone();
        let query = |id: NodeId| (!unknown.contains(&id.place())).then(|| query(id.place()));
        self.instances.begin_reads(&mut self.turn, &query);
        let actions = self.turn.take().into_iter();
        let reads = actions.filter_map(|action| match action {
            Action::ReadInstances { batch, queries } => {
                Some((batch, queries.iter().map(|it| number(&it.node)).collect()))
            }
            _ => None,
        });
        reads.collect()
    }

    /// Like [`reads`](Self::reads), for one batch at most.
    fn read(&mut self) -> Option<(u64, Vec<usize>)> {
        let reads = self.reads();
        assert!(reads.len() <= 1, "{reads:?}");
        reads.into_iter().next()
    }

    fn switches(&mut self) -> Vec<usize> {
        self.instances.tick(&self.turn, PERIOD);
        let query = |id: NodeId| Some(query(id.place()));
        self.instances.begin_switching(&mut self.turn, &query);
        let actions = self.turn.take().into_iter();
        let switches = actions.filter_map(|action| match action {
            Action::EnableForwarding(query) => Some(number(&query.node)),
            _ => None,
        });
        switches.collect()
    }

    fn answer(&mut self, batch: u64, answers: Vec<(usize, Answer)>) {
        let answers = answers.into_iter().map(|(it, answer)| (key(it), answer));
        let (unknown, gone) = (&self.unknown, &self.gone);
        let find = |key: &NodeKey| {
            let number = number(key);
            let known = !unknown.contains(&number);
            known.then(|| (id(number), !gone.contains(&number)))
        };
        self.instances
            .read(&self.turn, batch, answers.collect(), find);
    }

    /// The node's instance is asked for and found.
    fn found(&mut self, number: usize, forwarding: bool) {
        self.ensure(number);
        let (batch, _) = self.read().expect("it is asked for");
        self.answer(batch, vec![(number, Ok(found(forwarding)))]);
        self.instances.take_dirty();
    }

    fn switched(&mut self, number: usize, result: Result<(), CloudErrorKind>) {
        let result = result.map_err(|kind| CloudError::new(kind, "as told"));
        self.instances
            .switched(&self.turn, Some(id(number)), &key(number), result);
    }

    fn trouble(&self, number: usize) -> Option<(Reason, bool)> {
        let trouble = self.instances.trouble(id(number))?;
        Some((trouble.reason, trouble.lasting))
    }
}

fn query(number: usize) -> InstanceQuery {
    InstanceQuery {
        node: key(number),
        provider_id: None,
        internal_ips: Vec::new(),
    }
}

fn number(key: &NodeKey) -> usize {
    key.name[1..].parse().expect("a number")
}
