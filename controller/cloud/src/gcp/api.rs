//! The requests that are sent.

use std::{sync::Arc, time::Duration};

use google_cloud_auth::credentials::Credentials;
use google_cloud_compute_v1::{
    client::{GlobalOperations, Instances, Networks, Projects, Routes, ZoneOperations},
    model::{self, Operation},
};
use google_cloud_gax::{
    client_builder::Error as BuildError, options::RequestOptionsBuilder as _,
    retry_policy::NeverRetry,
};
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::{action::Action, calls::Calls, config::GcpConfig, errors, links::InstanceName};
use crate::Meter;

/// Entries of a page; the most that Google gives.
pub(super) const PAGE: u32 = 500;
/// Operations that change routes.
const OF_ROUTES: &str = "(targetLink eq \".*/global/routes/.*\")";
/// How long a page of a listing, or one resource, may take.
const LONGEST_READ: Duration = Duration::from_secs(20);

/// The clients, one for each kind of resource, and what all of their requests go through.
pub(super) struct Api {
    routes: Routes,
    instances: Instances,
    networks: Networks,
    projects: Projects,
    global_operations: GlobalOperations,
    zone_operations: ZoneOperations,
    pub(super) calls: Calls,
    longest_write: Duration,
}

/// Of the crate's own accord nothing is sent twice: its clients would send GET, PUT and DELETE again up to
/// ten times, also what may have happened.
macro_rules! client {
    ($client:ident, $config:expr, $credentials:expr, $universe:expr) => {{
        let builder = $client::builder()
            .with_credentials($credentials.clone())
            .with_retry_policy(NeverRetry)
            .with_attempt_timeout(LONGEST_READ);
        let builder = match &$config.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        // A client of another universe than the credentials' is refused by the crate, which takes it for
        // googleapis.com unless it is told.
        let builder = match &$universe {
            Some(universe) => builder.with_universe_domain(universe),
            None => builder,
        };
        builder.build().await.map_err(|error| unbuilt(&error))?
    }};
}

/// Sends a request for each page of a listing. The requests have no trait in common, hence a macro.
macro_rules! all_pages {
    ($api:expr, $project:expr, $action:expr, $request:expr) => {
        pages(|token| {
            let request = $request.clone().set_or_clear_page_token(token);
            async move {
                let page = $api
                    .calls
                    .read($project, $action, || request.clone().send())
                    .await?;
                Ok((page.items, page.next_page_token))
            }
        })
        .await
    };
}

fn unbuilt(error: &BuildError) -> CloudError {
    let problem = format!(
        "the client of Google's API cannot be made: {error}; {}",
        errors::CREDENTIALS
    );
    CloudError::new(CloudErrorKind::Denied, problem)
}

impl Api {
    pub(super) async fn new(
        config: &GcpConfig,
        credentials: Credentials,
        meter: Arc<dyn Meter>,
    ) -> Result<Self, CloudError> {
        let universe = credentials.universe_domain().await;
        Ok(Self {
            routes: client!(Routes, config, credentials, universe),
            instances: client!(Instances, config, credentials, universe),
            networks: client!(Networks, config, credentials, universe),
            projects: client!(Projects, config, credentials, universe),
            global_operations: client!(GlobalOperations, config, credentials, universe),
            zone_operations: client!(ZoneOperations, config, credentials, universe),
            calls: Calls::new(config, meter),
            longest_write: config.longest_write,
        })
    }

    /// Every route of a network, whoever's.
    pub(super) async fn routes(
        &self,
        project: &str,
        network: &str,
    ) -> Result<Vec<model::Route>, CloudError> {
        let filter = format!("network eq \".*/global/networks/{network}\"");
        let request = self.routes.list().set_project(project).set_filter(filter);
        let request = request.set_max_results(PAGE);
        all_pages!(self, project, Action::ListRoutes, request)
    }

    /// A route by its name; `None` if there is none.
    pub(super) async fn route(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<model::Route>, CloudError> {
        let request = self.routes.get().set_project(project).set_route(name);
        let answer = self
            .calls
            .read(project, Action::GetRoute, || request.clone().send())
            .await;
        there(answer)
    }

    /// Asks for a new route.
    pub(super) async fn insert_route(
        &self,
        project: &str,
        route: model::Route,
        request_id: &str,
    ) -> Result<Operation, CloudError> {
        let request = self
            .routes
            .insert()
            .set_project(project)
            .set_request_id(request_id)
            .set_body(route)
            .with_attempt_timeout(self.longest_write);
        self.calls
            .write(project, Action::InsertRoute, request.send())
            .await
    }

    /// Asks for one route less.
    pub(super) async fn delete_route(
        &self,
        project: &str,
        name: &str,
        request_id: &str,
    ) -> Result<Operation, CloudError> {
        let request = self
            .routes
            .delete()
            .set_project(project)
            .set_route(name)
            .set_request_id(request_id)
            .with_attempt_timeout(self.longest_write);
        self.calls
            .write(project, Action::DeleteRoute, request.send())
            .await
    }

    /// A network by its name; `None` if there is none.
    pub(super) async fn network(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<model::Network>, CloudError> {
        let request = self.networks.get().set_project(project).set_network(name);
        let answer = self
            .calls
            .read(project, Action::GetNetwork, || request.clone().send())
            .await;
        there(answer)
    }

    /// A project with its quotas.
    pub(super) async fn project(&self, project: &str) -> Result<model::Project, CloudError> {
        let request = self.projects.get().set_project(project);
        self.calls
            .read(project, Action::GetProject, || request.clone().send())
            .await
    }

    /// An instance by its name; `None` if there is none.
    pub(super) async fn instance(
        &self,
        name: &InstanceName,
    ) -> Result<Option<model::Instance>, CloudError> {
        let request = self
            .instances
            .get()
            .set_project(&*name.project)
            .set_zone(&*name.zone)
            .set_instance(&*name.name);
        let answer = self
            .calls
            .read(&name.project, Action::GetInstance, || {
                request.clone().send()
            })
            .await;
        there(answer)
    }

    /// All instances of a zone.
    pub(super) async fn instances(
        &self,
        project: &str,
        zone: &str,
    ) -> Result<Vec<model::Instance>, CloudError> {
        let request = self.instances.list().set_project(project).set_zone(zone);
        let request = request.set_max_results(PAGE);
        all_pages!(self, project, Action::ListInstances, request)
    }

    /// Asks for an instance to be as it is described, unless that takes a restart.
    pub(super) async fn update_instance(
        &self,
        name: &InstanceName,
        instance: model::Instance,
        request_id: &str,
    ) -> Result<Operation, CloudError> {
        let request = self
            .instances
            .update()
            .set_project(&*name.project)
            .set_zone(&*name.zone)
            .set_instance(&*name.name)
            .set_most_disruptive_allowed_action("REFRESH")
            .set_request_id(request_id)
            .set_body(instance)
            .with_attempt_timeout(self.longest_write);
        self.calls
            .write(&name.project, Action::UpdateInstance, request.send())
            .await
    }

    /// The newest of a project's changes of routes, whether they have ended or not; at most a page.
    pub(super) async fn newest_operations(
        &self,
        project: &str,
    ) -> Result<Vec<Operation>, CloudError> {
        let request = self
            .global_operations
            .list()
            .set_project(project)
            .set_filter(OF_ROUTES)
            .set_order_by("creationTimestamp desc")
            .set_max_results(PAGE);
        let page = self
            .calls
            .read(project, Action::ListGlobalOperations, || {
                request.clone().send()
            })
            .await?;
        Ok(page.items)
    }

    /// All of a project's changes of routes that have not ended.
    pub(super) async fn unfinished_operations(
        &self,
        project: &str,
    ) -> Result<Vec<Operation>, CloudError> {
        let request = self.global_operations.list().set_project(project);
        let request = request
            .set_filter(format!("{OF_ROUTES} (status ne \"DONE\")"))
            .set_max_results(PAGE);
        all_pages!(self, project, Action::ListGlobalOperations, request)
    }

    /// A change of a route; `None` if nothing is known of it any more.
    pub(super) async fn global_operation(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<Operation>, CloudError> {
        let request = self.global_operations.get().set_project(project);
        let request = request.set_operation(name);
        let action = Action::GetGlobalOperation;
        there(
            self.calls
                .read(project, action, || request.clone().send())
                .await,
        )
    }

    /// A change of an instance; `None` if nothing is known of it any more.
    pub(super) async fn zone_operation(
        &self,
        project: &str,
        zone: &str,
        name: &str,
    ) -> Result<Option<Operation>, CloudError> {
        let request = self.zone_operations.get().set_project(project);
        let request = request.set_zone(zone).set_operation(name);
        let action = Action::GetZoneOperation;
        there(
            self.calls
                .read(project, action, || request.clone().send())
                .await,
        )
    }
}

/// All entries of a listing. `page` gives those of one page, and the token of the next.
async fn pages<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, CloudError>
where
    F: Future<Output = Result<(Vec<T>, Option<String>), CloudError>>,
{
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let (entries, next) = page(token).await?;
        all.extend(entries);
        token = next.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// What does not exist is an answer.
fn there<T>(answer: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == CloudErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
