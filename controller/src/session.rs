//! One leadership with one provider: everything in it is made anew and dropped together, so that
//! nothing of an earlier one can be mistaken for what is true now.

use std::{sync::Arc, time::Duration};

use signpost_cloud::Cloud;
use signpost_core::{Config, Engine, Event, Limits, Time};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    api::KubeApi,
    clock::{now, sleep_until},
    elect::Term,
    execute::{Executor, put_finalizer},
    health::{Health, Role},
    ledger::Ledger,
    network::{Valid, Wish},
    nodes::{self, Sightings},
    status,
};

/// Events taken up at once.
const BATCH: usize = 256;
/// Shortest time between two looks at the engine's figures, and so between two status writes.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// The same after sightings of nodes that led to nothing: a look costs as much as there are nodes.
const ROUTINE: Duration = Duration::from_secs(10);
/// How long changes are collected before the figures are looked at.
const COLLECT: Duration = Duration::from_millis(50);
/// Longest silence of the loop.
const BEAT: Duration = Duration::from_secs(10);
/// How soon the finalizer is tried again.
const FINALIZER_RETRY: Duration = Duration::from_secs(2);

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The program is told to stop.
    Stopped,
    /// The lease is lost.
    Deposed,
    /// Another object or another provider: begin anew.
    Replaced,
}

/// What the session hears from outside.
pub struct Inputs {
    /// Who leads.
    pub term: watch::Receiver<Term>,
    /// What the `PodNetwork` says.
    pub wishes: watch::Receiver<Wish>,
    /// The program is told to stop.
    pub stop: CancellationToken,
    /// What this process has written.
    pub ledger: Ledger,
}

/// The engine and what carries out its actions.
pub struct Session {
    api: KubeApi,
    health: Arc<Health>,
    engine: Engine,
    limits: Limits,
    executor: Executor,
    writer: status::Writer,
    /// The object for which this session was made.
    made_for: Arc<Valid>,
    /// What the object says now.
    wish: Wish,
    /// What the engine was told last.
    told: Option<Config>,
    published: Time,
    publish_at: Option<Time>,
    finalizer_at: Option<Time>,
}

impl Session {
    /// Leads until something ends it. All writes have ended by then.
    pub async fn lead(
        api: KubeApi,
        health: Arc<Health>,
        valid: Arc<Valid>,
        cloud: Arc<dyn Cloud>,
        inputs: &mut Inputs,
    ) -> Ended {
        let (sender, mut events) = mpsc::channel(BATCH * 4);
        let sightings = Sightings::default();
        let watch = nodes::watch(api.clone(), sightings.clone(), sender.clone());
        let nodes = AbortOnDropHandle::new(tokio::spawn(watch));
        let mut changes = cloud.changes();
        let uid = &valid.object.uid;
        let limits = Limits {
            // What the API server has once we stop waiting, it works on for no longer than that.
            api_settle: api.bounds().serve,
            ..cloud.limits()
        };
        let ledger = inputs.ledger.clone();
        let handover = ledger.lead(limits);
        let cloud = (cloud, limits);
        let executor = Executor::new(api.clone(), cloud, ledger, sightings, uid, sender);
        let mut session = Self {
            writer: status::Writer::new(api.clone(), valid.object.status.clone()),
            api,
            health,
            engine: Engine::new(limits, fastrand::u64(..), handover, now()),
            limits,
            executor,
            wish: Wish::Valid(Arc::clone(&valid)),
            made_for: valid,
            told: None,
            published: Time::default(),
            publish_at: None,
            finalizer_at: None,
        };
        tracing::debug!(?handover, "session begins");
        session.tell();
        let ended = session.work(&mut events, &mut changes, inputs).await;
        drop(nodes);
        // Nobody reads answers any more; who waits for room to send one would wait for ever.
        events.close();
        session.finish().await;
        ended
    }

    async fn work(
        &mut self,
        events: &mut mpsc::Receiver<Event>,
        changes: &mut Option<mpsc::Receiver<()>>,
        inputs: &mut Inputs,
    ) -> Ended {
        let term = *inputs.term.borrow_and_update();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.health.beat();
            tokio::select! {
                biased;
                () = inputs.stop.cancelled() => return Ended::Stopped,
                _ = inputs.term.changed() => {}
                _ = inputs.wishes.changed() => {
                    let wish = inputs.wishes.borrow_and_update().clone();
                    if self.is_for_another(&wish) {
                        return Ended::Replaced;
                    }
                    self.wish = wish;
                    self.tell();
                }
                _ = events.recv_many(&mut batch, BATCH) => {}
                () = next_change(changes) => batch.push(Event::RoutesMayHaveChanged),
                () = sleep_until(self.next()) => {}
            }
            if *inputs.term.borrow_and_update() != term {
                return Ended::Deposed;
            }
            for event in batch.drain(..) {
                self.handle(event);
            }
            self.attend();
        }
    }

    /// When there is something to do without anything happening.
    fn next(&self) -> Time {
        [self.engine.next_wake(), self.publish_at, self.finalizer_at]
            .into_iter()
            .flatten()
            .fold(now().after(BEAT), Time::min)
    }

    /// Does what is due.
    fn attend(&mut self) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now());
        if due(self.engine.next_wake()) {
            self.handle(Event::Wake);
        }
        if due(self.finalizer_at) {
            self.tell();
        }
        if due(self.publish_at) {
            self.publish();
        }
    }

    fn handle(&mut self, event: Event) {
        let seen = matches!(event, Event::NodeSeen(_));
        let actions = self.engine.handle(event, now());
        // Kubelets report all the time, and nearly always nothing that concerns us.
        let routine = seen && actions.is_empty();
        for action in actions {
            self.executor.start(action);
        }
        self.changed(if routine { ROUTINE } else { PUBLISH_EVERY });
    }

    /// Looks at the figures soon, but not sooner than `spacing` after the last time.
    fn changed(&mut self, spacing: Duration) {
        let soonest = self.published.after(spacing);
        let at = now().after(COLLECT).max(soonest);
        self.publish_at = Some(self.publish_at.map_or(at, |planned| planned.min(at)));
    }

    fn is_for_another(&self, wish: &Wish) -> bool {
        match wish {
            Wish::Valid(valid) => !valid.same_cloud(&self.made_for),
            Wish::Unread | Wish::Absent | Wish::Invalid(..) => false,
        }
    }

    /// Tells the engine what the object says, once the object is kept by our finalizer: no route is
    /// made that the object's deletion would leave behind.
    fn tell(&mut self) {
        self.finalizer_at = None;
        self.changed(PUBLISH_EVERY);
        let Wish::Valid(valid) = &self.wish else {
            if self.told.take().is_some() {
                self.handle(Event::Configured(None));
            }
            return;
        };
        let valid = Arc::clone(valid);
        let object = &valid.object;
        if self.limits.routes && !object.deleting && !object.is_kept() {
            self.keep(&valid);
            return;
        }
        if self.told.as_ref() == Some(&valid.config) {
            return;
        }
        self.told = Some(valid.config.clone());
        self.handle(Event::Configured(Some(valid.config.clone())));
    }

    /// Adds the finalizer. The watch shows when it is there; otherwise it is tried again.
    fn keep(&mut self, valid: &Arc<Valid>) {
        self.finalizer_at = Some(now().after(FINALIZER_RETRY));
        let (api, valid) = (self.api.clone(), Arc::clone(valid));
        self.executor.spawn(async move {
            let object = &valid.object;
            if let Err(failure) = put_finalizer(&api, &object.finalizers, &object.version).await {
                tracing::warn!("{failure}");
            }
        });
    }

    /// Shows the figures of now.
    fn publish(&mut self) {
        self.published = now();
        self.publish_at = None;
        let summary = self.engine.summary();
        status::publish(self.api.metrics(), &summary, &self.engine.phases());
        let before = self.writer.last();
        let status = match &self.wish {
            Wish::Unread | Wish::Absent => {
                self.health.set_role(Role::Idle);
                return;
            }
            Wish::Invalid(object, problem) => {
                self.health.set_role(Role::Idle);
                status::invalid("Invalid", problem, object.generation, before)
            }
            Wish::Valid(valid) => {
                self.health.set_role(if summary.recovered {
                    Role::Leading
                } else {
                    Role::Recovering
                });
                status::status(&summary, &valid.config, self.limits.routes, before)
            }
        };
        if !self.writer.put(status) {
            self.changed(PUBLISH_EVERY);
        }
    }

    async fn finish(self) {
        self.writer.finish().await;
        // A write that was begun ends within its own limit.
        let bounds = self.api.bounds();
        let longest = bounds.wait + bounds.serve;
        self.executor.finish(longest).await;
        self.api.metrics().forget_state();
    }
}

/// Waits for the cloud's word that a route may have changed; for ever where the cloud is silent.
async fn next_change(changes: &mut Option<mpsc::Receiver<()>>) {
    if let Some(receiver) = changes {
        if receiver.recv().await.is_some() {
            return;
        }
        *changes = None;
    }
    std::future::pending::<()>().await;
}
