//! When instances are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
    time::Duration,
};

use super::{Due, Instances, Query, known::Known};
use crate::{
    Action, Time,
    cloud::{CloudError, InstanceState},
    ids::{NodeId, Stamp},
    node::NodeKey,
    nodes::item,
    retry::Pace,
    turn::Turn,
};

/// Instances are read anew that much more rarely than routes.
const REFRESH_FACTOR: u32 = 10;

/// Most instances in one action.
const BATCH: usize = 1000;

/// Most such actions in flight.
const BATCHES: usize = 4;

/// Reads that are wanted and reads in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    wanted: BTreeSet<NodeId>,
    /// Known already; read again to notice changes.
    refresh: BTreeSet<NodeId>,
    batches: BTreeMap<NonZeroU64, Vec<NodeId>>,
    next_refresh: Time,
}

impl Reads {
    pub(super) fn forget(&mut self, id: NodeId) {
        self.wanted.remove(&id);
        self.refresh.remove(&id);
    }
}

impl Instances {
    /// All instances are read again from time to time, beginning one period from now.
    pub(crate) fn schedule_refresh(&mut self, turn: &Turn, check_period: Duration) {
        let period = check_period.saturating_mul(REFRESH_FACTOR);
        self.reads.next_refresh = turn.now.at.after(period.max(Duration::from_secs(1)));
        self.timers.set(self.reads.next_refresh, Due::Refresh);
    }

    pub(super) fn refresh(&mut self, turn: &Turn, check_period: Duration) {
        if turn.now.at < self.reads.next_refresh {
            return;
        }
        let known = self.all.iter().enumerate().filter_map(|(place, known)| {
            let known = known.as_deref()?;
            known.state.is_some().then(|| NodeId::new(place))
        });
        self.reads.refresh.extend(known);
        self.schedule_refresh(turn, check_period);
    }

    /// What identifies the instance has changed: what was known is of another one, and so are earlier
    /// failures.
    pub(crate) fn moved(&mut self, turn: &Turn, id: NodeId) {
        if self.get(id).is_some() {
            let known = self.entry(id);
            known.state = None;
            known.trouble = None;
            known.read.reset();
            known.outdated = known.batch.is_some();
            self.want(turn, id);
        }
    }

    /// Has the instance of a node read as soon as its back-off allows.
    pub(crate) fn want(&mut self, turn: &Turn, id: NodeId) {
        if !turn.limits.routes {
            return;
        }
        let known = self.entry(id);
        if known.batch.is_some() {
            known.again = true;
        } else if let Some(until) = known.read.waits(turn.now.at) {
            self.timers.set(until, Due::Instance(id));
        } else {
            self.reads.wanted.insert(id);
        }
    }

    /// [`want`](Self::want)s it, unless it is being read since then.
    pub(crate) fn want_since(&mut self, turn: &Turn, id: NodeId, since: Stamp) {
        let known = self.entry(id);
        known.awaited = true;
        if known.batch.is_none() || !known.asked.shows(since, Duration::ZERO) {
            self.want(turn, id);
        }
    }

    /// Its back-off is over.
    pub(super) fn want_again(&mut self, turn: &Turn, id: NodeId) {
        let retry = self
            .get(id)
            .filter(|known| known.read.failures() > 0 && known.batch.is_none());
        if retry.is_some() {
            self.want(turn, id);
        }
    }

    /// Begins the reads that may begin.
    pub(crate) fn begin_reads(&mut self, turn: &mut Turn, query: Query<'_>) {
        while self.reads.batches.len() < BATCHES {
            let mut ids = Vec::new();
            let mut queries = Vec::new();
            while queries.len() < BATCH {
                let wanted = self.reads.wanted.pop_first();
                let Some(id) = wanted.or_else(|| self.reads.refresh.pop_first()) else {
                    break;
                };
                if self.get(id).is_none_or(|known| known.batch.is_none())
                    && let Some(query) = query(id)
                {
                    queries.push(query);
                    ids.push(id);
                }
            }
            if queries.is_empty() {
                return;
            }
            let batch = turn.number();
            let Some(number) = NonZeroU64::new(batch) else {
                return;
            };
            for id in &ids {
                let known = self.entry(*id);
                known.batch = Some(number);
                known.asked = turn.now;
            }
            self.reads.batches.insert(number, ids);
            turn.act(Action::ReadInstances { batch, queries });
        }
    }

    /// The answer to a batch. `find` finds the node of a key, and says whether it lives.
    pub(crate) fn read(
        &mut self,
        turn: &Turn,
        batch: u64,
        answers: Vec<(NodeKey, Result<InstanceState, CloudError>)>,
        find: impl Fn(&NodeKey) -> Option<(NodeId, bool)>,
    ) {
        let batch = NonZeroU64::new(batch);
        let Some(asked) = batch.and_then(|batch| self.reads.batches.remove(&batch)) else {
            return;
        };
        for (key, answer) in answers {
            if let Some((id, lives)) = find(&key)
                && self.get(id).is_some_and(|known| known.batch == batch)
                && self.answered(turn, id, &key, answer)
                && lives
            {
                self.want(turn, id);
            }
        }
        // Whoever is left over in the batch was not answered.
        for id in asked {
            if self.get(id).is_some_and(|known| known.batch == batch) {
                let wait = turn.backoff.wait(id.place() as u64, Pace::Quick);
                let known = self.entry(id);
                known.batch = None;
                known.read.failed(wait, Duration::ZERO, turn.now.at);
                self.want(turn, id);
            }
        }
    }

    /// Takes in an answer. Says whether to ask again.
    fn answered(
        &mut self,
        turn: &Turn,
        id: NodeId,
        key: &NodeKey,
        answer: Result<InstanceState, CloudError>,
    ) -> bool {
        let known = self.entry(id);
        known.batch = None;
        let mut again = std::mem::take(&mut known.again);
        if std::mem::take(&mut known.outdated) {
            return true;
        }
        let news;
        match answer {
            Ok(state) => {
                let awaited = std::mem::take(&mut known.awaited);
                let mended = known.trouble.take().is_some();
                news = awaited || mended || known.state.as_ref() != Some(&state);
                if matches!(state, InstanceState::Found(_)) {
                    known.read.reset();
                } else {
                    // It may just not show yet, or be mended.
                    let wait = turn.backoff.wait(item(key), Pace::Quick);
                    known.read.failed(wait, Duration::ZERO, turn.now.at);
                    again = true;
                }
                known.state = Some(state);
                known.told = known.asked;
            }
            Err(error) => {
                let trouble = Known::failed(&mut known.read, turn, key, "reading", &error);
                known.trouble = Some(Box::new(trouble));
                news = true;
                again = true;
            }
        }
        if news {
            self.dirty.insert(id);
        }
        again
    }
}
