//! A cloud that is a list in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use ipnet::IpNet;
use signpost_cloud::{Change, Cloud, Operation, Progress};
use signpost_core::{
    Limits, NodeKey,
    cloud::{
        CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState, NextHop, ObservedRoute,
        Ownership, Range, RouteChange, TableId, TableListing, TableUsage,
    },
};
use tokio::sync::{Notify, mpsc};

/// One table, whose routes are all ours.
#[derive(Default)]
pub(crate) struct Memory {
    /// Changes are accepted only, and made when that is asked for.
    later: bool,
    state: Mutex<State>,
    made: Notify,
}

/// What is there.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) routes: BTreeMap<IpNet, NextHop>,
    /// What was accepted and is not made yet.
    pub(crate) accepted: Vec<RouteChange>,
    /// How many changes of routes were begun.
    pub(crate) begun: usize,
    /// How often it was listed.
    pub(crate) listed: usize,
    /// How many wait for what was accepted.
    pub(crate) waiting: usize,
}

/// Somebody waits.
struct Waiting<'a>(&'a Memory);

impl<'a> Waiting<'a> {
    fn at(memory: &'a Memory) -> Self {
        memory.state().waiting += 1;
        Self(memory)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Memory {
    /// Changes are made when [`carry_out`](Self::carry_out) is called.
    pub(crate) fn slow() -> Self {
        Self {
            later: true,
            ..Self::default()
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes what was accepted.
    pub(crate) fn carry_out(&self) {
        let mut state = self.state();
        for change in std::mem::take(&mut state.accepted) {
            state.make(&change).unwrap();
        }
        self.made.notify_waiters();
    }
}

impl State {
    fn make(&mut self, change: &RouteChange) -> Result<(), CloudError> {
        match change {
            RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } => {
                self.routes
                    .insert(route.destination, route.next_hop.clone());
            }
            RouteChange::Delete { route, .. } => {
                let gone = CloudError::new(CloudErrorKind::NotFound, "no such route");
                self.routes.remove(&route.destination).ok_or(gone)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Cloud for Memory {
    fn provider(&self) -> &'static str {
        "linux"
    }

    fn limits(&self) -> Limits {
        Limits::LOCAL
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let found = queries.iter().map(|query| {
            let instance = Instance {
                id: query.node.name.clone(),
                next_hop_v4: query.internal_ips.first().copied().map(NextHop::Address),
                next_hop_v6: None,
                forwarding: true,
            };
            (query.node.clone(), Ok(InstanceState::Found(instance)))
        });
        found.collect()
    }

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        let Change::Route(change) = change else {
            return Ok(Progress::Done);
        };
        let mut state = self.state();
        state.begun += 1;
        if self.later {
            state.accepted.push(change.clone());
            let name = change.destination().to_string();
            return Ok(Progress::Accepted(Operation(name.into())));
        }
        state.make(change)?;
        Ok(Progress::Done)
    }

    async fn finish(&self, operation: Operation) -> Result<(), CloudError> {
        let _waiting = Waiting::at(self);
        loop {
            let made = self.made.notified();
            let is_it = |it: &RouteChange| it.destination().to_string() == *operation.0;
            if !self.state().accepted.iter().any(is_it) {
                return Ok(());
            }
            made.await;
        }
    }

    async fn list_routes(&self, _ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        let mut state = self.state();
        state.listed += 1;
        let routes = state
            .routes
            .iter()
            .map(|(destination, next_hop)| ObservedRoute {
                destination: *destination,
                next_hop: Some(next_hop.clone()),
                ownership: Ownership::Ours,
                blackhole: None,
                handle: None,
            });
        Ok(vec![TableListing {
            table: TableId("t".into()),
            routes: Ok(routes.collect()),
            usage: TableUsage::default(),
            barred: Vec::new(),
            pending: state
                .accepted
                .iter()
                .map(RouteChange::destination)
                .collect(),
        }])
    }

    async fn missing_permissions(&self, _ranges: &[Range]) -> Vec<CloudError> {
        Vec::new()
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        None
    }
}
