//! Carries out the engine's actions: each in a task of its own, its result comes back as an event.

mod admission;
mod events;
mod instances;
pub mod network_status;
pub mod pod_cidrs;
mod routes;
mod teardown;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use signpost_cloud::{Blocks, Cloud};
use signpost_core::{Action, Event, action::Notice};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{api::KubeApi, nodes::Conditions};

use admission::admitted;
pub(crate) use teardown::network_path;
pub use teardown::{drop_finalizer, put_finalizer};

/// Notices that wait to be published; more are dropped and counted.
const NOTICES: usize = 256;

/// What every action needs.
struct Context {
    api: KubeApi,
    cloud: Arc<dyn Cloud>,
    events: mpsc::Sender<Event>,
    conditions: Conditions,
    /// The pools, inside which foreign routes are listed.
    pools: Mutex<Arc<[Blocks]>>,
    notices: mpsc::Sender<Notice>,
    /// The leadership is over: repeated attempts end.
    over: CancellationToken,
}

impl Context {
    async fn answer(&self, event: Event) {
        // Without a receiver the leadership is over and nobody waits for the answer.
        let _ = self.events.send(event).await;
    }
}

/// Carries out actions for one leadership.
pub struct Executor {
    context: Arc<Context>,
    tasks: TaskTracker,
}

impl Executor {
    /// Results are sent to `events`; notices are published about the network with this UID.
    pub fn new(
        api: KubeApi,
        cloud: Arc<dyn Cloud>,
        conditions: Conditions,
        network_uid: &str,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (notices, queue) = mpsc::channel(NOTICES);
        let tasks = TaskTracker::new();
        let over = CancellationToken::new();
        let publisher = events::Publisher::new(api.clone(), network_uid);
        tasks.spawn(over.clone().run_until_cancelled_owned(publisher.run(queue)));
        let context = Context {
            api,
            cloud,
            events,
            conditions,
            pools: Mutex::new(Arc::from([])),
            notices,
            over,
        };
        Self {
            context: Arc::new(context),
            tasks,
        }
    }

    /// The pools inside which foreign routes are of interest.
    pub fn set_pools(&self, pools: Arc<[Blocks]>) {
        *self
            .context
            .pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = pools;
    }

    /// Begins what the engine asked for.
    pub fn start(&self, action: Action) {
        let context = Arc::clone(&self.context);
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.tasks.spawn(pod_cidrs::set(context, node, cidrs));
            }
            Action::ReadNode(node) => {
                self.tasks.spawn(pod_cidrs::read(context, node));
            }
            Action::SetNetworkStatus { node, status } => {
                self.tasks.spawn(network_status::set(context, node, status));
            }
            Action::ReadInstances(queries) => {
                self.tasks.spawn(instances::read(context, queries));
            }
            Action::EnableForwarding(query) => {
                self.tasks
                    .spawn(instances::enable_forwarding(context, query));
            }
            Action::ListRoutes { listing } => {
                self.tasks.spawn(routes::list(context, listing));
            }
            Action::WriteRoute { write, change } => {
                self.tasks.spawn(routes::write(context, write, change));
            }
            Action::Notify(notice) => {
                events::log(&notice);
                if self.context.notices.try_send(notice).is_err() {
                    self.context.api.metrics().events_dropped.inc();
                }
            }
            Action::NodeRouted { node, took } => {
                tracing::info!(node = %node, seconds = took.as_secs_f64(), "routed");
                let metrics = self.context.api.metrics();
                metrics.node_routing.observe(took.as_secs_f64());
            }
            Action::TeardownDone => {
                self.tasks.spawn(teardown::finish(context));
            }
        }
    }

    /// Runs `task` with the actions, so that the end waits for it too.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Begins nothing more and waits for what was begun, at most `longest`.
    pub async fn finish(self, longest: Duration) {
        self.context.over.cancel();
        self.tasks.close();
        drop(self.context);
        if tokio::time::timeout(longest, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(left = self.tasks.len(), "some requests did not end in time");
        }
    }
}
