//! Reading more than one caller needs: tables, instances and whose interfaces are.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use signpost_core::cloud::{CloudError, CloudErrorKind, ObservedRoute, Range, RouteChange};
use tokio::time::{Instant, sleep};

use super::{
    AwsVpc,
    api::{Api, IDS_A_CALL, VALUES_A_FILTER, filter},
    ids::{self, Named},
    instances::{InstanceName, RawInstance, Sight},
    interfaces::{RawInterface, belongs_to},
    lock,
    quota::Quotas,
    tables::{RawTable, RawTarget},
};
use crate::batch::{Batch, Pace};

/// How long a look at a table before a change waits for others to join.
const TABLE_PACE: Pace = Pace {
    linger: Duration::from_millis(200),
    interval: Duration::ZERO,
    patience: Duration::MAX,
};
/// How long a look at an instance does.
const INSTANCE_PACE: Pace = Pace {
    linger: Duration::from_millis(20),
    interval: Duration::ZERO,
    patience: Duration::MAX,
};
/// Checks are switched off one by one, as EC2's rate allows, and looked at together: a single one at
/// once, many each second.
const INTERFACE_PACE: Pace = Pace {
    linger: Duration::from_millis(20),
    interval: Duration::from_secs(1),
    patience: Duration::MAX,
};
/// How often Service Quotas is asked.
const QUOTA_EVERY: Duration = Duration::from_secs(3600);

impl AwsVpc {
    /// What these tables' routes have to do with the ranges.
    pub(super) async fn observe(
        &self,
        tables: &[RawTable],
        ranges: &[Range],
    ) -> Vec<Result<Vec<ObservedRoute>, CloudError>> {
        let now = Instant::now();
        let unknown = |table: &RawTable| -> Vec<Arc<str>> {
            let owners = self.owners();
            let unknown = table.routes.iter();
            unknown
                .filter_map(|route| owners.unknown(route, ranges, now))
                .collect()
        };
        let asked: Vec<Vec<Arc<str>>> = tables.iter().map(&unknown).collect();
        let all: HashSet<Arc<str>> = asked.iter().flatten().cloned().collect();
        let error = self.look_up(all.into_iter().collect()).await.err();
        let mut owners = self.owners();
        let observed = tables.iter().zip(asked).map(|(table, asked)| {
            // Without the answer nobody can say whose its routes are.
            if let Some(error) = error.as_ref().filter(|_| !asked.is_empty()) {
                return Err(error.clone());
            }
            let routes = table.routes.iter();
            Ok(routes
                .filter_map(|route| {
                    let observed = owners.observe(route, ranges)?;
                    if let RawTarget::Interface(interface) = &route.target {
                        owners.used(interface, now);
                    }
                    Some(observed)
                })
                .collect())
        });
        observed.collect()
    }

    /// Finds out to whose instances interfaces belong. Instances that no node named are asked for
    /// their tags; if that fails, as it does while their zone is disrupted, their routes count as
    /// somebody else's until the next listing.
    async fn look_up(&self, interfaces: Vec<Arc<str>>) -> Result<(), CloudError> {
        let tag = self.config.cluster_tag();
        let mut undecided: BTreeMap<InstanceName, Vec<Arc<str>>> = BTreeMap::new();
        for chunk in interfaces.chunks(IDS_A_CALL) {
            let Named { found, absent } = ids::interfaces(&self.api, chunk).await?;
            let now = Instant::now();
            let mut owners = self.owners();
            let mut left_out: HashSet<&Arc<str>> = chunk.iter().collect();
            for interface in &absent {
                left_out.remove(interface);
                owners.gone(interface, now);
            }
            for interface in &found {
                left_out.remove(&interface.id);
                let tagged = belongs_to(&interface.tags, &tag);
                match &interface.instance {
                    None => owners.loose(&interface.id, tagged, now),
                    Some(instance) if tagged || owners.is_named(instance) => {
                        owners.learn(&interface.id, instance, tagged, now);
                        owners.looked_up(&interface.id);
                    }
                    Some(instance) => {
                        let name = InstanceName {
                            zone: interface.zone.clone().unwrap_or_default(),
                            id: Arc::clone(instance),
                        };
                        let of = undecided.entry(name).or_default();
                        of.push(Arc::clone(&interface.id));
                    }
                }
            }
            for interface in left_out {
                owners.hidden(interface, now);
            }
        }
        for (names, answer) in ids::instances(&self.api, undecided.keys().cloned()).await {
            let found = match answer {
                Ok(Named { found, .. }) => found,
                Err(error) => {
                    let instances = names.len();
                    tracing::warn!(instances, %error, "whose these instances are is not known yet");
                    let now = Instant::now();
                    let mut owners = self.owners();
                    for name in &names {
                        for interface in undecided.get(name).into_iter().flatten() {
                            owners.undecided(interface, &name.id, now);
                        }
                    }
                    continue;
                }
            };
            let tagged = found.iter().filter(|it| it.belongs_to(&tag));
            let tagged: HashSet<&Arc<str>> = tagged.map(|it| &it.id).collect();
            let now = Instant::now();
            let mut owners = self.owners();
            for name in &names {
                for interface in undecided.get(name).into_iter().flatten() {
                    owners.learn(interface, &name.id, tagged.contains(&name.id), now);
                    owners.looked_up(interface);
                }
            }
        }
        Ok(())
    }

    /// Takes note of an instance that a node names.
    pub(super) fn note(&self, instance: &RawInstance) {
        if let Some(primary) = instance.primary() {
            let seen = (Arc::clone(&primary.id), Instant::now());
            if let Some(owner) = &primary.owner {
                *lock(&self.account) = Some(Arc::clone(owner));
            }
            let mut primaries = self.primaries();
            primaries.insert(Arc::clone(&instance.id), seen);
        }
        let tagged = instance.belongs_to(&self.config.cluster_tag());
        let now = Instant::now();
        let mut owners = self.owners();
        let mut news = false;
        for interface in &instance.interfaces {
            news |= owners.learn(&interface.id, &instance.id, tagged, now);
        }
        drop(owners);
        if news {
            self.tell();
        }
    }

    /// Routes that counted as foreign are ours: a listing is due.
    pub(super) fn tell(&self) {
        // A message that waits already says the same.
        let _ = self.changes.try_send(());
    }

    /// Reads a table again, for what it has at the destination of a change.
    pub(super) async fn look_at(
        &self,
        change: &RouteChange,
    ) -> Result<Vec<ObservedRoute>, CloudError> {
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
            routes: table
                .routes
                .iter()
                .filter(|route| route.destination == destination)
                .cloned()
                .collect(),
            ..(*table).clone()
        };
        let range = Range {
            cidr: destination,
            prefix_len: destination.prefix_len(),
        };
        let observed = self.observe(&[only], &[range]).await;
        observed.into_iter().next().unwrap_or(Ok(Vec::new()))
    }
}

pub(super) fn fresh_tables(api: &Arc<Api>) -> Batch<Arc<str>, Arc<RawTable>> {
    let api = Arc::clone(api);
    let read = move |ids: Vec<Arc<str>>| -> BoxFuture<'static, _> {
        let api = Arc::clone(&api);
        Box::pin(async move {
            let ids = ids.iter().map(ToString::to_string);
            let found = api.tables(&[filter("route-table-id", ids)]).await?;
            let found = found.into_iter();
            Ok(found
                .map(|table| (Arc::clone(&table.id), Ok(Arc::new(table))))
                .collect())
        })
    };
    Batch::new(VALUES_A_FILTER, TABLE_PACE, Box::new(read))
}

pub(super) fn fresh_instances(api: &Arc<Api>) -> Batch<InstanceName, Sight> {
    let api = Arc::clone(api);
    let read = move |names: Vec<InstanceName>| -> BoxFuture<'static, _> {
        let api = Arc::clone(&api);
        Box::pin(async move {
            let mut all = HashMap::new();
            for (names, answer) in ids::instances(&api, names).await {
                let mut found: HashMap<Arc<str>, RawInstance> = match &answer {
                    Ok(named) => {
                        let found = named.found.iter().cloned();
                        found.map(|it| (Arc::clone(&it.id), it)).collect()
                    }
                    Err(_) => HashMap::new(),
                };
                let owners = match &answer {
                    Ok(named) => ids::owners(&api, &named.absent).await,
                    Err(_) => Ok(HashMap::new()),
                };
                for name in names {
                    let sight = match &answer {
                        Err(error) => Err(error.clone()),
                        Ok(named) if named.absent.contains(&name.id) => match &owners {
                            Err(error) => Err(error.clone()),
                            Ok(owners) => match owners.get(&name.id) {
                                None => continue,
                                Some(account) => Ok(Sight::Elsewhere(Arc::clone(account))),
                            },
                        },
                        Ok(_) => Ok(found
                            .remove(&name.id)
                            .map_or(Sight::Hidden, |it| Sight::There(Arc::new(it)))),
                    };
                    all.insert(name, sight);
                }
            }
            Ok(all)
        })
    };
    Batch::new(usize::MAX, INSTANCE_PACE, Box::new(read))
}

pub(super) fn fresh_interfaces(api: &Arc<Api>) -> Batch<Arc<str>, Arc<RawInterface>> {
    let api = Arc::clone(api);
    let read = move |wanted: Vec<Arc<str>>| -> BoxFuture<'static, _> {
        let api = Arc::clone(&api);
        Box::pin(async move {
            let Named { found, .. } = ids::interfaces(&api, &wanted).await?;
            let found = found.into_iter();
            Ok(found
                .map(|it| (Arc::clone(&it.id), Ok(Arc::new(it))))
                .collect())
        })
    };
    Batch::new(IDS_A_CALL, INTERFACE_PACE, Box::new(read))
}

/// Keeps the quota known where that is permitted.
pub(super) async fn watch_quota(api: Arc<Api>, quotas: Arc<Mutex<Quotas>>) {
    loop {
        match api.route_quota().await {
            Ok(Some(limit)) => lock(&quotas).grant(limit),
            Ok(None) => {}
            Err(error) => {
                tracing::info!("the quota of routes is learned from refusals only: {error}");
            }
        }
        sleep(QUOTA_EVERY).await;
    }
}
