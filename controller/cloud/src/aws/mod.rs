//! Route tables of an AWS VPC.
//!
//! | question | file |
//! |---|---|
//! | which API actions are called, with which permission and rate | `action` |
//! | how is a request sent | `api`, `calls` |
//! | what does a refusal mean | `errors`, `credentials` |
//! | which region and VPC | `discover` |
//! | which tables, with which routes | `tables` |
//! | where do routes to a node lead | `instances` |
//! | whose is a route | `ownership`, `look` |
//! | how is a route changed safely | `writes` |
//! | how many routes fit | `quota` |

mod action;
mod api;
mod calls;
mod config;
mod credentials;
mod discover;
mod errors;
mod instances;
mod look;
mod ownership;
mod quota;
mod tables;
mod writes;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Range, RouteChange, TableId,
        TableListing, TableUsage,
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
    api::Api, instances::RawInstance, ownership::Owners, quota::Quotas, tables::RawTable,
    writes::Verified,
};
use crate::{Change, Cloud, Meter, batch::Batch};

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
const SWITCH_READS: u32 = 4;
const SWITCH_PAUSE: Duration = Duration::from_millis(250);

/// The route tables of a VPC.
pub struct AwsVpc {
    api: Arc<Api>,
    config: AwsConfig,
    vpc: Option<String>,
    /// The pools of the last listing.
    pools: Mutex<Arc<[Range]>>,
    owners: Mutex<Owners>,
    /// The primary interfaces of instances that were read.
    primaries: Mutex<HashMap<Arc<str>, Arc<str>>>,
    quotas: Arc<Mutex<Quotas>>,
    verified: Verified,
    fresh_tables: Batch<Arc<str>, Arc<RawTable>>,
    fresh_instances: Batch<Arc<str>, Arc<RawInstance>>,
    changes: mpsc::Sender<()>,
    told: Mutex<Option<mpsc::Receiver<()>>>,
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
        let api = Arc::new(Api::new(sdk, config.longest_write, &config.rates, meter));
        let quotas = Arc::<Mutex<Quotas>>::default();
        let (changes, told) = mpsc::channel(1);
        let quota_task = tokio::spawn(look::watch_quota(Arc::clone(&api), Arc::clone(&quotas)));
        Self {
            fresh_tables: look::fresh_tables(&api),
            fresh_instances: look::fresh_instances(&api, config.cluster_tag()),
            api,
            config,
            vpc,
            pools: Mutex::new(Arc::from([])),
            owners: Mutex::default(),
            primaries: Mutex::default(),
            quotas,
            verified: Verified::default(),
            changes,
            told: Mutex::new(Some(told)),
            quota_task,
        }
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn primaries(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<str>>> {
        self.primaries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pools(&self) -> Arc<[Range]> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&pools)
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
            settle: SETTLE,
            listing_interval: LISTING_INTERVAL,
            route_writes: ROUTE_WRITES,
            api_writes: API_WRITES,
            api_settle: API_SETTLE,
        }
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let ids: Vec<_> = queries
            .iter()
            .map(|query| instances::id_of(query.provider_id.as_deref()))
            .collect();
        let wanted: Vec<Arc<str>> = ids.iter().flatten().cloned().collect();
        {
            let mut owners = self.owners();
            for id in &wanted {
                owners.name(id);
            }
        }
        let answers = if wanted.is_empty() {
            HashMap::new()
        } else {
            self.fresh_instances.ask_all(wanted).await
        };
        for instance in answers.values().flatten().flatten() {
            self.note(instance);
        }
        let vpc = self.vpc.as_deref();
        queries
            .iter()
            .zip(ids)
            .filter_map(|(query, id)| {
                let answer = match id {
                    Err(why) => Ok(InstanceState::Unsupported(why.into())),
                    Ok(id) => match answers.get(&id)? {
                        Ok(instance) => Ok(instances::state(instance.as_deref(), vpc)),
                        Err(error) => Err(error.clone()),
                    },
                };
                Some((query.node.clone(), answer))
            })
            .collect()
    }

    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        match change {
            Change::Forwarding(_) => {
                self.api.pass(Action::ModifyNetworkInterfaceAttribute).await;
            }
            Change::Route(change) => {
                self.api.pass(writes::action(change)).await;
                if writes::old(change).is_some() {
                    self.look_before(change).await?;
                    self.verified.put(change);
                }
            }
        }
        Ok(())
    }

    async fn enable_forwarding(&self, query: &InstanceQuery) -> Result<(), CloudError> {
        let invalid = |why: String| CloudError::new(CloudErrorKind::Invalid, why);
        let id = instances::id_of(query.provider_id.as_deref()).map_err(invalid)?;
        let interface = self.primaries().get(&id).cloned();
        let interface = interface.ok_or_else(|| {
            let unread = format!("not begun: instance {id} was not read yet");
            CloudError::new(CloudErrorKind::Transient, unread)
        })?;
        self.api.disable_check(&interface).await?;
        for _ in 0..SWITCH_READS {
            let found = self.fresh_instances.ask(Arc::clone(&id)).await?;
            let now = found.as_deref().and_then(RawInstance::primary);
            if now.is_some_and(|now| now.id == interface && !now.checked) {
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

    async fn list_routes(&self, pools: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        *self.pools.lock().unwrap_or_else(PoisonError::into_inner) = pools.into();
        let vpc = self.vpc.as_deref();
        let filters = tables::filters(&self.config, vpc);
        let found = self.api.tables(&filters).await?;
        let missing = tables::missing(&self.config, &found);
        if found.is_empty() && missing.is_empty() {
            return Err(tables::none(&self.config, vpc));
        }
        let observed = self.observe(&found, pools).await;
        self.owners().tidy(Instant::now());
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        let listings = found
            .iter()
            .zip(observed)
            .map(|(table, routes)| TableListing {
                table: TableId(Arc::clone(&table.id)),
                routes,
                usage: quotas.listed(&table.id, table.used()),
                barred: Vec::new(),
            });
        let absent = missing.into_iter().map(|(table, error)| TableListing {
            table: TableId(table),
            routes: Err(error),
            usage: TableUsage::default(),
            barred: Vec::new(),
        });
        Ok(listings.chain(absent).collect())
    }

    async fn write_route(&self, change: &RouteChange) -> Result<(), CloudError> {
        writes::write(&self.api, &self.verified, &self.quotas, change).await
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
