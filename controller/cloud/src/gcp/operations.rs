//! What Google carries out, whoever asked for it and whatever becomes of them.
//!
//! One listing a second tells how all of our changes get on, however many they are. What is unfinished when
//! the routes are listed is pending: it is looked up before them, so that what ends in between shows as both.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use google_cloud_compute_v1::model::{Operation, operation::Status};
use ipnet::IpNet;
use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::time::{Instant, sleep};

use super::{action::Action, api::Api, errors, links, lock, names::Names};
use crate::{
    Progress,
    batch::{Batch, Pace},
};

/// How often it is looked how our changes get on.
const EVERY: Duration = Duration::from_secs(1);
/// How long a listing of routes is preceded by one of operations after a change was asked for, or after this
/// provider was made: longer than a request takes to arrive that an earlier leader had sent, or that was not
/// answered.
const WATCHFUL: Duration = Duration::from_secs(60);

/// The name of what is carried out, for [`Cloud::finish`](crate::Cloud::finish).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A change of a route.
    Route(Arc<str>),
    /// A change of an instance.
    Instance {
        project: Arc<str>,
        zone: Arc<str>,
        name: Arc<str>,
    },
}

impl Name {
    pub(super) fn to_operation(&self) -> crate::Operation {
        crate::Operation(match self {
            Self::Route(name) => name.as_ref().into(),
            Self::Instance {
                project,
                zone,
                name,
            } => format!("{project}/{zone}/{name}").into(),
        })
    }

    pub(super) fn of(operation: &crate::Operation) -> Self {
        match *operation.0.split('/').collect::<Vec<_>>() {
            [project, zone, name] => Self::Instance {
                project: project.into(),
                zone: zone.into(),
                name: name.into(),
            },
            _ => Self::Route(operation.0.as_ref().into()),
        }
    }
}

/// Follows the operations of one project's routes.
pub(super) struct Operations {
    api: Arc<Api>,
    project: Arc<str>,
    of_routes: Batch<Arc<str>, Arc<Operation>>,
    /// Until when something may be under way of which we know nothing.
    watchful: Mutex<Instant>,
}

impl Operations {
    pub(super) fn new(api: &Arc<Api>, project: &Arc<str>) -> Self {
        let (reader, of) = (Arc::clone(api), Arc::clone(project));
        let read = move |names: Vec<Arc<str>>| -> BoxFuture<'static, _> {
            let (api, project) = (Arc::clone(&reader), Arc::clone(&of));
            Box::pin(async move { read(&api, &project, names).await })
        };
        let pace = Pace {
            linger: EVERY / 4,
            interval: EVERY,
        };
        Self {
            api: Arc::clone(api),
            project: Arc::clone(project),
            of_routes: Batch::new(usize::MAX, pace, Box::new(read)),
            watchful: Mutex::new(Instant::now() + WATCHFUL),
        }
    }

    /// A change is about to be asked for.
    pub(super) fn expect_one(&self) {
        *lock(&self.watchful) = Instant::now() + WATCHFUL;
    }

    /// The blocks of this cluster for whose routes something is being carried out.
    pub(super) async fn pending(&self, names: &Names) -> Result<Vec<IpNet>, CloudError> {
        if Instant::now() > *lock(&self.watchful) {
            return Ok(Vec::new());
        }
        let unfinished = self.api.unfinished_operations(&self.project).await?;
        let blocks: Vec<IpNet> = unfinished
            .iter()
            .filter(|operation| operation.status != Some(Status::Done))
            .filter_map(|operation| links::route(operation.target_link.as_deref()?))
            .filter_map(|name| names.block(name))
            .collect();
        if !blocks.is_empty() {
            self.expect_one();
        }
        Ok(blocks)
    }

    /// Waits until it has ended.
    pub(super) async fn finish(&self, name: &Name) -> Result<(), CloudError> {
        loop {
            let (action, answer) = match name {
                Name::Route(name) => {
                    let answer = self.of_routes.ask(Arc::clone(name)).await;
                    (Action::InsertRoute, answer)
                }
                Name::Instance {
                    project,
                    zone,
                    name,
                } => {
                    sleep(EVERY).await;
                    let answer = self.api.zone_operation(project, zone, name).await;
                    (Action::UpdateInstance, answer.map(|it| it.map(Arc::new)))
                }
            };
            match answer {
                Ok(Some(operation)) if operation.status == Some(Status::Done) => {
                    let action = match operation.operation_type.as_deref() {
                        Some("delete") => Action::DeleteRoute,
                        _ => action,
                    };
                    return errors::of_operation(action, &operation).map_or(Ok(()), Err);
                }
                Ok(None) => return Err(lost("nothing is known of it any more")),
                Err(error) if error.kind == CloudErrorKind::Denied => {
                    return Err(lost(&error.detail));
                }
                // It goes on, or the next look may tell.
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }
}

/// How far a change is that Google has taken on; `name` is of its operation.
pub(super) fn progress(
    action: Action,
    operation: &Operation,
    name: impl FnOnce(Arc<str>) -> Name,
) -> Result<Progress, CloudError> {
    if operation.status == Some(Status::Done) {
        return errors::of_operation(action, operation).map_or(Ok(Progress::Done), Err);
    }
    let of = operation.name.as_deref().ok_or_else(|| {
        let problem = format!("{}: the answer names no operation", action.name());
        CloudError::new(CloudErrorKind::Unknown, problem)
    })?;
    Ok(Progress::Accepted(name(of.into()).to_operation()))
}

/// How a change has ended cannot be told; the next listing of routes does.
fn lost(why: &str) -> CloudError {
    let problem = format!("how the operation has ended is not known: {why}");
    CloudError::new(CloudErrorKind::Unknown, problem)
}

/// Looks at operations of routes. The newest come first, so that those that are under way are in the first
/// page as a rule; the others are asked for by name.
async fn read(
    api: &Api,
    project: &str,
    names: Vec<Arc<str>>,
) -> Result<HashMap<Arc<str>, Result<Arc<Operation>, CloudError>>, CloudError> {
    let newest = api.newest_operations(project).await?;
    let mut by_name: HashMap<String, Operation> = newest
        .into_iter()
        .filter_map(|operation| Some((operation.name.clone()?, operation)))
        .collect();
    let mut found = HashMap::new();
    let mut others = Vec::new();
    for name in names {
        match by_name.remove(&*name) {
            Some(operation) => {
                found.insert(name, Ok(Arc::new(operation)));
            }
            None => others.push(name),
        }
    }
    let others = others.into_iter().map(|name| async move {
        let answer = api.global_operation(project, &name).await.transpose();
        Some((name, answer?.map(Arc::new)))
    });
    found.extend(join_all(others).await.into_iter().flatten());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_through_the_trait_unharmed() {
        let names = [
            Name::Route("operation-1-2".into()),
            Name::Instance {
                project: "example.com:p".into(),
                zone: "z-a".into(),
                name: "operation-1".into(),
            },
        ];
        for name in names {
            assert_eq!(Name::of(&name.to_operation()), name);
        }
    }
}
