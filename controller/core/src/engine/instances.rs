//! Where routes to a node lead: what the cloud knows of its instance.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    time::Duration,
};

use super::{
    Engine,
    api::node_hash,
    clock::Due,
    nodes::{NodeId, Seen},
};
use crate::{
    Action, Time,
    action::Reason,
    backoff::{Backoff, Pace},
    cloud::{CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState},
    node::NodeKey,
    routes::Trouble,
};

/// Instances are read anew that much more rarely than routes.
const REFRESH_FACTOR: u32 = 10;

/// Most instances in one action.
const BATCH: usize = 1000;

/// Most such actions in flight.
const BATCHES: usize = 4;

/// What is known of a node's instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) state: Option<InstanceState>,
    /// The read or switch that failed last.
    pub(super) trouble: Option<Box<Trouble>>,
    /// Asked for in this batch.
    batch: Option<NonZeroU64>,
    /// What the answer under way says is out of date already.
    again: bool,
    failures: u8,
    not_before: Time,
    pub(super) switching: bool,
    pub(super) switch_failures: u8,
    pub(super) switch_not_before: Time,
}

impl Known {
    pub(super) fn found(&self) -> Option<&Instance> {
        match &self.state {
            Some(InstanceState::Found(instance)) => Some(instance),
            _ => None,
        }
    }

    fn failed(&mut self, backoff: Backoff, key: &NodeKey, error: Option<&CloudError>, now: Time) {
        self.failures = self.failures.saturating_add(1);
        let wait = wait(backoff, key, self.failures, error);
        self.not_before = now.after(wait);
    }
}

/// Reads that are wanted and reads in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct Instances {
    wanted: BTreeSet<NodeId>,
    /// Known already; read again to notice changes.
    refresh: BTreeSet<NodeId>,
    batches: BTreeMap<NonZeroU64, Vec<NodeId>>,
    /// Nodes whose instance is being switched to forwarding.
    pub(super) switching: BTreeSet<NodeKey>,
    /// Nodes whose instance waits for that.
    pub(super) to_switch: BTreeSet<NodeId>,
    next_refresh: Time,
}

impl Engine {
    pub(super) fn schedule_refresh(&mut self) {
        let Some(config) = &self.config else { return };
        let period = config.check_period.saturating_mul(REFRESH_FACTOR);
        self.instances.next_refresh = self.now.at.after(period.max(Duration::from_secs(1)));
        self.timers.set(self.instances.next_refresh, Due::Refresh);
    }

    pub(super) fn refresh_instances(&mut self) {
        if self.now.at < self.instances.next_refresh {
            return;
        }
        let known = self
            .nodes
            .living()
            .filter(|(_, state)| state.instance.state.is_some())
            .map(|(id, _)| id);
        self.instances.refresh.extend(known);
        self.schedule_refresh();
    }

    /// What identifies the instance of a node has changed, so earlier failures say nothing.
    pub(super) fn instance_moved(&mut self, id: NodeId) {
        if let Some(state) = self.nodes.get_mut(id) {
            state.instance.failures = 0;
            state.instance.not_before = Time::default();
        }
        self.want_instance(id);
    }

    /// Has the instance of a node read as soon as its back-off allows.
    pub(super) fn want_instance(&mut self, id: NodeId) {
        let now = self.now.at;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        if !self.limits.routes || state.gone {
            return;
        }
        let instance = &mut state.instance;
        if instance.batch.is_some() {
            instance.again = true;
        } else if instance.not_before > now {
            self.timers.set(instance.not_before, Due::Instance(id));
        } else {
            self.instances.wanted.insert(id);
        }
    }

    /// Sees to it that the instance of a node with blocks is known and forwards.
    pub(super) fn ensure_instance(&mut self, id: NodeId) {
        let Some(state) = self.nodes.get(id) else {
            return;
        };
        if state.assignment.cidrs.is_empty() || state.node.excluded {
            return;
        }
        let Known {
            state: known,
            batch,
            switching,
            switch_not_before,
            ..
        } = &state.instance;
        if known.is_none() {
            if batch.is_none() {
                self.want_instance(id);
            }
        } else if self.must_switch(id) && !switching {
            if *switch_not_before > self.now.at {
                self.timers.set(*switch_not_before, Due::Node(id));
            } else {
                self.instances.to_switch.insert(id);
            }
        }
    }

    pub(super) fn begin_instance_reads(&mut self) {
        while self.instances.batches.len() < BATCHES {
            let mut queries = Vec::new();
            let mut ids = Vec::new();
            let number = NonZeroU64::MIN.saturating_add(self.last_number);
            while queries.len() < BATCH {
                let wanted = self.instances.wanted.pop_first();
                let Some(id) = wanted.or_else(|| self.instances.refresh.pop_first()) else {
                    break;
                };
                if let Some(state) = self.nodes.get_mut(id)
                    && state.instance.batch.is_none()
                {
                    state.instance.batch = Some(number);
                    queries.push(query(&state.node));
                    ids.push(id);
                }
            }
            if queries.is_empty() {
                break;
            }
            self.last_number = number.get();
            self.instances.batches.insert(number, ids);
            let batch = number.get();
            self.actions.push(Action::ReadInstances { batch, queries });
        }
    }

    pub(super) fn instances_read(
        &mut self,
        batch: u64,
        answers: Vec<(NodeKey, Result<InstanceState, CloudError>)>,
    ) {
        let batch = NonZeroU64::new(batch);
        let asked = batch.and_then(|batch| self.instances.batches.remove(&batch));
        for (key, answer) in answers {
            if let Some(id) = self.nodes.id(&key) {
                self.instance_read(id, &key, answer);
            } else if let Some(id) = self.nodes.any_id(&key) {
                self.departed_read(id, &answer);
            }
        }
        // Whoever is left over in the batch was not answered.
        let now = self.now.at;
        let backoff = self.backoff;
        for id in asked.into_iter().flatten() {
            if let Some(state) = self.nodes.get_mut(id)
                && state.instance.batch == batch
            {
                state.instance.batch = None;
                state.instance.failed(backoff, &state.node.key, None, now);
                self.want_instance(id);
            }
        }
    }

    fn instance_read(
        &mut self,
        id: NodeId,
        key: &NodeKey,
        answer: Result<InstanceState, CloudError>,
    ) {
        let now = self.now.at;
        let backoff = self.backoff;
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        let instance = &mut state.instance;
        instance.batch = None;
        let again = std::mem::take(&mut instance.again);
        match answer {
            Ok(found @ InstanceState::Found(_)) => {
                instance.state = Some(found);
                instance.trouble = None;
                instance.failures = 0;
                instance.not_before = now;
            }
            // It may just not show yet, or be mended.
            Ok(absent) => {
                instance.state = Some(absent);
                instance.trouble = None;
                instance.failed(backoff, key, None, now);
            }
            Err(error) => {
                instance.trouble = Some(Box::new(describe("reading", key, &error)));
                instance.failed(backoff, key, Some(&error), now);
            }
        }
        let retry = instance.failures > 0 || again;
        self.nodes.mark(id);
        if retry {
            self.want_instance(id);
        }
    }

    /// Asks for the instances of nodes that are gone and whose routes are held back: if the
    /// instance is gone too, nothing can be lost.
    pub(super) fn doubt_departures(&mut self) {
        let departed = self.routes.unclaimed().iter().filter_map(|cidr| {
            let destination = self.routes.get(*cidr)?;
            destination.former.filter(|_| destination.has_ours())
        });
        self.instances.wanted.extend(departed);
    }

    fn departed_read(&mut self, id: NodeId, answer: &Result<InstanceState, CloudError>) {
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        state.instance.batch = None;
        if *answer != Ok(InstanceState::Gone) {
            return;
        }
        for cidr in state.assignment.cidrs.clone() {
            let destination = self.routes.get(cidr);
            if destination.is_some_and(|it| !it.claimed && it.former == Some(id)) {
                self.routes.update(cidr, |it| it.dead = true);
                self.consider(cidr);
            }
        }
    }
}

pub(super) fn query(node: &Seen) -> InstanceQuery {
    InstanceQuery {
        node: node.key.clone(),
        provider_id: node.provider_id.clone(),
        internal_ips: node.internal_ips.clone(),
    }
}

pub(super) fn wait(
    backoff: Backoff,
    key: &NodeKey,
    failures: u8,
    error: Option<&CloudError>,
) -> Duration {
    let lasting = error.is_some_and(|error| lasting(error.kind));
    let pace = if lasting { Pace::Slow } else { Pace::Quick };
    let throttled = error.is_some_and(|error| error.kind == CloudErrorKind::Throttled);
    let failures = failures.saturating_add(2 * u8::from(throttled));
    let asked = error.and_then(|error| error.retry_after);
    backoff
        .delay(node_hash(key), failures, pace)
        .max(asked.unwrap_or_default())
}

fn lasting(kind: CloudErrorKind) -> bool {
    matches!(kind, CloudErrorKind::Denied | CloudErrorKind::Invalid)
}

pub(super) fn describe(verb: &str, key: &NodeKey, error: &CloudError) -> Trouble {
    Trouble {
        reason: if error.kind == CloudErrorKind::Denied {
            Reason::CloudDenied
        } else {
            Reason::CloudUnavailable
        },
        message: format!("{verb} the instance of node {key} failed: {error}"),
        lasting: lasting(error.kind),
    }
}
