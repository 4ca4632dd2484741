//! The agent's life: it follows the API, and keeps the node as planned until it is told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::runtime::watcher;
use kube::{Api, Client};
use signpost_api::NodeNetwork;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::{debug, error, info};

use crate::claims::RouteChanges;
use crate::cluster::{self, NodeView};
use crate::events::Events;
use crate::health::{self, Health};
use crate::kubernetes::{Seen, client, follow};
use crate::machine::Machine;
use crate::options::Options;
use crate::plan::{Knowledge, Plan, plan};
use crate::rule_changes::RuleChanges;

/// How long changes are gathered before they are acted upon.
const GATHERING: Duration = Duration::from_millis(100);
/// How soon what failed is tried again; each time twice as late, until the regular check comes first.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT. Nothing on the node is undone at the end.
///
/// # Errors
///
/// If the configuration of the API client or the path of the plugin cannot be determined. What can
/// pass by itself is logged and tried again instead.
pub async fn run(options: Options) -> anyhow::Result<()> {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        node = options.node_name(),
        "signpost-node starts"
    );
    let machine = Machine::new(&options)?;
    let period = options.check_period();
    let health = Arc::new(Health::new(period));
    health::serve(options.http_address, Arc::clone(&health)).await?;
    let client = client(options.kubeconfig.as_deref()).await?;
    let mut agent = Agent::new(&options, machine, &client);
    let mut events = Events::new(client, options.node_name());
    let mut rules = RuleChanges::follow();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut retry = RETRY;
    loop {
        let missing = agent.act();
        let done = !matches!(missing, Some(Missing::Failed(_)));
        health.looked(missing.as_ref().map(Missing::text), agent.machine.remarks());
        events.tell(agent.machine.events());
        if let Some(port) = agent.machine.netfilter_port() {
            rules.ignore_changes_of(port);
        }
        if done {
            retry = RETRY;
        }
        tokio::select! {
            () = agent.changed() => sleep(GATHERING).await,
            () = rules.gathered(GATHERING) => {}
            _ = ticks.tick() => {}
            () = sleep(retry), if !done => retry = retry.saturating_mul(2).min(period),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    info!("signpost-node stops; the node and its pods go on as they are");
    Ok(())
}

/// Why the node is not as planned.
pub(crate) enum Missing {
    /// Somebody else has to do something first.
    Awaited(String),
    /// It could not be done, and is to be tried again.
    Failed(String),
}

impl Missing {
    fn text(&self) -> &str {
        let (Self::Awaited(text) | Self::Failed(text)) = self;
        text
    }
}

/// What is known, and the machine that it is about.
pub(crate) struct Agent {
    node_name: String,
    machine: Machine,
    routes: RouteChanges,
    node: watch::Receiver<Seen<NodeView>>,
    network: watch::Receiver<Seen<Result<NodeNetwork, String>>>,
    /// What was last logged about the state, so that it is said once.
    said: String,
}

impl Agent {
    /// Follows the API from now on.
    pub(crate) fn new(options: &Options, machine: Machine, client: &Client) -> Self {
        let named =
            |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (node_sender, node) = watch::channel(None);
        let nodes: Api<Node> = Api::all(client.clone());
        let own = named(options.node_name());
        tokio::spawn(follow(
            nodes,
            own,
            |node: &Node| NodeView::from(node),
            node_sender,
        ));
        let (network_sender, network) = watch::channel(None);
        let published: Api<ConfigMap> = Api::namespaced(client.clone(), &options.namespace);
        let network_name = named(NodeNetwork::CONFIG_MAP);
        tokio::spawn(follow(
            published,
            network_name,
            cluster::network,
            network_sender,
        ));
        Self {
            node_name: options.node_name().to_owned(),
            routes: machine.route_changes(),
            machine,
            node,
            network,
            said: String::new(),
        }
    }

    /// Ends when something has changed, of the cluster or on the node.
    async fn changed(&mut self) {
        let outcome = tokio::select! {
            outcome = self.node.changed() => outcome,
            outcome = self.network.changed() => outcome,
            () = self.routes.changed() => Ok(()),
        };
        // The senders live as long as their tasks, which end only with this one.
        if outcome.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends when the API server has told what there is. The tasks that ask it end only with this program.
    pub(crate) async fn answered(&mut self) {
        let node = self.node.wait_for(Option::is_some);
        let network = self.network.wait_for(Option::is_some);
        let _ = tokio::join!(node, network);
    }

    /// What the last look has changed, or would have.
    pub(crate) fn changes(&mut self) -> Vec<String> {
        self.machine.changes()
    }

    /// Does what there is to do, and says what is missing afterwards.
    pub(crate) fn act(&mut self) -> Option<Missing> {
        let knowledge = self.knowledge();
        if self.node.borrow().is_none() || self.network.borrow().is_none() {
            return Some(self.waits_for("the first answers of the API server"));
        }
        let plan = plan(&knowledge, &self.machine.looks());
        let outcome = tokio::task::block_in_place(|| self.machine.carry_out(&plan));
        match (outcome, &plan) {
            (Err(fault), _) => {
                let fault = format!("{fault:#}");
                if self.said != fault {
                    error!("{fault}");
                    self.said.clone_from(&fault);
                }
                Some(Missing::Failed(fault))
            }
            (Ok(()), Plan::Wait { what, .. }) => Some(self.waits_for(what)),
            (Ok(()), Plan::Apply(settings)) => {
                debug!(?settings, "the node is as planned");
                if !self.machine.is_on_trial() {
                    self.say("the node is set up");
                }
                None
            }
        }
    }

    fn waits_for(&mut self, what: &str) -> Missing {
        let text = format!("waiting for {what}");
        self.say(&text);
        Missing::Awaited(text)
    }

    fn say(&mut self, text: &str) {
        if self.said != text {
            info!(node = self.node_name, "{text}");
            text.clone_into(&mut self.said);
        }
    }

    fn knowledge(&mut self) -> Knowledge {
        let node = self.node.borrow_and_update();
        let network = self.network.borrow_and_update();
        let of_node = |nodes: &BTreeMap<_, _>| nodes.get(&self.node_name).cloned();
        let published = |all: &BTreeMap<_, _>| all.get(NodeNetwork::CONFIG_MAP).cloned();
        Knowledge {
            node: node.as_ref().and_then(of_node),
            network: network.as_ref().and_then(published),
        }
    }
}
