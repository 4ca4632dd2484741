//! Reading more than one caller needs: tables, instances and whose interfaces are.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use signpost_core::cloud::{CloudError, CloudErrorKind, ObservedRoute, Range, RouteChange};
use tokio::time::{Instant, sleep};

use super::{
    AwsVpc,
    api::{Api, VALUES_A_FILTER, filter},
    instances::RawInstance,
    quota::Quotas,
    tables::{self, RawTable},
    writes,
};
use crate::batch::Batch;

/// How long a look at a table before a change waits for others to join.
const TABLE_LINGER: Duration = Duration::from_millis(200);
/// How long a look at an instance does.
const INSTANCE_LINGER: Duration = Duration::from_millis(20);
/// How often Service Quotas is asked.
const QUOTA_EVERY: Duration = Duration::from_secs(3600);

impl AwsVpc {
    /// What the pools have to do with these tables' routes.
    pub(super) async fn observe(
        &self,
        tables: &[RawTable],
        pools: &[Range],
    ) -> Vec<Result<Vec<ObservedRoute>, CloudError>> {
        let unknown = |table: &RawTable| -> Vec<Arc<str>> {
            let now = Instant::now();
            let owners = self.owners();
            let unknown = table.routes.iter();
            unknown
                .filter_map(|route| owners.unknown(route, pools, now))
                .collect()
        };
        let all: HashSet<Arc<str>> = tables.iter().flat_map(&unknown).collect();
        let error = self.look_up(all.into_iter().collect()).await.err();
        tables
            .iter()
            .map(|table| {
                // Without the answer nobody can say whose its routes are.
                if let Some(error) = error.as_ref().filter(|_| !unknown(table).is_empty()) {
                    return Err(error.clone());
                }
                let owners = self.owners();
                let routes = table.routes.iter();
                Ok(routes
                    .filter_map(|route| owners.observe(route, pools))
                    .collect())
            })
            .collect()
    }

    /// Finds out to whose instances interfaces belong.
    async fn look_up(&self, interfaces: Vec<Arc<str>>) -> Result<(), CloudError> {
        for chunk in interfaces.chunks(VALUES_A_FILTER) {
            let values = chunk.iter().map(ToString::to_string);
            let filter = filter("network-interface.network-interface-id", values);
            let instances = self.api.instances(filter).await?;
            let now = Instant::now();
            let mut owners = self.owners();
            let mut absent: HashSet<&Arc<str>> = chunk.iter().collect();
            let tag = self.config.cluster_tag();
            for instance in &instances {
                for interface in &instance.interfaces {
                    absent.remove(&interface.id);
                    owners.learn(&interface.id, &instance.id, instance.belongs_to(&tag), now);
                }
            }
            for interface in absent {
                owners.unattached(interface, now);
            }
        }
        Ok(())
    }

    /// Takes note of an instance that a node names.
    pub(super) fn note(&self, instance: &RawInstance) {
        if let Some(primary) = instance.primary() {
            self.primaries()
                .insert(Arc::clone(&instance.id), Arc::clone(&primary.id));
        }
        let tagged = instance.belongs_to(&self.config.cluster_tag());
        let now = Instant::now();
        let mut owners = self.owners();
        let mut news = false;
        for interface in &instance.interfaces {
            news |= owners.learn(&interface.id, &instance.id, tagged, now);
        }
        if news {
            // Routes that counted as foreign are ours. A message that waits already says the same.
            let _ = self.changes.try_send(());
        }
    }

    /// Reads a table again and compares.
    pub(super) async fn look_before(&self, change: &RouteChange) -> Result<(), CloudError> {
        let table = self
            .fresh_tables
            .ask(Arc::clone(&change.table().0))
            .await?
            .ok_or_else(|| {
                let gone = format!("not begun: route table {} is gone", change.table());
                CloudError::new(CloudErrorKind::NotFound, gone)
            })?;
        let destination = change.destination();
        let only = RawTable {
            id: Arc::clone(&table.id),
            routes: table
                .routes
                .iter()
                .filter(|route| route.destination == destination)
                .cloned()
                .collect(),
        };
        let pools = self.pools();
        let observed = self.observe(&[only], &pools).await;
        let routes = observed.into_iter().next().unwrap_or(Ok(Vec::new()))?;
        writes::verify(change, &routes)
    }
}

pub(super) fn fresh_tables(api: &Arc<Api>) -> Batch<Arc<str>, Arc<RawTable>> {
    let api = Arc::clone(api);
    let read = move |ids: Vec<Arc<str>>| -> BoxFuture<'static, _> {
        let api = Arc::clone(&api);
        Box::pin(async move {
            let filters = [tables::by_id(ids.iter().map(ToString::to_string))];
            let found = api.tables(&filters).await?.into_iter();
            Ok(found
                .map(|table| (Arc::clone(&table.id), Arc::new(table)))
                .collect())
        })
    };
    Batch::new(VALUES_A_FILTER, TABLE_LINGER, Box::new(read))
}

pub(super) fn fresh_instances(
    api: &Arc<Api>,
    cluster_tag: String,
) -> Batch<Arc<str>, Arc<RawInstance>> {
    let reader = Arc::new(Instances {
        api: Arc::clone(api),
        cluster_tag,
        tagged: AtomicBool::new(false),
    });
    let read = move |ids: Vec<Arc<str>>| -> BoxFuture<'static, _> {
        let reader = Arc::clone(&reader);
        Box::pin(async move { reader.read(ids).await })
    };
    Batch::new(usize::MAX, INSTANCE_LINGER, Box::new(read))
}

struct Instances {
    api: Arc<Api>,
    cluster_tag: String,
    /// Some carry the cluster's tag.
    tagged: AtomicBool,
}

impl Instances {
    /// The instances of these ids. Many are first looked for among those with the cluster's tag, of
    /// which a page has five times as many as a filter takes ids.
    async fn read(
        &self,
        mut ids: Vec<Arc<str>>,
    ) -> Result<HashMap<Arc<str>, Arc<RawInstance>>, CloudError> {
        let mut found = Vec::new();
        if ids.len() > VALUES_A_FILTER && self.tagged.load(Ordering::Relaxed) {
            let tagged = tables::by_cluster_tag(&self.cluster_tag);
            found = self.api.instances(tagged).await?;
            self.tagged.store(!found.is_empty(), Ordering::Relaxed);
            let known: HashSet<&Arc<str>> = found.iter().map(|it| &it.id).collect();
            ids.retain(|id| !known.contains(id));
        }
        for chunk in ids.chunks(VALUES_A_FILTER) {
            let filter = filter("instance-id", chunk.iter().map(ToString::to_string));
            found.extend(self.api.instances(filter).await?);
        }
        if found.iter().any(|it| it.belongs_to(&self.cluster_tag)) {
            self.tagged.store(true, Ordering::Relaxed);
        }
        let by_id = found
            .into_iter()
            .map(|it| (Arc::clone(&it.id), Arc::new(it)));
        Ok(by_id.collect())
    }
}

/// Keeps the quota known where that is permitted.
pub(super) async fn watch_quota(api: Arc<Api>, quotas: Arc<Mutex<Quotas>>) {
    loop {
        match api.route_quota().await {
            Ok(Some(limit)) => quotas
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .grant(limit),
            Ok(None) => {}
            Err(error) => {
                tracing::info!("the quota of routes is learned from refusals only: {error}");
            }
        }
        sleep(QUOTA_EVERY).await;
    }
}
