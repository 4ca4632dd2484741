//! What the session tells: people the figures, the object's status and readiness; node agents the network.

use std::{sync::Arc, time::Duration};

use signpost_core::{Action, Time};

use super::{Inputs, Session};
use crate::{
    clock::now,
    health::Role,
    network::{Valid, Wish},
    status::{self, Put},
};

/// Shortest time between two looks at the engine's figures.
pub(super) const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// The same after sightings of nodes that led to nothing: a look costs as much as there are nodes.
pub(super) const ROUTINE: Duration = Duration::from_secs(10);
/// How long changes are collected before the figures are looked at.
const COLLECT: Duration = Duration::from_millis(50);

/// When figures were looked at, and when they are to be.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    last: Time,
    pub(super) due: Option<Time>,
}

impl Publishing {
    /// Looks at the figures soon, but not sooner than `spacing` after the last time.
    pub(super) fn changed(&mut self, spacing: Duration) {
        let soonest = self.last.after(spacing);
        self.at(now().after(COLLECT).max(soonest));
    }

    /// Looks again when what was put is to be put again.
    fn go_on(&mut self, put: Put) {
        match put {
            Put::Done => {}
            Put::Soon => self.changed(PUBLISH_EVERY),
            Put::At(time) => self.at(time),
        }
    }

    fn at(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |planned| planned.min(at)));
    }
}

impl Session {
    /// Shows the figures of now.
    pub(super) fn publish(&mut self, inputs: &mut Inputs) {
        self.publishing.last = now();
        self.publishing.due = None;
        // Somebody may have edited the status, which wakes nobody.
        self.publishing.changed(ROUTINE);
        if let Some(object) = inputs.wishes.borrow().object() {
            self.writer.saw(object);
        }
        self.tell_agents();
        let summary = self.engine.summary();
        status::publish(self.api.metrics(), &summary, &self.engine.phases());
        let before = self.writer.last();
        let status = match self.wish.clone() {
            Wish::Unread | Wish::Absent => {
                self.health.set_role(Role::Idle);
                return;
            }
            Wish::Invalid(object, problem) => {
                self.health.set_role(Role::Idle);
                status::invalid("Invalid", &problem, object.generation, before)
            }
            Wish::Valid(valid) => {
                let role = if summary.recovered {
                    Role::Leading
                } else {
                    Role::Recovering
                };
                self.health.set_role(role);
                let generation = valid.object.generation;
                if let Some(problem) = self.between_providers(&valid) {
                    status::invalid("ChangingProvider", &problem, generation, before)
                } else if let Some(problem) = self.keeper.problem() {
                    let problem = format!(
                        "no route is made before the finalizer is on the object: {problem}"
                    );
                    status::invalid("NotKept", &problem, generation, before)
                } else {
                    inputs.left.take_over(&valid, &summary);
                    let left = inputs.left.problem(&valid, &summary);
                    if let Some(notice) = left.as_ref().and_then(|it| inputs.left.notice(it)) {
                        self.executor.start(Action::Notify(notice));
                    }
                    let judged = status::Judging {
                        routes: self.limits.routes,
                        left: left.as_deref(),
                    };
                    status::status(&summary, &valid.config, judged, before)
                }
            }
        };
        let put = self.writer.put(&status);
        self.publishing.go_on(put);
    }

    /// Agents go on with what they were told last, while there is nothing that can be used and while
    /// everything is taken down.
    fn tell_agents(&mut self) {
        let Wish::Valid(valid) = &self.wish else {
            return;
        };
        let addresses = self.engine.node_addresses();
        if let Some(addresses) = addresses.filter(|_| !valid.config.teardown) {
            let put = self.agents.put(valid, addresses);
            self.publishing.go_on(put);
        }
    }

    fn between_providers(&self, next: &Arc<Valid>) -> Option<String> {
        self.leaving.as_ref().map(|_| {
            let (old, new) = (&self.made_for.cloud.provider, &next.cloud.provider);
            format!(
                "the routes of provider {} are removed before provider {} begins",
                old.as_str(),
                new.as_str()
            )
        })
    }
}
