//! One leadership with one provider: everything in it is made anew and dropped together, so that
//! nothing of an earlier one can be mistaken for what is true now.

mod finalizer;
mod leave;
mod publish;

pub use leave::Left;

use std::{sync::Arc, time::Duration};

use signpost_cloud::Cloud;
use signpost_core::{Action, Config, Engine, Event, Limits, Time};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    agents,
    api::KubeApi,
    clock::{now, sleep_until},
    elect::Term,
    execute::Executor,
    health::Health,
    ledger::Ledger,
    network::{Valid, Wish},
    nodes::{self, Sightings},
    status,
};

use finalizer::Keeper;
use leave::Leaving;
use publish::{PUBLISH_EVERY, Publishing, ROUTINE};

/// Events taken up at once.
const BATCH: usize = 256;
/// Longest silence of the loop.
const BEAT: Duration = Duration::from_secs(10);
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
    /// Routes that nobody looks after any more.
    pub left: Left,
    /// The namespace where node agents look for what they are told.
    pub namespace: String,
}

/// The engine and what carries out its actions.
pub struct Session {
    api: KubeApi,
    health: Arc<Health>,
    engine: Engine,
    limits: Limits,
    executor: Executor,
    writer: status::Writer,
    agents: agents::Publisher,
    /// The object for which this session was made.
    made_for: Arc<Valid>,
    /// What the object says now.
    wish: Wish,
    /// What the engine was told last.
    told: Option<Config>,
    /// The cloud was asked what it would refuse.
    permitted: bool,
    keeper: Keeper,
    leaving: Option<Leaving>,
    publishing: Publishing,
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
            writer: status::Writer::new(api.clone(), &valid.object),
            agents: agents::Publisher::new(api.clone(), inputs.namespace.clone()),
            keeper: Keeper::new(api.clone()),
            api,
            health,
            engine: Engine::new(limits, fastrand::u64(..), handover, now()),
            limits,
            executor,
            wish: Wish::Valid(Arc::clone(&valid)),
            made_for: valid,
            told: None,
            permitted: false,
            leaving: None,
            publishing: Publishing::default(),
        };
        tracing::debug!(?handover, "session begins");
        session.tell();
        let ended = session.work(&mut events, &mut changes, inputs).await;
        drop(nodes);
        if ended == Ended::Replaced {
            let summary = session.engine.summary();
            inputs.left.note(&session.made_for, &summary);
        }
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
            let next = self.next();
            tokio::select! {
                biased;
                () = inputs.stop.cancelled() => return Ended::Stopped,
                _ = inputs.term.changed() => {}
                _ = inputs.wishes.changed() => {
                    let wish = inputs.wishes.borrow_and_update().clone();
                    if self.is_for_another(&wish) {
                        self.leave(&wish);
                    } else if self.leaving.take().is_some() {
                        // Changed back: what was removed is made anew.
                        return Ended::Replaced;
                    }
                    self.wish = wish;
                    self.tell();
                }
                result = self.keeper.ended() => {
                    self.keeper.note(result);
                    self.publishing.changed(PUBLISH_EVERY);
                }
                () = self.agents.changed() => self.publishing.changed(PUBLISH_EVERY),
                _ = events.recv_many(&mut batch, BATCH) => {}
                () = next_change(changes) => batch.push(Event::RoutesMayHaveChanged),
                () = sleep_until(next) => {}
            }
            if *inputs.term.borrow_and_update() != term {
                return Ended::Deposed;
            }
            for event in batch.drain(..) {
                self.handle(event);
            }
            self.attend(inputs);
            if self.leaving.as_ref().is_some_and(|it| it.is_over(now())) {
                return Ended::Replaced;
            }
        }
    }

    /// When there is something to do without anything happening.
    fn next(&self) -> Time {
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        [
            self.engine.next_wake(),
            self.publishing.due,
            self.keeper.again(),
            leaving,
        ]
        .into_iter()
        .flatten()
        .fold(now().after(BEAT), Time::min)
    }

    /// Does what is due.
    fn attend(&mut self, inputs: &mut Inputs) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now());
        if due(self.engine.next_wake()) {
            self.handle(Event::Wake);
        }
        if due(self.keeper.again()) {
            // The object may have another version by now.
            let wish = inputs.wishes.borrow().clone();
            if self.leaving.is_none() && !self.is_for_another(&wish) {
                self.wish = wish;
            }
            self.tell();
        }
        if due(self.publishing.due) {
            self.publish(inputs);
        }
    }

    fn handle(&mut self, event: Event) {
        let seen = matches!(event, Event::NodeSeen(_));
        let actions = self.engine.handle(event, now());
        // Kubelets report all the time, and nearly always nothing that concerns us.
        let routine = seen && actions.is_empty();
        for action in actions {
            match (&mut self.leaving, action) {
                // The object stays: another provider goes on with it.
                (Some(leaving), Action::TeardownDone) => leaving.done = true,
                (_, action) => self.executor.start(action),
            }
        }
        let spacing = if routine { ROUTINE } else { PUBLISH_EVERY };
        self.publishing.changed(spacing);
    }

    /// Another provider is to take over. If it does not know the routes of this one, they are removed
    /// first.
    fn leave(&mut self, wish: &Wish) {
        if self.leaving.is_some() {
            return;
        }
        let mut leaving = Leaving::begin(now());
        let known = matches!(wish, Wish::Valid(valid) if valid.same_routes(&self.made_for));
        leaving.done = known || !self.limits.routes || self.told.is_none();
        if !leaving.done {
            let old = self.made_for.cloud.provider.as_str();
            tracing::info!(
                provider = old,
                "removing its routes before another one begins"
            );
        }
        self.leaving = Some(leaving);
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
        self.publishing.changed(PUBLISH_EVERY);
        if let Some(leaving) = &self.leaving {
            // Of the pools that it knew: with others come other routes.
            if let Some(told) = self.told.take_if(|told| !leaving.done && !told.teardown) {
                let teardown = Config {
                    teardown: true,
                    ..told
                };
                self.told = Some(teardown.clone());
                self.handle(Event::Configured(Some(teardown)));
            }
            return;
        }
        let Wish::Valid(valid) = &self.wish else {
            if self.told.take().is_some() {
                self.handle(Event::Configured(None));
            }
            return;
        };
        let valid = Arc::clone(valid);
        let object = &valid.object;
        if self.limits.routes && !object.deleting && !object.is_kept() {
            self.keeper.keep(object, &self.executor);
            return;
        }
        self.keeper.kept();
        if self.told.as_ref() == Some(&valid.config) {
            return;
        }
        let config = valid.config.clone();
        if !config.teardown && !std::mem::replace(&mut self.permitted, true) {
            self.executor.check_permissions(&config);
        }
        self.told = Some(config.clone());
        self.handle(Event::Configured(Some(config)));
    }

    async fn finish(self) {
        self.writer.finish().await;
        self.agents.finish().await;
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
