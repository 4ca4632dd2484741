//! Routes of a Google Cloud VPC network.
//!
//! | question | file |
//! |---|---|
//! | which API methods are called, with which permission and quota | `action` |
//! | how is a request sent | `api`, `calls`, `pauses` |
//! | what does a refusal mean | `errors` |
//! | which project and network | `discover`, `place` |
//! | what is a route called, and whose is it | `names`, `routes` |
//! | where do routes to a node lead | `instances`, `links` |
//! | how is a route changed safely | `writes` |
//! | how does what was asked for end | `operations` |
//! | how is forwarding switched on | `forwarding` |
//! | what does a listing show, how many routes fit | `listing`, `quota` |

mod action;
mod api;
mod calls;
mod config;
mod discover;
mod errors;
mod forwarding;
mod instances;
mod links;
mod listing;
mod names;
mod operations;
mod pauses;
mod place;
mod quota;
mod routes;
mod writes;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use google_cloud_auth::credentials::Credentials;
use google_cloud_compute_v1::model;
use signpost_core::{
    Limits,
    cloud::{CloudError, InstanceQuery, InstanceState, Range, TableListing},
    node::NodeKey,
};
use tokio::{sync::mpsc, time::Instant};

pub use self::{
    action::{Action, Group},
    config::GcpConfig,
};
use self::{
    api::Api, forwarding::Fresh, links::InstanceName, operations::Operations, pauses::Pauses,
    place::Place, quota::Quota, routes::Form, writes::Attempts,
};
use crate::{
    Change, Cloud, Meter, Operation, Progress,
    batch::{Batch, Pace},
    locks::lock,
};

/// How long what was asked for, answered or not, may be missing from both listings, of operations and of
/// routes. Google promises nothing; a second route for a block is refused by its name in any case.
const SETTLE: Duration = Duration::from_secs(5);
/// Shortest time between two listings.
const LISTING_INTERVAL: Duration = Duration::from_secs(2);
/// And while many changes are made, which go on for as long as the quota says; a page has 500 routes only.
const BULK_LISTING_INTERVAL: Duration = Duration::from_secs(10);
/// Changes of routes of each kind that may be under way: most of that is waiting.
const ROUTE_WRITES: usize = 256;
/// Writes to the Kubernetes API in flight at once.
const API_WRITES: usize = 64;
/// How long a write to the Kubernetes API may still land; the shell knows the lease and says better.
const API_SETTLE: Duration = Duration::from_secs(5);
/// How long a look at an instance waits for others to join.
const INSTANCE_PACE: Pace = Pace {
    linger: Duration::from_millis(20),
    interval: Duration::ZERO,
    patience: Duration::MAX,
};

/// The routes of a network.
pub struct GcpNetwork {
    api: Arc<Api>,
    place: Place,
    form: Form,
    enable_ip_forwarding: bool,
    /// Whether Google cuts the network into subnets, and when that was read.
    auto_mode: Mutex<Option<(bool, Instant)>>,
    quota: Mutex<Quota>,
    /// When the project was asked for its quota.
    quota_at: Mutex<Option<Instant>>,
    attempts: Attempts,
    fresh: Fresh,
    pauses: Pauses,
    operations: Operations,
    instances: Batch<InstanceName, Arc<model::Instance>>,
}

impl fmt::Debug for GcpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpNetwork")
            .field("place", &self.place)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl GcpNetwork {
    /// Finds out where it is. Nothing is asked of Compute Engine yet.
    ///
    /// # Errors
    /// If there are no credentials, or project or network are neither configured nor known to the
    /// instance's metadata.
    pub async fn connect(config: GcpConfig, meter: Arc<dyn Meter>) -> Result<Self, CloudError> {
        let place = discover::place(&config).await?;
        let credentials = discover::credentials()?;
        tracing::info!(project = %place.project, network = %place.network, "provider gcp");
        Self::at(&config, place, credentials, meter).await
    }

    /// For a network that the configuration names, with credentials of one's own; to be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with_credentials(
        config: GcpConfig,
        credentials: Credentials,
        meter: Arc<dyn Meter>,
    ) -> Result<Self, CloudError> {
        let place = discover::place(&config).await?;
        Self::at(&config, place, credentials, meter).await
    }

    async fn at(
        config: &GcpConfig,
        place: Place,
        credentials: Credentials,
        meter: Arc<dyn Meter>,
    ) -> Result<Self, CloudError> {
        let api = Arc::new(Api::new(config, credentials, meter).await?);
        let reader = Arc::clone(&api);
        let read = move |names| -> BoxFuture<'static, _> {
            let api = Arc::clone(&reader);
            Box::pin(async move { Ok(instances::read(&api, names).await) })
        };
        Ok(Self {
            operations: Operations::new(&api, &place.project),
            instances: Batch::new(usize::MAX, INSTANCE_PACE, Box::new(read)),
            api,
            place,
            form: Form::new(config),
            enable_ip_forwarding: config.enable_ip_forwarding,
            auto_mode: Mutex::default(),
            quota: Mutex::default(),
            quota_at: Mutex::default(),
            attempts: Attempts::default(),
            fresh: Fresh::default(),
            pauses: Pauses::default(),
        })
    }
}

#[async_trait]
impl Cloud for GcpNetwork {
    fn provider(&self) -> &'static str {
        "gcp"
    }

    fn limits(&self) -> Limits {
        Limits {
            routes: true,
            forwarding: true,
            replaces: false,
            settle: SETTLE,
            listing_interval: LISTING_INTERVAL,
            bulk_listing_interval: BULK_LISTING_INTERVAL,
            route_writes: ROUTE_WRITES,
            api_writes: API_WRITES,
            api_settle: API_SETTLE,
        }
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let names: Vec<_> = queries
            .iter()
            .map(|query| instances::name_of(query.provider_id.as_deref()))
            .collect();
        let wanted = names.iter().flatten().cloned().collect();
        let answers = self.instances.ask_all(wanted).await;
        let states = queries.iter().zip(names).filter_map(|(query, name)| {
            let answer = match name {
                Err(why) => Ok(InstanceState::Unsupported(why.into())),
                Ok(name) => match answers.get(&name)? {
                    Ok(found) => Ok(instances::state(&name, found.as_deref(), &self.place)),
                    Err(error) => Err(error.clone()),
                },
            };
            Some((query.node.clone(), answer))
        });
        states.collect()
    }

    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        match change {
            Change::Forwarding(query) => self.admit_forwarding(query).await,
            Change::Route(change) => self.admit_route(change).await,
        }
    }

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        match change {
            Change::Forwarding(query) => self.begin_forwarding(query).await,
            Change::Route(change) => self.begin_route(change).await,
        }
    }

    async fn finish(&self, operation: Operation) -> Result<(), CloudError> {
        let name = operations::Name::of(&operation);
        let _of_a_route = matches!(name, operations::Name::Route(_)).then(|| self.pauses.begin());
        let ended = self.operations.finish(&name).await;
        ended.map_err(|error| self.take_note(error))
    }

    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        self.list(ranges).await.map(|listing| vec![listing])
    }

    async fn missing_permissions(&self, _ranges: &[Range]) -> Vec<CloudError> {
        // Nothing in this API tells without doing it; the first refusal does.
        Vec::new()
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        None
    }
}
