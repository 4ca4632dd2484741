//! Route tables of an AWS VPC.
//!
//! | question | file |
//! |---|---|
//! | which API actions are called, with which permission and rate | `action` |
//! | how is a request sent | `api`, `changes`, `calls` |
//! | what does a refusal mean | `errors`, `credentials` |
//! | which region and VPC | `discover` |
//! | which tables, with which routes | `tables`, `choice` |
//! | where do routes to a node lead | `instances`, `interfaces`, `ids` |
//! | do a node's packets follow a programmed table | `subnets` |
//! | whose is a route | `ownership`, `look` |
//! | how is a route changed safely | `writes` |
//! | how many routes fit | `quota`, `prefix_lists` |
//! | may it do what it will have to do | `permissions` |

mod action;
mod api;
mod calls;
mod changes;
mod choice;
mod config;
mod credentials;
mod discover;
mod errors;
mod ids;
mod instances;
mod interfaces;
mod look;
mod ownership;
mod permissions;
mod prefix_lists;
mod quota;
mod reading;
mod subnets;
mod tables;
mod writes;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Range, RouteChange, TableListing,
    },
    node::NodeKey,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

pub use self::{
    action::{Action, Rates},
    config::{AwsConfig, TableChoice},
};
use self::{
    api::Api,
    changes::Mode,
    instances::{InstanceName, Sight},
    interfaces::RawInterface,
    ownership::Owners,
    prefix_lists::Weights,
    quota::Quotas,
    subnets::Layout,
    tables::RawTable,
    writes::Verified,
};
use crate::{Change, Cloud, Meter, Progress, batch::Batch, locks::lock};

/// How long EC2's reads may lag behind its writes: seconds as a rule. Where they lag more, nothing
/// breaks, since EC2 refuses a second route for a destination. So long no new leader gives a node
/// its pod CIDR, so it is no longer than it has to be.
const SETTLE: Duration = Duration::from_secs(10);
/// Shortest time between two listings.
const LISTING_INTERVAL: Duration = Duration::from_secs(2);
/// Changes of routes that may be under way or wait for their rate limit.
const ROUTE_WRITES: usize = 32;
/// Writes to the Kubernetes API in flight at once.
const API_WRITES: usize = 64;
/// How long a write to the Kubernetes API may still land; the shell knows the lease and says better.
const API_SETTLE: Duration = Duration::from_secs(5);
/// How often an interface is read until its check shows as switched off, and with which pauses.
const SWITCH_READS: u32 = 3;
const SWITCH_PAUSE: Duration = Duration::from_millis(250);

/// The primary interface of each instance, and when it was read.
type Primaries = HashMap<Arc<str>, (Arc<str>, Instant)>;

/// The route tables of a VPC.
pub struct AwsVpc {
    api: Arc<Api>,
    config: AwsConfig,
    vpc: Option<String>,
    /// The VPCs of tables that are named by id.
    vpcs: Mutex<BTreeSet<Arc<str>>>,
    layout: Mutex<Option<Arc<Layout>>>,
    /// The account of the credentials, which is that of all instances that EC2 shows.
    account: Mutex<Option<Arc<str>>>,
    /// Tables of which something was said already.
    told: Mutex<HashSet<Arc<str>>>,
    owners: Mutex<Owners>,
    primaries: Mutex<Primaries>,
    quotas: Arc<Mutex<Quotas>>,
    weights: Mutex<Weights>,
    verified: Verified,
    fresh_tables: Batch<Arc<str>, Arc<RawTable>>,
    fresh_instances: Batch<InstanceName, Sight>,
    fresh_interfaces: Batch<Arc<str>, Arc<RawInterface>>,
    changes: mpsc::Sender<()>,
    news: Mutex<Option<mpsc::Receiver<()>>>,
    quota_task: JoinHandle<()>,
}

impl fmt::Debug for AwsVpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsVpc")
            .field("config", &self.config)
            .field("vpc", &self.vpc)
            .finish_non_exhaustive()
    }
}

impl Drop for AwsVpc {
    fn drop(&mut self) {
        self.quota_task.abort();
    }
}

impl AwsVpc {
    /// Finds out where it is. Nothing is asked of EC2 yet.
    ///
    /// # Errors
    /// If region or VPC are neither configured nor known to the instance metadata.
    pub async fn connect(config: AwsConfig, meter: Arc<dyn Meter>) -> Result<Self, CloudError> {
        let sdk = discover::sdk(&config).await?;
        let vpc = discover::vpc(&config).await?;
        tracing::info!(
            region = sdk.region().map(AsRef::as_ref),
            vpc,
            tables = ?config.tables,
            "provider aws"
        );
        Ok(Self::with_sdk(config, &sdk, vpc, meter))
    }

    /// With what is known of the place already; to be called within a tokio runtime.
    pub fn with_sdk(
        config: AwsConfig,
        sdk: &SdkConfig,
        vpc: Option<String>,
        meter: Arc<dyn Meter>,
    ) -> Self {
        let api = Arc::new(Api::new(sdk, &config, meter));
        let quotas = Arc::<Mutex<Quotas>>::default();
        let (changes, news) = mpsc::channel(1);
        let quota_task = tokio::spawn(look::watch_quota(Arc::clone(&api), Arc::clone(&quotas)));
        Self {
            fresh_tables: look::fresh_tables(&api),
            fresh_instances: look::fresh_instances(&api),
            fresh_interfaces: look::fresh_interfaces(&api),
            api,
            config,
            vpc,
            vpcs: Mutex::default(),
            layout: Mutex::default(),
            account: Mutex::default(),
            told: Mutex::default(),
            owners: Mutex::default(),
            primaries: Mutex::default(),
            quotas,
            weights: Mutex::default(),
            verified: Verified::default(),
            changes,
            news: Mutex::new(Some(news)),
            quota_task,
        }
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        lock(&self.owners)
    }

    fn primaries(&self) -> MutexGuard<'_, Primaries> {
        lock(&self.primaries)
    }

    async fn enable_forwarding(&self, query: &InstanceQuery) -> Result<(), CloudError> {
        let interface = self.primary(query)?;
        self.api.disable_check(Mode::Real, &interface).await?;
        for _ in 0..SWITCH_READS {
            let now = self.fresh_interfaces.ask(Arc::clone(&interface)).await?;
            if now.is_some_and(|now| !now.checked) {
                return Ok(());
            }
            sleep(SWITCH_PAUSE).await;
        }
        Err(CloudError::new(
            CloudErrorKind::Transient,
            format!(
                "the source/destination check of {interface} still shows as on after it was \
                 switched off"
            ),
        ))
    }

    async fn write_route(&self, change: &RouteChange) -> Result<(), CloudError> {
        let result = writes::write(&self.api, &self.verified, &self.quotas, change).await;
        match result {
            Err(error) if error.kind == CloudErrorKind::AlreadyExists => {
                // Perhaps by an attempt whose answer was lost. If the look fails, it is told by whom
                // this was refused.
                match self.look_at(change).await {
                    Ok(now) if writes::is_made(change, &now) => Ok(()),
                    _ => Err(error),
                }
            }
            result => result,
        }
    }
}

#[async_trait]
impl Cloud for AwsVpc {
    fn provider(&self) -> &'static str {
        "aws"
    }

    fn limits(&self) -> Limits {
        Limits {
            routes: true,
            forwarding: true,
            replaces: true,
            settle: SETTLE,
            listing_interval: LISTING_INTERVAL,
            bulk_listing_interval: LISTING_INTERVAL,
            route_writes: ROUTE_WRITES,
            api_writes: API_WRITES,
            api_settle: API_SETTLE,
        }
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        self.read(queries).await
    }

    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        match change {
            Change::Forwarding(query) => {
                self.know_primary(query).await?;
                self.api.pass(Action::ModifyNetworkInterfaceAttribute).await;
            }
            Change::Route(change) => {
                self.api.pass(writes::action(change)).await;
                if writes::old(change).is_some() {
                    writes::verify(change, &self.look_at(change).await?)?;
                    self.verified.put(change);
                }
            }
        }
        Ok(())
    }

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        match change {
            Change::Forwarding(query) => self.enable_forwarding(query).await?,
            Change::Route(change) => self.write_route(change).await?,
        }
        Ok(Progress::Done)
    }

    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        self.list(ranges).await
    }

    async fn missing_permissions(&self, ranges: &[Range]) -> Vec<CloudError> {
        self.try_writes(ranges).await
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        lock(&self.news).take()
    }
}
