//! What the engine asks for: the instances of nodes, and all tables.

use std::{collections::HashMap, sync::Arc, time::Duration};

use signpost_core::{
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Ownership, Range, TableId,
        TableListing,
    },
    node::NodeKey,
};
use tokio::time::Instant;

use super::{
    AwsVpc, TableChoice,
    api::filter,
    choice,
    instances::{self, InstanceName, RawInstance, Sight},
    lock,
    subnets::Layout,
    tables::RawTable,
};

/// Which table a subnet follows is read again before a node is refused for it, if it is older.
const LAYOUT_HOLDS: Duration = Duration::from_secs(5);

/// How long the primary interface of an instance is remembered, which never changes.
const PRIMARY_HOLDS: Duration = Duration::from_secs(2 * 3600);

impl AwsVpc {
    /// The instances of nodes.
    pub(super) async fn read(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let names: Vec<_> = queries
            .iter()
            .map(|query| instances::name_of(query.provider_id.as_deref()))
            .collect();
        let wanted: Vec<InstanceName> = names.iter().flatten().cloned().collect();
        let now = Instant::now();
        let ids = wanted.iter().map(|name| &name.id);
        if self.owners().name(ids, now) {
            self.tell();
        }
        let answers = if wanted.is_empty() {
            HashMap::new()
        } else {
            self.fresh_instances.ask_all(wanted).await
        };
        let there: Vec<Arc<RawInstance>> = answers
            .values()
            .filter_map(|answer| match answer {
                Ok(Some(Sight::There(instance))) => Some(Arc::clone(instance)),
                _ => None,
            })
            .collect();
        for instance in &there {
            self.note(instance);
        }
        let layout = self.layout_of(&there).await;
        let state = |name: &InstanceName, sight: Option<&Sight>| {
            if sight.is_none()
                && let Some(why) = self.out_of_sight(&name.id)
            {
                return Ok(InstanceState::Unsupported(why.into()));
            }
            let layout = match &layout {
                Ok(layout) => layout,
                Err(error) if sight.is_some() => return Err(error.clone()),
                Err(_) => return Ok(InstanceState::Gone),
            };
            let problem = |instance: &_, primary: &_| {
                layout.as_ref()?.problem(&self.config, instance, primary)
            };
            let vpc = self.vpc.as_deref();
            Ok(instances::state(&name.id, sight, vpc, problem))
        };
        queries
            .iter()
            .zip(names)
            .filter_map(|(query, name)| {
                let answer = match name {
                    Err(why) => Ok(InstanceState::Unsupported(why.into())),
                    Ok(name) => match answers.get(&name)? {
                        Ok(sight) => state(&name, sight.as_ref()),
                        Err(error) => Err(error.clone()),
                    },
                };
                Some((query.node.clone(), answer))
            })
            .collect()
    }

    /// Why an instance that EC2 does not know may be there all the same, as far as that was ever seen.
    fn out_of_sight(&self, id: &str) -> Option<String> {
        let own = lock(&self.account).clone()?;
        let layout = lock(&self.layout).clone()?;
        layout.shared_by_another(&own, id)
    }

    /// Which tables the subnets of these instances follow; read again if one of them follows none that
    /// is programmed. `None` if there are no instances.
    async fn layout_of(
        &self,
        instances: &[Arc<RawInstance>],
    ) -> Result<Option<Arc<Layout>>, CloudError> {
        if instances.is_empty() {
            return Ok(None);
        }
        let known = lock(&self.layout).clone();
        if let Some(layout) = known {
            let fine = instances.iter().all(|instance| {
                let primary = instance.primary();
                primary.is_none_or(|it| layout.problem(&self.config, instance, it).is_none())
            });
            if fine || layout.at.elapsed() < LAYOUT_HOLDS {
                return Ok(Some(layout));
            }
        }
        self.tables().await.map(|(_, layout)| Some(layout))
    }

    /// Every table of the VPC, programmed or not. Where only tables are named, their VPCs.
    pub(super) async fn tables(&self) -> Result<(Vec<RawTable>, Arc<Layout>), CloudError> {
        let begun = Instant::now();
        let of_vpcs = async |vpcs: Vec<String>| match vpcs.as_slice() {
            [] => Ok(Vec::new()),
            vpcs => self.api.tables(&[filter("vpc-id", vpcs.to_vec())]).await,
        };
        let known: Vec<String> = match &self.vpc {
            Some(vpc) => vec![vpc.clone()],
            None => lock(&self.vpcs).iter().map(ToString::to_string).collect(),
        };
        let mut tables = of_vpcs(known).await?;
        if let TableChoice::Ids(ids) = &self.config.tables {
            let unseen = ids.iter().filter(|id| {
                let mut seen = tables.iter();
                !seen.any(|table| *table.id == **id)
            });
            let unseen: Vec<String> = unseen.cloned().collect();
            if !unseen.is_empty() {
                let found = self.api.tables(&[filter("route-table-id", unseen)]).await?;
                let new: Vec<String> = {
                    let mut vpcs = lock(&self.vpcs);
                    let new = found.iter().map(|table| Arc::clone(&table.vpc));
                    new.filter(|vpc| vpcs.insert(Arc::clone(vpc)))
                        .map(|vpc| vpc.to_string())
                        .collect()
                };
                let more = of_vpcs(new).await?;
                let found = found.into_iter().filter(|table| {
                    let mut more = more.iter();
                    !more.any(|other| other.id == table.id)
                });
                let found: Vec<RawTable> = found.collect();
                tables.extend(found);
                tables.extend(more);
            }
        }
        let layout = Arc::new(Layout::of(&tables, &self.config, begun));
        *lock(&self.layout) = Some(Arc::clone(&layout));
        Ok((tables, layout))
    }

    /// All programmed tables.
    pub(super) async fn list(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        let (all, _) = self.tables().await?;
        let unusable = choice::unusable(&self.config, &all);
        let (programmed, others): (Vec<RawTable>, Vec<RawTable>) = all
            .into_iter()
            .partition(|table| choice::is_programmed(&self.config, table));
        if programmed.is_empty() && unusable.is_empty() {
            return Err(choice::none(&self.config, self.vpc.as_deref(), &others));
        }
        let observed = self.observe(&programmed, ranges).await;
        self.weigh(&programmed).await;
        self.tell_of(&others, ranges);
        let now = Instant::now();
        self.owners().tidy(now);
        self.primaries()
            .retain(|_, (_, at)| now.saturating_duration_since(*at) < PRIMARY_HOLDS);
        let weights = lock(&self.weights);
        let mut quotas = lock(&self.quotas);
        let listings = programmed.iter().zip(observed);
        let listings = listings.map(|(table, routes)| TableListing {
            table: TableId(Arc::clone(&table.id)),
            routes,
            usage: quotas.listed(&table.id, table.used(&weights)),
            barred: table.barred(ranges),
            // A change is made when it is answered.
            pending: Vec::new(),
        });
        Ok(listings.chain(unusable).collect())
    }

    /// Says once what is left in tables that are not programmed, or why one is not.
    fn tell_of(&self, tables: &[RawTable], ranges: &[Range]) {
        let owners = self.owners();
        let mut told = lock(&self.told);
        for table in tables {
            let chosen = choice::names(&self.config, table);
            let problem = choice::at_gateway(table).filter(|_| chosen).or_else(|| {
                let observed = table.routes.iter();
                let left = observed
                    .filter_map(|route| owners.observe(route, ranges))
                    .filter(|route| route.ownership == Ownership::Ours)
                    .count();
                (left > 0).then(|| {
                    format!(
                        "route table {} is not programmed any more and still has {left} routes of \
                         ours: {}, or remove them by hand",
                        table.id,
                        choice::remedy(&self.config, &table.id)
                    )
                })
            });
            match problem {
                Some(problem) => {
                    if told.insert(Arc::clone(&table.id)) {
                        tracing::warn!("{problem}");
                    }
                }
                None => {
                    told.remove(&table.id);
                }
            }
        }
    }

    /// Reads the instance of a node if its primary interface is not known.
    pub(super) async fn know_primary(&self, query: &InstanceQuery) -> Result<(), CloudError> {
        if self.primary(query).is_err()
            && let Ok(name) = instances::name_of(query.provider_id.as_deref())
            && let Some(Sight::There(instance)) = self.fresh_instances.ask(name).await?
        {
            self.note(&instance);
        }
        Ok(())
    }

    /// The primary interface of a node's instance, if the instance was read.
    pub(super) fn primary(&self, query: &InstanceQuery) -> Result<Arc<str>, CloudError> {
        let invalid = |why: String| CloudError::new(CloudErrorKind::Invalid, why);
        let name = instances::name_of(query.provider_id.as_deref()).map_err(invalid)?;
        let known = self.primaries().get(&name.id).cloned();
        let (interface, _) = known.ok_or_else(|| {
            let unread = format!("not begun: instance {} was not read yet", name.id);
            CloudError::new(CloudErrorKind::Transient, unread)
        })?;
        Ok(interface)
    }
}
