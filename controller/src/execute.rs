//! Carries out the engine's actions: each in a task of its own, its result comes back as an event.

mod change;
mod events;
mod instances;
pub mod network_status;
mod permissions;
pub mod pod_cidrs;
mod routes;
mod teardown;

use std::{sync::Arc, time::Duration};

use signpost_cloud::Cloud;
use signpost_core::{
    Action, Config, Event, Limits, PoolConfig,
    action::Notice,
    event::{ApiError, ApiErrorKind},
    shell::Effect,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{api::KubeApi, ledger::Ledger, nodes::Sightings};

use change::make;
pub(crate) use teardown::network_path;
pub use teardown::{drop_finalizer, put_finalizer};

/// Notices that wait to be published; more are dropped and counted.
const NOTICES: usize = 256;
/// Nodes that are read one by one at once.
const READS: usize = 16;

/// What every action needs.
struct Context {
    api: KubeApi,
    cloud: Arc<dyn Cloud>,
    limits: Limits,
    ledger: Ledger,
    events: mpsc::Sender<Event>,
    sightings: Sightings,
    notices: mpsc::Sender<Notice>,
    /// Turns of reads of single nodes.
    reads: Semaphore,
    /// The leadership is over: reads and repeated attempts end.
    over: CancellationToken,
}

impl Context {
    async fn answer(&self, event: Event) {
        // Without a receiver the leadership is over and nobody waits for the answer.
        let _ = self.events.send(event).await;
    }

    /// Publishes a notice, unless so many wait already that it is dropped and counted.
    fn tell(&self, notice: Notice) {
        events::log(&notice);
        if self.notices.try_send(notice).is_err() {
            self.api.metrics().events_dropped.inc();
        }
    }
}

/// Whether a write to the Kubernetes API may have happened or may happen yet.
fn in_doubt(result: &Result<(), ApiError>) -> bool {
    matches!(result, Err(error) if error.kind == ApiErrorKind::Unknown)
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
        cloud: (Arc<dyn Cloud>, Limits),
        ledger: Ledger,
        sightings: Sightings,
        network_uid: &str,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (cloud, limits) = cloud;
        let (notices, queue) = mpsc::channel(NOTICES);
        let tasks = TaskTracker::new();
        let over = CancellationToken::new();
        let publisher = events::Publisher::new(api.clone(), network_uid);
        tasks.spawn(over.clone().run_until_cancelled_owned(publisher.run(queue)));
        let context = Context {
            api,
            cloud,
            limits,
            ledger,
            events,
            sightings,
            notices,
            reads: Semaphore::new(READS),
            over,
        };
        Self {
            context: Arc::new(context),
            tasks,
        }
    }

    /// Begins what the engine asked for. What writes passes the fence once it is its turn, and the
    /// end of the leadership waits for it; what only reads, or waits for what the cloud carries out, ends
    /// with the leadership.
    pub fn start(&self, action: Action) {
        let context = Arc::clone(&self.context);
        let begun = context.ledger.begin(Effect::of(&action), context.limits);
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.spawn(pod_cidrs::set(context, node, cidrs, begun));
            }
            Action::SetNetworkStatus { node, status } => {
                self.spawn(network_status::set(context, node, status, begun));
            }
            Action::EnableForwarding(query) => {
                self.spawn(instances::enable_forwarding(context, query, begun));
            }
            Action::WriteRoute { write, change } => {
                self.spawn(routes::write(context, write, change, begun));
            }
            Action::TeardownDone => self.spawn(teardown::finish(context, begun)),
            Action::ReadNode(node) => self.look(pod_cidrs::read(context, node)),
            Action::ReadInstances { batch, queries } => {
                self.look(instances::read(context, batch, queries));
            }
            Action::ListRoutes { listing, ranges } => {
                self.look(routes::list(context, listing, ranges));
            }
            Action::Notify(notice) => {
                // It is written later, if at all, and says nothing that others decide on.
                begun.end(false);
                context.tell(notice);
            }
            Action::NodeRouted { node, took } => {
                tracing::info!(node = %node, seconds = took.as_secs_f64(), "routed");
                let metrics = context.api.metrics();
                metrics.node_routing.observe(took.as_secs_f64());
            }
        }
    }

    /// Asks the cloud what it would refuse of what these pools will need, and tells it.
    pub fn check_permissions(&self, config: &Config) {
        let ranges = config.pools.iter().map(PoolConfig::range).collect();
        let context = Arc::clone(&self.context);
        self.look(permissions::check(context, ranges));
    }

    /// Runs what only reads.
    fn look(&self, task: impl Future<Output = ()> + Send + 'static) {
        let over = self.context.over.clone();
        let task = async move {
            over.run_until_cancelled(task).await;
        };
        self.tasks.spawn(task);
    }

    /// Runs `task` with the actions, so that the end waits for it too.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Begins nothing more and waits until everything that writes has ended, at most `longest`.
    pub async fn finish(self, longest: Duration) {
        let Context { ledger, limits, .. } = &*self.context;
        let (ledger, limits) = (ledger.clone(), *limits);
        self.context.over.cancel();
        self.tasks.close();
        drop(self.context);
        let ended = tokio::time::timeout(longest, self.tasks.wait()).await;
        if ended.is_err() || !ledger.may_begin() {
            tracing::warn!(left = self.tasks.len(), "some requests did not end in time");
            ledger.give_up(limits);
        }
    }
}
