//! The one table of a network: all its routes, and what is known of it.

use std::time::Duration;

use signpost_core::cloud::{CloudError, CloudErrorKind, Range, TableId, TableListing};
use tokio::time::Instant;

use super::{GcpNetwork, links, lock, routes};

/// How often it is looked whether the network is there and is cut into subnets by Google.
const NETWORK_EVERY: Duration = Duration::from_secs(600);
/// How often the project is asked for its quota.
const QUOTA_EVERY: Duration = Duration::from_secs(3600);

impl GcpNetwork {
    pub(super) async fn list(&self, ranges: &[Range]) -> Result<TableListing, CloudError> {
        let auto_mode = self.auto_mode().await?;
        self.ask_for_quota().await;
        // First of the two, so that what ends in between is in both.
        let pending = self.operations.pending(&self.form.names).await?;
        let project = &self.place.project;
        let all = self.api.routes(project, &self.place.network).await?;
        let within = |block: &ipnet::IpNet| ranges.iter().any(|it| it.cidr.contains(block));
        let used = all.iter().filter(|route| routes::is_static(route)).count();
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        let observed = all
            .iter()
            .filter_map(|route| self.form.observe(route, ranges));
        Ok(TableListing {
            table: TableId(self.place.to_string().into()),
            routes: Ok(observed.collect()),
            usage: lock(&self.quota).listed(used),
            barred: routes::barred(&all, auto_mode, ranges),
            pending: pending.into_iter().filter(within).collect(),
        })
    }

    /// Whether Google cuts the network into subnets by itself.
    async fn auto_mode(&self) -> Result<bool, CloudError> {
        let known = *lock(&self.auto_mode);
        if let Some((auto_mode, at)) = known
            && at.elapsed() < NETWORK_EVERY
        {
            return Ok(auto_mode);
        }
        let (project, name) = (&self.place.project, &self.place.network);
        let network = self.api.network(project, name).await?.ok_or_else(|| {
            CloudError::new(
                CloudErrorKind::NotFound,
                format!(
                    "there is no network {name} in project {project}: correct \
                     spec.cloud.gcp.network or spec.cloud.gcp.project (that of a Shared VPC is the \
                     host project)"
                ),
            )
        })?;
        if let Some(own) = network.self_link.as_deref().and_then(links::network) {
            self.place.learn(own.project);
        }
        let auto_mode = network.auto_create_subnetworks == Some(true);
        *lock(&self.auto_mode) = Some((auto_mode, Instant::now()));
        Ok(auto_mode)
    }

    /// Asks the project how many routes it may have, now and then. It may be denied: then it is learnt
    /// when a route is refused.
    async fn ask_for_quota(&self) {
        let due = lock(&self.quota_at).is_none_or(|at| at.elapsed() >= QUOTA_EVERY);
        if !due {
            return;
        }
        *lock(&self.quota_at) = Some(Instant::now());
        match self.api.project(&self.place.project).await {
            Ok(project) => {
                lock(&self.quota).told(&project);
                let names = [project.name, project.id.map(|number| number.to_string())];
                for name in names.into_iter().flatten() {
                    self.place.learn(name);
                }
            }
            Err(error) => {
                tracing::info!(%error, "how many routes the project may have is not told");
            }
        }
    }
}
